/*
 * Failing a test from within a helper: as cmocka's fail_msg(), but compilers know that it does not come back.
 */
#ifndef FAIL_H
#define FAIL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#define fail_test(...)         \
    do {                       \
        fail_msg(__VA_ARGS__); \
        abort();               \
    } while (0)

#endif
