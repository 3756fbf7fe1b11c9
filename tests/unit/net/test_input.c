/* The splitter alone: what is a line, what ends a stream, and that chunks do not matter. */
#include "lib/net/input.h"

#include <check.h>
#include <stdio.h>

/* "L:text:flags;" for lines, "B:bytes;" for blocks joined, "E:flags;" at the end of a stream. */
struct seen {
    char text[4096];
    size_t n;
    bool in_block;
};

static void
note(struct seen *s, const struct yb_input_item *item)
{
    char flags[16];
    int n;

    if (item->kind == YB_INPUT_LINE || !s->in_block) {
        s->text[s->n++] = item->kind == YB_INPUT_LINE ? 'L' : 'B';
        s->text[s->n++] = ':';
    }
    ck_assert_uint_lt(s->n + item->bytes.n + 20, sizeof(s->text));
    memcpy(s->text + s->n, item->bytes.p, item->bytes.n);
    s->n += item->bytes.n;
    s->in_block = item->kind == YB_INPUT_BLOCK && !item->last;
    if (s->in_block)
        return;
    n = snprintf(flags, sizeof(flags), ":%u;", item->flags);
    memcpy(s->text + s->n, flags, (size_t)n);
    s->n += (size_t)n;
}

/* The same for connections that get long lines in pieces. */
static bool in_pieces;

/* A line "DOT" or "BYTES <digit>" asks for a stream. */
static void
obey(struct yb_input *in, const struct yb_input_item *item)
{
    if (item->kind != YB_INPUT_LINE)
        return;
    if (yb_str_eq(item->bytes, YB_STR("DOT")))
        yb_input_want_dot(in);
    else if (yb_str_starts(item->bytes, YB_STR("BYTES ")))
        yb_input_want_bytes(in, (uint64_t)(item->bytes.p[6] - '0'));
}

static void
feed(struct yb_str all, size_t chunk, size_t limit, struct seen *seen)
{
    char buf[8192];
    size_t n = 0;
    struct yb_input in;

    memset(seen, 0, sizeof(*seen));
    yb_input_init(&in, limit);
    in.pieces = in_pieces;
    while (all.n > 0) {
        struct yb_str piece = yb_str_head(all, chunk);
        struct yb_input_item item;
        size_t at = 0;

        memcpy(buf + n, piece.p, piece.n);
        n += piece.n;
        all = yb_str_skip(all, piece.n);
        for (;;) {
            yb_input_next(&in, yb_str(buf + at, n - at), &item);
            if (item.kind == YB_INPUT_MORE)
                break;
            ck_assert_uint_le(item.used, n - at);
            note(seen, &item);
            obey(&in, &item);
            at += item.used;
        }
        ck_assert_uint_le(item.keep, n - at);
        ck_assert_uint_le(item.keep, limit + 1);
        memmove(buf, buf + at, item.keep);
        n = item.keep;
    }
}

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50
#define X998 X200 X200 X200 X200 X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *name, *in, *want;
} cases[] = {
    { "lines", "a\r\nb\n\r\n", "L:a:0;L:b:1;L::0;" },
    { "a CR inside", "a\rb\r\n\r\r\n", "L:a\rb:2;L:\r:2;" },
    { "8 bit", "\xc3\xa9\r\n", "L:\xc3\xa9:32;" },
    { "as long as allowed", "1234567890\r\nx\r\n", "L:1234567890:0;L:x:0;" },
    { "as long, bare LF", "1234567890\nx\r\n", "L:1234567890:1;L:x:0;" },
    { "one too long", "12345678901\r\nx\r\n", "L:1234567890:8;L:x:0;" },
    { "one too long, bare LF", "12345678901\nx\r\n", "L:1234567890:9;L:x:0;" },
    { "much too long", "12345678901234567890\r\nx\r\n", "L:1234567890:8;L:x:0;" },
    { "too long with CRs", "1234\r678901234\r\r\nx\r\n", "L:1234\r67890:10;L:x:0;" },
    { "too long, CR at the cut", "123456789\rx\nx\r\n", "L:123456789\r:11;L:x:0;" },
    { "dot", "DOT\r\na\r\n.\r\nx\r\n", "L:DOT:0;B:a\r\n:0;L:x:0;" },
    { "dot at once", "DOT\r\n.\r\nx\r\n", "L:DOT:0;B::0;L:x:0;" },
    { "stuffed dots", "DOT\r\n..\r\n...a\r\n.b\r\n.\r\n", "L:DOT:0;B:.\r\n..a\r\nb\r\n:0;" },
    { "LF.LF does not end it", "DOT\r\na\n.\nb\r\n.\r\n", "L:DOT:0;B:a\n.\nb\r\n:1;" },
    { "LF.CRLF does not end it", "DOT\r\na\n.\r\nb\r\n.\r\n", "L:DOT:0;B:a\n.\r\nb\r\n:1;" },
    { "CRLF.LF does not end it", "DOT\r\na\r\n.\nb\r\n.\r\n", "L:DOT:0;B:a\r\n\nb\r\n:1;" },
    { "CRLF.CR does not end it", "DOT\r\na\r\n.\rb\r\n.\r\n", "L:DOT:0;B:a\r\n\rb\r\n:2;" },
    { "CR.CRLF does not end it", "DOT\r\na\r.\r\nb\r\n.\r\n", "L:DOT:0;B:a\r.\r\nb\r\n:2;" },
    { "CRLF.CRCRLF does not end it", "DOT\r\n.\r\r\n.\r\n", "L:DOT:0;B:\r\r\n:2;" },
    { "CRCRLF.CRLF ends it", "DOT\r\na\r\r\n.\r\n", "L:DOT:0;B:a\r\r\n:2;" },
    { "what looks like it in the middle", "DOT\r\na.\r\n.\r\n", "L:DOT:0;B:a.\r\n:0;" },
    { "bytes", "BYTES 5\r\n\r\n.\r\nx\r\n", "L:BYTES 5:0;B:\r\n.\r\n:0;L:x:0;" },
    { "bytes that end in CR", "BYTES 2\r\na\r\nx\r\n", "L:BYTES 2:0;B:a\r:2;L::1;L:x:0;" },
    { "bytes that begin with LF", "BYTES 1\r\n\nx\r\n", "L:BYTES 1:0;B:\n:1;L:x:0;" },
    { "998 bytes a line", "DOT\r\n" X998 "\r\n.\r\n", "L:DOT:0;B:" X998 "\r\n:0;" },
    { "998 and a stuffed dot", "DOT\r\n." X998 "\r\n.\r\n", "L:DOT:0;B:" X998 "\r\n:0;" },
    { "999 bytes", "DOT\r\nx" X998 "\r\n.\r\n", "L:DOT:0;B:x" X998 "\r\n:16;" },
    { "a bare LF does not break a line", "DOT\r\n" X998 "\n\r\n.\r\n",
      "L:DOT:0;B:" X998 "\n\r\n:17;" },
    { "998 and a CR that is bare", "DOT\r\n" X998 "\r\r\n.\r\n", "L:DOT:0;B:" X998 "\r\r\n:18;" },
};

