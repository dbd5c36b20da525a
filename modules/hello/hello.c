#include <lpm/module.h>
static void hello(lpm_request *req) { lpm_respond_text(req, "hello\n"); }
LPM_MODULE(.name = "hello", .version = "1.0", .request = hello);
