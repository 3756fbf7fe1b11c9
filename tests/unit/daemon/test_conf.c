/* Configuration tables: every type and its edges, all errors told, secrets kept, documentation. */
#include "lib/base/io.h"
#include "lib/daemon/common_conf.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct try_conf {
    struct yb_daemon_conf daemon;
    bool flag;
    unsigned count, mode, choice;
    uint64_t size;
    int64_t time;
    const char *text, *path;
    struct yb_conf_list list, addresses;
    struct yb_conf_files files, secrets;
};

#define OPT(...) YB_CONF_OPT(struct try_conf, __VA_ARGS__)
/* clang-format off */
static const struct yb_conf_option options[] = {
    YB_DAEMON_ROWS(struct try_conf, "yubin-try", "yubin_try", "8"),
    OPT(BOOL, flag, "no", 0, 1, "A flag."),
    OPT(UINT, count, "100", 10, 1000, "A number."),
    OPT(MODE, mode, "0640", 0, 0777, "Permissions."),
    YB_CONF_OPT_CHOICE(struct try_conf, choice, "soft", "soft medium hard", "A word."),
    OPT(SIZE, size, "50M", 1024, SIZE_MAX, "Bytes."),
    OPT(DURATION, time, "30s", 100, 3600000, "A time."),
    OPT(STRING, text, "a-b", 0, 20, "A text."),
    OPT(PATH, path, "/p", 1, 40, ".A path with 'quotes' and \\."),
    OPT(LIST, list, "", 0, 3, "Words."),
    OPT(ADDRESSES, addresses, "127.0.0.1:25", 1, 4, "Where it listens."),
    OPT(FILES, files, "", 0, 2, "Files."),
    OPT(SECRETS, secrets, "", 0, 2, "Secret files."),
};
/* clang-format on */
static const struct yb_conf_gone gone[] = { { "colour", "is a setting now" }, { NULL, NULL } };
static const struct yb_conf_table smtpd_table = { .section = "smtpd",
                                                  .title = "For this test.",
                                                  .options = options,
                                                  .n = YB_COUNT(options),
                                                  .size = sizeof(struct try_conf),
                                                  .gone = gone };
static const struct yb_conf_table *const tables[] = { &yb_common_conf_table, &smtpd_table };

/* Builds from text; the errors are given as text in `told`. */
static struct yb_conf *
build(const char *text, char *told, size_t size)
{
    struct yb_conf_errors e;
    struct yb_conf_source *s = yb_conf_source_text("x.conf", text);
    struct yb_conf *c;

    yb_conf_errors_init(&e);
    c = yb_conf_build(s, tables, YB_COUNT(tables), &e);
    ck_assert((c == NULL) == (e.n > 0));
    snprintf(told, size, "%.*s", YB_STR_ARG(yb_buf_view(e.text)));
    yb_conf_errors_free(&e);
    yb_conf_source_free(&s);
    return c;
}

static const struct try_conf *
values(const struct yb_conf *c)
{
    return (const struct try_conf *)yb_conf_section(c, &smtpd_table);
}

START_TEST(test_defaults)
{
    char told[4000];
    struct yb_conf *c = build("", told, sizeof(told));
    const struct try_conf *v;

    ck_assert_str_eq(told, "");
    v = values(c);
    ck_assert(!v->flag && v->count == 100 && v->mode == 0640 && v->choice == 0);
    ck_assert_uint_eq(v->size, 50u << 20);
    ck_assert_int_eq(v->time, 30000);
    ck_assert_str_eq(v->text, "a-b");
    ck_assert_str_eq(v->path, "/p");
    ck_assert_uint_eq(v->list.n, 0);
    ck_assert_uint_eq(v->addresses.n, 1);
    ck_assert_uint_eq(v->files.n + v->secrets.n, 0);
    ck_assert_str_eq(v->daemon.user, "yubin-try");
    ck_assert_uint_eq(v->daemon.workers, 8);
    ck_assert_str_ne(yb_conf_common(c)->hostname, "");
    yb_conf_free(&c);
    ck_assert_ptr_null(c);
}
END_TEST

