/*
 * The memory of the cgroup and of the machine. Runs in the bus; where nothing can be read, nothing is short.
 */
#include "bus/bus_squeeze.h"

#include "bus/bus_worker.h"

static const struct timeval look_wait = {1, 0};

static unsigned level_at(const struct os_memory *memory, unsigned first, unsigned second, int waiting)
{
    /* In this order nothing overflows, and a percent of such a limit is exact enough. */
    uint64_t percent = memory->limit / 100 > 0 ? memory->used / (memory->limit / 100) : 0;

    if (percent >= second || memory->full >= waiting) {
        return 2;
    }
    return percent >= first || memory->some >= waiting ? 1 : 0;
}

unsigned bus_squeeze_next(unsigned level, const struct os_memory *memory)
{
    unsigned up = level_at(memory, 90, BUS_SQUEEZE_FULL, 1000), down = level_at(memory, 85, 94, 500);

    if (up > level) {
        return up;
    }
    return down < level ? level - 1 : level;
}

uint32_t bus_squeeze_concurrency(unsigned level, uint32_t concurrency)
{
    static const unsigned shifts[BUS_SQUEEZE_MAX + 1] = {0, 1, 3};
    uint32_t less = concurrency >> shifts[level];

    return less > 0 ? less : 1;
}

static void tell(const struct bus *bus, unsigned level)
{
    const struct os_memory *m = &bus->memory;

    if (level == 0) {
        log_write(bus->log, LPM_LOG_NOTICE, "memory is not short any more");
        return;
    }
    log_write(bus->log, LPM_LOG_WARN,
              "memory is short: %llu of %llu bytes in use, some wait for it %d.%02d %% of the time: workers "
              "may have %s "
              "of their concurrency",
              (unsigned long long)m->used, (unsigned long long)m->limit, m->some < 0 ? 0 : m->some / 100,
              m->some < 0 ? 0 : m->some % 100, level == 1 ? "half" : "an eighth");
}

static void change(struct bus *bus, unsigned level)
{
    tell(bus, level);
    bus->squeeze = level;
    for (size_t i = 0; i < bus->pool_count; i++) {
        for (size_t k = 0; k < bus->pools[i].places; k++) {
            bus_worker_touch(&bus->pools[i].workers[k]);
        }
    }
}

void bus_squeeze_look(struct bus *bus)
{
    unsigned level;

    os_memory_read(&bus->memory_paths, &bus->memory);
    level = bus_squeeze_next(bus->squeeze, &bus->memory);
    if (level != bus->squeeze) {
        change(bus, level);
    }
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    struct bus *bus = arg;

    (void)fd;
    (void)what;
    bus_squeeze_look(bus);
    event_add(&bus->squeeze_timer, &look_wait);
}

void bus_squeeze_init(struct bus *bus)
{
    if (!bus->memory_paths.proc) {
        bus->memory_paths = (struct os_memory_paths){"/proc", "/sys/fs/cgroup"};
    }
    event_assign(&bus->squeeze_timer, bus->base, -1, 0, on_time, bus);
    bus_squeeze_look(bus);
    event_add(&bus->squeeze_timer, &look_wait);
}

void bus_squeeze_fini(struct bus *bus)
{
    if (event_initialized(&bus->squeeze_timer)) {
        event_del(&bus->squeeze_timer);
    }
}
