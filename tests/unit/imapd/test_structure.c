/* imapd/structure, imapd/parsed, imapd/answer: ENVELOPE and BODYSTRUCTURE, and what the cache
 * keeps. */
#include "imapd/answer.h"
#include "imapd/parsed.h"

#include <check.h>
#include <stdlib.h>

#define PLAIN "(\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" "

/* clang-format off */
static const struct { const char *message, *envelope, *body, *structure; } cases[] = {
    { "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", PLAIN "0 0)", PLAIN "0 0 NIL NIL NIL NIL)" },
    { "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\n"
      "Subject: afternoon \"meeting\"\r\nTo: mooch@owatagu.siam.edu\r\nCc: a, g: b@c, \"x y\" <d@e>;\r\n"
      "Reply-To:\r\nIn-Reply-To: <1@x>\r\nMessage-Id: <2@y>\r\n\r\nHello\r\nJoe\r\n",
      "(\"Mon, 7 Feb 1994 21:52:25 -0800\" \"afternoon \\\"meeting\\\"\" "
      "((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) "
      "((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) "
      "((\"Fred Foobar\" NIL \"foobar\" \"Blurdybloop.COM\")) "
      "((NIL NIL \"mooch\" \"owatagu.siam.edu\")) "
      "((NIL NIL \"a\" \"\")(NIL NIL \"g\" NIL)(NIL NIL \"b\" \"c\")(\"x y\" NIL \"d\" \"e\")(NIL NIL NIL NIL)) NIL "
      "\"<1@x>\" \"<2@y>\")",
      PLAIN "12 2)", PLAIN "12 2 NIL NIL NIL NIL)" },
    { "Subject: caf\xe9\r\n folded\r\n\r\n", "(NIL {11}\r\ncaf\xe9 folded NIL NIL NIL NIL NIL NIL NIL NIL)", PLAIN "0 0)", NULL },
    { "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b; x=\"y z\"\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
      "Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: <i>\r\n"
      "Content-Description: what\r\nContent-MD5: m\r\nContent-Disposition: attachment; filename=\"a b\"\r\n"
      "Content-Language: en, fr\r\nContent-Location: http://x\r\n\r\nAAAA\r\n--b--\r\n",
      NULL,
      "(" PLAIN "3 1)(\"application\" \"pdf\" (\"name\" \"a.pdf\") \"<i>\" \"what\" \"BASE64\" 4) \"mixed\")",
      "(" PLAIN "3 1 NIL NIL NIL NIL)(\"application\" \"pdf\" (\"name\" \"a.pdf\") \"<i>\" \"what\" \"BASE64\" 4 "
      "\"m\" (\"attachment\" (\"filename\" \"a b\")) (\"en\" \"fr\") \"http://x\") \"mixed\" "
      "(\"boundary\" \"b\" \"x\" \"y z\") NIL NIL NIL)" },
    { "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n", NULL,
      "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "3 1) 3)", NULL },
    /* a multipart without parts still answers with one, which has its text */
    { "Content-Type: multipart/mixed; boundary=b\r\n\r\nnothing\r\n", NULL, "(" PLAIN "9 1) \"mixed\")",
      "(" PLAIN "9 1 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
    /* continuations are joined; charset and language stay for the reader */
    { "Content-Type: text/plain; charset*0=\"utf\"; charset*1=-8; name*1*=%84; name*0*=utf-8''%c3\r\n"
      "Content-Disposition: attachment; filename*0=\"a \";\r\n filename*1=\"b\"\r\n\r\n", NULL,
      "(\"text\" \"plain\" (\"charset\" \"utf-8\" \"name*\" \"utf-8''%c3%84\") NIL NIL \"7BIT\" 0 0)",
      "(\"text\" \"plain\" (\"charset\" \"utf-8\" \"name*\" \"utf-8''%c3%84\") NIL NIL \"7BIT\" 0 0 NIL "
      "(\"attachment\" (\"filename\" \"a b\")) NIL NIL)" },
};
/* clang-format on */