/* One value of one type. `want` < 0: an error that contains `says`. */
static const struct {
    const char *line;
    int64_t want;
    const char *says;
} cases[] = {
    { "flag = yes", 1, NULL },
    { "flag=ON", 1, NULL },
    { "flag = 1", -1, "write yes or no" },
    { "count = 10", 10, NULL },
    { "count = 9", -1, "must be from 10 to 1000" },
    { "count = 1001", -1, "must be from 10 to 1000" },
    { "count = 99999999999999999999", -1, "write a number" },
    { "count = 4294967306", -1, "larger than anything" },
    { "count = -5", -1, "write a number" },
    { "count =", -1, "write a number" },
    { "mode = 0777", 0777, NULL },
    { "mode = 0778", -1, "octal" },
    { "mode = 1777", -1, "must be from 0000 to 0777" },
    { "mode =", -1, "octal" },
    { "choice = Hard", 2, NULL },
    { "choice = hardest", -1, "one of: soft medium hard" },
    { "size = 1024", 1024, NULL },
    { "size = 1k", 1024, NULL },
    { "size = 1023", -1, "must be 1K or more" },
    { "size = 2G", 2147483648, NULL },
    { "size = 2T", -1, "write a size" },
    { "size = 99999999999G", -1, "larger than anything" },
    { "time = 250ms", 250, NULL },
    { "time = 1h", 3600000, NULL },
    { "time = 60m", 3600000, NULL },
    { "time = 61m", -1, "must be from 100ms to 1h" },
    { "time = 30", -1, "with its unit" },
    { "time = 0", -1, "must be from" },
    { "text = 12345678901234567890", 20, NULL },
    { "text = 123456789012345678901", -1, "length must be from 0 to 20" },
    { "text =", 0, NULL },
    { "path = /x", 2, NULL },
    { "path = x", -1, "begin with a slash" },
    { "path =", -1, "must not be empty" },
    { "list = a b,c", 3, NULL },
    { "list = a, b, c, d", -1, "the number of entries must be from 0 to 3" },
    { "addresses = 127.0.0.1:25 [::1]:25 unix:/a", 3, NULL },
    { "addresses = 127.0.0.1", -1, "is no address" },
    { "addresses = 127.0.0.1:0", -1, "is no address" },
    { "addresses = 127.0.0.1:65536", -1, "is no address" },
    { "addresses = ::1:25", -1, "is no address" },
    { "addresses = [::1:25", -1, "is no address" },
    { "addresses = [1.2.3.4]:25", -1, "is no address" },
    { "addresses = localhost:25", -1, "is no address" },
    { "addresses = unix:x", -1, "absolute path" },
    { "addresses =", -1, "must not be empty" },
    { "files = x.pem", -1, "must begin with a slash" },
    { "text = a;b", 3, NULL },
    { "text = a ; b", -1, "a comment stands on a line of its own" },
    { "text =#b", -1, "a comment stands on a line of its own" },
    { "text = \r#b", -1, "holds a control character" },
    { "text = a\x7f", -1, "holds a control character" },
    { "text\v= a", -1, "holds a control character" },
    { "text = a\tb", 3, NULL },
    { "text: ;a = b", -1, "neither a [section] nor `option = value`" },
    { "text = a:b=c", 5, NULL },
};

/* The value of the option that the line sets, as a number. */
static int64_t
number_of(const struct try_conf *v, const char *line)
{
    switch (line[0] == 't' && line[1] == 'e'   ? 'x'
            : line[0] == 'c' && line[1] == 'h' ? 'h'
                                               : line[0]) {
    case 'f':
        return v->flag;
    case 'c':
        return v->count;
    case 'm':
        return v->mode;
    case 'h':
        return v->choice;
    case 's':
        return (int64_t)v->size;
    case 't':
        return v->time;
    case 'x':
        return (int64_t)strlen(v->text);
    case 'p':
        return (int64_t)strlen(v->path);
    case 'l':
        return (int64_t)v->list.n;
    default:
        return (int64_t)v->addresses.n;
    }
}

