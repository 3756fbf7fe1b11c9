/* lib/mime/address: SMTP paths, domain names, folding. */
#include "lib/mime/address.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define A10 "aaaaaaaaaa"
#define A63 A10 A10 A10 A10 A10 A10 "aaa"
#define L63 A63 "." A63 "." A63 "."

/* A refused row: only its status counts. */
#define NO(status) status, NULL, NULL, NULL, NULL

static struct yb_arena *arena;

static void
setup(void)
{
    arena = yb_arena_new(4096);
}

static void
teardown(void)
{
    yb_arena_free(&arena);
}

/* Flags of the result, one letter each, in this order. */
static const char *
flags_of(const struct yb_address *a)
{
    return yb_arena_printf(arena, "%s%s%s%s%s%s%s%s%s%s%s", a->null ? "0" : "",
                           a->no_domain ? "d" : "", a->quoted ? "q" : "", a->literal ? "l" : "",
                           a->utf8 ? "u" : "", a->routed ? "r" : "", a->percent ? "%" : "",
                           a->bang ? "!" : "", a->at ? "@" : "", a->odd_local ? "." : "",
                           a->odd_domain ? "_" : "")
        .p;
}

/* clang-format off */
static const struct {
    const char *in;
    enum yb_path_kind kind;
    bool utf8;
    const char *status;                 /* "" when accepted */
    const char *local, *domain, *flags, *rest;
} paths[] = {
    { "<a@example.com>",             YB_PATH_FORWARD, false, "", "a", "example.com", "", "" },
    { "<a@example.com> SIZE=1",      YB_PATH_REVERSE, false, "", "a", "example.com", "", " SIZE=1" },
    { "<A.b+c@EXAMPLE.Com>",         YB_PATH_FORWARD, false, "", "A.b+c", "example.com", "", "" },
    { "<a@example.com.>",            YB_PATH_FORWARD, false, "", "a", "example.com", "", "" },
    { "<a@b>",                       YB_PATH_FORWARD, false, "", "a", "b", "", "" },
    { "<!#$%&'*+-/=?^_`{|}~@b>",     YB_PATH_FORWARD, false, "", "!#$%&'*+-/=?^_`{|}~", "b", "%!", "" },
    { "<>",                          YB_PATH_REVERSE, false, "", "", "", "0", "" },
    { "<> BODY=8BITMIME",            YB_PATH_REVERSE, false, "", "", "", "0", " BODY=8BITMIME" },
    { "<>",                          YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<>x",                         YB_PATH_REVERSE, false, NO("5.1.7") },
    { "<postmaster>",                YB_PATH_FORWARD, false, "", "postmaster", "", "d", "" },
    { "<PostMaster>",                YB_PATH_FORWARD, false, "", "PostMaster", "", "d", "" },
    { "<postmaster>",                YB_PATH_REVERSE, false, NO("5.1.7") },
    { "<\"postmaster\">",            YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<root>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    /* quoted local parts: the canonical form has no quotes */
    { "<\"a b\"@c>",                 YB_PATH_FORWARD, false, "", "a b", "c", "q", "" },
    { "<\"ab\"@c>",                  YB_PATH_FORWARD, false, "", "ab", "c", "q", "" },
    { "<\"a\\\"b\\\\\"@c>",          YB_PATH_FORWARD, false, "", "a\"b\\", "c", "q", "" },
    { "<\"a@b\"@c>",                 YB_PATH_FORWARD, false, "", "a@b", "c", "q@", "" },
    { "<\"a>b\"@c>",                 YB_PATH_FORWARD, false, "", "a>b", "c", "q", "" },
    { "<\"\"@c>",                    YB_PATH_FORWARD, false, "", "", "c", "q", "" },
    { "<\"a@c>",                     YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<\"a\\\"@c>",                 YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<\"a\"b@c>",                  YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<\"a\".b@c>",                 YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<\"a\tb\"@c>",                YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<\"a\\\tb\"@c>",              YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<\"a\x7f\"@c>",               YB_PATH_FORWARD, false, NO("5.1.3") },
    /* forms of relaying (P4): recognised, not resolved */
    { "<a%b@c>",                     YB_PATH_FORWARD, false, "", "a%b", "c", "%", "" },
    { "<b!a@c>",                     YB_PATH_FORWARD, false, "", "b!a", "c", "!", "" },
    { "<@x:a@c>",                    YB_PATH_FORWARD, false, "", "a", "c", "r", "" },
    { "<@x,@y.z:a@c>",               YB_PATH_FORWARD, false, "", "a", "c", "r", "" },
    { "<@x:postmaster>",             YB_PATH_FORWARD, false, "", "postmaster", "", "dr", "" },
    { "<@x:@y:a@c>",                 YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<@x,y:a@c>",                  YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<@x a@c>",                    YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<@:a@c>",                     YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@b@c>",                     YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@b,c@d>",                   YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<|sh@c>",                     YB_PATH_FORWARD, false, "", "|sh", "c", "", "" },
    { "</etc/passwd>",               YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<../../x@c>",                 YB_PATH_FORWARD, false, NO("5.1.3") },
    /* literals */
    { "<a@[192.0.2.1]>",             YB_PATH_FORWARD, false, "", "a", "[192.0.2.1]", "l", "" },
    { "<a@[IPv6:2001:DB8:0:0::1]>",  YB_PATH_FORWARD, false, "", "a", "[IPv6:2001:db8::1]", "l", "" },
    { "<a@[ipv6:::1]>",              YB_PATH_FORWARD, false, "", "a", "[IPv6:::1]", "l", "" },
    { "<a@[192.0.2.256]>",           YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@[192.0.2]>",               YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@[x-tag:abc]>",             YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@[2001:db8::1]>",           YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@[]>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@[192.0.2.1>",              YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@[192.0.2.1].>",            YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@192.0.2.1>",               YB_PATH_FORWARD, false, NO("5.1.3") },
    /* syntax */
    { "a@b",                         YB_PATH_FORWARD, false, NO("5.1.3") },
    { "",                            YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<",                           YB_PATH_FORWARD, false, NO("5.1.3") },
    { " <a@b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@b",                        YB_PATH_REVERSE, false, NO("5.1.7") },
    { "<a@b>x",                      YB_PATH_REVERSE, false, NO("5.1.7") },
    { "<a@b>\tx",                    YB_PATH_REVERSE, false, NO("5.1.7") },
    { "<a@b> (x)",                   YB_PATH_REVERSE, false, "", "a", "b", "", " (x)" },
    { "< a@b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a @b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@ b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@b >",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a(x)@b>",                    YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<.a@b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a.@b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a..b@c>",                    YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<@c>",                        YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@>",                        YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@.>",                       YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@b..>",                     YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@.b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@-b>",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@b->",                      YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@b_c>",                     YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<Full Name <a@b>>",           YB_PATH_FORWARD, false, NO("5.1.3") },
    /* as people elsewhere are called, who cannot change it */
#define REVERSE YB_PATH_REVERSE_FOREIGN
#define FORWARD YB_PATH_FORWARD_FOREIGN
    { "<taro.@b>",                   REVERSE, false, "", "taro.", "b", ".", "" },
    { "<ta..ro@b> SIZE=1",           REVERSE, false, "", "ta..ro", "b", ".", " SIZE=1" },
    { "<.taro@b>",                   FORWARD, false, "", ".taro", "b", ".", "" },
    { "<a.b@c>",                     FORWARD, false, "", "a.b", "c", "", "" },
    { "<...@b>",                     REVERSE, false, NO("5.1.7") },
    { "<a..@>",                      REVERSE, false, NO("5.1.7") },
    { "<a..b c@d>",                  REVERSE, false, NO("5.1.7") },
    { "<a..\"b\"@d>",                REVERSE, false, NO("5.1.7") },
    { "<>",                          REVERSE, false, "", "", "", "0", "" },
    { "<>",                          FORWARD, false, NO("5.1.3") },
    { "<postmaster>",                FORWARD, false, "", "postmaster", "", "d", "" },
    { "<postmaster.>",               FORWARD, false, NO("5.1.3") },
    { "<root@Web_1.customer.test>",  REVERSE, false, "", "root", "web_1.customer.test", "_", "" },
    { "<a@_x.-b.c-.>",               FORWARD, false, "", "a", "_x.-b.c-", "_", "" },
    { "<a..@b_c>",                   REVERSE, false, "", "a..", "b_c", "._", "" },
    { "<a@b_\xc3\xbc" "cher.test>",  REVERSE, true, "", "a", "xn--b_cher-4ya.test", "u_", "" },
    { "<a@b_\xc3\xbc" "cher.test>",  YB_PATH_REVERSE, true, NO("5.1.7") },
    { "<a@b..c_d>",                  REVERSE, false, NO("5.1.7") },
    { "<a@b_c/d>",                   REVERSE, false, NO("5.1.7") },
    { "<a@192.0.2.1>",               REVERSE, false, NO("5.1.7") },
    { "<a@b_c\xff>",                 REVERSE, true, NO("5.1.7") },
    { "<a@" A63 "a.b>",              REVERSE, false, NO("5.1.7") },
    { "<" A63 "a.@b>",               REVERSE, false, "", A63 "a.", "b", ".", "" },
    { "<" A63 "a.@b>",               FORWARD, false, NO("5.1.3") },
    { "<taro.@b>",                   YB_PATH_REVERSE, false, NO("5.1.7") },
    { "<a@b_c>",                     YB_PATH_REVERSE, false, NO("5.1.7") },
    /* limits */
    { "<" A63 "a@b>",                YB_PATH_FORWARD, false, "", A63 "a", "b", "", "" },
    { "<" A63 "aa@b>",               YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<" A63 "aa@b>",               YB_PATH_REVERSE, false, "", A63 "aa", "b", "", "" },
    { "<a@" A63 ".b>",               YB_PATH_FORWARD, false, "", "a", A63 ".b", "", "" },
    { "<a@" A63 "a.b>",              YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<a@" L63 A10 A10 A10 A10 A10 A10 ">", YB_PATH_FORWARD, false, "", "a", L63 A10 A10 A10 A10 A10 A10, "", "" },
    { "<a@" L63 A10 A10 A10 A10 A10 A10 "a>", YB_PATH_FORWARD, false, NO("5.1.3") },
    { "<" A63 "@" L63 ">",           YB_PATH_FORWARD, false, NO("5.1.3") },
    /* UTF-8 */
    { "<j\xc3\xbcrgen@b>",           YB_PATH_FORWARD, false, NO("5.6.7") },
    { "<a@b\xc3\xbc" "cher.example>", YB_PATH_FORWARD, false, NO("5.6.7") },
    { "<j\xc3\xbcrgen@b>",           YB_PATH_FORWARD, true, "", "j\xc3\xbcrgen", "b", "u", "" },
    { "<\"\xc3\xbc \"@b>",           YB_PATH_FORWARD, true, "", "\xc3\xbc ", "b", "qu", "" },
    { "<\"\\\xc3\xbc\"@b>",          YB_PATH_FORWARD, true, NO("5.1.3") },
    { "<a@b\xc3\xbc" "cher.example>", YB_PATH_FORWARD, true, "", "a", "xn--bcher-kva.example", "u", "" },
    { "<a@XN--bcher-KVA.example>",   YB_PATH_FORWARD, false, "", "a", "xn--bcher-kva.example", "", "" },
    { "<j\xfcrgen@b>",               YB_PATH_FORWARD, true, NO("5.1.3") },
    { "<\xc0\xaf@b>",                YB_PATH_FORWARD, true, NO("5.1.3") },
};
/* clang-format on */

START_TEST(test_path)
{
    struct yb_address a;
    struct yb_str rest;
    struct yb_err err = { 0 };
    int rc = yb_path_parse(yb_str_from(paths[_i].in), paths[_i].kind, paths[_i].utf8, arena, &a,
                           &rest, &err);

    ck_assert_msg(strcmp(err.status, paths[_i].status) == 0, "%s: status '%s', want '%s'",
                  paths[_i].in, err.status, paths[_i].status);
    ck_assert_int_eq(rc, paths[_i].status[0] == '\0' ? 0 : -1);
    if (rc < 0) {
        ck_assert_int_eq(err.class, YB_PERM);
        return;
    }
    ck_assert_msg(yb_str_eq(a.local, yb_str_from(paths[_i].local)), "%s: local '%.*s'",
                  paths[_i].in, YB_STR_ARG(a.local));
    ck_assert_msg(yb_str_eq(a.domain, yb_str_from(paths[_i].domain)), "%s: domain '%.*s'",
                  paths[_i].in, YB_STR_ARG(a.domain));
    ck_assert_str_eq(flags_of(&a), paths[_i].flags);
    ck_assert_msg(yb_str_eq(rest, yb_str_from(paths[_i].rest)), "%s: rest '%.*s'", paths[_i].in,
                  YB_STR_ARG(rest));
}
END_TEST

START_TEST(test_nul)
{
    struct yb_address a;
    struct yb_str rest;

    ck_assert_int_lt(
        yb_path_parse(YB_STR("<a\0b@c>"), YB_PATH_FORWARD, true, arena, &a, &rest, NULL), 0);
    ck_assert_int_lt(
        yb_path_parse(YB_STR("<\"a\0b\"@c>"), YB_PATH_FORWARD, true, arena, &a, &rest, NULL), 0);
    ck_assert_int_lt(
        yb_path_parse(YB_STR("<a@c\0d>"), YB_PATH_FORWARD, true, arena, &a, &rest, NULL), 0);
    ck_assert_int_lt(
        yb_path_parse(YB_STR("<a@[1.2.3.4\0]>"), YB_PATH_FORWARD, true, arena, &a, &rest, NULL), 0);
}
END_TEST

/* clang-format off */
static const struct { const char *in, *want; } bare[] = {
    { "a@example.com", "a@example.com" },
    { "A@Example.COM.", "A@example.com" },
    { "\"a\"@b", "a@b" },
    { "\"a b\"@b", "\"a b\"@b" },
    { "\"a\\b\"@b", "ab@b" },
    { "\"a\\\\b\\\"\"@b", "\"a\\\\b\\\"\"@b" },
    { "\"\"@b", "\"\"@b" },
    { "\".a\"@b", "\".a\"@b" },
    { "\"a..b\"@b", "\"a..b\"@b" },
    { "\"a@b\"@c", "\"a@b\"@c" },
    { "\xc3\xbc@b\xc3\xbc" "cher.example", "\xc3\xbc@xn--bcher-kva.example" },
    { "a@[192.0.2.7]", "a@[192.0.2.7]" },
    { "postmaster", NULL },
    { "@a:b@c", NULL },
    { "<a@b>", NULL },
    { "a@b ", NULL },
    { "a@b\xff", NULL },
    { "", NULL },
    { A63 "aa@b", NULL },
    { A63 "@" L63 A63, NULL },
};
/* clang-format on */

START_TEST(test_bare_and_write)
{
    struct yb_address a, again;
    struct yb_err err = { 0 };
    struct yb_str text;
    int rc = yb_address_parse(yb_str_from(bare[_i].in), arena, &a, &err);

    ck_assert_msg((rc == 0) == (bare[_i].want != NULL), "%s: rc %d", bare[_i].in, rc);
    if (rc < 0) {
        ck_assert_str_eq(err.status, "5.1.3");
        return;
    }
    text = yb_address_write(&a, arena);
    ck_assert_msg(yb_str_eq(text, yb_str_from(bare[_i].want)), "%s: wrote %.*s", bare[_i].in,
                  YB_STR_ARG(text));
    ck_assert_int_eq(yb_address_parse(text, arena, &again, &err), 0);
    ck_assert(yb_str_eq(a.local, again.local) && yb_str_eq(a.domain, again.domain));
}
END_TEST

START_TEST(test_write_null)
{
    struct yb_address null = { .null = true };
    struct yb_address postmaster = { .local = YB_STR("postmaster"), .no_domain = true };

    ck_assert(yb_str_eq(yb_address_write(&null, arena), YB_STR("")));
    ck_assert(yb_str_eq(yb_address_write(&postmaster, arena), YB_STR("postmaster")));
}
END_TEST

/* clang-format off */
static const struct { const char *in, *want; } folds[] = {
    { "Alice.B", "alice.b" },
    { "", "" },
    { "J\xc3\x9cRGEN", "j\xc3\xbcrgen" },
    { "u\xcc\x88", "\xc3\xbc" },                                  /* combining becomes composed */
    { "\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x83" }, /* final sigma */
    { "\xef\xbc\xa1", "\xef\xbd\x81" },                           /* full width stays itself */
    { "A\xff", "a\xff" },
};
/* clang-format on */

START_TEST(test_fold)
{
    struct yb_str got = yb_address_fold(yb_str_from(folds[_i].in), arena);

    ck_assert_msg(yb_str_eq(got, yb_str_from(folds[_i].want)), "%s: %.*s", folds[_i].in,
                  YB_STR_ARG(got));
}
END_TEST

/* clang-format off */
static const struct { const char *in, *want; } domains[] = {
    { "Example.COM", "example.com" },
    { "example.com.", "example.com" },
    { "a-b.c1", "a-b.c1" },
    { "1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa" },
    { "M\xc3\x9cnchen.example", "xn--mnchen-3ya.example" },
    { "stra\xc3\x9f" "e.example", "xn--strae-oqa.example" },      /* non-transitional */
    { "\xe9\x83\xb5\xe4\xbe\xbf.\xe6\x97\xa5\xe6\x9c\xac", "xn--wtqs30n.xn--wgv71a" },
    { "xn--anything.example", "xn--anything.example" },
    { "acme.example\xe3\x80\x82", "acme.example" },               /* a final dot in ideographs */
    { "acme\xef\xbc\x8e" "example\xef\xbd\xa1", "acme.example" },
    { "acme.example.\xe3\x80\x82", NULL }, { "acme.example\xe3\x80\x82.", NULL },
    { "b_\xc3\xbc" "cher.example", NULL }, { "b \xc3\xbc" "cher.example", NULL },
    { "b@\xc3\xbc" "cher.example", NULL }, { "b\xef\xbc\xbf" "cher.example", NULL }, /* full width _ */
    { "b/c.\xc3\xbc.example", NULL }, { "b\xef\xbc\xa0" "cher.example", NULL },
    { "a_b.example", NULL }, { "-a.example", NULL }, { "a-.example", NULL },
    { "", NULL }, { ".", NULL }, { "..", NULL }, { "a..b", NULL }, { "a b", NULL }, { "a\tb", NULL },
    { "10", NULL }, { "10.0.0.1", NULL }, { "a@b", NULL }, { "[1.2.3.4]", NULL },
    { "\xef\xbc\xa0.example", NULL },                             /* full width @ */
    { "\xe2\x80\x8b.example", NULL },                             /* zero width space alone */
    { "a\xc3.example", NULL },
    { A63 "." A63 "." A63 "." A63, NULL },
};
/* clang-format on */

START_TEST(test_domain)
{
    struct yb_str out = { 0 };
    struct yb_err err = { 0 };
    int rc = yb_domain_normal(yb_str_from(domains[_i].in), arena, &out, &err);

    if (domains[_i].want == NULL) {
        ck_assert_msg(rc < 0, "%s: accepted as %.*s", domains[_i].in, YB_STR_ARG(out));
        ck_assert_str_eq(err.status, "5.1.2");
    } else {
        ck_assert_msg(rc == 0 && yb_str_eq(out, yb_str_from(domains[_i].want)), "%s: %.*s (%s)",
                      domains[_i].in, YB_STR_ARG(out), err.text);
        ck_assert_int_eq(yb_domain_normal(out, arena, &out, &err), 0);
        ck_assert(yb_str_eq(out, yb_str_from(domains[_i].want)));
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("mime/address");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_path, 0, YB_COUNT(paths));
    tcase_add_test(tc, test_nul);
    tcase_add_loop_test(tc, test_bare_and_write, 0, YB_COUNT(bare));
    tcase_add_test(tc, test_write_null);
    tcase_add_loop_test(tc, test_fold, 0, YB_COUNT(folds));
    tcase_add_loop_test(tc, test_domain, 0, YB_COUNT(domains));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
