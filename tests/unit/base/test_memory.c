/* lib/base: malloc that cannot fail, arena, buffer, map. */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/map.h"

#include <check.h>
#include <malloc.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- base --- */

START_TEST(test_alloc)
{
    char *p = yb_alloc(10, 3);

    for (size_t i = 0; i < 30; i++)
        ck_assert_int_eq(p[i], 0);
    memcpy(p, "abc", 4);
    p = yb_realloc(p, 1000, 1);
    ck_assert_str_eq(p, "abc");
    yb_free(p);
    p = yb_dup("xyz", 2);
    ck_assert_str_eq(p, "xy");
    yb_free(p);
    p = yb_dup(NULL, 0);
    ck_assert_str_eq(p, "");
    yb_free(p);
    p = yb_alloc(0, 0);
    ck_assert_ptr_nonnull(p);
    p = yb_realloc(p, 0, 5);
    ck_assert_ptr_nonnull(p);
    yb_free(p);
    yb_free(NULL);
}
END_TEST

/* The sizes are not known to the compiler, which would warn. */
static volatile size_t huge = SIZE_MAX / 2;

START_TEST(test_alloc_overflow)
{
    yb_free(yb_alloc(huge, 3));
}
END_TEST

START_TEST(test_realloc_overflow)
{
    yb_free(yb_realloc(NULL, huge, 3));
}
END_TEST

START_TEST(test_assert)
{
    yb_assert(huge == 1);
}
END_TEST

/* --- arena --- */

START_TEST(test_arena)
{
    struct yb_arena *a = yb_arena_new(256);
    char *first = yb_arena_alloc(a, 10, 1), *second = yb_arena_alloc(a, 1, 10), *large;

    ck_assert_uint_eq((uintptr_t)first % alignof(max_align_t), 0);
    ck_assert_uint_eq((uintptr_t)second % alignof(max_align_t), 0);
    ck_assert(second >= first + 10);
    memset(first, 'x', 10);
    large = yb_arena_alloc(a, 1000, 7);
    memset(large, 'y', 7000);
    ck_assert_uint_ge(yb_arena_used(a), 7020);
    yb_arena_reset(a);
    ck_assert_uint_eq(yb_arena_used(a), 0);
    ck_assert_ptr_eq(yb_arena_alloc(a, 10, 1), first); /* the first block stays, zeroed again */
    for (size_t i = 0; i < 10; i++)
        ck_assert_int_eq(first[i], 0);
    ck_assert_ptr_nonnull(yb_arena_alloc(a, 0, 1));
    yb_arena_free(&a);
    ck_assert_ptr_null(a);
    yb_arena_free(&a);
    a = yb_arena_new(16);
    yb_arena_reset(a); /* nothing was taken yet */
    yb_arena_free(&a);
}
END_TEST

/* Many sizes: every piece keeps its content. */
START_TEST(test_arena_many)
{
    struct yb_arena *a = yb_arena_new(1000);
    unsigned char *pieces[300];

    for (size_t i = 0; i < YB_COUNT(pieces); i++) {
        pieces[i] = yb_arena_alloc(a, i * 7 % 2000 + 1, 1);
        ck_assert_int_eq(pieces[i][i * 7 % 2000], 0);
        memset(pieces[i], (int)(i % 251), i * 7 % 2000 + 1);
    }
    for (size_t i = 0; i < YB_COUNT(pieces); i++) {
        ck_assert_int_eq(pieces[i][0], (int)(i % 251));
        ck_assert_int_eq(pieces[i][i * 7 % 2000], (int)(i % 251));
    }
    yb_arena_free(&a);
}
END_TEST

START_TEST(test_arena_strings)
{
    struct yb_arena *a = yb_arena_new(64);
    struct yb_str s = yb_arena_dup(a, YB_STR("a\0b"));

    ck_assert(yb_str_eq(s, YB_STR("a\0b")) && s.p[3] == '\0');
    s = yb_arena_dup(a, yb_str(NULL, 0));
    ck_assert(s.n == 0 && s.p[0] == '\0');
    s = yb_arena_printf(a, "%d-%s", 42,
                        "a text that is longer than the block of this arena is, "
                        "which has 64 bytes");
    ck_assert(yb_str_starts(s, YB_STR("42-a text")) && s.p[s.n] == '\0');
    yb_arena_free(&a);
}
END_TEST

START_TEST(test_arena_overflow)
{
    struct yb_arena *a = yb_arena_new(64);

    ck_assert_ptr_nonnull(yb_arena_alloc(a, huge, 3));
}
END_TEST

/* --- buf --- */

/* clang-format off */
static const struct { const char *name, *in[3]; size_t limit; int rc; const char *want; } appends[] = {
    { "nothing", { "" }, 8, 0, "" },
    { "two pieces", { "ab", "cd" }, 8, 0, "abcd" },
    { "fills the limit exactly", { "abcd" }, 4, 0, "abcd" },
    { "one byte over changes nothing", { "ab", "cde" }, 4, -1, "ab" },
    { "no room at all", { "a" }, 0, -1, "" },
};
/* clang-format on */

