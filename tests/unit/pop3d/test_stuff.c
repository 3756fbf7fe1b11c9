/* Messages as answers: dots, ends and beginnings, fed whole and byte by byte. */
#include "pop3d/stuff.h"

#include "lib/base/buf.h"
#include "pop3d/sizes.h"

#include <check.h>
#include <stdlib.h>

static const struct {
    const char *in, *out;
} messages[] = {
    { "", ".\r\n" },
    { "a\r\n", "a\r\n.\r\n" },
    { ".", "..\r\n.\r\n" },
    { ".\r\n", "..\r\n.\r\n" },
    { "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
    { "..a\r\n.b\r\nc.\r\n", "...a\r\n..b\r\nc.\r\n.\r\n" },
    { "\r\n.\r\n.\r\n", "\r\n..\r\n..\r\n.\r\n" },
    { "no end", "no end\r\n.\r\n" },
    { "a\r", "a\r\r\n.\r\n" },
    /* A bare LF ends a line, a bare CR does not. */
    { "a\n.\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
    { "a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
    { "a\n", "a\r\n.\r\n" },
    { "\n\n.\n..\n", "\r\n\r\n..\r\n...\r\n.\r\n" },
    { "a\r\r\n\n\r\n", "a\r\r\n\r\n\r\n.\r\n" },
    { "a\r.\r\n", "a\r.\r\n.\r\n" },
};

static void
stuff(struct yb_str all, size_t step, struct yb_buf *out)
{
    struct pop3d_stuffer s = POP3D_STUFFER_INIT;

    for (size_t at = 0; at < all.n; at += step) {
        struct yb_str piece = yb_str_head(yb_str_skip(all, at), step), next;

        while (pop3d_stuff_next(&s, &piece, &next))
            yb_buf_add(out, next);
    }
    yb_buf_add(out, pop3d_stuff_end(&s));
}

START_TEST(test_stuff)
{
    struct yb_str in = yb_str_from(messages[_i].in);

    for (size_t step = 1; step <= in.n + 1; step++) {
        struct yb_buf *b = yb_buf_new(100);
        struct pop3d_counter counter = { 0 };
        size_t dots = 0;

        stuff(in, step, b);
        for (size_t at = 0; at < in.n; at += step)
            pop3d_counter_feed(&counter, yb_str_head(yb_str_skip(in, at), step));
        for (size_t at = 0; at < in.n; at++)
            dots += in.p[at] == '.' && (at == 0 || in.p[at - 1] == '\n');
        /* What is counted is what is sent, without stuffed dots and the end. */
        ck_assert_uint_eq(in.n + pop3d_counter_extra(&counter), yb_buf_size(b) - 3 - dots);
        ck_assert_msg(yb_str_eq(yb_buf_view(b), yb_str_from(messages[_i].out)), "case %d by %zu",
                      _i, step);
        yb_buf_free(&b);
    }
}
END_TEST

START_TEST(test_sizes)
{
    struct pop3d_sizes sizes = { .upto = 100 }, again;
    struct yb_buf *b = yb_buf_new(1000);
    struct yb_str all;

    for (uint32_t uid = 3; uid < 100; uid += 7)
        pop3d_sizes_add(&sizes, uid, uid * 2);
    pop3d_sizes_encode(&sizes, 17, b);
    all = yb_buf_view(b);
    ck_assert(pop3d_sizes_decode(all, 17, &again));
    ck_assert_uint_eq(again.upto, 100);
    for (uint32_t uid = 0; uid < 110; uid++)
        ck_assert_uint_eq(pop3d_sizes_extra(&again, uid), uid < 100 && uid % 7 == 3 ? uid * 2 : 0);
    pop3d_sizes_free(&again);
    ck_assert(!pop3d_sizes_decode(all, 18, &again));
    for (size_t n = 0; n < all.n; n++) {
        bool ok = pop3d_sizes_decode(yb_str_head(all, n), 17, &again);

        ck_assert(ok == (n >= 16 && n % 16 == 0));
        pop3d_sizes_free(&again);
    }
    sizes.v[1].uid = sizes.v[0].uid;
    yb_buf_clear(b);
    pop3d_sizes_encode(&sizes, 17, b);
    ck_assert(!pop3d_sizes_decode(yb_buf_view(b), 17, &again));
    pop3d_sizes_free(&sizes);
    yb_buf_free(&b);
}
END_TEST

#define HEADER "A: 1\r\nB: 2\r\n\r\n"
static const struct {
    const char *in;
    uint64_t lines;
    const char *out;
} tops[] = {
    { HEADER "x\r\ny\r\nz\r\n", 0, HEADER },
    { HEADER "x\r\ny\r\nz\r\n", 1, HEADER "x\r\n" },
    { HEADER "x\r\n\r\nz\r\n", 2, HEADER "x\r\n\r\n" },
    { HEADER "x\r\ny\r\nz\r\n", 3, HEADER "x\r\ny\r\nz\r\n" },
    { HEADER "x\r\ny", 9, HEADER "x\r\ny" },
    { "A: 1\r\n", 5, "A: 1\r\n" }, /* no body */
    { "\r\nbody\r\n", 0, "\r\n" },
    { "\r\nbody\r\nmore", 1, "\r\nbody\r\n" },
    { "A: 1\n\nx\ny\n", 1, "A: 1\n\nx\n" },
    { "A: 1\r\n \r\nx\r\n\r\ny\r\n", 0, "A: 1\r\n \r\nx\r\n\r\n" },
    { "A\r\n\rB\r\n\r\ny\r\n", 0, "A\r\n\rB\r\n\r\n" },
    { "", 0, "" },
};

START_TEST(test_top)
{
    struct yb_str in = yb_str_from(tops[_i].in);

    for (size_t step = 1; step <= in.n + 1; step++) {
        struct pop3d_top t = POP3D_TOP_INIT(tops[_i].lines);
        size_t n = 0;

        for (size_t at = 0; at < in.n && !t.done; at += step)
            n += pop3d_top_take(&t, yb_str_head(yb_str_skip(in, at), step));
        ck_assert_msg(yb_str_eq(yb_str_head(in, n), yb_str_from(tops[_i].out)),
                      "case %d by %zu: %zu", _i, step, n);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("stuff");
    TCase *tc = tcase_create("stuff");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tc, test_stuff, 0, YB_COUNT(messages));
    tcase_add_test(tc, test_sizes);
    tcase_add_loop_test(tc, test_top, 0, YB_COUNT(tops));
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
