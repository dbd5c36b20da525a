/* One of two modules of one name; the other is twin_b. */
#include "bad.h"

LPM_MODULE(.name = "twin", .version = "a", .request = bad_request);
