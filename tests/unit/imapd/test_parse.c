/* imapd/lex and imapd/parse: arguments of commands, written back as one canonical text each. */
#include "imapd/parse.h"

#include "lib/store/store.h"

#include <check.h>
#include <stdlib.h>

/* What a parser made of its input, as text; "!why" when it is wrong. */
typedef bool dump_fn(struct imapd_lex *l, struct yb_buf *b);

static void
dump_set(struct yb_buf *b, const struct imapd_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (i > 0)
            yb_buf_add_c(b, ',');
        yb_buf_printf(b, "%u", s->v[i].lo);
        if (s->v[i].hi != s->v[i].lo)
            yb_buf_printf(b, ":%u", s->v[i].hi);
    }
}

static bool
dump_fetch(struct imapd_lex *l, struct yb_buf *b)
{
    struct imapd_fetch f;

    if (!imapd_parse_fetch(l, &f))
        return false;
    dump_set(b, &f.set);
    yb_buf_printf(b, " %u%s", f.items, f.sets_seen ? " seen" : "");
    if (f.has_changed_since)
        yb_buf_printf(b, " since %llu", (unsigned long long)f.changed_since);
    for (size_t i = 0; i < f.n_sections; i++)
        yb_buf_printf(b, " %.*s%s", YB_STR_ARG(f.sections[i].label),
                      f.sections[i].partial ? "+" : "");
    return true;
}

static bool
dump_store(struct imapd_lex *l, struct yb_buf *b)
{
    struct imapd_store s;

    if (!imapd_parse_store(l, &s))
        return false;
    dump_set(b, &s.set);
    yb_buf_printf(b, " %c%s %u", s.op, s.silent ? "silent" : "", s.flags.flags);
    if (s.has_unchanged_since)
        yb_buf_printf(b, " unchanged %llu", (unsigned long long)s.unchanged_since);
    for (size_t i = 0; i < s.flags.n_keywords; i++)
        yb_buf_printf(b, " %.*s", YB_STR_ARG(s.flags.keywords[i]));
    return true;
}

static void
dump_key(struct yb_buf *b, const struct imapd_key *k)
{
    yb_buf_printf(b, "%d", (int)k->kind);
    if (k->field.n > 0)
        yb_buf_printf(b, " %.*s", YB_STR_ARG(k->field));
    if (k->text.p != NULL)
        yb_buf_printf(b, " '%.*s'", YB_STR_ARG(k->text));
    if (k->number > 0)
        yb_buf_printf(b, " %llu", (unsigned long long)k->number);
    if (k->day != 0)
        yb_buf_printf(b, " day %lld", (long long)k->day);
    if (!k->yes)
        yb_buf_add_c(b, '-');
    if (k->set.n > 0)
        yb_buf_add_c(b, ' ');
    dump_set(b, &k->set);
    if (k->child == NULL)
        return;
    yb_buf_add_c(b, '(');
    for (const struct imapd_key *child = k->child; child != NULL; child = child->next) {
        if (child != k->child)
            yb_buf_add_c(b, ';');
        dump_key(b, child);
    }
    yb_buf_add_c(b, ')');
}

static bool
dump_search(struct imapd_lex *l, struct yb_buf *b)
{
    struct imapd_search s;

    if (!imapd_parse_search(l, &s))
        return false;
    if (s.extended)
        yb_buf_printf(b, "return %u ", s.returns);
    if (s.charset.n > 0)
        yb_buf_printf(b, "%.*s ", YB_STR_ARG(s.charset));
    for (const struct imapd_key *k = s.root->child; k != NULL; k = k->next) {
        if (k != s.root->child)
            yb_buf_add_c(b, ';');
        dump_key(b, k);
    }
    return true;
}

static bool
dump_append(struct imapd_lex *l, struct yb_buf *b)
{
    struct imapd_append a;

    if (!imapd_parse_append(l, &a))
        return false;
    if (!a.literal) {
        yb_buf_printf(b, "more");
        return true;
    }
    yb_buf_printf(b, "%.*s %u %zu", YB_STR_ARG(a.mailbox), a.flags.flags, a.flags.n_keywords);
    if (a.has_date)
        yb_buf_printf(b, " at %lld", (long long)a.date);
    yb_buf_printf(b, " {%llu%s}", (unsigned long long)a.size, a.nonsync ? "+" : "");
    return true;
}