START_TEST(test_value)
{
    char text[200], told[4000];
    struct yb_conf *c;

    snprintf(text, sizeof(text), "[smtpd]\n%s\n", cases[_i].line);
    c = build(text, told, sizeof(told));
    if (cases[_i].want < 0) {
        ck_assert_msg(strstr(told, cases[_i].says) != NULL, "%s: told \"%s\"", cases[_i].line,
                      told);
        ck_assert_msg(strncmp(told, "x.conf:2: ", 10) == 0, "%s", told);
    } else {
        ck_assert_msg(c != NULL, "%s: told \"%s\"", cases[_i].line, told);
        ck_assert_msg(number_of(values(c), cases[_i].line) == cases[_i].want, "%s", cases[_i].line);
    }
    yb_conf_free(&c);
}
END_TEST

/* What is no value: each line must be told, with its number. */
START_TEST(test_all_errors)
{
    char told[4000];
    struct yb_conf *c = build("count = 5\n"    /* 1: above any section */
                              "[smtpd]\n"      /* 2 */
                              "counted = 5\n"  /* 3: unknown, like "count"? no: two letters */
                              "coumt = 5\n"    /* 4: like count */
                              "  count = 50\n" /* 5: fine, with blanks before it */
                              "count = 60\n"   /* 6: twice */
                              "size = 1\n"     /* 7 */
                              "what is this\n" /* 8 */
                              "[imapd]\n"      /* 9: another program's */
                              "nobody_checks = here\n" /* 10 */
                              "[smtdp]\n"              /* 11 */
                              "count = 5\n"            /* 12: no such section */
                              "[broken\n"              /* 13 */
                              "[smtpd]\n"              /* 14 */
                              "colour = red\n"         /* 15: there was one */
                              "# comment\n; comment\n\n",
                              told, sizeof(told));
    static const char *const lines[] = {
        "x.conf:1: [] count: stands above the first section",
        "x.conf:3: [smtpd] counted: no such option in this section",
        "x.conf:4: [smtpd] coumt: no such option; is count meant?",
        "x.conf:6: [smtpd] count: is set in line 5 already",
        "x.conf:7: [smtpd] size: \"1\": must be 1K or more",
        "x.conf:8: neither a [section] nor",
        "x.conf:12: [smtdp] count: no such section",
        "x.conf:13: a section begins with [",
        "x.conf:15: [smtpd] colour: is a setting now",
    };
    size_t n = 0;

    ck_assert_ptr_null(c);
    for (size_t i = 0; i < YB_COUNT(lines); i++)
        ck_assert_msg(strstr(told, lines[i]) != NULL, "missing: %s\nin: %s", lines[i], told);
    for (const char *p = told; *p != '\0'; p++)
        n += *p == '\n';
    ck_assert_msg(n == YB_COUNT(lines), "%zu errors in: %s", n, told);
}
END_TEST

START_TEST(test_long_line)
{
    static char text[10000], told[4000];
    struct yb_conf *c;

    /* 3 900 bytes are taken, 5 000 are told instead of being read as two lines. */
    snprintf(text, sizeof(text),
             "[common]\ntls_certificates = /%03900d\ntls_keys = /k\n[smtpd]\ncount = 11\n", 1);
    c = build(text, told, sizeof(told));
    ck_assert_msg(c == NULL && strstr(told, "was not read") != NULL, "%s", told);
    snprintf(text, sizeof(text), "[smtpd]\ntext = %05000d\ncount = 11\n", 1);
    c = build(text, told, sizeof(told));
    ck_assert_ptr_null(c);
    ck_assert_msg(strncmp(told, "x.conf:2: the line is longer", 28) == 0, "%s", told);
    ck_assert_ptr_eq(strchr(told, '\n'), told + strlen(told) - 1);
}
END_TEST

/* --- files --- */

static char folder[64];

