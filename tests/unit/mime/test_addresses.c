/* lib/mime/addresses: header address lists, for showing and for deciding. */
#include "lib/mime/addresses.h"

#include "lib/base/buf.h"

#include <check.h>
#include <stdlib.h>

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

/* One list as text: `B` broken, `O` obscure; members `{name} route: local@domain`, `head[ … ]`. */
static struct yb_str
show(const struct yb_mime_addresses *list)
{
    struct yb_buf *b = yb_buf_new(65536);
    struct yb_str text;

    yb_buf_printf(b, "%s%s", list->broken ? "B " : "", list->obscure ? "O " : "");
    for (const struct yb_mime_address *a = list->first; a != NULL; a = a->next) {
        if (a->kind == YB_MIME_GROUP_END) {
            yb_buf_add(b, YB_STR("]"));
        } else if (a->kind == YB_MIME_GROUP_START) {
            yb_buf_add(b, a->name);
            yb_buf_add(b, YB_STR("["));
        } else {
            if (a->name.p != NULL)
                yb_buf_printf(b, "{%.*s} ", YB_STR_ARG(a->name));
            if (a->route.p != NULL)
                yb_buf_printf(b, "%.*s: ", YB_STR_ARG(a->route));
            yb_buf_add(b, a->local);
            if (!a->no_domain)
                yb_buf_printf(b, "@%.*s", YB_STR_ARG(a->domain));
        }
        if (a->next != NULL)
            yb_buf_add(b, YB_STR(" "));
    }
    text = yb_arena_dup(arena, yb_buf_view(b));
    yb_buf_free(&b);
    return text;
}

/* clang-format off */
static const struct { const char *in, *want; } lists[] = {
    /* addr-spec */
    { "a@b.c", "a@b.c" },
    { " a@b.c ", "a@b.c" },
    { "a.b+c@d", "a.b+c@d" },
    { "\"a b\"@c", "a b@c" },
    { "\"a\\\"b\"@c", "a\"b@c" },
    { "a@[192.0.2.1]", "a@[192.0.2.1]" },
    { "j\xc3\xbc@b\xc3\xbc.de", "j\xc3\xbc@b\xc3\xbc.de" },
    /* name-addr */
    { "<a@b>", "a@b" },
    { "Full Name <a@b>", "{Full Name} a@b" },
    { "Full  \t Name<a@b>", "{Full Name} a@b" },
    { "\"Name, Full\" <a@b>", "{Name, Full} a@b" },
    { "\"x@y.z\" <a@b>", "{x@y.z} a@b" },
    { "John Q. Public <a@b>", "{John Q. Public} a@b" },
    { "J.Q.Public <a@b>", "{J.Q.Public} a@b" },
    { "\"a \\\"b\\\" c\" <a@b>", "{a \"b\" c} a@b" },
    { "\"\" <a@b>", "a@b" },
    { "=?utf-8?q?J=C3=BCrgen?= <a@b>", "{=?utf-8?q?J=C3=BCrgen?=} a@b" },
    { "< a@b >", "a@b" },
    { "Folded\r\n Name\r\n\t<a@b>", "{Folded Name} a@b" },
    { "\"Folded\r\n Name\" <a@b>", "{Folded Name} a@b" },
    /* comments */
    { "a@b (Full Name)", "{Full Name} a@b" },
    { "a@b (Full (real) Name)", "{Full (real) Name} a@b" },
    { "a@b (Full \\) Name)", "{Full ) Name} a@b" },
    { "(c) Name (d) <(e)a@b(f)> (g)", "{Name} a@b" },
    { "Full (middle) Name <a@b>", "{Full Name} a@b" },
    { "u(n)@d(c)", "O {c} u@d" },
    { "u@d(c)", "{c} u@d" },
    { "a@b (x@y)", "O {x@y} a@b" },
    { "()a@b", "a@b" },
    /* obsolete */
    { "a . b @ c . d", "O a.b@c.d" },
    { "\"a\".b@c", "a.b@c" },
    { "<@x,@y.z:a@b>", "O @x,@y.z: a@b" },
    { "N <@x , @y (c) : a@b>", "O {N} @x,@y: a@b" },
    { ",a@b,,c@d, ,", "a@b c@d" },
    /* lists and groups */
    { "a@b, C <c@d>", "a@b {C} c@d" },
    { "undisclosed-recipients:;", "undisclosed-recipients[ ]" },
    { "A group: a@b, C <c@d>;", "A group[ a@b {C} c@d ]" },
    { "g: a@b;, c@d", "g[ a@b ] c@d" },
    { "\"g:h\": ;x@y", "g:h[ ] x@y" },
    { "g (comment) : a@b (n) ; h:;", "g[ {n} a@b ] h[ ]" },
    { "", "" },
    { "  ", "" },
    { "(only a comment)", "" },
    /* broken, but shown */
    { "a", "B a" },
    { "Full Name", "B Full Name" },
    { "<>", "B " },
    { "Name <>", "B {Name} " },
    { "<a>", "B a" },
    { "a@", "B a@" },
    { "@b", "B " },
    { "a@b@c", "B a@b" },
    { "a@b c", "B O a@b" },
    { "a b@c", "B O a@c" },
    { "a..b@c", "B a..b@c" },
    { ".a@c", "B .a@c" },
    { "a@b.", "B a@b." },
    { "a@\"b\"", "B a@b" },
    { "a@b <c@d>", "B a@b" },
    { "<a@b> <c@d>", "B a@b" },
    { "<a@b> c, d@e", "B a@b d@e" },
    { "[list] N <a@b>", "B {[list] N} a@b" },
    { "<a@b", "B a@b" },
    { "\"a <a@b>", "B a <a@b>" },
    { "(a <a@b>", "B O " },
    { "a@[1.2", "B a@[1.2" },
    { "a@b; c@d", "B a@b c@d" },
    { "g: h: a@b;", "B g[ h ]" },
    { "g: a@b", "B g[ a@b ]" },
    { "a@b>, c@d", "B a@b c@d" },
    { "<@x a@b>", "B O @xa@b: " },
    { ". <a@b>", "B {.} a@b" },
    { "a\x01@b", "B O a@b" },
    { "\"a\x01\"@b", "B a@b" },
    { "N <a@b> \"x, y\" (z, w), c@d", "B {N} a@b c@d" },
};
/* clang-format on */

