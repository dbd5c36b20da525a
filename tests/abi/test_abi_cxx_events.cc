/*
 * What is newer than 1.0, from C++: it compiles without a warning, and a listener runs.
 */
#define LPM_NEEDS 1
#include <lpm/test.h>

static int heard;

static void on_note(lpm_event *ev, void *arg)
{
    (void)arg;
    heard += lpm_slice_is(lpm_event_data(ev), "data");
}

static void request(lpm_request *req)
{
    lpm_ack(req);
}

LPM_MODULE(.name = "cxx_events", .version = "1.0", .request = request);

int main()
{
    lpm_test t;
    int rc;

    lpm_test_init(&t, &lpm_module_v1);
    rc = lpm_worker_on(lpm_test_worker(&t), "note", on_note, nullptr);
    lpm_test_event(&t, "note", "data", 4, 0);
    rc += lpm_worker_emit(lpm_test_worker(&t), "e", "x", 1, nullptr, nullptr);
    rc += lpm_test_emitted(&t, 0)->len == 1 ? 0 : 1;
    lpm_test_fini(&t);
    return rc == 0 && heard == 1 ? 0 : 1;
}
