/* The table of commands, what is taken from arguments, values, and what is printed. */
#include "ctl/ctl.h"

#include "lib/base/io.h"
#include "lib/base/log.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EACH_COMMAND(c)                                                                            \
    for (size_t t_ = 0; ctl_commands[t_] != NULL; t_++)                                            \
        for (const struct ctl_command *c = ctl_commands[t_]; c->noun != NULL; c++)

/* Standard output and error of a piece of code, as text. */
static int saved[2];
static FILE *caught;

static void
catch_output(void)
{
    fflush(NULL);
    caught = tmpfile();
    for (int fd = 1; fd <= 2; fd++) {
        saved[fd - 1] = dup(fd);
        ck_assert_int_ge(dup2(fileno(caught), fd), 0);
    }
}

static const char *
caught_output(void)
{
    static char text[2000000];
    ssize_t n;

    fflush(NULL);
    for (int fd = 1; fd <= 2; fd++) {
        dup2(saved[fd - 1], fd);
        close(saved[fd - 1]);
    }
    n = pread(fileno(caught), text, sizeof(text) - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    fclose(caught);
    return text;
}

static struct ctl
ctl_new(void)
{
    return (struct ctl){ .conf_path = "/nowhere", .arena = yb_arena_new(1024) };
}

/* --- the table --- */

/* How often there is a row for it. */
static size_t
times(const char *noun, const char *verb)
{
    size_t n = 0;

    EACH_COMMAND(c)
    n += strcmp(c->noun, noun) == 0 && strcmp(c->verb, verb) == 0;
    return n;
}

START_TEST(test_rows)
{
    EACH_COMMAND(c)
    {
        size_t n = 0;
        bool list = strcmp(c->verb, "list") == 0 || strcmp(c->verb, "retired") == 0 ||
                    strcmp(c->verb, "roles") == 0 || strcmp(c->noun, "setting") == 0;

        ck_assert_msg(c->run != NULL && c->summary != NULL && *c->summary != '\0', "%s %s", c->noun,
                      c->verb);
        ck_assert_msg(strspn(c->words, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-[]. ") == strlen(c->words),
                      "%s %s: %s", c->noun, c->verb, c->words);
        ck_assert_msg((c->columns != NULL) == list, "%s %s: columns", c->noun, c->verb);
        for (const struct ctl_option_row *o = c->options; o != NULL && o->name != NULL; o++, n++)
            ck_assert_msg(strncmp(o->name, "--", 2) == 0 && o->help != NULL && *o->help != '\0',
                          "%s %s: %s has no help", c->noun, c->verb, o->name);
        ck_assert_msg(n <= CTL_MAX_OPTIONS, "%s %s: %zu options", c->noun, c->verb, n);
        ck_assert_msg(times(c->noun, c->verb) == 1, "%s %s stands twice", c->noun, c->verb);
    }
}
END_TEST

extern const struct yb_conf_table smtpd_conf_table, submitd_conf_table, lmtpd_conf_table,
    relayd_conf_table, imapd_conf_table, pop3d_conf_table;

/* Each program's options have the defaults of its own row of the table of daemons. */
START_TEST(test_roles)
{
    const struct yb_conf_table *const programs[YB_ROLES] = {
        &smtpd_conf_table, &submitd_conf_table, &relayd_conf_table,
        &lmtpd_conf_table, &imapd_conf_table,   &pop3d_conf_table,
    };
    const struct yb_role *r = yb_role_find(yb_str_from(programs[_i]->section));
    size_t seen = 0;

    ck_assert_msg(r != NULL, "%s", programs[_i]->section);
    for (size_t i = 0; i < programs[_i]->n; i++) {
        const struct yb_conf_option *o = &programs[_i]->options[i];

        if (strcmp(o->name, "user") == 0 && ++seen > 0)
            ck_assert_str_eq(o->def, r->user);
        if (strcmp(o->name, "database_user") == 0 && ++seen > 0)
            ck_assert_str_eq(o->def, r->database);
    }
    ck_assert_uint_eq(seen, 2);
}
END_TEST

/* An item of the manual that begins with the noun and names the verb. */
static bool
manual_has(struct yb_str manual, const char *noun, const char *verb)
{
    struct yb_str line;
    char head[40], word[40];

    snprintf(head, sizeof(head), ".It Cm %s ", noun);
    snprintf(word, sizeof(word), " %s ", verb);
    while (yb_str_split(&manual, '\n', &line)) {
        char padded[400];

        snprintf(padded, sizeof(padded), "%.*s ", YB_STR_ARG(line));
        if (yb_str_starts(line, yb_str_from(head)) && strstr(padded, word) != NULL)
            return true;
    }
    return false;
}

/* The items of the noun speak of the option; what many verbs share is told once. */
static bool
manual_has_option(struct yb_str manual, const char *noun, const char *name)
{
    static const char *const shared[] = { "--after", "--all", "--limit", "--q", "--reason" };
    char head[40], option[60];
    struct yb_str line;
    bool ours = false;

    for (size_t i = 0; i < YB_COUNT(shared); i++)
        noun = strcmp(shared[i], name) == 0 ? "tenant" : noun;
    snprintf(head, sizeof(head), ".It Cm %s ", noun);
    snprintf(option, sizeof(option), "Fl \\-%s ", name + 2);
    while (yb_str_split(&manual, '\n', &line)) {
        char padded[400];

        if (yb_str_starts(line, YB_STR(".It ")) || yb_str_starts(line, YB_STR(".El")))
            ours = yb_str_starts(line, yb_str_from(head));
        snprintf(padded, sizeof(padded), "%.*s ", YB_STR_ARG(line));
        if (ours && strstr(padded, option) != NULL)
            return true;
    }
    return false;
}

/* docs/yubin.1 is written by hand: it must not forget anything. */
START_TEST(test_manual)
{
    const char *top = getenv("srcdir");
    struct yb_err err = { 0 };
    char path[400];
    char *text;
    size_t size;

    snprintf(path, sizeof(path), "%s/docs/yubin.1", top == NULL ? "." : top);
    if (access(path, R_OK) < 0)
        snprintf(path, sizeof(path), "../docs/yubin.1");
    ck_assert_msg(yb_read_file(path, 1 << 20, &text, &size, &err) == 0, "%s", err.text);
    EACH_COMMAND(c)
    {
        ck_assert_msg(manual_has(yb_str(text, size), c->noun, c->verb), "%s %s is not in %s",
                      c->noun, c->verb, path);
        for (const struct ctl_option_row *o = c->options; o != NULL && o->name != NULL; o++) {
            ck_assert_msg(manual_has_option(yb_str(text, size), c->noun, o->name),
                          "%s %s: %s is not in %s", c->noun, c->verb, o->name, path);
        }
    }
    yb_free(text);
}
END_TEST

/* --- arguments --- */

/* Words between spaces; `rc` -1: to be run. `says`: a part of what is printed. */
static const struct {
    const char *arguments;
    int rc;
    const char *says;
} argument_cases[] = {
    { "", 2, "usage: yubin" },
    { "--help", 0, "account  add" },
    { "--version", 0, "yubin " },
    { "--nonsense", 2, "unknown option: --nonsense" },
    { "-c", 2, "unknown option: -c" },
    { "account", 2, "yubin account add [ADDRESS] [OPTIONS]" },
    { "account --help", 0, "--quota" },
    { "nonsense", 2, "there is no such noun: nonsense" },
    { "nonsense verb", 2, "there is no such noun: nonsense" },
    { "nonsense --help", 2, "there is no such noun: nonsense" },
    { "account nonsense", 2, "yubin account delete ADDRESS" },
    { "account nonsense", 2, "account has no such verb: nonsense\n" },
    { "account add --help", 0, "\n      --no-password         nobody" },
    { "account add --help", 0, "\n      --quota SIZE          of the" },
    { "account add u@d --quota 1G", -1, "" },
    { "account add u@d --quota", 2, "without its value: --quota" },
    { "account add u@d --contact x", 2, "unknown option, or one without its value: --contact" },
    { "account add u@d v@d", 2, "one word too many: v@d" },
    { "account show", 2, "a word is missing" },
    { "domain add t", 2, "a word is missing" },
    { "--json tenant list", -1, "" },
    { "tenant list --json --limit 3", -1, "" },
    { "-c /x/y tenant list", -1, "" },
    { "alias add a@d b@d c@d d@d", -1, "" },
    { "alias add a@d", 2, "a word is missing" },
    { "account list  --json", 2, "an empty word" },
    { "account set u@d --quota  --name x", 2, "without its value: --quota" },
    { "account set u@d --quota none", -1, "" },
    { "alias set a@d", -1, "" },
    { "account list d", -1, "" },
    { "account list d e", 2, "one word too many: e" },
    { "schema migrate x", 2, "one word too many: x" },
};

/* Words of `text`, in place; returns how many. */
static int
split(char *text, char **argv)
{
    int argc = 0;

    while (*text != '\0') {
        argv[argc++] = text;
        text += strcspn(text, " ");
        if (*text == ' ')
            *text++ = '\0';
    }
    return argc;
}

START_TEST(test_arguments)
{
    char text[200], *argv[30];
    struct ctl c = ctl_new();
    const char *said;
    int rc;

    snprintf(text, sizeof(text), "yubin %s", argument_cases[_i].arguments);
    catch_output();
    rc = ctl_arguments(&c, split(text, argv), argv);
    said = caught_output();
    ck_assert_msg(rc == argument_cases[_i].rc, "%s: %d", argument_cases[_i].arguments, rc);
    ck_assert_msg(strstr(said, argument_cases[_i].says) != NULL, "%s: %s",
                  argument_cases[_i].arguments, said);
    ck_assert_msg(rc != -1 || *said == '\0', "%s", said);
    yb_arena_free(&c.arena);
}
END_TEST

START_TEST(test_taken)
{
    char text[] = "yubin -c /x account add --quota 1G u@d --json --no-password --quota 2G",
         *argv[20];
    struct ctl c = ctl_new();

    ck_assert_int_eq(ctl_arguments(&c, split(text, argv), argv), -1);
    ck_assert_str_eq(c.conf_path, "/x");
    ck_assert(c.json);
    ck_assert_str_eq(c.command->verb, "add");
    ck_assert_uint_eq(c.n_words, 1);
    ck_assert(yb_str_eq(ctl_word(&c, 0), YB_STR("u@d")));
    ck_assert_ptr_null(ctl_word(&c, 1).p);
    ck_assert(yb_str_eq(ctl_option(&c, "--quota"), YB_STR("2G"))); /* the last one counts */
    ck_assert(ctl_has(&c, "--no-password"));
    ck_assert(!ctl_has(&c, "--name"));
    yb_arena_free(&c.arena);
}
END_TEST

/* --- values --- */

static const struct ctl_command *
find(const char *noun, const char *verb)
{
    for (size_t t = 0; ctl_commands[t] != NULL; t++) {
        for (const struct ctl_command *c = ctl_commands[t]; c->noun != NULL; c++) {
            if (strcmp(c->noun, noun) == 0 && strcmp(c->verb, verb) == 0)
                return c;
        }
    }
    ck_abort_msg("no %s %s", noun, verb);
    return NULL;
}

START_TEST(test_words_for_values)
{
    struct ctl c = ctl_new();
    struct yb_err err = { 0 };
    struct yb_admin_values v;
    size_t limit;

    c.command = find("account", "set");
    c.options[c.n_options++] = (struct ctl_given){ "--imap", "yes" };
    c.options[c.n_options++] = (struct ctl_given){ "--name", "Ann" };
    c.options[c.n_options++] = (struct ctl_given){ "--imap", "no" };
    c.options[c.n_options++] = (struct ctl_given){ "--limit", "20" };
    v = ctl_values(&c);
    for (size_t i = 0; i < c.command->fields->n; i++) {
        const char *name = c.command->fields->v[i].name;
        const char *want = strcmp(name, "imap") == 0   ? "no"
                           : strcmp(name, "name") == 0 ? "Ann"
                                                       : NULL;

        ck_assert_msg((v.v[i].p == NULL) == (want == NULL), "%s", name);
        ck_assert_msg(want == NULL || yb_str_eq(v.v[i], yb_str_from(want)), "%s", name);
    }
    ck_assert_int_eq(ctl_limit(&c, 7, &limit, &err), 0);
    ck_assert_uint_eq(limit, 20);
    c.n_options--;
    ck_assert_int_eq(ctl_limit(&c, 7, &limit, &err), 0);
    ck_assert_uint_eq(limit, 7);
    c.options[c.n_options++] = (struct ctl_given){ "--limit", "many" };
    ck_assert_int_lt(ctl_limit(&c, 7, &limit, &err), 0);
    ck_assert_int_eq(err.kind, YB_ERR_SYNTAX);
    yb_arena_free(&c.arena);
}
END_TEST

/* A variable of a script that is not set is no value, whatever the option. */
START_TEST(test_empty_values)
{
    EACH_COMMAND(c)
    {
        for (const struct ctl_option_row *o = c->options; o != NULL && o->name != NULL; o++) {
            char noun[20], verb[20], name[40], empty[] = "", program[] = "yubin";
            char *argv[] = { program, noun, verb, name, empty };
            struct ctl run;
            int rc;

            if (o->value == NULL)
                continue;
            run = ctl_new();
            snprintf(noun, sizeof(noun), "%s", c->noun);
            snprintf(verb, sizeof(verb), "%s", c->verb);
            snprintf(name, sizeof(name), "%s", o->name);
            catch_output();
            rc = ctl_arguments(&run, 5, argv);
            ck_assert_msg(strstr(caught_output(), "without its value") != NULL && rc == CTL_USAGE,
                          "%s %s %s", c->noun, c->verb, o->name);
            yb_arena_free(&run.arena);
        }
    }
}
END_TEST

/* --- what is printed --- */

/* A list of so many rows, in pages of at most `limit`; the second page is empty, as of a search. The cursor
 * is where it goes on. */
static size_t list_rows, most_at_once;

static int
some_rows(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    uint64_t at = 0;
    size_t end;

    (void)err;
    ck_assert(page->after.n == 0 || yb_str_u64(yb_str_skip(page->after, 1), 100000, &at));
    *out = json_array();
    most_at_once = page->limit > most_at_once ? page->limit : most_at_once;
    end = at + page->limit < list_rows ? at + page->limit : list_rows;
    if (at > 0 && page->after.p[0] == 'e') { /* nothing there, but it goes on */
        page->next = yb_arena_printf(c->arena, "x%zu", (size_t)at);
        return 0;
    }
    for (size_t i = (size_t)at; i < end; i++)
        json_array_append_new(
            *out, json_pack("{s:I, s:[], s:{s:s}}", "n", (json_int_t)i, "none", "in", "a", "b"));
    page->next = end == list_rows ? YB_STR("")
                                  : yb_arena_printf(c->arena, "%c%zu", at == 0 ? 'e' : 'x', end);
    return 0;
}

static const struct {
    size_t rows;
    const char *option, *value;
    size_t shown;
    const char *next;
} pages[] = {
    { 3, NULL, NULL, 3, NULL },
    { 0, NULL, NULL, 0, NULL },
    { 3, "--limit", "2", 2, "e2" },
    { 3, "--limit", "3", 3, NULL },
    { 0, "--all", "", 0, NULL },
    { 1000, "--limit", "5000", 1000, NULL },
    { 2500, "--all", "", 2500, NULL },
    { 2500, "--limit", "60000", 2500, NULL },
    { 2500, "--limit", "2400", 2400, "x2400" },
    { 2500, "--limit", "1001", 1001, "x1001" },
    { 12000, NULL, NULL, 10000, "x10000" },
};

/* What a list prints, which was asked for with the options of a row. */
static const char *
page_said(size_t row, bool json, bool lines)
{
    static const struct ctl_command list = {
        "x", "list", "", "", .columns = "n none in", .list = some_rows
    };
    struct ctl c = ctl_new();
    struct yb_err err = { 0 };
    json_t *out = NULL;
    const char *said;

    c.command = &list;
    c.json = json;
    c.lines = lines;
    if (pages[row].option != NULL)
        c.options[c.n_options++] = (struct ctl_given){ pages[row].option, pages[row].value };
    list_rows = pages[row].rows;
    most_at_once = 0;
    catch_output();
    ck_assert_int_eq(ctl_list(&c, &out, &err), 0);
    if (out != NULL)
        ctl_print(&c, out);
    json_decref(out);
    said = caught_output();
    ck_assert_uint_le(most_at_once, 1000);
    yb_arena_free(&c.arena);
    return said;
}

/* The document is the one that the whole list would be, octet by octet. */
START_TEST(test_pages_json)
{
    const char *said = page_said((size_t)_i, true, false);
    json_t *all = json_array();
    char *want, told[100] = "";

    for (size_t i = 0; i < pages[_i].shown; i++)
        json_array_append_new(
            all, json_pack("{s:I, s:[], s:{s:s}}", "n", (json_int_t)i, "none", "in", "a", "b"));
    want = json_dumps(all, JSON_INDENT(2));
    if (pages[_i].next != NULL)
        snprintf(told, sizeof(told), "yubin: only %zu are shown: go on with --after %s, or --all\n",
                 pages[_i].shown, pages[_i].next);
    ck_assert_msg(strlen(said) == strlen(want) + 1 + strlen(told), "%.300s", said);
    ck_assert(strncmp(said, want, strlen(want)) == 0 && said[strlen(want)] == '\n');
    ck_assert_str_eq(said + strlen(want) + 1, told);
    free(want);
    json_decref(all);
}
END_TEST

static size_t
count_lines(struct yb_str text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

START_TEST(test_pages)
{
    struct yb_str said = yb_str_from(page_said((size_t)_i, false, true)), last = said, line;
    const char *next = pages[_i].next;

    ck_assert_uint_eq(count_lines(said), pages[_i].shown + (next != NULL));
    while (yb_str_split(&last, '\n', &line) && last.n > 0)
        ;
    ck_assert(next == NULL || yb_str_find_str(line, yb_str_from(next)) < line.n);
    /* As a table it has a head, once. */
    said = yb_str_from(page_said((size_t)_i, false, false));
    ck_assert_uint_eq(count_lines(said), 1 + pages[_i].shown + (next != NULL));
    ck_assert(yb_str_starts(said, YB_STR("n")));
    line = yb_str_skip(said, yb_str_find(said, '\n'));
    ck_assert_uint_eq(yb_str_find_str(line, YB_STR("none")), line.n);
    ck_assert(next == NULL || yb_str_find_str(line, yb_str_from(next)) < line.n);
}
END_TEST

/* A list that begins with its latest row, each page turned round already. */
static int
backwards(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    json_t *rows;

    if (some_rows(c, page, &rows, err) < 0)
        return -1;
    *out = json_array();
    for (size_t i = json_array_size(rows); i-- > 0;)
        json_array_append(*out, json_array_get(rows, i));
    json_decref(rows);
    return 0;
}

START_TEST(test_turned)
{
    static const struct ctl_command list = {
        "x", "list", "", "", .columns = "n", .turned = true, .list = backwards
    };
    struct ctl c = ctl_new();
    struct yb_err err = { 0 };
    json_t *out = NULL, *row;
    size_t i;

    c.command = &list;
    c.json = true;
    c.options[c.n_options++] = (struct ctl_given){ "--limit", "2400" };
    list_rows = 2500;
    most_at_once = 0;
    catch_output();
    ck_assert_int_eq(ctl_list(&c, &out, &err), 0);
    ck_assert_ptr_null(out);
    out = json_loads(caught_output(), JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_uint_eq(json_array_size(out), 2400);
    json_array_foreach(out, i, row)
        ck_assert_int_eq(json_integer_value(json_object_get(row, "n")), 2399 - (json_int_t)i);
    ck_assert_str_eq(c.next.p, "x2400");
    ck_assert_uint_le(most_at_once, 1000);
    json_decref(out);
    yb_arena_free(&c.arena);
}
END_TEST

/* Columns of a later piece are no narrower. */
START_TEST(test_pieces)
{
    static const struct ctl_command list = { "x", "list", "", "", .columns = "a b" };
    struct ctl c = ctl_new();
    json_t *one = json_pack("[{s:s, s:i}]", "a", "long one", "b", 1);
    json_t *two = json_pack("[{s:s, s:i}]", "a", "x", "b", 2);

    c.command = &list;
    catch_output();
    ctl_print_piece(&c, one, 0);
    ctl_print_piece(&c, two, 1);
    ctl_print_piece(&c, NULL, 2);
    ck_assert_str_eq(caught_output(), "a         b\nlong one  1\nx         2\n");
    json_decref(one);
    json_decref(two);
    yb_arena_free(&c.arena);
}
END_TEST

static const struct {
    const char *name, *json, *columns;
    bool as_json;
    const char *want;
} prints[] = {
    { "an object",
      "{\"name\":\"x\",\"n\":3,\"yes\":true,\"no\":false,\"none\":null,\"list\":[\"a\",\"b\"],"
      "\"empty\":[]}",
      NULL, false,
      "name              x\nn                 3\nyes               yes\nno                no\n"
      "none              -\nlist              a, b\nempty             -\n" },
    { "a list", "[{\"a\":\"long one\",\"b\":1,\"c\":9},{\"a\":\"x\",\"b\":22}]", "a b", false,
      "a         b\nlong one  1\nx         22\n" },
    { "a list with gaps", "[{\"b\":1},{\"a\":\"\",\"b\":null}]", "a b", false,
      "a  b\n-  1\n-  -\n" },
    { "characters, not bytes", "[{\"a\":\"\\u00fc\\u00fc\\u00fc\",\"b\":1}]", "a b", false,
      "a    b\n\303\274\303\274\303\274  1\n" },
    { "an empty list", "[]", "a b", false, "a  b\n" },
    { "controls", "{\"name\":\"a\\u001b[2J\\nb\\u0085\\u007f\"}", NULL, false,
      "name              a?[2J?b???\n" },
    { "JSON", "{\"b\":\"a\\u001b\",\"a\":[]}", NULL, true,
      "{\n  \"b\": \"a\\u001B\",\n  \"a\": []\n}\n" },
    { "a bare value", "true", NULL, false, "true\n" },
};

START_TEST(test_print)
{
    const struct ctl_command row = { .columns = prints[_i].columns };
    struct ctl c = ctl_new();
    json_t *v = json_loads(prints[_i].json, JSON_DECODE_ANY, NULL);
    const char *said;

    c.command = &row;
    c.json = prints[_i].as_json;
    catch_output();
    ctl_print(&c, v);
    said = caught_output();
    ck_assert_msg(strcmp(said, prints[_i].want) == 0, "%s:\n%s", prints[_i].name, said);
    json_decref(v);
    yb_arena_free(&c.arena);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("ctl");
    TCase *tc = tcase_create("ctl");
    SRunner *sr = srunner_create(s);
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    tcase_add_test(tc, test_rows);
    tcase_add_loop_test(tc, test_roles, 0, YB_ROLES);
    tcase_add_test(tc, test_manual);
    tcase_add_loop_test(tc, test_arguments, 0, (int)YB_COUNT(argument_cases));
    tcase_add_test(tc, test_taken);
    tcase_add_test(tc, test_words_for_values);
    tcase_add_test(tc, test_empty_values);
    tcase_add_loop_test(tc, test_pages, 0, (int)YB_COUNT(pages));
    tcase_add_loop_test(tc, test_pages_json, 0, (int)YB_COUNT(pages));
    tcase_add_test(tc, test_turned);
    tcase_add_test(tc, test_pieces);
    tcase_add_loop_test(tc, test_print, 0, (int)YB_COUNT(prints));
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