START_TEST(test_lists)
{
    struct yb_mime_addresses list;
    struct yb_str got;

    yb_mime_addresses_parse(yb_str_from(lists[_i].in), arena, &list);
    got = show(&list);
    ck_assert_msg(yb_str_eq(got, yb_str_from(lists[_i].want)), "'%s' gives '%.*s', want '%s'",
                  lists[_i].in, YB_STR_ARG(got), lists[_i].want);
}
END_TEST

START_TEST(test_too_many)
{
    struct yb_mime_addresses list;
    struct yb_buf *b = yb_buf_new(1024 * 1024);

    for (size_t i = 0; i <= YB_MIME_ADDRESSES_MAX; i++)
        yb_buf_add(b, YB_STR("a@b,"));
    yb_mime_addresses_parse(yb_buf_view(b), arena, &list);
    ck_assert_uint_eq(list.n, YB_MIME_ADDRESSES_MAX);
    ck_assert(list.broken);
    yb_buf_clear(b);
    for (size_t i = 0; i <= YB_MIME_ADDRESSES_MAX; i++)
        yb_buf_add(b, YB_STR("g:;"));
    yb_mime_addresses_parse(yb_buf_view(b), arena, &list);
    ck_assert(list.n == YB_MIME_ADDRESSES_MAX && list.broken);
    yb_buf_free(&b);
}
END_TEST

