/* Calls a function that nobody has. The Makefile lets this one through the linker. */
#include "bad.h"

void unresolved_nowhere_to_be_found(lpm_request *req);

LPM_MODULE(.name = "unresolved", .version = "1", .request = unresolved_nowhere_to_be_found);
