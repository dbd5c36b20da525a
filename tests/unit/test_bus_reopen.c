/*
 * core/bus/bus_reopen: new files for the logs, as far as the bus is concerned.
 */
#include "bus_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct heard {
    int calls;
    int code;
    unsigned logs;
    char why[256];
};

static void on_done(const struct bus_reopen_result *result, void *arg)
{
    struct heard *heard = arg;

    heard->calls++;
    heard->code = result->code;
    heard->logs = result->logs;
    snprintf(heard->why, sizeof(heard->why), "%s", result->code ? result->why : "");
}

static int make_file(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static bool same(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

/* The bus's log is a file, as its master made it. */
static struct fixture *fixture_with_log(void)
{
    struct fixture *f = fixture_new();
    log_init(&f->start.log, make_file("old.log"), LPM_LOG_ALERT, "bus");
    return f;
}

static void free_fixture(struct fixture *f)
{
    close(f->start.log.fd);
    fixture_free(f);
}

static void master_sends(struct fixture *f, uint32_t type, uint32_t index, int status, int fd)
{
    struct control message = {.type = type, .index = index, .status = status};
    assert_int_equal(control_send(f->master, &message, fd), 0);
    turn(f);
}

/* The number that the master is asked with. */
static uint32_t question(struct fixture *f)
{
    struct control message;
    int fd;

    assert_int_equal(control_receive(f->master, &message, &fd), 1);
    assert_int_equal(message.type, CONTROL_ASK_REOPEN);
    return message.index;
}

/* The worker receives a log: its number. It must be the file. */
static uint32_t worker_gets(struct fixture *f, int file)
{
    struct channel_message message;
    struct frame frame;
    const char *why;

    assert_int_equal(channel_next(f->channel, &message, &why), 1);
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    assert_int_equal(frame.type, FRAME_LOG);
    assert_int_equal(message.fd_count, 1);
    assert_true(same(message.fds[0], file));
    channel_release(f->channel, &message);
    return frame.key.seq;
}

static void worker_takes(struct fixture *f, uint32_t number)
{
    struct frame frame = {.type = FRAME_LOG_TAKEN, .key = {0, number}};
    say(f, &frame);
    turn(f);
}

static void all_have_it(void **state)
{
    struct fixture *f = fixture_with_log();
    struct heard heard = {.calls = 0};
    int number = f->start.log.fd, file = make_file("new.log");
    uint32_t asked, log;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(bus_reopen_ask(&f->bus, on_done, &heard), 0);
    turn(f);
    asked = question(f);
    assert_int_not_equal(asked, 0);
    master_sends(f, CONTROL_LOG, 0, 0, file);
    assert_int_equal(f->start.log.fd, number);
    assert_true(same(number, file));
    log = worker_gets(f, file);
    master_sends(f, CONTROL_REOPENED, asked, 1, -1);
    assert_int_equal(heard.calls, 0);
    worker_takes(f, log);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.code, 0);
    assert_int_equal(heard.logs, 1);
    close(file);
    free_fixture(f);
}

/* What others have asked for, before the files were renamed, is no answer. */
static void an_answer_to_another(void **state)
{
    struct fixture *f = fixture_with_log();
    struct heard first = {.calls = 0}, second = {.calls = 0};
    uint32_t a, b;

    (void)state;
    bus_reopen_ask(&f->bus, on_done, &first);
    bus_reopen_ask(&f->bus, on_done, &second);
    turn(f);
    a = question(f);
    b = question(f);
    master_sends(f, CONTROL_REOPENED, 0, 0, -1);
    assert_int_equal(first.calls + second.calls, 0);
    master_sends(f, CONTROL_REOPENED, a, 0, -1);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
    master_sends(f, CONTROL_REOPENED, b, 0, -1);
    assert_int_equal(second.calls, 1);
    free_fixture(f);
}

/* The master hears when the workers have it, whoever asked; and who asked here waits for other generations, too. */
static void the_others(void **state)
{
    struct fixture *f = fixture_with_log();
    struct heard heard = {.calls = 0};
    struct control done = {.type = CONTROL_REOPENED, .pool = 1, .until = 7}, message;
    int file = make_file("new.log"), fd;

    (void)state;
    start_ready_worker(f);
    bus_reopen_ask(&f->bus, on_done, &heard);
    turn(f);
    done.index = question(f);
    master_sends(f, CONTROL_LOG, 0, 0, file);
    assert_int_equal(control_send(f->master, &done, -1), 0);
    turn(f);
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    worker_takes(f, worker_gets(f, file));
    assert_int_equal(control_receive(f->master, &message, &fd), 1);
    assert_int_equal(message.type, CONTROL_LOGS_TAKEN);
    assert_int_equal(message.until, 7);
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    master_sends(f, CONTROL_LOGS_ELSEWHERE, done.index - 1, 0, -1);
    assert_int_equal(heard.calls, 0);
    master_sends(f, CONTROL_LOGS_ELSEWHERE, done.index, 0, -1);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.code, 0);
    close(file);
    free_fixture(f);
}