/* What submitd asks. `want` lists canonical addresses; NULL: refused. */
/* clang-format off */
static const struct { const char *in, *want; size_t fields; } froms[] = {
    { "From: a@b.c\r\n\r\n", "a@b.c", 1 },
    { "from: Full Name <A@B.C>\r\nTo: x@y\r\n\r\nFrom: z@z\r\n", "A@b.c", 1 },
    { "FROM:\r\n Full\r\n Name\r\n <a@b>\r\n\r\n", "a@b", 1 },
    { "From: a@b, C <c@d>\r\n\r\n", "a@b c@d", 1 },
    { "From: g: a@b, c@d;\r\n\r\n", "a@b c@d", 1 },
    { "From: a@b\r\nFrom: c@d\r\n\r\n", "a@b c@d", 2 },
    { "From: \"x@other\" <a@b>\r\n\r\n", "a@b", 1 },
    { "From: \"a@x\"@b\r\n\r\n", "\"a@x\"@b", 1 },
    { "From: a@B\xc3\xbc" "cher.example\r\n\r\n", "a@xn--bcher-kva.example", 1 },
    { "From: a@b (Full Name)\r\n\r\n", "a@b", 1 },
    { "From: a@b", "a@b", 1 },
    /* names in any character set */
    { "From: J\xf6rg M\xfcller <a@b>\r\n\r\n", "a@b", 1 },
    { "From: \"M\xfcller, J\xf6rg\" <a@b>\r\n\r\n", "a@b", 1 },
    { "From: \"Jos\xe9\"\r\n\t<a@b>\r\n\r\n", "a@b", 1 },
    { "From: Jos\xe9 <a@b>, \"\xc9va\" <c@d>\r\n\r\n", "a@b c@d", 1 },
    { "From: a@b (Jos\xe9)\r\n\r\n", "a@b", 1 },
    { "From: \x93\xfa\x96{ <a@b>\r\n\r\n", "a@b", 1 },             /* Shift_JIS */
    { "From: \"\x8e\x52\x93\x63\" <a@b>\r\n\r\n", "a@b", 1 },
    { "From: \xd5\xc5\xc8\xfd <a@b>\r\n\r\n", "a@b", 1 },          /* GB 2312 */
    { "From: \xff <a@b>\r\n\r\n", "a@b", 1 },
    { "X-From: c@d\r\nFrom: a@b\r\n\r\n", "a@b", 1 },
    /* not there, or nobody in it */
    { "To: a@b\r\n\r\n", NULL, 0 },
    { "", NULL, 0 },
    { "\r\nFrom: a@b\r\n", NULL, 0 },
    { "From: \r\n\r\n", NULL, 0 },
    { "From: undisclosed:;\r\n\r\n", NULL, 0 },
    { "From: <>\r\n\r\n", NULL, 0 },
    { "From: me\r\n\r\n", NULL, 0 },
    /* in another character set they could be others' */
    { "From: \"\x83\\\" <c@d>, \" <a@b>\r\n\r\n", NULL, 0 },       /* Shift_JIS: so <c@d>, … */
    { "From: \"c@d\xe9\" <a@b>\r\n\r\n", NULL, 0 },
    { "From: \x83@ <a@b>\r\n\r\n", NULL, 0 },
    { "From: \"\x83\x40\" <a@b>\r\n\r\n", NULL, 0 },
    { "From: \x83\\ <a@b>\r\n\r\n", NULL, 0 },
    { "From: x\xe9<a@b>\r\n\r\n", NULL, 0 },                       /* x?a@b, if '<' is swallowed */
    { "From: x\xe9:a@b;\r\n\r\n", NULL, 0 },
    { "From: x\xe9: <a@b>;\r\n\r\n", NULL, 0 },
    { "From: (\xe9)a@b\r\n\r\n", NULL, 0 },
    { "From: \"\xe9\"@b\r\n\r\n", NULL, 0 },
    { "From: \xe9 <\"a\"@b>\r\n\r\n", NULL, 0 },
    { "From: <j\xf6rg@b>\r\n\r\n", NULL, 0 },
    { "From: a@b\xf6\r\n\r\n", NULL, 0 },
    { "From: \x1b$B;3\x1b(B\xe9 <a@b>\r\n\r\n", NULL, 0 },
    /* programs differ */
    { "From: a@b <c@d>\r\n\r\n", NULL, 0 },
    { "From: <a@b> <c@d>\r\n\r\n", NULL, 0 },
    { "From: a@b@c\r\n\r\n", NULL, 0 },
    { "From: a@b\r\n c@d\r\n\r\n", NULL, 0 },
    { "From: <@c:a@b>\r\n\r\n", NULL, 0 },
    { "From: a(x)@b\r\n\r\n", NULL, 0 },
    { "From: a @b\r\n\r\n", NULL, 0 },
    { "From: a@b (c@d)\r\n\r\n", NULL, 0 },
    { "From: a@b (<c)\r\n\r\n", NULL, 0 },
    { "From: a@b\\\r\n\r\n", NULL, 0 },
    { "From: \"a@b\r\n\r\n", NULL, 0 },
    { "From: a@b; c@d\r\n\r\n", NULL, 0 },
    { "From : a@b\r\n\r\n", NULL, 0 },
    { "From: a@b\r\nFrom : c@d\r\n\r\n", NULL, 0 },
    { " From: c@d\r\nFrom: a@b\r\n\r\n", NULL, 0 },
    { "From: a@b\r\nno field\r\nFrom: c@d\r\n\r\n", NULL, 0 },
    { "From a@b Mon Jan 1 00:00:00 2024\r\nFrom: a@b\r\n\r\n", NULL, 0 },
    { "From: a@b\r\nX: y\rFrom: c@d\r\n\r\n", NULL, 0 },
    { "From: a@b\r\nX: y\nFrom: c@d\r\n\r\n", NULL, 0 },
    { "X: y\r\n\nFrom: c@d\r\nFrom: a@b\r\n\r\n", NULL, 0 },
    { "From: a@b\n\n", NULL, 0 },
    { "From: a@b\r", NULL, 0 },
    { "From: a@b_c\r\n\r\n", NULL, 0 },
    { "From: a@b\x01\r\n\r\n", NULL, 0 },
    { "From: a@\xef\xbc\xa0.example\r\n\r\n", NULL, 0 },
    { "From: [x] <a@b>\r\n\r\n", NULL, 0 },
};
/* clang-format on */