static bool
dump_list(struct imapd_lex *l, struct yb_buf *b)
{
    struct imapd_list a;

    if (!imapd_parse_list(l, &a))
        return false;
    yb_buf_printf(b, "%u %u%s '%.*s'", a.select, a.returns, a.extended ? "x" : "",
                  YB_STR_ARG(a.reference));
    for (size_t i = 0; i < a.n_patterns; i++)
        yb_buf_printf(b, " '%.*s'", YB_STR_ARG(a.patterns[i]));
    if (a.status != 0)
        yb_buf_printf(b, " status %u", a.status);
    return true;
}

static bool
dump_create(struct imapd_lex *l, struct yb_buf *b)
{
    struct imapd_create a;

    if (!imapd_parse_create(l, &a))
        return false;
    yb_buf_printf(b, "%.*s", YB_STR_ARG(a.mailbox));
    for (size_t i = 0; i < a.n_uses; i++)
        yb_buf_printf(b, " %.*s", YB_STR_ARG(a.uses[i]));
    return true;
}

static bool
dump_others(struct imapd_lex *l, struct yb_buf *b)
{
    struct imapd_id id;
    struct imapd_select select;
    struct imapd_status status;
    struct yb_str root;

    if (imapd_lex_word(l, YB_STR("ID"))) {
        if (!imapd_lex_space(l) || !imapd_parse_id(l, &id))
            return false;
        yb_buf_printf(b, "%zu", id.n);
        for (size_t i = 0; i < id.n; i++)
            yb_buf_printf(b, " %.*s=%.*s", YB_STR_ARG(id.names[i]),
                          YB_STR_ARG(id.values[i].p == NULL ? YB_STR("nil") : id.values[i]));
        return true;
    }
    if (imapd_lex_word(l, YB_STR("SELECT"))) {
        if (!imapd_lex_space(l) || !imapd_parse_select(l, &select))
            return false;
        yb_buf_printf(b, "%.*s %d", YB_STR_ARG(select.mailbox), select.condstore);
        return true;
    }
    if (imapd_lex_word(l, YB_STR("STATUS"))) {
        if (!imapd_lex_space(l) || !imapd_parse_status(l, &status))
            return false;
        yb_buf_printf(b, "%.*s %u", YB_STR_ARG(status.mailbox), status.items);
        return true;
    }
    if (!imapd_parse_setquota(l, &root))
        return false;
    yb_buf_printf(b, "root '%.*s'", YB_STR_ARG(root));
    return true;
}

