/*
 * Reports made safe. Runs in the role crash; pure. The other side may write while we read: what was copied is all that
 * counts.
 */
#include "crash/crash_read.h"

#include <string.h>

#include "base/text.h"

static void limit(uint32_t *count, uint32_t max)
{
    if (*count > max) {
        *count = max;
    }
}

static void make_text(char *text, size_t size)
{
    text[size - 1] = '\0';
    text_clean(text);
}

/* In the order of enum role_crash_part. */
static void drop_unwritten(struct role_crash_report *out, uint32_t written)
{
    if (written < ROLE_CRASH_SIGNAL) {
        out->number = 0;
        out->register_count = 0;
        out->step = 0;
    }
    if (written < ROLE_CRASH_REQUEST) {
        out->id[0] = '\0';
        out->headers_len = 0;
    }
    if (written < ROLE_CRASH_STACK) {
        out->frames[0] = out->pc; /* better than nothing, and at times all that matters */
        out->frame_count = written >= ROLE_CRASH_SIGNAL;
    }
    if (written < ROLE_CRASH_ALL) {
        out->object_count = 0;
    }
}

void crash_read(struct role_crash_report *out, const struct role_crash_report *raw)
{
    uint32_t written = atomic_load_explicit(&raw->written, memory_order_acquire);

    memcpy(out, raw, sizeof(*out));
    drop_unwritten(out, written);
    limit(&out->register_count, ROLE_CRASH_REGISTERS);
    limit(&out->headers_len, ROLE_CRASH_HEADERS);
    limit(&out->frame_count, ROLE_CRASH_FRAMES);
    limit(&out->object_count, ROLE_CRASH_OBJECTS);
    make_text(out->id, sizeof(out->id));
    for (uint32_t i = 0; i < out->object_count; i++) {
        make_text(out->objects[i].path, sizeof(out->objects[i].path));
    }
}

/* See frame.h for the form. */
bool crash_read_header(const struct role_crash_report *report, size_t *cursor, lpm_header *header)
{
    const char *at = report->headers + *cursor;
    size_t left = report->headers_len - *cursor;
    uint16_t name;
    uint32_t value;

    if (left < 8) {
        return false;
    }
    memcpy(&name, at, sizeof(name));
    memcpy(&value, at + 4, sizeof(value));
    at += 8;
    left -= 8;
    if (left <= name) {
        return false;
    }
    header->name = (lpm_slice){at, name};
    at += name + 1;
    left -= name + 1u;
    header->value = (lpm_slice){at, value < left ? value : left};
    left -= header->value.len;
    *cursor = report->headers_len - (left > 0 ? left - 1 : 0);
    return true;
}

const struct role_crash_object *crash_read_object(const struct role_crash_report *report, uint64_t address)
{
    for (uint32_t i = 0; i < report->object_count; i++) {
        const struct role_crash_object *object = &report->objects[i];
        if (address >= object->base && address < object->end) {
            return object;
        }
    }
    return NULL;
}