static void
make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/yb-conf-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
remove_folder(void)
{
    static const char *const names[] = { "conf", "cert", "key", "open", "password" };
    char path[128];

    for (size_t i = 0; i < YB_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void
put(const char *name, const char *text, mode_t mode)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    fclose(f);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static struct yb_conf_source *
read_source(enum yb_conf_read how, struct yb_conf_errors *e)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/conf", folder);
    yb_conf_errors_init(e);
    return yb_conf_source_read(path, tables, YB_COUNT(tables), how, e);
}

static void
put_conf(const char *fmt)
{
    char text[1000];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), fmt, folder, folder, folder, folder);
#pragma GCC diagnostic pop
    put("conf", text, 0644);
}

#define GOOD_FILES                                                                                 \
    "[common]\ntls_certificates = %s/cert\ntls_keys = %s/key\n[smtpd]\ndatabase_password = "       \
    "%s/password\n"

START_TEST(test_files)
{
    struct yb_conf_errors e;
    struct yb_conf_source *s, *copy;
    struct yb_buf *bytes = yb_buf_new(1 << 20), *shown = yb_buf_new(1 << 20);
    struct yb_err err = { 0 };
    struct yb_conf *c;

    put_conf(GOOD_FILES);
    put("cert", "CERT\nTWO\n", 0644);
    put("key", "KEY-BYTES\n", 0640);
    put("password", "s3cret pass\n", 0600);
    s = read_source(YB_CONF_WITH_FILES, &e);
    ck_assert_uint_eq(e.n, 0);

    /* What the child gets through the socket is the same. */
    yb_conf_source_encode(s, bytes);
    copy = yb_conf_source_decode(yb_buf_view(bytes), &err);
    ck_assert_ptr_nonnull(copy);
    yb_conf_source_free(&s);
    c = yb_conf_build(copy, tables, YB_COUNT(tables), &e);
    ck_assert_ptr_nonnull(c);
    ck_assert(yb_str_eq(yb_conf_common(c)->tls_certificates.v[0].bytes, YB_STR("CERT\nTWO\n")));
    ck_assert(yb_str_eq(yb_conf_common(c)->tls_keys.v[0].bytes, YB_STR("KEY-BYTES")));
    ck_assert(yb_str_eq(values(c)->daemon.database_password.v[0].bytes, YB_STR("s3cret pass")));

    /* Shown are paths only. */
    yb_conf_show(c, true, shown);
    ck_assert(yb_str_find_str(yb_buf_view(shown), YB_STR("/password\n")) < yb_buf_size(shown));
    ck_assert(yb_str_find_str(yb_buf_view(shown), YB_STR("s3cret")) == yb_buf_size(shown));
    ck_assert(yb_str_find_str(yb_buf_view(shown), YB_STR("KEY-BYTES")) == yb_buf_size(shown));
    yb_conf_free(&c);
    yb_conf_source_free(&copy);
    yb_conf_errors_free(&e);
    yb_buf_free(&bytes);
    yb_buf_free(&shown);
}
END_TEST

START_TEST(test_bad_files)
{
    struct yb_conf_errors e;
    struct yb_conf_source *s;
    struct yb_conf *c;
    char told[4000];

    put_conf("[common]\ntls_certificates = %s/cert\ntls_keys = %s/open\n[smtpd]\nsecrets = %s\n"
             "files = %s/nowhere\n");
    put("cert", "CERT\n", 0644);
    put("open", "KEY\n", 0644);
    s = read_source(YB_CONF_WITH_FILES, &e);
    ck_assert_ptr_nonnull(s);
    c = yb_conf_build(s, tables, YB_COUNT(tables), &e);
    ck_assert_ptr_null(c);
    snprintf(told, sizeof(told), "%.*s", YB_STR_ARG(yb_buf_view(e.text)));
    ck_assert_msg(e.n == 3, "%s", told);
    ck_assert_msg(strstr(told, "conf:3: [common] tls_keys: ") != NULL, "%s", told);
    ck_assert_msg(strstr(told, "is open to others (mode 0644): chmod 0640 ") != NULL, "%s", told);
    ck_assert_msg(strstr(told, "conf:5: [smtpd] secrets: ") != NULL, "%s", told);
    ck_assert_msg(strstr(told, "is not a file") != NULL, "%s", told);
    ck_assert_msg(strstr(told, "/nowhere: No such file") != NULL, "%s", told);
    yb_conf_source_free(&s);
    yb_conf_errors_free(&e);
}
END_TEST

