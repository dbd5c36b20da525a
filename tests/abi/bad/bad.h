/*
 * What the modules that lpm has to refuse share: the parts that are right with them. tests/abi/test_abi_bad.c has
 * the text with which each is refused.
 */
#ifndef BAD_H
#define BAD_H

#include <lpm/module.h>

/* The frozen head as it should be. */
#define BAD_HEAD .magic = LPM_MODULE_MAGIC, .size = (uint32_t)sizeof(lpm_module), .needs = 0, .reserved = 0

static inline void bad_request(lpm_request *req)
{
    lpm_ack(req);
}

#endif