START_TEST(test_buf_append)
{
    struct yb_buf *b = yb_buf_new(appends[_i].limit);
    struct yb_err err = { 0 };
    int rc = 0;

    for (size_t k = 0; appends[_i].in[k] != NULL && rc == 0; k++)
        rc = yb_buf_append(b, yb_str_from(appends[_i].in[k]), &err);
    ck_assert_msg(rc == appends[_i].rc, "%s: rc %d", appends[_i].name, rc);
    ck_assert(rc == 0 || err.class == YB_TEMP);
    ck_assert(yb_str_eq(yb_buf_view(b), yb_str_from(appends[_i].want)));
    ck_assert_uint_eq(yb_buf_size(b), strlen(appends[_i].want));
    yb_buf_free(&b);
    ck_assert_ptr_null(b);
    yb_buf_free(&b);
}
END_TEST

START_TEST(test_buf_add)
{
    struct yb_buf *b = yb_buf_new(30);

    yb_buf_add(b, YB_STR("a"));
    yb_buf_add_c(b, '=');
    yb_buf_add_u64(b, 0);
    yb_buf_add_u64(b, UINT64_MAX);
    yb_buf_printf(b, "%s", "1234567");
    ck_assert(yb_str_eq(yb_buf_view(b), YB_STR("a=0184467440737095516151234567")));
    ck_assert_uint_eq(yb_buf_size(b), 30);
    ck_assert(!yb_buf_overflowed(b));
    yb_buf_add_c(b, 'x');
    ck_assert(yb_buf_overflowed(b));
    yb_buf_truncate(b, 5);
    yb_buf_add(b, YB_STR("y")); /* after an overflow nothing is added any more */
    yb_buf_printf(b, "%d", 1);
    ck_assert(yb_str_eq(yb_buf_view(b), YB_STR("a=018")));
    yb_buf_clear(b);
    ck_assert(!yb_buf_overflowed(b) && yb_buf_size(b) == 0);
    yb_buf_printf(b, "%s", "1234567890123456789012345678901");
    ck_assert(yb_buf_overflowed(b) && yb_buf_size(b) == 0);
    yb_buf_release(b);
    yb_buf_add(b, YB_STR("again"));
    ck_assert(yb_str_eq(yb_buf_view(b), YB_STR("again")));
    yb_buf_free(&b);
}
END_TEST

/* As a queue: in at the end, out at the front, never more than the limit. */
START_TEST(test_buf_queue)
{
    struct yb_buf *b = yb_buf_new(1000);
    unsigned char in = 0, out = 0;

    for (size_t round = 0; round < 2000; round++) {
        size_t n = round * 13 % 97;
        char *to = yb_buf_room(b, n);

        if (to == NULL) {
            ck_assert_uint_gt(yb_buf_size(b) + n, 1000);
        } else {
            for (size_t i = 0; i < n; i++)
                to[i] = (char)in++;
            yb_buf_wrote(b, n);
        }
        n = round * 7 % 91;
        n = n < yb_buf_size(b) ? n : yb_buf_size(b);
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq((unsigned char)yb_buf_view(b).p[i], out++);
        yb_buf_consume(b, n);
    }
    ck_assert_ptr_null(yb_buf_room(b, 1001));
    ck_assert_ptr_null(yb_buf_room(b, SIZE_MAX));
    yb_buf_free(&b);
}
END_TEST

START_TEST(test_buf_consume_too_much)
{
    struct yb_buf *b = yb_buf_new(10);

    yb_buf_add(b, YB_STR("abc"));
    yb_buf_consume(b, 4);
}
END_TEST

START_TEST(test_buf_truncate_too_much)
{
    struct yb_buf *b = yb_buf_new(10);

    yb_buf_truncate(b, 1);
}
END_TEST

START_TEST(test_buf_wrote_too_much)
{
    struct yb_buf *b = yb_buf_new(10);

    ck_assert_ptr_nonnull(yb_buf_room(b, 5));
    yb_buf_wrote(b, 100);
}
END_TEST

/* --- map --- */

START_TEST(test_map)
{
    struct yb_map *m = yb_map_new();
    size_t at = 0;
    struct yb_str key;
    void *value;
    int one, two;

    ck_assert_ptr_null(yb_map_get(m, YB_STR("a")));
    ck_assert_ptr_null(yb_map_remove(m, YB_STR("a")));
    ck_assert(!yb_map_next(m, &at, &key, &value));
    ck_assert_ptr_null(yb_map_put(m, YB_STR("a"), &one));
    ck_assert_ptr_null(yb_map_put(m, YB_STR("a\0"), &two));
    ck_assert_ptr_null(yb_map_put(m, yb_str(NULL, 0), &two));
    ck_assert_ptr_eq(yb_map_get(m, YB_STR("a")), &one);
    ck_assert_ptr_eq(yb_map_get(m, YB_STR("")), &two);
    ck_assert_ptr_eq(yb_map_put(m, YB_STR("a"), &two), &one);
    ck_assert_uint_eq(yb_map_count(m), 3);
    ck_assert_ptr_eq(yb_map_remove(m, YB_STR("a")), &two);
    ck_assert_ptr_null(yb_map_remove(m, YB_STR("a")));
    ck_assert_ptr_null(yb_map_remove(m, YB_STR("never")));
    ck_assert_ptr_null(yb_map_get(m, YB_STR("a")));
    ck_assert_uint_eq(yb_map_count(m), 2);
    ck_assert_ptr_null(yb_map_put(m, YB_STR("a"), &one)); /* the slot is used again */
    ck_assert_uint_eq(yb_map_count(m), 3);
    yb_map_free(&m);
    ck_assert_ptr_null(m);
    yb_map_free(&m);
}
END_TEST

