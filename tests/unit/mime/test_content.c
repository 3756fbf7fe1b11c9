/* lib/mime: content. */
#include "lib/base/buf.h"
#include "lib/mime/content.h"

#include <check.h>

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

/* clang-format off */
static const struct { const char *in, *want; } types[] = {
    { "text/plain", "text/plain" },
    { " Text/HTML; charset=utf-8", "Text/HTML charset={utf-8}" },
    { "text/plain;charset=\"utf-8\";format=flowed", "text/plain charset={utf-8} format={flowed}" },
    { "text/plain; charset = us-ascii (Plain text)", "text/plain charset={us-ascii}" },
    { "text(a)/(b)plain(c);(d)x(e)=(f)y(g)", "text/plain x={y}" },
    { "multipart/mixed; boundary=----=_Part_1; x=1", "multipart/mixed boundary={----=_Part_1} x={1}" },
    { "a/b; name=my file.pdf; x=y", "a/b name={my file.pdf} x={y}" },
    { "a/b; name=\"a \\\"b\\\" c\"", "a/b name={a \"b\" c}" },
    { "a/b; name=\"folded\r\n name\"", "a/b name={folded name}" },
    { "a/b; name=\"open", "a/b name={open}" },
    { "a/b; name=\"open\\", "a/b name={open\\}" },
    { "a/b; name*0=\"x\"; y=1; NAME*1=\" z\"", "a/b name={x z} y={1}" },                /* RFC 2231 §3 */
    { "a/b; name*2=c; name*0=a; name*1=b", "a/b name={abc}" },
    { "a/b; name*0*=utf-8'en'%e3; name*1=\" x'%\"; name*2*=%81", "a/b name*={utf-8'en'%e3%20x%27%25%81}" }, /* §4.1 */
    { "a/b; name*0=\"x\"; name*1*=y%20z", "a/b name*={''xy%20z}" },
    { "a/b; name*=iso-2022-jp''%1B$B; name=x", "a/b name*={iso-2022-jp''%1B$B} name={x}" },
    { "a/b; name*0=a; name*2=c; other*1=d", "a/b name={a} name*2={c} other*1={d}" },       /* a gap, no beginning */
    { "a/b; name*0=a; name*0=b; name*1=c; name*1=d", "a/b name={ac} name={bd}" },
    { "a/b; name*00=a; name*01=b; name**=c; *0=d; *=e; name*x=f", "a/b name*00={a} name*01={b} name**={c} *0={d} *={e} name*x={f}" },
    { "a/b; ; ;x=y;", "a/b x={y}" },
    { "a/b x=y; z=1", "a/b z={1}" },
    { "a/b \"; x=no\"; z=1", "a/b z={1}" },
    { "a/b; =x; y; z=", "a/b z={}" },
    { "a/b (open; x=y", "a/b" },
    { "a/b;\r\n\tx=y", "a/b x={y}" },
    { "", NULL }, { "text", NULL }, { "text/", NULL }, { "/plain", NULL }, { "(c)", NULL },
};
/* clang-format on */

START_TEST(test_content_type)
{
    struct yb_mime_content c;
    struct yb_buf *b = yb_buf_new(4096);
    bool ok = yb_mime_content_type(yb_str_from(types[_i].in), arena, &c);

    ck_assert_msg(ok == (types[_i].want != NULL), "%s", types[_i].in);
    if (ok) {
        yb_buf_printf(b, "%.*s/%.*s", YB_STR_ARG(c.type), YB_STR_ARG(c.subtype));
        for (const struct yb_mime_param *p = c.params; p != NULL; p = p->next)
            yb_buf_printf(b, " %.*s={%.*s}", YB_STR_ARG(p->name), YB_STR_ARG(p->value));
        ck_assert_msg(yb_str_eq(yb_buf_view(b), yb_str_from(types[_i].want)), "%s gives %.*s",
                      types[_i].in, YB_STR_ARG(yb_buf_view(b)));
    }
    yb_buf_free(&b);
}
END_TEST

START_TEST(test_disposition)
{
    struct yb_mime_content c;
    struct yb_buf *b = yb_buf_new(65536);
    size_t n = 0;

    ck_assert(yb_mime_disposition(YB_STR(" attachment; FileName=\"x y\""), arena, &c));
    ck_assert(yb_str_eq(c.type, YB_STR("attachment")));
    ck_assert(yb_str_eq(yb_mime_param_find(&c, YB_STR("filename"), arena), YB_STR("x y")));
    ck_assert_ptr_null(yb_mime_param_find(&c, YB_STR("size"), arena).p);
    ck_assert(!yb_mime_disposition(YB_STR("; filename=x"), arena, &c));
    ck_assert_uint_eq(yb_mime_word(YB_STR("(c)")).n, 0);
    yb_buf_add(b, YB_STR("x"));
    for (size_t i = 0; i < 2 * YB_MIME_PARAMS_MAX; i++)
        yb_buf_add(b, YB_STR(";a=b"));
    ck_assert(yb_mime_disposition(yb_buf_view(b), arena, &c));
    for (const struct yb_mime_param *p = c.params; p != NULL; p = p->next)
        n++;
    ck_assert_uint_eq(n, YB_MIME_PARAMS_MAX);
    yb_buf_free(&b);
}
END_TEST

/* Encoded values, of which the octets are found. */
/* clang-format off */
static const struct { const char *in, *want; } found[] = {
    { "a/b; name=plain; name*=''other", "plain" },
    { "a/b; name*=utf-8'en'%c3%A4%2x%", "\xc3\xa4%2x%" },
    { "a/b; name*=%41'b", "A'b" },                       /* no charset and no language: all is value */
    { "a/b; name*0*=''a%20; name*1=%20; name*2*=%21", "a %20!" },
    { "a/b; name*='", "'" },
    { "a/b; name*=", "" },
    { "a/b; names*=''x; nam=y", NULL },
};
/* clang-format on */

START_TEST(test_param_find)
{
    struct yb_mime_content c;
    struct yb_str got;

    ck_assert(yb_mime_content_type(yb_str_from(found[_i].in), arena, &c));
    got = yb_mime_param_find(&c, YB_STR("NAME"), arena);
    ck_assert_msg((got.p == NULL) == (found[_i].want == NULL), "%s", found[_i].in);
    if (found[_i].want != NULL)
        ck_assert_msg(yb_str_eq(got, yb_str_from(found[_i].want)), "%s gives %.*s", found[_i].in,
                      YB_STR_ARG(got));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("mime/content");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_content_type, 0, YB_COUNT(types));
    tcase_add_test(tc, test_disposition);
    tcase_add_loop_test(tc, test_param_find, 0, YB_COUNT(found));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
