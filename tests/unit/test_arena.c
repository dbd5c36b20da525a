/*
 * core/ipc/arena: no two runs share a block, whatever the order of their return; what is held for long stands in nobody's
 * way; and nothing is taken back that is not out.
 */
#include "ipc/arena.h"

#include <lpm/module.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct both {
    struct arena arena;
    struct arena_returns returns;
    struct arena_giver giver;
};

static struct both both;

static void make(uint32_t first)
{
    both.returns.count = first;
    arena_init(&both.arena, &both.returns, first);
    arena_giver_init(&both.giver, &both.returns, first);
}

static void one_behind_the_other(void **state)
{
    (void)state;
    make(0);
    assert_int_equal(arena_take(&both.arena, 1), 0);
    assert_int_equal(arena_take(&both.arena, ARENA_BLOCK), 1);
    assert_int_equal(arena_take(&both.arena, ARENA_BLOCK + 1), 2);
    assert_int_equal(arena_take(&both.arena, 1), 4);
    /* What is free in the middle is for later. */
    arena_give(&both.giver, 2);
    assert_int_equal(arena_collect(&both.arena), 0);
    assert_int_equal(arena_take(&both.arena, 1), 5);
    /* With nothing out it begins at the beginning again. */
    for (uint32_t block = 0; block < 6; block++) {
        if (block != 2 && block != 3) {
            arena_give(&both.giver, block);
        }
    }
    assert_int_equal(arena_collect(&both.arena), 0);
    assert_int_equal(both.arena.free, ARENA_BLOCKS);
    assert_int_equal(arena_take(&both.arena, ARENA_SIZE), 0);
    assert_int_equal(arena_take(&both.arena, 1), ARENA_FULL);
    arena_drop(&both.arena, 0);
    assert_int_equal(arena_take(&both.arena, 1), 0);
}

/* A block that is never given back costs itself, and no run that could stand beside it. */
static void what_is_held_is_passed_by(void **state)
{
    (void)state;
    make(UINT32_MAX - 100);
    assert_int_equal(arena_take(&both.arena, 300), 0);
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t block = arena_take(&both.arena, 1 + i * 131 % 5000);
        assert_int_not_equal(block, ARENA_FULL);
        assert_true(block >= 3);
        arena_give(&both.giver, block);
        assert_int_equal(arena_collect(&both.arena), 0);
    }
    assert_int_equal(arena_take(&both.arena, ARENA_SIZE - 3 * ARENA_BLOCK), 3);
}

static void holes_are_found(void **state)
{
    (void)state;
    make(7);
    for (uint32_t i = 0; i < ARENA_BLOCKS / 8; i++) {
        assert_int_equal(arena_take(&both.arena, 3 * ARENA_BLOCK), i * 8);
        assert_int_equal(arena_take(&both.arena, 5 * ARENA_BLOCK), i * 8 + 3);
    }
    arena_give(&both.giver, 3);
    arena_give(&both.giver, 80);
    arena_give(&both.giver, 83);
    assert_int_equal(arena_collect(&both.arena), 0);
    assert_int_equal(arena_take(&both.arena, 9 * ARENA_BLOCK), ARENA_FULL);
    assert_int_equal(arena_take(&both.arena, 6 * ARENA_BLOCK), 80);
    assert_int_equal(arena_take(&both.arena, 4 * ARENA_BLOCK), 3);
    assert_int_equal(arena_take(&both.arena, 2 * ARENA_BLOCK), 86);
    assert_int_equal(arena_take(&both.arena, 1), 7);
    assert_int_equal(arena_take(&both.arena, 1), ARENA_FULL);
    assert_int_equal(both.arena.free, 0);
}

/* Against a plain map of who has which block. */
static void any_order(void **state)
{
    enum { OUT = 200 };
    static uint16_t owner[ARENA_BLOCKS];
    static struct {
        uint32_t block, count;
    } out[OUT];
    uint64_t random = 88172645463325252u;
    uint32_t full = 0;

    (void)state;
    make(UINT32_MAX - 5000);
    memset(owner, 0, sizeof(owner));
    memset(out, 0, sizeof(out));
    for (uint32_t i = 0; i < 300000; i++) {
        uint32_t which, len, block;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        which = (uint32_t)(random >> 40) % OUT;
        len = 1 + (uint32_t)(random >> 20) % (which % 50 == 0 ? 60000 : 4000);
        if (out[which].count > 0) {
            for (uint32_t j = 0; j < out[which].count; j++) {
                assert_int_equal(owner[out[which].block + j], which + 1);
                owner[out[which].block + j] = 0;
            }
            arena_give(&both.giver, out[which].block);
            out[which].count = 0;
            if (random % 3 > 0) {
                assert_int_equal(arena_collect(&both.arena), 0);
            }
            continue;
        }
        block = arena_take(&both.arena, len);
        if (block == ARENA_FULL) {
            full++;
            continue;
        }
        out[which].block = block;
        out[which].count = arena_blocks(len);
        assert_true(block + out[which].count <= ARENA_BLOCKS);
        for (uint32_t j = 0; j < out[which].count; j++) {
            assert_int_equal(owner[block + j], 0);
            owner[block + j] = (uint16_t)(which + 1);
        }
    }
    assert_true(full > 100);
}

static void what_cannot_be_given_back(void **state)
{
    static const uint32_t blocks[] = {1, 2, 6, 7, ARENA_BLOCKS - 1, ARENA_BLOCKS, 65536, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        make(UINT32_MAX);
        assert_int_equal(arena_take(&both.arena, 3 * ARENA_BLOCK), 0);
        assert_int_equal(arena_take(&both.arena, 3 * ARENA_BLOCK), 3);
        arena_give(&both.giver, 3);
        arena_give(&both.giver, blocks[i]);
        assert_int_equal(arena_collect(&both.arena), LPM_EPROTO);
    }
    /* Twice. */
    make(0);
    assert_int_equal(arena_take(&both.arena, 1), 0);
    arena_give(&both.giver, 0);
    assert_int_equal(arena_collect(&both.arena), 0);
    arena_give(&both.giver, 0);
    assert_int_equal(arena_collect(&both.arena), LPM_EPROTO);
    /* A count that goes back, and one that is too far. */
    make(10);
    both.returns.count = 9;
    assert_int_equal(arena_collect(&both.arena), LPM_EPROTO);
    both.returns.count = 11 + ARENA_BLOCKS;
    assert_int_equal(arena_collect(&both.arena), LPM_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_behind_the_other),      cmocka_unit_test(what_is_held_is_passed_by),
        cmocka_unit_test(holes_are_found),           cmocka_unit_test(any_order),
        cmocka_unit_test(what_cannot_be_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
