/*
 * C++ can use all of the public headers, and write a module with them. The program is that module, in the fake worker.
 */
#include <lpm/module.h>
#include <lpm/test.h>
#include <lpm/json.h>

#include <cstdio>
#include <string>

namespace
{

const lpm_directive rows[] = {
    {"greeting", "main", LPM_CONF_STRING, 0, 0, 0, 0, 0, nullptr, nullptr, "hello", "what is said first"},
    {nullptr, nullptr, 0, 0, 0, 0, 0, 0, nullptr, nullptr, nullptr, nullptr},
};

/* {"name": "x"} gives {"text": "hello x"}; anything else the status 400. */
void greet(lpm_request *req)
{
    json_error_t error;
    json_t *body = lpm_request_json(req, &error);
    const lpm_conf *conf = lpm_worker_conf(lpm_request_worker(req));

    if (body == nullptr) {
        lpm_respond_header(req, ":status", "400");
        lpm_respond_text(req, error.text);
        return;
    }
    const char *name = json_string_value(json_object_get(body, "name"));
    std::string text = std::string(lpm_conf_string(conf, "greeting", "hello")) + " " + (name ? name : "?");
    json_t *answer = json_pack("{s:s}", "text", text.c_str());
    lpm_respond_json(req, answer);
    json_decref(answer);
    json_decref(body);
}

bool ask(const char *greeting, const std::string &data, int status, const std::string &answer)
{
    lpm_test t;
    lpm_test_init(&t, &lpm_module_v1);
    if (greeting != nullptr) {
        lpm_test_conf(&t, nullptr, "greeting", greeting, nullptr);
    }
    lpm_request *req = lpm_test_request(&t, data.data(), data.size());
    lpm_test_run(&t, req);
    lpm_slice got = lpm_test_response_data(req);
    bool same = lpm_test_response_status(req) == status &&
                (answer.empty() || std::string(got.data, got.len) == answer);
    if (!same) {
        std::fprintf(stderr, "found %d \"%s\"\n", lpm_test_response_status(req), got.data);
    }
    lpm_test_fini(&t);
    return same;
}

} // namespace

LPM_MODULE(.name = "greet", .version = "1.0", .directives = rows, .request = greet);

int main()
{
    std::string large(5000, 'x');
    bool ok = lpm_module_v1.magic == LPM_MODULE_MAGIC && lpm_module_v1.size == sizeof(lpm_module) &&
              lpm_module_v1.needs == 0 && lpm_module_v1.worker_init == nullptr;

    ok = ask(nullptr, "{\"name\":\"you\"}", 200, "{\"text\":\"hello you\"}") && ok;
    ok = ask("bye", "{\"name\":\"" + large + "\"}", 200, "{\"text\":\"bye " + large + "\"}") && ok;
    ok = ask(nullptr, "{\"name\":", 400, "") && ok;
    ok = ask(nullptr, "{\"a\":1,\"a\":2}", 400, "") && ok;
    ok = ask(nullptr, std::string(LPM_JSON_MAX + 1, ' '), 400,
             "16777217 bytes of JSON, at most 16777216 are read") &&
         ok;
    ok = lpm_respond_json(nullptr, nullptr) == LPM_EINVAL && ok;
    return ok ? 0 : 1;
}