static void
check_text(struct yb_str got, const char *want, const char *what)
{
    if (want != NULL)
        ck_assert_msg(yb_str_eq(got, yb_str_from(want)), "%s\nwant %s\ngot  %.*s", what, want,
                      YB_STR_ARG(got));
}

static void
make(struct yb_str message, struct yb_arena *a, struct imapd_parsed *out)
{
    struct yb_mime_tree tree;

    yb_mime_tree_parse(message, a, &tree);
    imapd_parsed_make(&tree, a, out);
}

START_TEST(test_structure)
{
    struct yb_arena *a = yb_arena_new(4096);
    struct imapd_parsed made, again;
    struct yb_str bytes;

    make(yb_str_from(cases[_i].message), a, &made);
    check_text(made.envelope, cases[_i].envelope, "envelope");
    check_text(made.body, cases[_i].body, "body");
    check_text(made.structure, cases[_i].structure, "structure");
    bytes = imapd_parsed_encode(&made, a);
    ck_assert(imapd_parsed_decode(bytes, a, &again));
    check_text(again.structure, cases[_i].structure, "structure from the cache");
    /* Whatever is cut off, or of another version, is as if there were nothing. */
    for (size_t n = 0; n < bytes.n; n++)
        ck_assert(!imapd_parsed_decode(yb_str_head(bytes, n), a, &again));
    yb_arena_free(&a);
}
END_TEST

START_TEST(test_searched)
{
    struct yb_arena *a = yb_arena_new(4096);
    struct imapd_parsed p;

    make(YB_STR("To: A@b\r\nSubject: =?utf-8?q?=C3=84PFEL?=\r\nTO: c\r\n"
                "Date: Sat, 1 Jan 2000 23:00:00 -0500\r\n\r\n"),
         a, &p);
    ck_assert(yb_str_eq(p.searched[IMAPD_SEARCHED_TO], YB_STR("a@b\nc")));
    ck_assert(yb_str_eq(p.searched[IMAPD_SEARCHED_SUBJECT], YB_STR("\xc3\xa4pfel")));
    ck_assert(p.searched[IMAPD_SEARCHED_CC].p == NULL);
    ck_assert(p.has_sent && p.sent_day == 10957); /* the day as written */
    /* as the envelope has them, too: RFC 3501 §6.4.4 */
    make(YB_STR("From: <ann (c)@ (d)\r\n one.test>\r\nCc: \"b b\"@two.test, g: c@d;\r\n\r\n"), a,
         &p);
    ck_assert(yb_str_eq(p.searched[IMAPD_SEARCHED_FROM],
                        YB_STR("<ann (c)@ (d) one.test>\nann@one.test")));
    ck_assert(yb_str_eq(p.searched[IMAPD_SEARCHED_CC],
                        YB_STR("\"b b\"@two.test, g: c@d;\nb b@two.test c@d")));
    yb_arena_free(&a);
}
END_TEST

/* clang-format off */
static const struct { const char *in; size_t n; const char *want; } strings[] = {
    { "", 0, "\"\"" }, { "a b", 3, "\"a b\"" }, { "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
    { "a\r\nb", 4, "{4}\r\na\r\nb" }, { "\xc3\xa9", 2, "{2}\r\n\xc3\xa9" }, { "a\0b", 3, "\"a?b\"" },
    { "\xc3\0b", 3, "{3}\r\n\xc3?b" },
};
/* clang-format on */

START_TEST(test_strings)
{
    struct yb_buf *b = yb_buf_new(10000);

    imapd_put_string(b, yb_str(strings[_i].in, strings[_i].n));
    check_text(yb_buf_view(b), strings[_i].want, "string");
    yb_buf_free(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/structure");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_structure, 0, YB_COUNT(cases));
    tcase_add_test(tc, test_searched);
    tcase_add_loop_test(tc, test_strings, 0, YB_COUNT(strings));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