/* Who may not read keys can read the rest. */
START_TEST(test_without_files)
{
    struct yb_conf_errors e;
    struct yb_conf_source *s;
    struct yb_conf *c;

    put_conf(GOOD_FILES);
    s = read_source(YB_CONF_WITHOUT_FILES, &e);
    c = yb_conf_build(s, tables, YB_COUNT(tables), &e);
    ck_assert_uint_eq(e.n, 0);
    ck_assert_uint_eq(yb_conf_common(c)->tls_keys.n, 1);
    ck_assert_uint_eq(yb_conf_common(c)->tls_keys.v[0].bytes.n, 0);
    yb_conf_free(&c);
    yb_conf_source_free(&s);
    yb_conf_errors_free(&e);
}
END_TEST

START_TEST(test_no_file)
{
    struct yb_conf_errors e;

    yb_conf_errors_init(&e);
    ck_assert_ptr_null(yb_conf_source_read("/nowhere/yubin.conf", tables, YB_COUNT(tables),
                                           YB_CONF_WITH_FILES, &e));
    ck_assert_uint_eq(e.n, 1);
    yb_conf_errors_free(&e);
}
END_TEST

/* Rules over several rows of [common]. */
static const struct {
    const char *text, *says;
} common_cases[] = {
    { "[common]\ntls_certificates = %s/cert\n", "1 tls_certificates but 0 tls_keys" },
    { "[common]\ntls_ticket_secret = %s/key\n", "tls_ticket_secret holds only 9 bytes" },
    { "[common]\nauth_secret = %s/key\n", "auth_secret holds only 9 bytes" },
};

START_TEST(test_common_check)
{
    struct yb_conf_errors e;
    struct yb_conf_source *s;
    char told[1000];

    put_conf(common_cases[_i].text);
    put("cert", "CERT\n", 0644);
    put("key", "KEY-BYTES\n", 0640);
    s = read_source(YB_CONF_WITH_FILES, &e);
    ck_assert_ptr_null(yb_conf_build(s, tables, YB_COUNT(tables), &e));
    snprintf(told, sizeof(told), "%.*s", YB_STR_ARG(yb_buf_view(e.text)));
    ck_assert_msg(strstr(told, common_cases[_i].says) != NULL, "%s", told);
    yb_conf_source_free(&s);
    yb_conf_errors_free(&e);
}
END_TEST

/* --- differences and documents --- */

static void
note(void *arg, const char *section, const char *option)
{
    struct yb_buf *out = (struct yb_buf *)arg;

    yb_buf_printf(out, "%s.%s ", section, option);
}

START_TEST(test_diff)
{
    char told[1000];
    struct yb_conf *a = build("[smtpd]\nworkers = 4\ncount = 11\n", told, sizeof(told));
    struct yb_conf *b =
        build("[common]\nmail_root = /m\n[smtpd]\nworkers = 5\ncount = 12\n", told, sizeof(told));
    struct yb_buf *out = yb_buf_new(1000);

    yb_conf_diff_at_start(a, b, note, out);
    ck_assert(yb_str_eq(yb_buf_view(out), YB_STR("common.mail_root smtpd.workers ")));
    yb_conf_free(&a);
    yb_conf_free(&b);
    yb_buf_free(&out);
}
END_TEST

