/* lib/mime: header, words, charset, transfer. */
#include "lib/mime/charset.h"
#include "lib/mime/header.h"
#include "lib/mime/transfer.h"
#include "lib/mime/words.h"

#include <check.h>
#include <stdlib.h>

#define FFFD "\xef\xbf\xbd"

static struct yb_arena *arena;
static struct yb_buf *buf;

static void
setup(void)
{
    arena = yb_arena_new(4096);
    buf = yb_buf_new(1u << 20);
}

static void
teardown(void)
{
    yb_buf_free(&buf);
    yb_arena_free(&arena);
}

/* --- header --- */

/* Each field as "name=value;", space before the colon as "name_=", no field as "!raw;". */
/* clang-format off */
static const struct { const char *in, *want, *body; } headers[] = {
    { "A: 1\r\nB:2\r\n\r\nbody", "A= 1;B=2;", "body" },
    { "A: 1\nB:2\n\nbody", "A= 1;B=2;", "body" },
    { "A: 1\r\n 2\r\n\t3\r\nB:\r\n\r\n", "A= 1\r\n 2\r\n\t3;B=;", "" },
    { "A: 1", "A= 1;", "" },
    { "A \t: 1\r\n", "A_= 1;", "" },
    { "no colon\r\nA: 1\r\n\r\nx", "!no colon\r\n;A= 1;", "x" },
    { " lead\r\nA: 1\r\n\r\nx", "! lead\r\n;A= 1;", "x" },
    { "A B: 1\r\n: 2\r\n", "!A B: 1\r\n;!: 2\r\n;", "" },
    { "A\x01: 1\r\n", "!A\x01: 1\r\n;", "" },
    { "\r\nA: 1\r\n", "", "A: 1\r\n" },
    { "\nbody", "", "body" },
    { "", "", "" },
    { "A: 1\r\n \r\n\r\nbody", "A= 1\r\n ;", "body" },
    { "A: b:c\r\r\n\r\n", "A= b:c\r;", "" },
};
/* clang-format on */

START_TEST(test_header)
{
    struct yb_str left = yb_str_from(headers[_i].in);
    struct yb_header h;

    while (yb_header_next(&left, &h)) {
        if (h.name.n == 0)
            yb_buf_printf(buf, "!%.*s;", YB_STR_ARG(h.raw));
        else
            yb_buf_printf(buf, "%.*s%s=%.*s;", YB_STR_ARG(h.name), h.space_before_colon ? "_" : "",
                          YB_STR_ARG(h.value));
    }
    ck_assert_msg(yb_str_eq(yb_buf_view(buf), yb_str_from(headers[_i].want)), "'%s' gives '%.*s'",
                  headers[_i].in, YB_STR_ARG(yb_buf_view(buf)));
    ck_assert(yb_str_eq(left, yb_str_from(headers[_i].body)));
    ck_assert_uint_eq(yb_header_size(yb_str_from(headers[_i].in)),
                      strlen(headers[_i].in) - strlen(headers[_i].body));
}
END_TEST

START_TEST(test_header_begins)
{
    static const char *const with[] = {
        "A: 1\r\n\r\n",         "\r\nbody",          "\n",          "", "A : 1", "A:",
        "From a@b Mon\nA: 1\n", ">From a@b\r\nA: 1", ">>From x\r\n"
    };
    static const char *const text[] = { "Disk 93 % full\r\nA: 1\r\n",
                                        "x",
                                        " A: 1\r\n",
                                        "\tx: 1\r\n",
                                        " \r\n",
                                        "A B: 1\r\n",
                                        "\xc3\xa4: 1\r\n",
                                        ": 1\r\n",
                                        "From\r\nA: 1\r\n",
                                        ">A\r\n",
                                        "Frommage ist aus: x y\r\n" };

    for (size_t i = 0; i < YB_COUNT(with); i++)
        ck_assert_msg(yb_header_begins(yb_str_from(with[i])), "'%s'", with[i]);
    for (size_t i = 0; i < YB_COUNT(text); i++)
        ck_assert_msg(!yb_header_begins(yb_str_from(text[i])), "'%s'", text[i]);
}
END_TEST

START_TEST(test_header_find)
{
    struct yb_str header = YB_STR("From: a\r\nSubject: x\r\n  y\r\nsubject: z\r\n\r\nDate: no\r\n");
    struct yb_str value;

    ck_assert(yb_header_find(header, YB_STR("SUBJECT"), &value));
    ck_assert(yb_str_eq(yb_header_unfold(value, arena), YB_STR("x  y")));
    ck_assert(!yb_header_find(header, YB_STR("Date"), &value));
    ck_assert(yb_str_eq(yb_header_unfold(YB_STR(" plain\t"), arena), YB_STR("plain")));
}
END_TEST