static size_t
in_use(void)
{
    struct mallinfo2 now = mallinfo2();

    return now.uordblks + now.hblkhd;
}

/* A table has at most four slots for each key, whatever their number is; a slot is 32 octets. */
START_TEST(test_map_size)
{
    size_t before = in_use();
    struct yb_map *m = yb_map_new();

    for (uint32_t i = 0; i < 5000; i++) {
        size_t held;

        yb_map_put(m, yb_str((const char *)&i, sizeof(i)), m);
        held = in_use() - before;
        /* A key is 32 octets to the C library, which keeps a few of the smaller tables. */
        ck_assert_msg(held <= (size_t)(4 * 32 + 32) * (i + 1) + 8192, "%zu octets for %u", held,
                      i + 1);
    }
    yb_map_free(&m);
}
END_TEST

/* Thousands of keys come and go; an array of flags knows what must be there. */
START_TEST(test_map_many)
{
    static char values[5000];
    struct yb_map *m = yb_map_new();
    bool *there = yb_alloc(YB_COUNT(values), sizeof(*there));
    size_t count = 0, seen = 0, at = 0;
    uint32_t v = 1;
    struct yb_str key;
    void *value;

    for (size_t i = 0; i < 60000; i++) {
        char text[16];
        size_t k = (v = v * 1103515245 + 12345) / 65536 % YB_COUNT(values);

        snprintf(text, sizeof(text), "key%zu", k);
        key = yb_str_from(text);
        if (v / 7 % 3 == 0) {
            ck_assert_int_eq(yb_map_remove(m, key) != NULL, there[k]);
            count -= there[k];
            there[k] = false;
        } else {
            ck_assert_int_eq(yb_map_put(m, key, &values[k]) != NULL, there[k]);
            count += !there[k];
            there[k] = true;
        }
    }
    ck_assert_uint_eq(yb_map_count(m), count);
    while (yb_map_next(m, &at, &key, &value)) {
        char text[16];

        snprintf(text, sizeof(text), "key%zu", (size_t)((char *)value - values));
        ck_assert(yb_str_eq(key, yb_str_from(text)) && there[(char *)value - values]);
        seen++;
    }
    ck_assert_uint_eq(seen, count);
    yb_free(there);
    yb_map_free(&m);
}
END_TEST

START_TEST(test_map_null_value)
{
    struct yb_map *m = yb_map_new();

    yb_map_put(m, YB_STR("a"), NULL);
}
END_TEST

/* First of the published vectors of SipHash-1-3: key 00…0f, no input. */
START_TEST(test_siphash)
{
    static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

    ck_assert_uint_eq(yb_siphash(key, YB_STR("")), 0xabac0158050fc4dc);
    ck_assert_uint_ne(yb_siphash(key, YB_STR("12345678")), yb_siphash(key, YB_STR("12345679")));
    ck_assert_uint_ne(yb_siphash(key, YB_STR("\0")), yb_siphash(key, YB_STR("\0\0")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("base/memory");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_alloc);
    tcase_add_test_raise_signal(tc, test_alloc_overflow, SIGABRT);
    tcase_add_test_raise_signal(tc, test_realloc_overflow, SIGABRT);
    tcase_add_test_raise_signal(tc, test_assert, SIGABRT);
    tcase_add_test(tc, test_arena);
    tcase_add_test(tc, test_arena_many);
    tcase_add_test(tc, test_arena_strings);
    tcase_add_test_raise_signal(tc, test_arena_overflow, SIGABRT);
    tcase_add_loop_test(tc, test_buf_append, 0, YB_COUNT(appends));
    tcase_add_test(tc, test_buf_add);
    tcase_add_test(tc, test_buf_queue);
    tcase_add_test_raise_signal(tc, test_buf_consume_too_much, SIGABRT);
    tcase_add_test_raise_signal(tc, test_buf_truncate_too_much, SIGABRT);
    tcase_add_test_raise_signal(tc, test_buf_wrote_too_much, SIGABRT);
    tcase_add_test(tc, test_map);
    tcase_add_test(tc, test_map_size);
    tcase_add_test(tc, test_map_many);
    tcase_add_test_raise_signal(tc, test_map_null_value, SIGABRT);
    tcase_add_test(tc, test_siphash);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