static void
check_from(struct yb_str header, const char *want, size_t fields)
{
    struct yb_address_list list;
    struct yb_err err = { 0 };
    struct yb_buf *b;
    int rc = yb_mime_from_addresses(header, arena, &list, &err);

    if (want == NULL) {
        ck_assert_msg(rc < 0, "'%.*s' accepted", YB_STR_ARG(header));
        ck_assert_int_eq(err.class, YB_PERM);
        ck_assert_str_eq(err.status, "5.6.0");
        return;
    }
    ck_assert_msg(rc == 0, "'%.*s': %s", YB_STR_ARG(header), err.text);
    ck_assert_uint_eq(list.fields, fields);
    b = yb_buf_new(4096);
    for (size_t i = 0; i < list.n; i++) {
        yb_buf_add(b, i > 0 ? YB_STR(" ") : YB_STR(""));
        yb_buf_add(b, yb_address_write(&list.addresses[i], arena));
    }
    ck_assert_msg(yb_str_eq(yb_buf_view(b), yb_str_from(want)), "'%.*s' gives '%.*s'",
                  YB_STR_ARG(header), YB_STR_ARG(yb_buf_view(b)));
    yb_buf_free(&b);
}

START_TEST(test_from)
{
    check_from(yb_str_from(froms[_i].in), froms[_i].want, froms[_i].fields);
}
END_TEST

START_TEST(test_from_nul)
{
    check_from(YB_STR("From: a@b\r\nX: \0\r\n\r\n"), NULL, 0);
    check_from(YB_STR("From: a@b\0\r\n\r\n"), NULL, 0);
    check_from(YB_STR("From: a@b\r\n\r\n\0"), "a@b", 1); /* the body is another matter */
}
END_TEST

START_TEST(test_from_floods)
{
    struct yb_buf *b = yb_buf_new(1024 * 1024);

    for (size_t i = 0; i < 200; i++)
        yb_buf_add(b, YB_STR("From: a@b\r\n"));
    check_from(yb_buf_view(b), NULL, 0);
    yb_buf_clear(b);
    yb_buf_add(b, YB_STR("From: "));
    for (size_t i = 0; i <= YB_MIME_ADDRESSES_MAX; i++)
        yb_buf_add(b, YB_STR("a@b,"));
    yb_buf_add(b, YB_STR("\r\n\r\n"));
    check_from(yb_buf_view(b), NULL, 0);
    /* One more than are taken, in one field and over several; and a field that is too long. */
    yb_buf_clear(b);
    for (size_t i = 0; i < 1001; i++)
        yb_buf_add(b, i == 0         ? YB_STR("From: a@b")
                      : i % 500 == 0 ? YB_STR("\r\nFrom: a@b")
                                     : YB_STR(",a@b"));
    yb_buf_add(b, YB_STR("\r\n\r\n"));
    check_from(yb_buf_view(b), NULL, 0);
    yb_buf_clear(b);
    yb_buf_add(b, YB_STR("From: \""));
    for (size_t i = 0; i < 65536; i++)
        yb_buf_add_c(b, 'x');
    yb_buf_add(b, YB_STR("\" <a@b>\r\n\r\n"));
    check_from(yb_buf_view(b), NULL, 0);
    yb_buf_free(&b);
}
END_TEST

START_TEST(test_other_field)
{
    struct yb_str header = YB_STR("From: a@b\r\nSender: c@d\r\n\r\n");
    struct yb_address_list list;
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_mime_field_addresses(header, YB_STR("sender"), arena, &list, &err), 0);
    ck_assert(list.n == 1 && list.fields == 1 && yb_str_eq(list.addresses[0].local, YB_STR("c")));
    ck_assert_int_eq(yb_mime_field_addresses(header, YB_STR("Resent-From"), arena, &list, &err), 0);
    ck_assert(list.n == 0 && list.fields == 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("mime/addresses");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_lists, 0, YB_COUNT(lists));
    tcase_add_test(tc, test_too_many);
    tcase_add_loop_test(tc, test_from, 0, YB_COUNT(froms));
    tcase_add_test(tc, test_from_nul);
    tcase_add_test(tc, test_from_floods);
    tcase_add_test(tc, test_other_field);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