/* clang-format off */
static const struct { dump_fn *dump; const char *in, *want; } cases[] = {
    /* FETCH: UID 1, FLAGS 2, DATE 4, SIZE 8, MODSEQ 16, ENVELOPE 32, BODY 64, BODYSTRUCTURE 128 */
    { dump_fetch, "1:* (UID FLAGS)", "1:0 3" },
    { dump_fetch, "1,3:5,9:* flags", "1,3:5,9:0 2" },
    { dump_fetch, "* all", "0 46" }, { dump_fetch, "1 FAST", "1 14" }, { dump_fetch, "1 FULL", "1 110" },
    { dump_fetch, "1 BODY", "1 64" }, { dump_fetch, "1 (BODYSTRUCTURE)", "1 128" },
    { dump_fetch, "1 BODY[]", "1 0 seen BODY[]" }, { dump_fetch, "1 BODY.PEEK[]", "1 0 BODY[]" },
    { dump_fetch, "1 body.peek[1.2.mime]", "1 0 BODY[1.2.MIME]" },
    { dump_fetch, "1 BODY[TEXT]<5.10>", "1 0 seen BODY[TEXT]<5>+" },
    { dump_fetch, "1 BODY.PEEK[3.HEADER.FIELDS (Date \"X Y\" sub)]", "1 0 BODY[3.HEADER.FIELDS (Date \"X Y\" sub)]" },
    { dump_fetch, "1 BODY.PEEK[HEADER.FIELDS ({4}\r\nDate)]", "1 0 BODY[HEADER.FIELDS (Date)]" },
    { dump_fetch, "1 (BODY.PEEK[HEADER.FIELDS.NOT (a)] RFC822.SIZE)", "1 8 BODY[HEADER.FIELDS.NOT (a)]" },
    { dump_fetch, "1 (RFC822 RFC822.HEADER RFC822.TEXT)", "1 0 seen RFC822 RFC822.HEADER RFC822.TEXT" },
    { dump_fetch, "1:2 FLAGS (CHANGEDSINCE 12345)", "1:2 18 since 12345" },
    { dump_fetch, "1 ()", NULL }, { dump_fetch, "1", NULL }, { dump_fetch, "0 FLAGS", NULL },
    { dump_fetch, "1: FLAGS", NULL }, { dump_fetch, ",1 FLAGS", NULL }, { dump_fetch, "4294967296 FLAGS", NULL },
    { dump_fetch, "1 (FLAGS FAST)", NULL }, { dump_fetch, "1 BODY[MIME]", NULL },
    { dump_fetch, "1 BODY[1.]", NULL }, { dump_fetch, "1 BODY[0]", NULL }, { dump_fetch, "1 BODY[1", NULL },
    { dump_fetch, "1 BODY[]<0.0>", NULL }, { dump_fetch, "1 BODY[]<1>", NULL },
    { dump_fetch, "1 BODY[HEADER.FIELDS ()]", NULL }, { dump_fetch, "1 BODY[HEADER.FIELDS]", NULL },
    { dump_fetch, "1 BODY.PEEK", NULL }, { dump_fetch, "1 FLAGS ", NULL }, { dump_fetch, "1 FLAGS x", NULL },
    { dump_fetch, "1  FLAGS", NULL }, { dump_fetch, "1 (FLAGS  UID)", NULL }, { dump_fetch, "1 FLAGSX", NULL },
    { dump_fetch, "1 FLAGS (CHANGEDSINCE -1)", NULL }, { dump_fetch, "1 FLAGS (VANISHED)", NULL },
    /* STORE: Seen 1, Answered 2, Flagged 4, Deleted 8, Draft 16, $Forwarded 32 */
    { dump_store, "1 FLAGS (\\Seen)", "1 = 1" }, { dump_store, "1 +FLAGS.SILENT \\deleted \\DRAFT", "1 +silent 24" },
    { dump_store, "1 -flags ($Forwarded $Junk work)", "1 - 32 $Junk work" },
    { dump_store, "1 FLAGS ()", "1 = 0" }, { dump_store, "1 FLAGS (\\Recent)", "1 = 0" },
    { dump_store, "1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)", "1 + 1 unchanged 0" },
    { dump_store, "1 FLAGS", NULL }, { dump_store, "1 FLAGS (\\Nope)", NULL }, { dump_store, "1 FLAGS (\\*)", NULL },
    { dump_store, "1 FLAGS (a b", NULL }, { dump_store, "1 FLAGS a)", NULL }, { dump_store, "1 *FLAGS (a)", NULL },
    { dump_store, "1 (UNCHANGEDSINCE 9223372036854775808) FLAGS a", NULL },
    /* SEARCH */
    { dump_search, "ALL", "0" }, { dump_search, "1:5 UNSEEN", "5- 1:5;1 1-" },
    { dump_search, "NOT SEEN", "19(1 1)" }, { dump_search, "OR SEEN (FLAGGED DELETED)", "20(1 1;21-(1 4;1 8))" },
    { dump_search, "FROM bob SUBJECT \"a b\"", "16 From 'bob';16 Subject 'a b'" },
    { dump_search, "HEADER List-Id {3}\r\nabc", "16 List-Id 'abc'" }, { dump_search, "HEADER X \"\"", "16 X ''" },
    { dump_search, "SINCE 1-Feb-1994 BEFORE \"02-feb-1994\"", "9 day 8797;7 day 8798" },
    { dump_search, "SENTON 1-Jan-1971", "11 day 365" },
    { dump_search, "KEYWORD $Forwarded UNKEYWORD x", "1 32;2 'x'-" },
    { dump_search, "UID 3,7:*", "6 3,7:0" }, { dump_search, "LARGER 10 SMALLER 20", "13 10;14 20" },
    { dump_search, "MODSEQ 5", "15 5" }, { dump_search, "MODSEQ \"/flags/\\\\seen\" all 5", "15 5" },
    { dump_search, "CHARSET UTF-8 TEXT {6}\r\n\xe6\x97\xa5\xe6\x9c\xac", "UTF-8 18 '\xe6\x97\xa5\xe6\x9c\xac'" },
    { dump_search, "RETURN (MIN COUNT) ALL", "return 9 0" }, { dump_search, "RETURN () ALL", "return 4 0" },
    { dump_search, "", NULL }, { dump_search, "NOT", NULL }, { dump_search, "OR SEEN", NULL },
    { dump_search, "()", NULL }, { dump_search, "(SEEN", NULL }, { dump_search, "SEEN)", NULL },
    { dump_search, "ON 31-Foo-2000", NULL }, { dump_search, "SUBJECT", NULL }, { dump_search, "NOPE", NULL },
    { dump_search, "TEXT \"\xff\"", NULL }, { dump_search, "RETURN (SAVE) ALL", NULL }, { dump_search, "ALL ", NULL },
    /* APPEND */
    { dump_append, "INBOX {310}", "INBOX 0 0 {310}" }, { dump_append, "inbox (\\Seen x) {5+}", "INBOX 1 1 {5+}" },
    { dump_append, "\"a b\" \"17-Jul-1996 02:44:25 -0700\" {1}", "a b 0 0 at 837596665 {1}" },
    { dump_append, "{5}", "more" }, { dump_append, "{5+}", "more" }, { dump_append, "{5}\r\nINBOX {7}", "INBOX 0 0 {7}" },
    { dump_append, "a \"3-Feb-2025 18:28:47 +0000\" {1+}", "a 0 0 at 1738607327 {1+}" },
    { dump_append, "INBOX", NULL }, { dump_append, "INBOX {5} ", NULL }, { dump_append, "INBOX \"yesterday\" {5}", NULL },
    { dump_append, "INBOX {4294967296}", "INBOX 0 0 {4294967296}" }, { dump_append, "INBOX {9223372036854775808}", NULL }, { dump_append, "INBOX {-1}", NULL }, { dump_append, "a&b {5}", NULL },
    /* LIST: SUBSCRIBED 1, SPECIAL-USE 2, CHILDREN 4, RECURSIVEMATCH 8, REMOTE 16 */
    { dump_list, "\"\" *", "0 0 '' '*'" }, { dump_list, "a/ %", "0 0 'a/' '%'" }, { dump_list, "\"\" \"\"", "0 0 '' ''" },
    { dump_list, "(SUBSCRIBED RECURSIVEMATCH) \"\" (a \"b*\") RETURN (CHILDREN SPECIAL-USE)", "9 6x '' 'a' 'b*'" },
    { dump_list, "() \"\" *", "0 0x '' '*'" }, { dump_list, "\"\" % RETURN ()", "0 0x '' '%'" },
    { dump_list, "(RECURSIVEMATCH) \"\" *", NULL }, { dump_list, "\"\"", NULL }, { dump_list, "* \"\"", NULL },
    { dump_list, "\"\" ()", NULL }, { dump_list, "\"\" * RETURN (X)", NULL },
    { dump_list, "\"\" * RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN) CHILDREN)", "0 5x '' '*' status 17" },
    { dump_list, "\"\" * RETURN (STATUS (APPENDLIMIT))", "0 0x '' '*' status 128" },
    { dump_list, "\"\" * RETURN (STATUS)", NULL }, { dump_list, "\"\" * RETURN (STATUS ())", NULL },
    { dump_list, "\"\" * RETURN (STATUS (X))", NULL }, { dump_list, "(STATUS (MESSAGES)) \"\" *", NULL },
    { dump_list, "(REMOTE RECURSIVEMATCH) \"\" *", NULL },
    /* CREATE */
    { dump_create, "a", "a" }, { dump_create, "\"a b\" (USE (\\Sent))", "a b \\Sent" }, { dump_create, "a (use (\\x \\y))", "a \\x \\y" },
    { dump_create, "a (USE ())", "a" }, { dump_create, "a ()", NULL }, { dump_create, "a (USE)", NULL }, { dump_create, "a (USE (Sent))", NULL },
    { dump_create, "a (USE (\\Sent)", NULL }, { dump_create, "a (USE (\\Sent)) ", NULL }, { dump_create, "a (NOPE x)", NULL }, { dump_create, "a ", NULL },
    /* the others */
    { dump_others, "ID NIL", "0" }, { dump_others, "ID ()", "0" },
    { dump_others, "ID (\"name\" \"x\" \"os\" NIL)", "2 name=x os=nil" }, { dump_others, "ID (\"name\")", NULL },
    { dump_others, "SELECT Inbox", "INBOX 0" }, { dump_others, "SELECT &AOk- (CONDSTORE)", "\xc3\xa9 1" },
    { dump_others, "SELECT a (QRESYNC)", NULL }, { dump_others, "SELECT \"a", NULL }, { dump_others, "SELECT \"a\\b\"", NULL },
    { dump_others, "SELECT \"a\\\\\\\"b\"", "a\\\"b 0" }, { dump_others, "SELECT {3}\r\nab", NULL },
    { dump_others, "STATUS INBOX (MESSAGES UNSEEN HIGHESTMODSEQ)", "INBOX 49" }, { dump_others, "STATUS INBOX (deleted-storage)", "INBOX 64" }, { dump_others, "STATUS INBOX ()", NULL },
    { dump_others, "\"\" (STORAGE 512)", "root ''" }, { dump_others, "\"\" (STORAGE)", NULL },
};
/* clang-format on */

