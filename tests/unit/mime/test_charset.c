/* lib/mime: labels, japanese, raw. */
#include "lib/mime/charset.h"
#include "lib/mime/words.h"

#include <check.h>
#include <stdlib.h>

#define FFFD "\xef\xbf\xbd"
#define KAIGI "\xe4\xbc\x9a\xe8\xad\xb0"   /* 会議 */
#define MARU1 "\xe2\x91\xa0"               /* ① of NEC's row 13 */
#define HASHIGO "\xe9\xab\x99"             /* 髙 of IBM's characters */
#define KA_HALF "\xef\xbd\xb6\xef\xbe\x9e" /* half-width katakana with its voice mark */

static bool
is_known(struct yb_str label)
{
    struct yb_charset *c = yb_charset_open(label);
    bool known = c != NULL;

    yb_charset_close(&c);
    return known;
}

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

/* The labels of the Encoding Standard, some that mail programs add, and what each makes of a text. */
/* clang-format off */
static const struct { const char *labels, *in, *want; } labels[] = {
    { "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8", "\xc3\xbc", "\xc3\xbc" },
    { "866 cp866 csibm866 ibm866", "\x8f", "\xd0\x9f" },
    { "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2", "\xb1", "\xc4\x85" },
    { "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3", "\xb1", "\xc4\xa7" },
    { "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4", "\xa2", "\xc4\xb8" },
    { "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988", "\xbf", "\xd0\x9f" },
    { "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i iso-ir-127 "
      "iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987", "\xc7", "\xd8\xa7" },
    { "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 "
      "sun_eu_greek", "\xe1", "\xce\xb1" },
    { "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 "
      "visual csiso88598i iso-8859-8-i logical", "\xe0", "\xd7\x90" },
    { "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6", "\xa1", "\xc4\x84" },
    { "iso-8859-13 iso8859-13 iso885913", "\xe0", "\xc4\x85" },
    { "iso-8859-14 iso8859-14 iso885914", "\xa1", "\xe1\xb8\x82" },
    { "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9", "\xa4", "\xe2\x82\xac" },
    { "iso-8859-16", "\xa4", "\xe2\x82\xac" },
    { "cskoi8r koi koi8 koi8-r koi8_r", "\xd0", "\xd0\xbf" },
    { "koi8-u koi8-ru", "\xa4", "\xd1\x94" },
    { "csmacintosh mac macintosh x-mac-roman", "\x8a", "\xc3\xa4" },
    { "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874", "\xa1", "\xe0\xb8\x81" },
    { "cp1250 windows-1250 x-cp1250", "\xb9", "\xc4\x85" },
    { "cp1251 windows-1251 x-cp1251", "\xef", "\xd0\xbf" },
    { "ansi_x3.4-1968 ascii us-ascii", "\xc3\xbc", "\xc3\xbc" },
    { "cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 "
      "windows-1252 x-cp1252", "\x80", "\xe2\x82\xac" },
    { "cp1253 windows-1253 x-cp1253", "\xe1", "\xce\xb1" },
    { "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 windows-1254 "
      "x-cp1254", "\xfe", "\xc5\x9f" },
    { "cp1255 windows-1255 x-cp1255", "\xe0", "\xd7\x90" },
    { "cp1256 windows-1256 x-cp1256", "\xc7", "\xd8\xa7" },
    { "cp1257 windows-1257 x-cp1257", "\xe0", "\xc4\x85" },
    { "cp1258 windows-1258 x-cp1258", "\xfe", "\xe2\x82\xab" },
    { "x-mac-cyrillic x-mac-ukrainian", "\x8f", "\xd0\x9f" },
    { "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030 cp936", "\xd6\xd0", "\xe4\xb8\xad" },
    { "big5 big5-hkscs cn-big5 csbig5 x-x-big5 cp950", "\xa4\xa4", "\xe4\xb8\xad" },
    { "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949", "\xc7\xd1",
      "\xed\x95\x9c" },
    { "csiso2022kr iso-2022-kr", "\x1b$)C\x0eGQ\x0f", "\xed\x95\x9c" },
    { "unicodefffe utf-16be", "\x4f\x1a\x8b\x70", KAIGI },
    { "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le", "\x1a\x4f\x70\x8b", KAIGI },
    { "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis cp932 cswindows31j x-ms-cp932 sjis-win",
      "\x89\xef\x8b\x63\x87\x40\xfb\xfc\xb6\xde", KAIGI MARU1 HASHIGO KA_HALF },
    { "cseucpkdfmtjapanese euc-jp x-euc-jp eucjp ujis eucjp-win cp51932",
      "\xb2\xf1\xb5\xc4\xad\xa1\xfc\xe2\x8e\xb6\x8e\xde", KAIGI MARU1 HASHIGO KA_HALF },
    { "csiso2022jp iso-2022-jp iso2022jp iso-2022-jp-ms iso-2022-jp-1 iso-2022-jp-3 cp50220 cp50221 cp50222 jis x-jis jis7",
      "\x1b$B2q5D-!|b\x1b(I6^\x1b(B", KAIGI MARU1 HASHIGO KA_HALF },
    { "iso-2022-jp-2", "\x1b$B2q5D\x1b(B", KAIGI },
};
/* clang-format on */