/* --- words --- */

/* clang-format off */
static const struct { const char *in, *want; } words[] = {
    { "plain text", "plain text" },
    { "=?utf-8?q?J=C3=BCrgen_M?= x", "J\xc3\xbcrgen M x" },
    { "=?ISO-8859-1?Q?a=FCb?=", "a\xc3\xbc" "b" },
    { "=?utf-8*en?B?w7w=?=", "\xc3\xbc" },
    { "=?utf-8?b?w7w?=", "\xc3\xbc" },                                /* padding forgotten */
    { "=?utf-8?q?a?= =?utf-8?q?b?=", "ab" },
    { "=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c" },
    { "=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc" },                /* a character cut in two */
    { "=?utf-8?q?=C3?= =?iso-8859-1?q?=BC?=", FFFD "\xc2\xbc" },
    { "=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b" },
    { "x=?utf-8?q?a?=y", "xay" },
    { "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac" },
    { "=?gb2312?B?1tDOxA==?=", "\xe4\xb8\xad\xe6\x96\x87" },
    { "=?koi8-r?Q?=D0=D2?=", "\xd0\xbf\xd1\x80" },
    { "=?x-unknown?q?a?= =?x-unknown?q?b?=", "=?x-unknown?q?a?= =?x-unknown?q?b?=" },
    { "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
    { "=?utf-8?q?a b?=", "=?utf-8?q?a b?=" },
    { "=?utf-8?q?a", "=?utf-8?q?a" },
    { "=?utf-8?q?a?", "=?utf-8?q?a?" },
    { "=?utf-8?q?" "?=x", "x" },
    { "=?=?utf-8?q?a?=", "=?a" },
    { "=?utf-8?q?=4?= =?utf-8?q?=zz?=", "=4=zz" },
    { "folded\r\n text", "folded text" },
    { "raw \xc3\xbc and \xfc", "raw \xc3\xbc and " FFFD },
    { "=?us-ascii?q?=FF?=", FFFD },
    { "", "" },
};
/* clang-format on */

START_TEST(test_words)
{
    struct yb_str got = yb_mime_words_decode(yb_str_from(words[_i].in), arena);

    ck_assert_msg(yb_str_eq(got, yb_str_from(words[_i].want)), "'%s' gives '%.*s'", words[_i].in,
                  YB_STR_ARG(got));
}
END_TEST

/* clang-format off */
static const struct { const char *in; size_t used; const char *want; } encodes[] = {
    { "plain text", 9, "plain text" },
    { "J\xc3\xbcrgen Maier", 9, "=?utf-8?Q?J=C3=BCrgen_Maier?=" },
    { "\xe9\x83\xb5\xe4\xbe\xbf", 9, "=?utf-8?B?6YO15L6/?=" },
    { "a=?b", 0, "=?utf-8?Q?a=3D=3Fb?=" },
    { "a\r\nBcc: x", 0, "=?utf-8?B?YQ0KQmNjOiB4?=" },
    { "\xff x", 0, "=?utf-8?B?77+9IHg=?=" },
    { "", 0, "" },
};
/* clang-format on */

START_TEST(test_encode)
{
    struct yb_str in = yb_str_from(encodes[_i].in);
    struct yb_str got = yb_mime_words_encode(in, encodes[_i].used, arena);

    ck_assert_msg(yb_str_eq(got, yb_str_from(encodes[_i].want)), "'%s' gives '%.*s'",
                  encodes[_i].in, YB_STR_ARG(got));
}
END_TEST

/* Any length, any start: lines stay short, characters whole, and it reads back. */
START_TEST(test_encode_long)
{
    for (size_t used = 0; used < 100; used += 7) {
        struct yb_str got, line, in, back;

        yb_buf_clear(buf);
        for (size_t i = 0; i < 20 + used; i++)
            yb_buf_add(buf, used % 2 == 0 ? YB_STR("\xe9\x83\xb5")
                                          : YB_STR("x\xc3\xbcyz\xf0\x9f\x98\x80 "));
        in = yb_buf_view(buf);
        got = yb_mime_words_encode(in, used, arena);
        back = yb_mime_words_decode(got, arena);
        ck_assert(yb_str_eq(back, in));
        for (size_t n = used; yb_str_split(&got, '\n', &line); n = 0) {
            struct yb_str word = yb_str_trim(yb_str_head(line, yb_str_find(line, '\r')));

            ck_assert_uint_le(word.n, 75);
            ck_assert_uint_le(n + yb_str_find(line, '\r'), used > 40 && n == used ? 140 : 76);
            ck_assert(yb_str_utf8(yb_mime_words_decode(word, arena)));
            ck_assert(yb_str_find_str(yb_mime_words_decode(word, arena), YB_STR(FFFD)) ==
                      yb_mime_words_decode(word, arena).n);
        }
    }
}
END_TEST

/* --- charset --- */

/* clang-format off */
static const struct { const char *charset, *in, *want; } texts[] = {
    { "utf-8", "a\xc3\xbc", "a\xc3\xbc" },
    { "", "a\xc3\xbc", "a\xc3\xbc" },
    { "US-ASCII", "a\xff" "b", "a" FFFD "b" },
    { "utf-8", "\xc3", FFFD },
    { "utf-8", "\xed\xa0\x80x", FFFD FFFD FFFD "x" },
    { "utf-8", "\xc0\xaf", FFFD FFFD },
    { "iso-8859-1", "\xfc\x80", "\xc3\xbc\xe2\x82\xac" },
    { "iso-8859-15", "\xa4", "\xe2\x82\xac" },
    { "windows-1251", "\xcf\xf0", "\xd0\x9f\xd1\x80" },
    { "shift_jis", "\x93\xfa\x96\x7b", "\xe6\x97\xa5\xe6\x9c\xac" },
    { "euc-jp", "\xc6\xfc\xcb\xdc", "\xe6\x97\xa5\xe6\x9c\xac" },
    { "iso-2022-jp", "a\x1b$BF|K\\\x1b(Bb", "a\xe6\x97\xa5\xe6\x9c\xac" "b" },
    { "big5", "\xa4\xa4\xa4\xe5", "\xe4\xb8\xad\xe6\x96\x87" },
    { "gb18030", "\xd6\xd0\x81\x30\x84\x36", "\xe4\xb8\xad\xc2\xa5" },
    { "euc-kr", "\xc7\xd1", "\xed\x95\x9c" },
    { "utf-8", "\xf4\x90\x80\x80\xf0\x9f\x98\x80", FFFD FFFD FFFD FFFD "\xf0\x9f\x98\x80" },
    { "utf-16le", "a", FFFD },
    { "", "", "" },
};
/* clang-format on */

START_TEST(test_charset)
{
    struct yb_str in = yb_str_from(texts[_i].in), out;
    struct yb_charset *c;

    ck_assert(yb_charset_to_utf8(yb_str_from(texts[_i].charset), in, 1000, arena, &out));
    ck_assert_msg(yb_str_eq(out, yb_str_from(texts[_i].want)), "%s: '%.*s'", texts[_i].charset,
                  YB_STR_ARG(out));
    c = yb_charset_open(yb_str_from(texts[_i].charset));
    for (size_t i = 0; i < in.n; i++)
        ck_assert_int_eq(yb_charset_feed(c, yb_str(in.p + i, 1), buf, NULL), 0);
    ck_assert_int_eq(yb_charset_end(c, buf, NULL), 0);
    ck_assert_msg(yb_str_eq(yb_buf_view(buf), out), "%s by bytes: '%.*s'", texts[_i].charset,
                  YB_STR_ARG(yb_buf_view(buf)));
    yb_charset_close(&c);
    yb_charset_close(&c);
}
END_TEST

START_TEST(test_charset_limits)
{
    struct yb_buf *small = yb_buf_new(4);
    struct yb_err err = { 0 };
    struct yb_charset *c = yb_charset_open(YB_STR("iso-8859-1"));
    struct yb_str out;

    ck_assert_ptr_null(yb_charset_open(YB_STR("x-unknown")));
    ck_assert_ptr_null(yb_charset_open(YB_STR("utf-7"))); /* glibc reads it differently in pieces */
    ck_assert_ptr_null(yb_charset_open(YB_STR("../../tmp/x")));
    ck_assert_ptr_null(yb_charset_open(YB_STR("UTF-8//TRANSLIT")));
    ck_assert(!yb_charset_to_utf8(YB_STR("iso-8859-1"), YB_STR("\xfc\xfc\xfc"), 5, arena, &out));
    ck_assert_int_lt(yb_charset_feed(c, YB_STR("\xfc\xfc\xfc"), small, &err), 0);
    ck_assert_int_eq(err.class, YB_TEMP);
    yb_charset_close(&c);
    c = yb_charset_open(YB_STR("utf-8"));
    ck_assert_int_lt(yb_charset_feed(c, YB_STR("\xff\xff\xff"), small, &err), 0);
    yb_buf_clear(small);
    ck_assert_int_eq(yb_charset_feed(c, YB_STR("abc\xc3"), small, &err), 0);
    ck_assert_int_lt(yb_charset_end(c, small, &err), 0);
    yb_charset_close(&c);
    yb_buf_free(&small);
}
END_TEST

/* A text longer than every inner buffer. */
START_TEST(test_charset_long)
{
    struct yb_str in, out;

    for (size_t i = 0; i < 20000; i++)
        yb_buf_add(buf, YB_STR("\xe4"));
    in = yb_buf_view(buf);
    ck_assert(yb_charset_to_utf8(YB_STR("latin1"), in, 100000, arena, &out));
    ck_assert_uint_eq(out.n, 40000);
}
END_TEST

/* clang-format off */
static const struct { const char *in, *want; } folds[] = {
    { "Hello WORLD", "hello world" },
    { "J\xc3\x9cRGEN Stra\xc3\x9f" "e", "j\xc3\xbcrgen strasse" },
    { "U\xcc\x88", "\xc3\xbc" },                                      /* the accent reaches back */
    { "\xef\xbc\xa1\xef\xbd\x82", "ab" },                             /* full width */
    { "\xef\xac\x81x", "fix" },                                       /* ligature */
    { "\xe3\x82\xab\xe3\x82\x99", "\xe3\x82\xac" },
    { "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c" },       /* Hangul letters */
    { "A\xff" "B\xc3\x9c", "a\xff" "b\xc3\xbc" },
    { "", "" },
};
/* clang-format on */

START_TEST(test_fold)
{
    ck_assert_int_eq(yb_text_fold(yb_str_from(folds[_i].in), buf, NULL), 0);
    ck_assert_msg(yb_str_eq(yb_buf_view(buf), yb_str_from(folds[_i].want)), "'%s' gives '%.*s'",
                  folds[_i].in, YB_STR_ARG(yb_buf_view(buf)));
}
END_TEST

START_TEST(test_fold_long)
{
    struct yb_buf *in = yb_buf_new(1u << 20), *small = yb_buf_new(10);
    size_t n = 0;

    for (size_t i = 0; i < 30000; i++)
        yb_buf_add(in, i % 3000 == 0 ? YB_STR("AB") : YB_STR("\xce\xa9")); /* Omega */
    ck_assert_int_eq(yb_text_fold(yb_buf_view(in), buf, NULL), 0);
    ck_assert_uint_eq(yb_buf_size(buf), yb_buf_size(in));
    for (struct yb_str s = yb_buf_view(buf); n < s.n; n++)
        ck_assert(s.p[n] != 'A' && s.p[n] != '\xa9');
    ck_assert_int_lt(yb_text_fold(yb_buf_view(in), small, NULL), 0);
    yb_buf_clear(small);
    ck_assert_int_lt(yb_text_fold(YB_STR("abcdefghijklm"), small, NULL), 0);
    yb_buf_free(&in);
    yb_buf_free(&small);
}
END_TEST

/* --- transfer --- */

#define B YB_TRANSFER_BASE64
#define Q YB_TRANSFER_QUOTED_PRINTABLE
#define S20 "                    "

/* clang-format off */
static const struct { enum yb_transfer_kind kind; const char *in, *want; } transfers[] = {
    { YB_TRANSFER_IDENTITY, "a=41\r\n", "a=41\r\n" },
    { YB_TRANSFER_UNKNOWN, "begin 644 x", "begin 644 x" },
    { B, "", "" },
    { B, "Zm9vYmFy", "foobar" },
    { B, "Zm9v\r\nYmE=\r\n", "fooba" },
    { B, "Zg==", "f" },
    { B, "Zg==Zg==", "ff" },
    { B, "Zg", "f" },
    { B, "Z", "" },
    { B, " Z!m-9(v", "foo" },
    { B, "+/+/", "\xfb\xff\xbf" },
    { Q, "", "" },
    { Q, "a=41b", "aAb" },
    { Q, "=c3=BC=\r\nx", "\xc3\xbcx" },
    { Q, "line \t \r\nnext", "line\r\nnext" },
    { Q, "a b  c", "a b  c" },
    { Q, "a  =\r\nb", "a  b" },
    { Q, "a=  \t\r\nb", "ab" },
    { Q, "a=\nb", "ab" },
    { Q, "a=20\r\nb", "a \r\nb" },
    { Q, "a=", "a" },
    { Q, "a= ", "a" },
    { Q, "a=4", "a=4" },
    { Q, "a=\r", "a=\r" },
    { Q, "a=zz", "a=zz" },
    { Q, "a=4z=41", "a=4zA" },
    { Q, "a==41", "a=A" },
    { Q, "a=\rx", "a=\rx" },
    { Q, "a=4\r\nb", "a=4\r\nb" },
    { Q, "a= x", "a= x" },
    { Q, "a=\r=41", "a=\rA" },
    { Q, "trailing   ", "trailing" },
    { Q, "x" S20 S20 S20 S20 S20 "y", "x" S20 S20 S20 S20 S20 "y" },
    { Q, "x=" S20 S20 S20 S20 S20 "y", "x=" S20 S20 S20 S20 S20 "y" },
};
/* clang-format on */

START_TEST(test_transfer)
{
    struct yb_str in = yb_str_from(transfers[_i].in);
    struct yb_transfer t = yb_transfer_begin(transfers[_i].kind);

    ck_assert_int_eq(yb_transfer_feed(&t, in, buf, NULL), 0);
    ck_assert_int_eq(yb_transfer_end(&t, buf, NULL), 0);
    ck_assert_msg(yb_str_eq(yb_buf_view(buf), yb_str_from(transfers[_i].want)), "'%s' gives '%.*s'",
                  transfers[_i].in, YB_STR_ARG(yb_buf_view(buf)));
    yb_buf_clear(buf);
    t = yb_transfer_begin(transfers[_i].kind);
    for (size_t i = 0; i < in.n; i++)
        ck_assert_int_eq(yb_transfer_feed(&t, yb_str(in.p + i, 1), buf, NULL), 0);
    ck_assert_int_eq(yb_transfer_end(&t, buf, NULL), 0);
    ck_assert_msg(yb_str_eq(yb_buf_view(buf), yb_str_from(transfers[_i].want)),
                  "'%s' by bytes: '%.*s'", transfers[_i].in, YB_STR_ARG(yb_buf_view(buf)));
}
END_TEST

START_TEST(test_transfer_kind)
{
    ck_assert_int_eq(yb_transfer_kind_of(yb_str(NULL, 0)), YB_TRANSFER_IDENTITY);
    ck_assert_int_eq(yb_transfer_kind_of(YB_STR(" BASE64 (c)")), YB_TRANSFER_BASE64);
    ck_assert_int_eq(yb_transfer_kind_of(YB_STR("Quoted-Printable")), YB_TRANSFER_QUOTED_PRINTABLE);
    ck_assert_int_eq(yb_transfer_kind_of(YB_STR("8bit")), YB_TRANSFER_IDENTITY);
    ck_assert_int_eq(yb_transfer_kind_of(YB_STR("x-uuencode")), YB_TRANSFER_UNKNOWN);
}
END_TEST

START_TEST(test_transfer_limit)
{
    struct yb_buf *small = yb_buf_new(5);
    struct yb_transfer t = yb_transfer_begin(YB_TRANSFER_BASE64);
    struct yb_err err = { 0 };

    ck_assert_int_lt(yb_transfer_feed(&t, YB_STR("Zm9vYmFy"), small, &err), 0);
    ck_assert_int_eq(err.class, YB_TEMP);
    yb_buf_free(&small);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("mime/text");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_header, 0, YB_COUNT(headers));
    tcase_add_test(tc, test_header_begins);
    tcase_add_test(tc, test_header_find);
    tcase_add_loop_test(tc, test_words, 0, YB_COUNT(words));
    tcase_add_loop_test(tc, test_encode, 0, YB_COUNT(encodes));
    tcase_add_test(tc, test_encode_long);
    tcase_add_loop_test(tc, test_charset, 0, YB_COUNT(texts));
    tcase_add_test(tc, test_charset_limits);
    tcase_add_test(tc, test_charset_long);
    tcase_add_loop_test(tc, test_fold, 0, YB_COUNT(folds));
    tcase_add_test(tc, test_fold_long);
    tcase_add_loop_test(tc, test_transfer, 0, YB_COUNT(transfers));
    tcase_add_test(tc, test_transfer_kind);
    tcase_add_test(tc, test_transfer_limit);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