static void one_could_not_be_opened(void **state)
{
    struct fixture *f = fixture_with_log();
    struct heard heard = {.calls = 0};

    (void)state;
    for (int round = 0; round < 2; round++) {
        bus_reopen_ask(&f->bus, on_done, &heard);
        turn(f);
        if (round == 0) {
            master_sends(f, CONTROL_LOG, 1, -1, -1);
        }
        master_sends(f, CONTROL_REOPENED, question(f), 3, -1);
        assert_int_equal(heard.calls, round + 1);
        assert_int_equal(heard.code, round == 0 ? LPM_EIO : 0);
    }
    assert_int_equal(heard.logs, 3);
    free_fixture(f);
}

/* While its channel is full it is owed one log only, the newest. */
static void a_full_channel(void **state)
{
    struct fixture *f = fixture_with_log();
    struct heard heard = {.calls = 0};
    struct frame_key key;
    int files[3] = {make_file("1.log"), make_file("2.log"), make_file("3.log")};
    uint32_t log = 0;

    (void)state;
    start_ready_worker(f);
    while (!worker(f)->blocked) {
        lpm_supervisor_broadcast(&f->supervisor, NULL, "tick", "", 0, 0);
        turn(f);
    }
    for (size_t i = 0; i < 3; i++) {
        master_sends(f, CONTROL_LOG, 0, 0, files[i]);
    }
    bus_reopen_ask(&f->bus, on_done, &heard);
    turn(f);
    while (master_hears(f) != CONTROL_ASK_REOPEN) {
    }
    master_sends(f, CONTROL_REOPENED, f->bus.reopen_asked, 1, -1);
    for (int rounds = 0; rounds < 1000 && log == 0; rounds++) {
        struct channel_message message;
        struct frame frame;
        const char *why;
        while (log == 0 && channel_next(f->channel, &message, &why) == 1) {
            assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
            if (frame.type == FRAME_LOG) {
                assert_true(same(message.fds[0], files[2]));
                log = frame.key.seq;
            }
            channel_release(f->channel, &message);
        }
        turn(f);
    }
    assert_int_equal(log, 3);
    assert_int_equal(hear(f, &key), FRAME_TYPE_END);
    assert_int_equal(heard.calls, 0);
    worker_takes(f, log);
    assert_int_equal(heard.calls, 1);
    for (size_t i = 0; i < 3; i++) {
        close(files[i]);
    }
    free_fixture(f);
}

/* There is no descriptor to send it with: it is sent when there is one, whatever else happens. */
static void a_worker_is_owed_its_log(void **state)
{
    struct fixture *f = fixture_with_log();
    struct control message = {.type = CONTROL_LOG};
    int file = make_file("new.log"), copy = dup(file);
    struct rlimit old, none;
    struct frame_key key;
    bool holds;

    (void)state;
    start_ready_worker(f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)f->start.log.fd + 1; /* all below it are in use, and it can be replaced */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    holds = fcntl(file, F_DUPFD, 0) < 0; /* not under valgrind */
    bus_reopen_log(&f->bus, &message, &copy);
    turn(f);
    assert_true(!holds || hear(f, &key) == FRAME_TYPE_END);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(same(f->start.log.fd, file));
    wait_to_hear(f, FRAME_LOG, &key);
    assert_int_equal(key.seq, 1);
    close(file);
    free_fixture(f);
}

/* Nobody waits for the dead, and their successors were born with the new file. */
static void a_worker_dies(void **state)
{
    struct fixture *f = fixture_with_log();
    struct heard heard = {.calls = 0};
    int file = make_file("new.log");

    (void)state;
    start_ready_worker(f);
    master_sends(f, CONTROL_LOG, 0, 0, file);
    bus_reopen_ask(&f->bus, on_done, &heard);
    turn(f);
    master_sends(f, CONTROL_REOPENED, question(f), 1, -1);
    assert_int_equal(heard.calls, 0);
    die(f);
    assert_int_equal(heard.calls, 1);
    reap(f);
    start_ready_worker(f);
    bus_reopen_ask(&f->bus, on_done, &heard);
    turn(f);
    master_sends(f, CONTROL_REOPENED, question(f), 1, -1);
    assert_int_equal(heard.calls, 2);
    close(file);
    free_fixture(f);
}

static void liars(void **state)
{
    (void)state;
    for (uint32_t number = 1; number <= 3; number++) {
        struct fixture *f = fixture_with_log();
        int file = make_file("new.log");

        start_ready_worker(f);
        if (number > 1) {
            master_sends(f, CONTROL_LOG, 0, 0, file);
            assert_int_equal(worker_gets(f, file), 1);
        }
        if (number == 3) { /* the same one twice */
            worker_takes(f, 1);
            assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
        }
        worker_takes(f, number == 3 ? 1 : number);
        assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
        close(file);
        free_fixture(f);
    }
}

/* Whoever waits when the bus ends is forgotten without a leak. */
static void the_end(void **state)
{
    struct fixture *f = fixture_with_log();
    struct heard heard = {.calls = 0};

    (void)state;
    bus_reopen_ask(&f->bus, on_done, &heard);
    turn(f);
    free_fixture(f);
    assert_int_equal(heard.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_have_it),
        cmocka_unit_test(an_answer_to_another),
        cmocka_unit_test(a_full_channel),
        cmocka_unit_test(one_could_not_be_opened),
        cmocka_unit_test(a_worker_dies),
        cmocka_unit_test(liars),
        cmocka_unit_test(a_worker_is_owed_its_log),
        cmocka_unit_test(the_others),
        cmocka_unit_test(the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