START_TEST(test_labels)
{
    struct yb_str left = yb_str_from(labels[_i].labels), out;

    while (left.n > 0) {
        struct yb_str label = yb_str_word(&left);
        struct yb_str odd = yb_arena_printf(arena, " %.*s\t", YB_STR_ARG(label));

        ck_assert_msg(is_known(label), "%.*s", YB_STR_ARG(label));
        ck_assert(yb_charset_to_utf8(label, yb_str_from(labels[_i].in), 100, arena, &out));
        ck_assert_msg(yb_str_eq(out, yb_str_from(labels[_i].want)), "%.*s: '%.*s'",
                      YB_STR_ARG(label), YB_STR_ARG(out));
        for (size_t i = 0; i < odd.n; i++)
            ((char *)(uintptr_t)odd.p)[i] = yb_upper(odd.p[i]);
        ck_assert(is_known(odd));
    }
}
END_TEST

START_TEST(test_no_labels)
{
    static const char *const none[] = {
        "x-user-defined",  "hz-gb-2312",
        "utf-7",           "iso-8859-12",
        "utf-8//translit", "\xc3\xbc",
        "utf-\xc5\xbf",    "a-label-that-is-longer-than-any-that-there-are"
    };

    for (size_t i = 0; i < YB_COUNT(none); i++)
        ck_assert_msg(!is_known(yb_str_from(none[i])), "%s", none[i]);
    ck_assert(yb_charset_is_utf8(YB_STR(" UTF8 ")) && !yb_charset_is_utf8(YB_STR("")));
}
END_TEST