/* What is shown, and the sample with its comment signs taken away, can be read back. */
START_TEST(test_show_reads_back)
{
    char told[4000];
    static char sample[60000];
    struct yb_conf *a = build("[smtpd]\ncount = 77\nlist = x, y\n", told, sizeof(told)), *b;
    struct yb_buf *out = yb_buf_new(1 << 20);

    yb_conf_show(a, false, out);
    ck_assert(yb_str_copy(yb_buf_view(out), sample, sizeof(sample)));
    b = build(sample, told, sizeof(told));
    ck_assert_msg(b != NULL, "%s", told);
    ck_assert_uint_eq(values(b)->count, 77);
    ck_assert_uint_eq(values(b)->list.n, 2);
    yb_conf_free(&b);

    yb_buf_clear(out);
    yb_conf_docs_sample(tables, YB_COUNT(tables), out);
    ck_assert(yb_str_copy(yb_buf_view(out), sample, sizeof(sample)));
    for (char *p = sample; *p != '\0'; p++)
        if (*p == '#' && p[1] != ' ')
            *p = ' ';
    b = build(sample, told, sizeof(told));
    ck_assert_msg(b != NULL, "%s", told);
    ck_assert_uint_eq(values(b)->count, 100);
    yb_conf_free(&a);
    yb_conf_free(&b);
    yb_buf_free(&out);
}
END_TEST

START_TEST(test_docs)
{
    static const struct {
        void (*make)(const struct yb_conf_table *const *t, size_t n, struct yb_buf *out);
        const char *has;
    } docs[] = {
        { yb_conf_docs_markdown, "\n| `count` | `100` | number, 10 to 1000 | A number. |\n" },
        { yb_conf_docs_markdown, "| `size` | `50M` | size, 1K or more | Bytes. |\n" },
        { yb_conf_docs_markdown, "| `choice` | `soft` | one of: soft medium hard | A word. |\n" },
        { yb_conf_docs_markdown, "| `list` | (empty) | list (0 to 3) | Words. |\n" },
        { yb_conf_docs_markdown, "(IPv4 /24, IPv6 /64). * |\n" },
        { yb_conf_docs_man, ".TP\n.BR text \" = a\\-b\"\nA text.\n(text)\n" },
        { yb_conf_docs_man, "\n\\&.A path with 'quotes' and \\e.\n" },
        { yb_conf_docs_sample, "# A number. (number, 10 to 1000)\n#count = 100\n" },
    };

    for (size_t i = 0; i < YB_COUNT(docs); i++) {
        struct yb_buf *out = yb_buf_new(1 << 20);

        docs[i].make(tables, YB_COUNT(tables), out);
        ck_assert_msg(yb_str_find_str(yb_buf_view(out), yb_str_from(docs[i].has)) <
                          yb_buf_size(out),
                      "%s\nnot in:\n%.*s", docs[i].has, YB_STR_ARG(yb_buf_view(out)));
        yb_buf_free(&out);
    }
}
END_TEST

START_TEST(test_node_id)
{
    struct yb_node_id made, read;
    struct yb_err err = { 0 };
    struct stat st;
    mode_t mask;
    char path[128];

    snprintf(path, sizeof(path), "%s/key", folder);
    ck_assert_int_eq(yb_node_id_read(path, &read, &err), -1);
    ck_assert(err.class == YB_PERM && strstr(err.text, "yubin node init") != NULL);
    mask = umask(077);
    ck_assert_int_eq(yb_node_id_create(path, &made, &err), 0);
    umask(mask);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0644); /* the daemons' users read it */
    ck_assert_int_eq(yb_node_id_read(path, &read, &err), 0);
    ck_assert(yb_node_id_eq(made, read));
    ck_assert_int_eq(yb_node_id_create(path, &made, &err), -1);
    ck_assert_int_eq(err.class, YB_PERM);
    put("key", "0123456789abcde\n", 0644);
    ck_assert_int_eq(yb_node_id_read(path, &read, &err), -1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("conf");
    TCase *tc = tcase_create("conf"), *files = tcase_create("files");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, test_defaults);
    tcase_add_loop_test(tc, test_value, 0, YB_COUNT(cases));
    tcase_add_test(tc, test_all_errors);
    tcase_add_test(tc, test_long_line);
    tcase_add_test(tc, test_diff);
    tcase_add_test(tc, test_show_reads_back);
    tcase_add_test(tc, test_docs);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, test_files);
    tcase_add_test(files, test_bad_files);
    tcase_add_test(files, test_without_files);
    tcase_add_test(files, test_no_file);
    tcase_add_loop_test(files, test_common_check, 0, YB_COUNT(common_cases));
    tcase_add_test(files, test_node_id);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, files);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
