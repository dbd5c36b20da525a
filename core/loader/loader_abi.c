/*
 * Checks of a module's descriptor. Runs wherever modules are loaded: trial, bus, workers. Fails with the text of
 * what was found and what is supported; a descriptor whose pointers lead nowhere kills the process, which is why
 * the trial is the first to look.
 */
#include "loader/loader_abi.h"

#include <stdbool.h>
#include <string.h>

#include "conf/conf_schema.h"

#define NAME_MAX_LEN 64
#define SUPPORTED    "this lpm supports 1.0 to 1.%d"

/* The size that lpm_module had when a minor version was frozen: up to the end of the last field it brought. */
static const uint32_t frozen_size[LPM_ABI_MINOR + 1] = {
    offsetof(lpm_module, supervisor_hard_kill) + sizeof(void *), /* 1.0 */
    offsetof(lpm_module, supervisor_hard_kill) + sizeof(void *), /* 1.1: no field, calls only */
    offsetof(lpm_module, trim) + sizeof(void *),                 /* 1.2 */
};

static int check_magic(uint32_t magic, struct error *err)
{
    char major = (char)(magic >> 24);

    if (magic == LPM_MODULE_MAGIC) {
        return 0;
    }
    if (((magic ^ LPM_MODULE_MAGIC) & 0xffffff) == 0 && major >= '0' && major <= '9') {
        return error_set(err, LPM_EABI, "made for ABI %c, " SUPPORTED, major, LPM_ABI_MINOR);
    }
    return error_set(err, LPM_EABI,
                     "its descriptor begins with 0x%08x, expected 0x%08x, which LPM_MODULE() writes", magic,
                     LPM_MODULE_MAGIC);
}

static int check_head(const lpm_module *found, struct error *err)
{
    int rc = check_magic(found->magic, err);
    if (rc) {
        return rc;
    }
    if (found->needs > LPM_ABI_MINOR) {
        return error_set(err, LPM_EABI, "needs ABI 1.%u, " SUPPORTED, found->needs, LPM_ABI_MINOR);
    }
    if (found->size != frozen_size[found->needs]) {
        return error_set(err, LPM_EABI, "its descriptor has %u bytes, expected %u for ABI 1.%u", found->size,
                         frozen_size[found->needs], found->needs);
    }
    if (found->reserved != 0) {
        return error_set(err, LPM_EABI, "the reserved word of its descriptor is %u, expected 0",
                         found->reserved);
    }
    return 0;
}

static bool name_valid(const char *name, size_t len)
{
    return len >= 1 && len <= NAME_MAX_LEN && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") >= len;
}

static int check_fields(const lpm_module *module, struct error *err)
{
    size_t len;

    if (!module->name) {
        return error_set(err, LPM_EABI, "has no name");
    }
    len = strnlen(module->name, NAME_MAX_LEN + 1);
    if (!name_valid(module->name, len)) {
        return error_set(err, LPM_EABI,
                         "its name is \"%.*s\"%s, expected 1 to %d of a-z, 0-9, \"_\" and \"-\"",
                         NAME_MAX_LEN, module->name, len > NAME_MAX_LEN ? " and more" : "", NAME_MAX_LEN);
    }
    if (!module->version) {
        return error_set(err, LPM_EABI, "has no version");
    }
    if (!module->request && !module->worker_init && !module->supervisor_init) {
        return error_set(err, LPM_EABI,
                         "has no hook, expected one of request, worker_init and supervisor_init");
    }
    return 0;
}

int loader_abi_check(const lpm_module *found, lpm_module *full, struct error *err)
{
    lpm_module module = {0};
    int rc = check_head(found, err);

    if (rc) {
        return rc;
    }
    memcpy(&module, found, found->size);
    rc = check_fields(&module, err);
    if (rc) {
        return rc;
    }
    if (module.directives) {
        rc = conf_schema_verify(&(struct conf_table){.owner = module.name, .rows = module.directives}, err);
        if (rc) {
            return rc;
        }
    }
    *full = module;
    return 0;
}