/* clang-format off */
static const struct { const char *charset, *in, *want; } texts[] = {
    { "iso-2022-jp", "\x1b$B2q5D\x1b(B a", KAIGI " a" },
    { "iso-2022-jp", "\x1b$@2q\x1b(J5D\\~", "\xe4\xbc\x9a" "5D\\~" },                      /* Roman is ASCII */
    { "iso-2022-jp", "\x1b$(D0!\x1b$B2q\x1b(B", "\xe4\xb8\x82\xe4\xbc\x9a" },             /* JIS X 0212 */
    { "iso-2022-jp", "\x1b$(O2q-!\x1b(B", "\xe4\xbc\x9a" MARU1 },
    { "iso-2022-jp", "\x0e" "6^\x0f" "6", KA_HALF "6" },                                   /* SO, SI */
    { "iso-2022-jp", "a\xb6\xde z", "a" KA_HALF " z" },                                    /* eight bits */
    { "iso-2022-jp", "\x1b$B2q\xb6\xde" "5D", "\xe4\xbc\x9a" KA_HALF "\xe8\xad\xb0" },
    { "iso-2022-jp", "\x89\xef\x8b\x63", KAIGI },                                          /* Shift_JIS */
    { "iso-2022-jp", "\x1b$B2q\r\n5D", "\xe4\xbc\x9a\r\n\xe8\xad\xb0" },                   /* folded inside */
    { "iso-2022-jp", "\x1b$B2\n5D\x1b(B", FFFD "\n\xe8\xad\xb0" },
    { "iso-2022-jp", "\x1b$B2q" "5", "\xe4\xbc\x9a" FFFD },
    { "iso-2022-jp", "\x1b$B))2q\x1b(B", FFFD "\xe4\xbc\x9a" },                            /* unassigned */
    { "iso-2022-jp", "\x1b$(D!!\x1b$B2q\x1b(Bx", FFFD "\xe4\xbc\x9ax" },
    { "iso-2022-jp", "a\x1b$\r\n Bz", "a" FFFD "$\r\n Bz" },                               /* cut */
    { "iso-2022-jp", "\x1b$B2q\x1b(Z\x1b(Bz", "\xe4\xbc\x9a" FFFD FFFD "z" },
    { "iso-2022-jp", "\x1b\x1b$B2q\x1b(B", FFFD "\xe4\xbc\x9a" },
    { "iso-2022-jp", "a\x1b$", "a" FFFD "$" },
    { "iso-2022-jp", "\x1b(I\x7fz6", FFFD FFFD "\xef\xbd\xb6" },
    { "iso-2022-jp", "\x81\x1b$B2q\x1b(B", FFFD "\xe4\xbc\x9a" },
    { "iso-2022-jp", "\x81", FFFD },
    { "euc-jp", "\x8f\xb0\xa1" "a", "\xe4\xb8\x82" "a" },
    { "euc-jp", "\xb2\xf1\xb5z\xff\xb5\xc4", "\xe4\xbc\x9a" FFFD "z" FFFD "\xe8\xad\xb0" },
    { "euc-jp", "\x8f\xb0z\x8ez\xb5", FFFD FFFD "z" FFFD "z" FFFD },
    { "euc-jp", "\xa9\xa9\xb2\xf1\x1b$B", FFFD "\xe4\xbc\x9a\x1b$B" },
    { "shift_jis", "\x89\xef\x81z\xfd\x8b\x63", "\xe4\xbc\x9a\xe3\x80\x91" FFFD "\xe8\xad\xb0" },
    { "", "\xc3\xbc \x1b$B2q5D\x1b(B \xc3\xbc\xff", "\xc3\xbc " KAIGI " \xc3\xbc" FFFD },
    { "us-ascii", "\x1b[1m \x1b$)C \xc3\x1b$B2q", "\x1b[1m \x1b$)C " FFFD "\xe4\xbc\x9a" },
    { "us-ascii", "\x0e\x0f\x1b", "\x0e\x0f\x1b" },
    { "utf-8", "\x1b$B2q5D\x1b(B", "\x1b$B2q5D\x1b(B" },
};
/* clang-format on */

START_TEST(test_japanese)
{
    struct yb_str in = yb_str_from(texts[_i].in), out;
    struct yb_charset *c = yb_charset_open(yb_str_from(texts[_i].charset));

    ck_assert(yb_charset_to_utf8(yb_str_from(texts[_i].charset), in, 1000, arena, &out));
    ck_assert_msg(yb_str_eq(out, yb_str_from(texts[_i].want)), "%s: '%.*s'", texts[_i].charset,
                  YB_STR_ARG(out));
    /* By octets, and twice: the end leads back to the beginning. */
    for (unsigned k = 0; k < 2; k++) {
        yb_buf_clear(buf);
        for (size_t i = 0; i < in.n; i++)
            ck_assert_int_eq(yb_charset_feed(c, yb_str(in.p + i, 1), buf, NULL), 0);
        ck_assert_int_eq(yb_charset_end(c, buf, NULL), 0);
        ck_assert_msg(yb_str_eq(yb_buf_view(buf), out), "%s by octets: '%.*s'", texts[_i].charset,
                      YB_STR_ARG(yb_buf_view(buf)));
    }
    yb_charset_close(&c);
}
END_TEST

