/* One of two modules of one name; the other is twin_a. */
#include "bad.h"

LPM_MODULE(.name = "twin", .version = "b", .request = bad_request);
