/* A name that no configuration could write, and that would forge a line of the log. */
#include "bad.h"

const lpm_module lpm_module_v1 = {BAD_HEAD, .name = "Bad\nName", .version = "1", .request = bad_request};