START_TEST(test_parse)
{
    struct yb_arena *a = yb_arena_new(4096);
    struct imapd_lex l = { .in = yb_str_from(cases[_i].in), .arena = a };
    struct yb_buf *b = yb_buf_new(10000);
    bool ok = cases[_i].dump(&l, b);

    ck_assert_msg(ok == (cases[_i].want != NULL), "%s: %s", cases[_i].in, ok ? "taken" : l.why);
    if (ok)
        ck_assert_msg(yb_str_eq(yb_buf_view(b), yb_str_from(cases[_i].want)), "%s: %.*s",
                      cases[_i].in, YB_STR_ARG(yb_buf_view(b)));
    else
        ck_assert(l.why != NULL);
    yb_buf_free(&b);
    yb_arena_free(&a);
}
END_TEST

/* Nesting and number are bounded, whatever the line's length. */
START_TEST(test_search_bounds)
{
    struct yb_arena *a = yb_arena_new(4096);
    struct yb_buf *b = yb_buf_new(100000);
    struct imapd_search s;
    struct imapd_lex l;

    for (unsigned deep = 0; deep < 2; deep++) {
        yb_buf_clear(b);
        for (unsigned i = 0; i < (deep ? 100 : IMAPD_SEARCH_DEPTH - 1); i++)
            yb_buf_add(b, YB_STR("NOT "));
        yb_buf_add(b, YB_STR("SEEN"));
        l = (struct imapd_lex){ .in = yb_buf_view(b), .arena = a };
        ck_assert(imapd_parse_search(&l, &s) == (deep == 0));
    }
    yb_buf_clear(b);
    for (unsigned i = 0; i < IMAPD_SEARCH_KEYS; i++)
        yb_buf_add(b, YB_STR("SEEN "));
    yb_buf_add(b, YB_STR("SEEN"));
    l = (struct imapd_lex){ .in = yb_buf_view(b), .arena = a };
    ck_assert(!imapd_parse_search(&l, &s));
    yb_buf_free(&b);
    yb_arena_free(&a);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/parse");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_parse, 0, YB_COUNT(cases));
    tcase_add_test(tc, test_search_bounds);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
