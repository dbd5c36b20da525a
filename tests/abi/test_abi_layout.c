/*
 * The ABI is frozen: where each public field lies and how large it is, and what each public number is, on LP64. A
 * line may be added, for what is new at the end of a structure, whose SIZE grows with it; none is ever changed: a
 * module that was built yesterday relies on it. The compiler checks all of it; the program only says so.
 */
#include <lpm/module.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define FIELD(type, field, offset, size)                                              \
    _Static_assert(offsetof(type, field) == (offset), "offset of " #type "." #field); \
    _Static_assert(sizeof(((type *)0)->field) == (size), "size of " #type "." #field)
#define SIZE(type, size)   _Static_assert(sizeof(type) == (size), "size of " #type)
#define VALUE(name, value) _Static_assert((name) == (value), "value of " #name)

SIZE(void *, 8);
SIZE(long, 8);

FIELD(lpm_handle, host, 0, 8);
FIELD(lpm_handle, owner, 8, 8);
SIZE(lpm_handle, 16);

FIELD(lpm_slice, data, 0, 8);
FIELD(lpm_slice, len, 8, 8);
SIZE(lpm_slice, 16);

FIELD(lpm_header, name, 0, 16);
FIELD(lpm_header, value, 16, 16);
SIZE(lpm_header, 32);

FIELD(lpm_enqueue, size, 0, 8);
FIELD(lpm_enqueue, handler, 8, 8);
FIELD(lpm_enqueue, headers, 16, 8);
FIELD(lpm_enqueue, header_count, 24, 8);
FIELD(lpm_enqueue, data, 32, 8);
FIELD(lpm_enqueue, len, 40, 8);
FIELD(lpm_enqueue, timeout, 48, 8);
FIELD(lpm_enqueue, retries, 56, 8);
FIELD(lpm_enqueue, id, 64, 8);
FIELD(lpm_enqueue, ticket, 72, 8);
FIELD(lpm_enqueue, stream, 80, 4); /* 1.1 */
FIELD(lpm_enqueue, socket, 84, 4);
FIELD(lpm_enqueue, priority, 88, 4); /* 1.2 */
FIELD(lpm_enqueue, reserved, 92, 4);
FIELD(lpm_enqueue, client, 96, 16);
SIZE(lpm_enqueue, 112);

FIELD(lpm_directive, name, 0, 8);
FIELD(lpm_directive, context, 8, 8);
FIELD(lpm_directive, type, 16, 4);
FIELD(lpm_directive, flags, 20, 4);
FIELD(lpm_directive, min, 24, 8);
FIELD(lpm_directive, max, 32, 8);
FIELD(lpm_directive, args_min, 40, 4);
FIELD(lpm_directive, args_max, 44, 4);
FIELD(lpm_directive, words, 48, 8);
FIELD(lpm_directive, syntax, 56, 8);
FIELD(lpm_directive, value, 64, 8);
FIELD(lpm_directive, help, 72, 8);
SIZE(lpm_directive, 80);

FIELD(lpm_module, magic, 0, 4);
FIELD(lpm_module, size, 4, 4);
FIELD(lpm_module, needs, 8, 4);
FIELD(lpm_module, reserved, 12, 4);
FIELD(lpm_module, name, 16, 8);
FIELD(lpm_module, version, 24, 8);
FIELD(lpm_module, directives, 32, 8);
FIELD(lpm_module, conf, 40, 8);
FIELD(lpm_module, request, 48, 8);
FIELD(lpm_module, worker_init, 56, 8);
FIELD(lpm_module, soft_kill, 64, 8);
FIELD(lpm_module, hard_kill, 72, 8);
FIELD(lpm_module, supervisor_init, 80, 8);
FIELD(lpm_module, supervisor_online, 88, 8);
FIELD(lpm_module, supervisor_soft_kill, 96, 8);
FIELD(lpm_module, supervisor_hard_kill, 104, 8);
FIELD(lpm_module, trim, 112, 8); /* 1.2 */
SIZE(lpm_module, 120);

FIELD(lpm_host, size, 0, 4);
FIELD(lpm_host, minor, 4, 4);
FIELD(lpm_host, log, 8, 8);
FIELD(lpm_host, conf_child, 16, 8);
FIELD(lpm_host, conf_next, 24, 8);
FIELD(lpm_host, conf_arg_count, 32, 8);
FIELD(lpm_host, conf_arg, 40, 8);
FIELD(lpm_host, conf_value, 48, 8);
FIELD(lpm_host, conf_error, 56, 8);
FIELD(lpm_host, request_id, 64, 8);
FIELD(lpm_host, request_handler, 72, 8);
FIELD(lpm_host, request_created_at, 80, 8);
FIELD(lpm_host, request_deadline, 88, 8);
FIELD(lpm_host, request_cancelled, 96, 8);
FIELD(lpm_host, request_data, 104, 8);
FIELD(lpm_host, request_header_at, 112, 8);
FIELD(lpm_host, request_header, 120, 8);
FIELD(lpm_host, request_worker, 128, 8);
FIELD(lpm_host, request_set_context, 136, 8);
FIELD(lpm_host, request_context, 144, 8);
FIELD(lpm_host, respond_header, 152, 8);
FIELD(lpm_host, respond, 160, 8);
FIELD(lpm_host, ack, 168, 8);
FIELD(lpm_host, worker_ready, 176, 8);
FIELD(lpm_host, worker_busy, 184, 8);
FIELD(lpm_host, worker_requests, 192, 8);
FIELD(lpm_host, worker_soft_kill_done, 200, 8);
FIELD(lpm_host, worker_name, 208, 8);
FIELD(lpm_host, worker_conf, 216, 8);
FIELD(lpm_host, worker_set_context, 224, 8);
FIELD(lpm_host, worker_context, 232, 8);
FIELD(lpm_host, worker_event_base, 240, 8);
FIELD(lpm_host, supervisor_handler, 248, 8);
FIELD(lpm_host, supervisor_enqueue, 256, 8);
FIELD(lpm_host, supervisor_cancel, 264, 8);
FIELD(lpm_host, supervisor_retry_after, 272, 8);
FIELD(lpm_host, supervisor_soft_kill_done, 280, 8);
FIELD(lpm_host, supervisor_fd, 288, 8);
FIELD(lpm_host, supervisor_conf, 296, 8);
FIELD(lpm_host, supervisor_set_context, 304, 8);
FIELD(lpm_host, supervisor_context, 312, 8);
FIELD(lpm_host, supervisor_event_base, 320, 8);
FIELD(lpm_host, response_error, 328, 8);
FIELD(lpm_host, response_error_text, 336, 8);
FIELD(lpm_host, response_id, 344, 8);
FIELD(lpm_host, response_created_at, 352, 8);
FIELD(lpm_host, response_data, 360, 8);
FIELD(lpm_host, response_header_at, 368, 8);
FIELD(lpm_host, response_header, 376, 8);
FIELD(lpm_host, response_worker, 384, 8);
FIELD(lpm_host, response_queue_time, 392, 8);
FIELD(lpm_host, response_service_time, 400, 8);
FIELD(lpm_host, on, 408, 8); /* 1.1 */
FIELD(lpm_host, off, 416, 8);
FIELD(lpm_host, event_name, 424, 8);
FIELD(lpm_host, event_data, 432, 8);
FIELD(lpm_host, event_request, 440, 8);
FIELD(lpm_host, event_fd, 448, 8);
FIELD(lpm_host, event_worker, 456, 8);
FIELD(lpm_host, stream_pair, 464, 8);
FIELD(lpm_host, stream_end, 472, 8);
FIELD(lpm_host, request_has_stream, 480, 8);
FIELD(lpm_host, request_stream, 488, 8);
FIELD(lpm_host, request_has_socket, 496, 8);
FIELD(lpm_host, request_socket, 504, 8);
FIELD(lpm_host, request_on_cancel, 512, 8);
FIELD(lpm_host, respond_stream, 520, 8);
FIELD(lpm_host, socket_close, 528, 8);
FIELD(lpm_host, response_has_stream, 536, 8);
FIELD(lpm_host, response_stream, 544, 8);
FIELD(lpm_host, response_created_at_wall, 552, 8);
FIELD(lpm_host, worker_emit, 560, 8);
FIELD(lpm_host, supervisor_broadcast, 568, 8);
FIELD(lpm_host, supervisor_health, 576, 8);
FIELD(lpm_host, supervisor_soft_kill, 584, 8);
FIELD(lpm_host, supervisor_hard_kill, 592, 8);
FIELD(lpm_host, supervisor_resize, 600, 8);
FIELD(lpm_host, supervisor_handler_minor, 608, 8);
FIELD(lpm_host, supervisor_has_successor, 616, 8);
FIELD(lpm_host, supervisor_hand_over, 624, 8);
FIELD(lpm_host, supervisor_take_over, 632, 8);
FIELD(lpm_host, worker_handler, 640, 8);
FIELD(lpm_host, worker_handler_minor, 648, 8);
FIELD(lpm_host, worker_call, 656, 8);
FIELD(lpm_host, worker_cancel, 664, 8);
FIELD(lpm_host, worker_fd, 672, 8);
SIZE(lpm_host, 680);

FIELD(lpm_health, pool, 0, 72); /* 1.1 */
FIELD(lpm_health, index, 72, 4);
FIELD(lpm_health, pid, 76, 4);
FIELD(lpm_health, state, 80, 4);
FIELD(lpm_health, generation, 84, 4);
FIELD(lpm_health, restarts, 88, 4);
FIELD(lpm_health, in_flight, 92, 4);
FIELD(lpm_health, started, 96, 4);
FIELD(lpm_health, sockets, 100, 4);
FIELD(lpm_health, requests, 104, 8);
FIELD(lpm_health, uptime, 112, 8);
FIELD(lpm_health, rss, 120, 8);
FIELD(lpm_health, pressure, 128, 8);
FIELD(lpm_health, heap_total, 136, 8);
FIELD(lpm_health, heap_used, 144, 8);
FIELD(lpm_health, growth, 152, 8);
FIELD(lpm_health, to_limit, 160, 8);
FIELD(lpm_health, failures, 168, 4);
FIELD(lpm_health, trims, 172, 4); /* 1.2 */
SIZE(lpm_health, 176);

VALUE(LPM_WORKER_ABSENT, 0);
VALUE(LPM_WORKER_STARTING, 1);
VALUE(LPM_WORKER_READY, 2);
VALUE(LPM_WORKER_BUSY, 3);
VALUE(LPM_WORKER_LEAVING, 4);

VALUE(LPM_OK, 0);
VALUE(LPM_ENOMEM, -1);
VALUE(LPM_EINVAL, -2);
VALUE(LPM_EROLE, -3);
VALUE(LPM_EDONE, -4);
VALUE(LPM_ETOOBIG, -5);
VALUE(LPM_ECANCELED, -6);
VALUE(LPM_ETIMEDOUT, -7);
VALUE(LPM_EWORKER, -8);
VALUE(LPM_EFULL, -9);
VALUE(LPM_ESHUTDOWN, -10);
VALUE(LPM_ENOHANDLER, -11);
VALUE(LPM_ENOWORKER, -12);
VALUE(LPM_ECONF, -13);
VALUE(LPM_EAGAIN, -14);
VALUE(LPM_EIO, -15);
VALUE(LPM_EPROTO, -16);
VALUE(LPM_EABI, -17);
VALUE(LPM_ESHED, -18); /* 1.2 */
VALUE(LPM_EPOISON, -19);

VALUE(LPM_PRIORITY_LOW, -1);
VALUE(LPM_PRIORITY_NORMAL, 0);
VALUE(LPM_PRIORITY_HIGH, 1);

VALUE(LPM_LOG_DEBUG, 0);
VALUE(LPM_LOG_INFO, 1);
VALUE(LPM_LOG_NOTICE, 2);
VALUE(LPM_LOG_WARN, 3);
VALUE(LPM_LOG_ERROR, 4);
VALUE(LPM_LOG_CRIT, 5);
VALUE(LPM_LOG_ALERT, 6);

VALUE(LPM_CONF_FLAG, 0);
VALUE(LPM_CONF_NUMBER, 1);
VALUE(LPM_CONF_SIZE, 2);
VALUE(LPM_CONF_TIME, 3);
VALUE(LPM_CONF_STRING, 4);
VALUE(LPM_CONF_STRINGS, 5);
VALUE(LPM_CONF_ENUM, 6);
VALUE(LPM_CONF_HANDLER, 7);
VALUE(LPM_CONF_LISTEN, 8);
VALUE(LPM_CONF_LOG, 9);
VALUE(LPM_CONF_BLOCK, 10);

VALUE(LPM_ABI_MAJOR, 1);
VALUE(LPM_MODULE_MAGIC, 0x314d504c);
VALUE(LPM_NONE, -1);
VALUE(LPM_DEFAULT, INT64_MIN);
VALUE(LPM_CONF_MANY, 1);
VALUE(LPM_CONF_MINUS_ONE, 2);
VALUE(LPM_CONF_AUTO, 4);
VALUE(LPM_CONF_MUST, 8);

/* The magic, as bytes in the file. */
static void magic_is_lpm1(void **state)
{
    uint32_t magic = LPM_MODULE_MAGIC;
    (void)state;
    assert_memory_equal(&magic, "LPM1", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(magic_is_lpm1)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