START_TEST(test_cases)
{
    static const size_t chunks[] = { 5000, 1, 2, 3, 4, 5, 7, 11, 64 };
    struct seen seen;

    for (size_t n = 0; n < YB_COUNT(chunks); n++) {
        feed(yb_str_from(cases[_i].in), chunks[n], 10, &seen);
        seen.text[seen.n] = 0;
        ck_assert_msg(strcmp(seen.text, cases[_i].want) == 0, "%s, chunks of %zu: %s",
                      cases[_i].name, chunks[n], seen.text);
    }
}
END_TEST

static const struct {
    const char *name, *in, *want;
} long_lines[] = {
    { "as long as allowed", "1234567890\r\nx\n", "L:1234567890:0;L:x:1;" },
    { "as long, bare LF", "1234567890\nx\r\n", "L:1234567890:1;L:x:0;" },
    { "one too long", "12345678901\r\nx\r\n", "L:1234567890:8;B:1\r\n:0;L:x:0;" },
    { "one too long, bare LF", "12345678901\nx\r\n", "L:1234567890:8;B:1\n:0;L:x:0;" },
    { "much too long", "123456789012345\r678\r\n\r\n", "L:1234567890:8;B:12345\r678\r\n:0;L::0;" },
    { "too long by a CR", "1234567890\r\r\nx\r\n", "L:1234567890:8;B:\r\r\n:0;L:x:0;" },
    { "two", "12345678901\n123456789012\n", "L:1234567890:8;B:1\n:0;L:1234567890:8;B:12\n:0;" },
};

START_TEST(test_long_lines)
{
    static const size_t chunks[] = { 5000, 1, 2, 3, 4, 5, 7, 11, 64 };
    struct seen seen;

    in_pieces = true;
    for (size_t n = 0; n < YB_COUNT(chunks); n++) {
        feed(yb_str_from(long_lines[_i].in), chunks[n], 10, &seen);
        seen.text[seen.n] = 0;
        ck_assert_msg(strcmp(seen.text, long_lines[_i].want) == 0, "%s, chunks of %zu: %s",
                      long_lines[_i].name, chunks[n], seen.text);
    }
    in_pieces = false;
}
END_TEST

START_TEST(test_nul)
{
    struct seen seen;

    feed(YB_STR("a\0b\r\nDOT\r\n\0\r\n.\r\n"), 100, 10, &seen);
    ck_assert(yb_str_eq(yb_str(seen.text, seen.n), YB_STR("L:a\0b:4;L:DOT:0;B:\0\r\n:4;")));
}
END_TEST

/* A big slice is passed on whole, not line by line. */
START_TEST(test_no_copying)
{
    struct yb_input in;
    struct yb_input_item item;
    struct yb_str text = YB_STR("one\r\ntwo\r\nthree\r\n");

    yb_input_init(&in, 10);
    yb_input_want_dot(&in);
    yb_input_next(&in, text, &item);
    ck_assert(item.bytes.p == text.p && item.bytes.n == text.n && !item.last);
}
END_TEST

START_TEST(test_dropped)
{
    struct yb_input in;
    struct yb_input_item item;

    yb_input_init(&in, 4);
    yb_input_next(&in, YB_STR("123456789"), &item);
    ck_assert(item.kind == YB_INPUT_MORE && item.keep == 4);
    yb_input_dropped(&in);
    yb_input_next(&in, YB_STR("ab\r\n"), &item);
    ck_assert(item.kind == YB_INPUT_LINE && item.flags == 0);
    ck_assert(yb_str_eq(item.bytes, YB_STR("ab")));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("input");
    TCase *tc = tcase_create("input");
    SRunner *r;
    int failed;

    tcase_add_loop_test(tc, test_cases, 0, YB_COUNT(cases));
    tcase_add_loop_test(tc, test_long_lines, 0, YB_COUNT(long_lines));
    tcase_add_test(tc, test_nul);
    tcase_add_test(tc, test_no_copying);
    tcase_add_test(tc, test_dropped);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