/* Longer than what is turned over to iconv at once, and a buffer that is full anywhere. */
START_TEST(test_japanese_long)
{
    struct yb_str in, out;

    yb_buf_add(buf, YB_STR("\x1b$B"));
    for (size_t i = 0; i < 1000; i++)
        yb_buf_add(buf, i % 300 == 7 ? YB_STR("\x1b$(D0!\x1b$B") : YB_STR("2q"));
    in = yb_buf_view(buf);
    ck_assert(yb_charset_to_utf8(YB_STR("iso-2022-jp"), in, 3000, arena, &out));
    ck_assert_uint_eq(out.n, 3000);
    ck_assert(yb_str_find_str(out, YB_STR(FFFD)) == out.n);
    for (size_t limit = 0; limit < 3000; limit += 7)
        ck_assert(!yb_charset_to_utf8(YB_STR("iso-2022-jp"), in, limit, arena, &out));
    ck_assert(yb_charset_is_plain(YB_STR("us-ascii"), YB_STR("plain")));
    ck_assert(!yb_charset_is_plain(YB_STR("us-ascii"), YB_STR("\x1b$B")));
    ck_assert(yb_charset_is_plain(YB_STR("utf-8"), YB_STR("\x1b$B")));
    ck_assert(!yb_charset_is_plain(YB_STR("utf-16"), YB_STR("plain")));
}
END_TEST

/* Header text: what stands there raw. */
/* clang-format off */
static const struct { const char *in, *want; } raws[] = {
    { "Re: \x1b$B2q5D-!\x1b(B (1)", "Re: " KAIGI MARU1 " (1)" },
    { "\x1b$B2q\r\n 5D\x1b(B", "\xe4\xbc\x9a \xe8\xad\xb0" },
    { "\x1b$B2q5D\x1b(B =?iso-2022-jp?B?GyRCMnE1RBsoQg==?= \xb2\xf1\xb5\xc4", KAIGI " " KAIGI " " KAIGI },
    { "Re: \xb2\xf1\xb5\xc4 x", "Re: " KAIGI " x" },                          /* EUC-JP */
    { "Re: \x89\xef\x8b\x63 x", "Re: " KAIGI " x" },                          /* Shift_JIS */
    { "\x89\xef\x8b\x63\xb6\xde", KAIGI KA_HALF },
    { "M\xfcller", "M\xc3\xbcller" },
    { "it\x92s what I don\x92t", "it\xe2\x80\x99s what I don\xe2\x80\x99t" },
    { "\x93quoted\x94 \x96 d\xe9j\xe0", "\xe2\x80\x9cquoted\xe2\x80\x9d \xe2\x80\x93 d\xc3\xa9j\xc3\xa0" },
    { "\xc3\xbc\xc3\xa4 cut \xc3", "\xc3\xbc\xc3\xa4 cut " FFFD },
    { "\xc3\xbc \x1b$B2q5D\x1b(B", "\xc3\xbc " KAIGI },
    { "=? \x1b$B2q5D\x1b(B", "=? " KAIGI },
    { "\x1b(B plain", " plain" },
    { "\x1b[1m", "\x1b[1m" },
    { "=?iso-2022-jp?B?GyRCLSEycTVEO3FOQRsoQg==?=", MARU1 KAIGI "\xe8\xb3\x87\xe6\x96\x99" },
    { "=?x-sjis?B?ie+LYw==?=", KAIGI },
    { "=?us-ascii?B?GyRCMnE1RBsoQg==?=", KAIGI },
};
/* clang-format on */

START_TEST(test_raw)
{
    struct yb_str got = yb_mime_words_decode(yb_str_from(raws[_i].in), arena);

    ck_assert_msg(yb_str_eq(got, yb_str_from(raws[_i].want)), "'%s' gives '%.*s'", raws[_i].in,
                  YB_STR_ARG(got));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("mime/charset");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_labels, 0, YB_COUNT(labels));
    tcase_add_test(tc, test_no_labels);
    tcase_add_loop_test(tc, test_japanese, 0, YB_COUNT(texts));
    tcase_add_test(tc, test_japanese_long);
    tcase_add_loop_test(tc, test_raw, 0, YB_COUNT(raws));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
