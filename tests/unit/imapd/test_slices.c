/*
 * Commands in slices: the shortest there are give the same answers as one that never ends, and large
 * messages the same as small ones. What is looked for is found wherever windows and pieces end.
 */
#include "tests/unit/imapd/rig.h"

#include "lib/base/io.h"
#include "lib/store/keywordtable.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER_OVER 100000000

static struct rig rig;
static struct yb_buf *message;

static void
setup(void)
{
    rig_start(&rig);
    message = yb_buf_new(4u << 20);
}

static void
teardown(void)
{
    yb_buf_free(&message);
    rig_stop(&rig);
}

static void
add(const char *text)
{
    yb_buf_add(message, yb_str_from(text));
}

static void
fill_to(size_t size, const char *line)
{
    while (yb_buf_size(message) < size)
        add(line);
    yb_buf_truncate(message, size);
}

/* Stores the message, which is empty then. */
static void
store(void)
{
    yb_buf_add_c(message, '\0');
    rig_append(&rig, "ann@one.test", "INBOX", yb_buf_view(message).p);
    yb_buf_clear(message);
}

static const char *
ask(int64_t slice_ms, const char *command)
{
    static char *kept;
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    rig.server.slice_ms = slice_ms;
    free(kept);
    kept = strdup(rig_say(c, command));
    rig.server.slice_ms = IMAPD_SLICE_MS;
    fake_free(&c);
    return kept;
}

/* The same for a client that takes each piece when the next step is over, so that nothing is kept for
 * it; *steps: how many there were. */
static char *
ask_slowly(const char *command, size_t *steps)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");
    struct yb_str got;
    char *kept;

    rig.server.slice_ms = 0;
    fake_clear(c);
    fake_slow(c);
    fake_feed(c, yb_str_from(command), 0);
    for (*steps = 1; *steps < 1000000; (*steps)++) {
        got = fake_output(c);
        if (yb_str_find_str(got, YB_STR("\na OK ")) < got.n || yb_str_starts(got, YB_STR("a OK ")))
            break;
        fake_produce(c);
    }
    kept = strdup(yb_arena_dup(yb_conn_scratch(c), fake_output(c)).p);
    rig.server.slice_ms = IMAPD_SLICE_MS;
    fake_free(&c);
    return kept;
}

static void
check_found(const char *command, bool found)
{
    const char *got = ask(0, command);

    ck_assert_msg((strstr(got, "* SEARCH 1\r\n") != NULL) == found, "%s gives %.200s", command,
                  got);
}

/* --- messages with everything in it --- */

static void
store_large_header(void)
{
    char line[100];

    add("From: ann@one.test\r\nSubject: =?iso-8859-1?q?gr=FCn?=\r\n");
    for (int i = 0; i < 3000; i++) {
        snprintf(line, sizeof(line), "X-Number-%d: value %d\r\n\tfolded %d\r\n", i, i, i);
        add(line);
    }
    for (int i = 0; i < 4000; i++)
        add(i % 2 ? "To: a\r\n" : "Cc: \"b b\" <b@c>, (x) d@e\r\n");
    add("no field\r\n of any kind\r\n\r\nbody");
    store();
}

static void
store_multipart(void)
{
    add("Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n"
        "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    fill_to(200000, "\xe9t\xe9 \xe0 la mer\r\n");
    add("\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n");
    fill_to(400000, "X-Inner: 0123456789012345678901234567890123456789\r\n");
    add("\r\nContent-Type: multipart/alternative; "
        "boundary=c\r\n\r\n--c\r\n\r\nzw\xc3\xb6lf\r\n--c\r\n"
        "Content-Type: text/html\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\nPHA+ZHJlaXplaG48L3A+\r\n--c--\r\n"
        "\r\n--b\r\nContent-Disposition: attachment; filename=a.bin\r\nContent-Type: "
        "application/x\r\n\r\n");
    fill_to(700000, "no text at all\r\n");
    add("\r\n--b--\r\n");
    store();
}

static const char *const commands[] = {
    "a FETCH 1:* (UID FLAGS ENVELOPE)\r\n",
    "a FETCH 1:* (BODY BODYSTRUCTURE ENVELOPE RFC822.SIZE)\r\n",
    "a FETCH 1:* BODY.PEEK[HEADER.FIELDS (X-Number-7 to SUBJECT)]\r\n",
    "a FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (X-Number-7 to)]\r\n",
    "a FETCH 1:* (BODY.PEEK[HEADER.FIELDS.NOT (X-Number-7)]<100.70000> BODY.PEEK[HEADER.FIELDS "
    "(to)]<9.1>)\r\n",
    "a FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (x)]<900000.5>\r\n",
    "a FETCH 1:* (BODY.PEEK[HEADER] BODY.PEEK[TEXT]<10.20> BODY.PEEK[2.HEADER.FIELDS.NOT (A)] "
    "BODY.PEEK[2.MIME])\r\n",
    "a FETCH 1:* (BODY.PEEK[2.1] BODY.PEEK[1]<0.100000> BODY.PEEK[2.HEADER] BODY.PEEK[3]<5.6> "
    "BODY.PEEK[9])\r\n",
    "a FETCH 1:* BODY.PEEK[]\r\n",
    "a SEARCH BODY \"zw\xc3\xb6lf\"\r\n",
    "a SEARCH TEXT \"X-Number-2999: value 2999 folded 2999\"\r\n",
    "a SEARCH HEADER X-Number-2999 \"2999 folded\"\r\n",
    "a SEARCH NOT HEADER X-Number-2999 3000\r\n",
    "a SEARCH OR SUBJECT nothing OR BODY dreizehn FROM ann\r\n",
    "a SEARCH NOT BODY missing NOT TEXT missing SUBJECT \"gr\xc3\xbcn\"\r\n",
    "a SEARCH TO a CC \"b b@c d@e\"\r\n",
    "a LIST \"\" (INB% \"*o*o*\" %)\r\n",
    "a LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))\r\n",
};

START_TEST(test_same)
{
    char *whole, *slow;
    const char *sliced;
    size_t steps;

    store_large_header();
    store_multipart();
    (void)ask(NEVER_OVER, "a NOOP\r\n"); /* takes \Recent */
    whole = strdup(ask(NEVER_OVER, commands[_i]));
    sliced = ask(0, commands[_i]);
    ck_assert_msg(strcmp(whole, sliced) == 0, "%s%.300s\nbut\n%.300s", commands[_i], whole, sliced);
    ck_assert_msg(strstr(whole, "a OK ") != NULL, "%s%.300s", commands[_i], whole);
    slow = ask_slowly(commands[_i], &steps);
    ck_assert_msg(strcmp(whole, slow) == 0, "%s%.300s\nbut slowly\n%.300s", commands[_i], whole,
                  slow);
    free(slow);
    free(whole);
}
END_TEST

/* What HEADER.FIELDS must give, picked out by hand. */
START_TEST(test_fields)
{
    static const char *const names[] = { "X-Number-7:", "To:", "Subject:" };
    struct yb_buf *want = yb_buf_new(1u << 20);
    struct yb_str left, line;
    bool wanted = false;
    const char *got, *at;

    add("Subject: x\r\n");
    for (int i = 0; i < 2000; i++)
        add(i % 3 == 0   ? "To: a@b\r\n"
            : i % 3 == 1 ? "X-Number-7: a\r\n\tb: c\r\n"
                         : "Other: x\r\n To: no\r\n");
    add("\r\nTo: in the body\r\n");
    left = yb_str_head(yb_buf_view(message),
                       yb_str_find_str(yb_buf_view(message), YB_STR("\r\n\r\n")) + 2);
    while (yb_str_split(&left, '\n', &line) && line.n > 0) {
        if (line.p[0] != ' ' && line.p[0] != '\t') {
            wanted = false;
            for (size_t i = 0; i < YB_COUNT(names); i++)
                wanted |= yb_str_starts(line, yb_str_from(names[i]));
        }
        if (wanted) {
            yb_buf_add(want, line);
            yb_buf_add_c(want, '\n');
        }
    }
    yb_buf_add(want, YB_STR("\r\n"));
    ck_assert_uint_gt(yb_buf_size(want), 16384);
    store();
    got = ask(_i == 0 ? 0 : NEVER_OVER,
              "a FETCH 1 BODY.PEEK[HEADER.FIELDS (TO X-NUMBER-7 SUBJECT)]\r\n");
    at = strstr(got, "}\r\n");
    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq(strtoul(strchr(got, '{') + 1, NULL, 10), yb_buf_size(want));
    ck_assert(memcmp(at + 3, yb_buf_view(want).p, yb_buf_size(want)) == 0);
    ck_assert(strncmp(at + 3 + yb_buf_size(want), ")\r\na OK", 7) == 0);
    yb_buf_free(&want);
}
END_TEST

/* --- texts are found wherever a window ends --- */

/* clang-format off */
static const struct { const char *charset, *encoding, *text, *needle; } texts[] = {
    { "utf-8", "8bit", "die Stra\xc3\x9f" "e nach S\xc3\xbc" "den", "strasse nach s\xc3\xbc" "den" },
    { "iso-8859-1", "8bit", "die Stra\xdf" "e nach S\xfc" "den", "strasse nach s\xc3\xbc" "den" },
    { "us-ascii", "quoted-printable", "die Stra=C3=\r\n=9Fe na=\r\nch S=C3=BCden", "strasse nach s\xc3\xbc" "den" },
    { "iso-2022-jp", "7bit", "\x1b$B2q5D\x1b(B no", "\xe4\xbc\x9a\xe8\xad\xb0 no" },
    { "unknown-1", "8bit", "caf\xe9 noir", "noir" },
    { "utf-8", "8bit", "cafe\xcc\x81 noir", "caf\xc3\xa9 noir" }, /* composed only together */
};
/* clang-format on */

START_TEST(test_window)
{
    char head[200], command[200];

    /* The first window of a message ends at 16384; when all of it was read before for its structure,
     * the first of its text ends 65536 octets behind the header. */
    for (size_t k = 0; k < 2; k++) {
        for (size_t back = 0, end; back <= strlen(texts[_i].text) + 1; back++) {
            snprintf(
                head, sizeof(head),
                "Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
                texts[_i].charset, texts[_i].encoding);
            add(head);
            end = k == 0 ? 16384 : strlen(head) + 65536;
            fill_to(end - back, "filler filler\r\n");
            add(texts[_i].text);
            fill_to(end + 70000, "filler filler\r\n");
            snprintf(command, sizeof(command), "a UID STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n");
            (void)ask(NEVER_OVER, command);
            (void)ask(NEVER_OVER, "a EXPUNGE\r\n");
            store();
            if (k == 0)
                (void)ask(NEVER_OVER, "a FETCH 1 BODYSTRUCTURE\r\n");
            snprintf(command, sizeof(command), "a SEARCH CHARSET UTF-8 BODY {%zu+}\r\n%s\r\n",
                     strlen(texts[_i].needle), texts[_i].needle);
            check_found(command, true);
        }
    }
}
END_TEST

/* Texts in which no octet is ASCII but the first, of several times what is folded at once. */
START_TEST(test_no_ascii)
{
    add("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    add("YeS4rQ=="); /* "a" and one character; padding in between is passed over */
    fill_to(400000, "5Lit5Lit5Lit5Lit5Lit5Lit5Lit5Lit5Lit5Lit\r\n");
    add("\r\n5Lya6K2w5Lit\r\n");
    store();
    check_found("a SEARCH CHARSET UTF-8 BODY {6+}\r\n\xe4\xbc\x9a\xe8\xad\xb0\r\n", true);
    check_found("a SEARCH CHARSET UTF-8 BODY {6+}\r\n\xe4\xbc\x9a\xe4\xbc\x9a\r\n", false);
}
END_TEST

/* A command looks at the clock after each message that it has read, whatever it looked for. */
START_TEST(test_steps)
{
    static const char *const searches[] = {
        "a SEARCH HEADER X-None x\r\n",
        "a SEARCH BODY nothing\r\n",
        "a SEARCH NOT SUBJECT x\r\n",
        "a SEARCH SENTSINCE 1-Jan-2030\r\n",
    };
    size_t steps;

    for (int i = 0; i < 20; i++) {
        add("Subject: x\r\n\r\nbody\r\n");
        store();
    }
    free(ask_slowly(searches[_i], &steps));
    ck_assert_uint_ge(steps, 20);
}
END_TEST

/* A text that ends in the middle of what is looked for does not hold it, nor do two parts together. */
START_TEST(test_not_across)
{
    add("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nend of "
        "nee\r\n--b\r\n\r\ndle\r\n--b\r\n"
        "X-Part: field\r\n\r\nlast needle? no: need\r\n--b--\r\n");
    store();
    check_found("a SEARCH BODY needle?\r\n", true);
    check_found("a SEARCH BODY \"end of needle\"\r\n", false);
    check_found("a SEARCH BODY \"needdle\"\r\n", false);
    check_found("a SEARCH BODY \"x-part: field\"\r\n", true);
    check_found("a SEARCH BODY \"multipart/mixed\"\r\n",
                false); /* that is the message's own header */
    check_found("a SEARCH TEXT \"multipart/mixed\"\r\n", true);
    check_found("a SEARCH HEADER X-Part \"\"\r\n", false);
    check_found("a SEARCH HEADER Content-Type \"\"\r\n", true);
}
END_TEST

/* --- memory --- */

/* A command that needs more than it may is refused, and the session goes on. */
START_TEST(test_command_memory)
{
    struct yb_conn *c;
    const char *got;

    add("From: x@y.test\r\nTo: ");
    for (int i = 0; i < 15000; i++)
        add("a,");
    add("b\r\n\r\nbody\r\n");
    store();
    rig.conf.command_memory = 1u << 20;
    c = rig_login(&rig, "ann@one.test", "INBOX");
    rig.server.slice_ms = 0;
    got = rig_say(c, "a FETCH 1 (ENVELOPE)\r\n");
    ck_assert_msg(strstr(got, "a OK") != NULL, "%.200s",
                  got); /* its arena is small again by then */
    rig.conf.command_memory = 10000;
    fake_free(&c);
    c = rig_login(&rig, "ann@one.test", "INBOX");
    got = rig_say(c, "a SEARCH TEXT body\r\n");
    ck_assert_msg(strstr(got, "a NO [LIMIT] ") != NULL, "%.200s", got);
    got = rig_say(c, "b NOOP\r\n");
    ck_assert_msg(strstr(got, "b OK ") != NULL, "%.200s", got);
    fake_free(&c);
}
END_TEST

/* Over what all commands may have together a command waits, and then is refused. */
START_TEST(test_commands_memory)
{
    struct yb_budget others = { .limit = SIZE_MAX };
    struct yb_conn *c;
    const char *got;

    add("Subject: x\r\n\r\nbody\r\n");
    store();
    rig.server.memory = others.pool = yb_budget_pool_new(1u << 20);
    yb_budget_charge(&others, 2u << 20);
    c = rig_login(&rig, "ann@one.test", "INBOX");
    got = rig_say(c, "a SEARCH BODY body\r\n");
    ck_assert_msg(strstr(got, "a NO [LIMIT] ") != NULL, "%.200s", got);
    got = rig_say(c, "a NOOP\r\n");
    ck_assert_msg(strstr(got, "a OK ") != NULL, "%.200s", got);
    yb_budget_release(&others, 2u << 20);
    got = rig_say(c, "b SEARCH BODY body\r\n");
    ck_assert_msg(strstr(got, "* SEARCH 1\r\n") != NULL, "%.200s", got);
    fake_free(&c);
    ck_assert_uint_eq(yb_budget_pool_used(rig.server.memory), 0);
    yb_budget_pool_free(&rig.server.memory);
}
END_TEST

/* Asks slowly; memory is exhausted for good as soon as a part of the answer is there. What the client
 * has then is no whole answer: no tagged line may follow it, only the end of the connection. */
static void
check_refused_half_way(const char *command, const char *cut)
{
    struct yb_budget others = { .pool = rig.server.memory, .limit = SIZE_MAX };
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");
    struct yb_str got;

    rig.server.slice_ms = 0;
    fake_slow(c);
    fake_feed(c, yb_str_from(command), 0);
    for (int k = 0; k < 1000 && fake_output(c).n == 0; k++)
        fake_produce(c);
    got = fake_output(c);
    ck_assert_msg(yb_str_find_str(got, yb_str_from("a OK")) == got.n, "%s is over", command);
    yb_budget_charge(&others, 2u << 20);
    fake_produce(c);
    got = fake_output(c);
    ck_assert_msg(yb_str_find_str(got, yb_str_from(cut)) == got.n, "%s gives %.*s", command,
                  (int)(got.n < 200 ? got.n : 200), got.p);
    yb_budget_release(&others, 2u << 20);
    fake_free(&c);
    rig.server.slice_ms = IMAPD_SLICE_MS;
}

/* A command that is refused in the middle of a message's answer does not write into it. */
START_TEST(test_memory_half_way)
{
    rig.server.memory = yb_budget_pool_new(1u << 20);
    add("Subject: x\r\n\r\nbody\r\n");
    store();
    check_refused_half_way("a FETCH 1 (BODY.PEEK[])\r\n", "(a NO ");
    check_refused_half_way("a FETCH 1 (UID BODY.PEEK[TEXT])\r\n", "1a NO ");
    yb_budget_pool_free(&rig.server.memory);
}
END_TEST

/* --- what others changed --- */

#define MANY 340 /* messages; with all keywords each their flags are more than an answer may be */
#define NAMES_A_STORE 500

/* All keywords there can be, as long as they can be, for message 1. */
static void
add_keywords(struct yb_conn *c)
{
    for (int i = 0; i < YB_KEYWORDS_MOST; i++) {
        char name[YB_KEYWORD_BYTES + 2];

        if (i % NAMES_A_STORE == 0)
            add("k STORE 1 +FLAGS.SILENT (");
        snprintf(name, sizeof(name), "k%0*d ", YB_KEYWORD_BYTES - 1, i);
        add(name);
        if (i % NAMES_A_STORE != NAMES_A_STORE - 1 && i + 1 < YB_KEYWORDS_MOST)
            continue;
        yb_buf_truncate(message, yb_buf_size(message) - 1);
        yb_buf_add(message, yb_str(")\r\n", 4));
        ck_assert(strstr(rig_say(c, yb_buf_view(message).p), "k OK") != NULL);
        yb_buf_clear(message);
    }
}

static char keywords_set[20];

static int
note_set(const char *path, const struct stat *st YB_UNUSED, int kind, struct FTW *ftw YB_UNUSED)
{
    const char *set = strstr(path, ",K=");

    if (kind == FTW_F && set != NULL)
        snprintf(keywords_set, sizeof(keywords_set), "%.*s", (int)strcspn(set, ":"), set);
    return 0;
}

static int
give_set(const char *path, const struct stat *st YB_UNUSED, int kind, struct FTW *ftw YB_UNUSED)
{
    const char *flags = strstr(path, ":2,S");
    char to[600];

    if (kind != FTW_F || flags == NULL || strstr(path, ",K=") != NULL)
        return 0;
    snprintf(to, sizeof(to), "%.*s%s:2,Sabcdefghijklmnopqrstuvwxyz", (int)(flags - path), path,
             keywords_set);
    return rename(path, to);
}

static size_t
count(struct yb_str text, const char *what)
{
    size_t n = 0, at;

    for (; (at = yb_str_find_str(text, yb_str_from(what))) < text.n; n++)
        text = yb_str_skip(text, at + 1);
    return n;
}

/* What another program changed is told in pieces, too, however much there is to say of each message. */
START_TEST(test_much_changed)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX"), *other;
    size_t heard = 0, told;

    for (int i = 0; i < MANY; i++)
        (void)rig_say(c, "a APPEND INBOX (\\Seen) {8+}\r\nA: b\r\n\r\n\r\n");
    add_keywords(c);
    ck_assert(nftw(rig.root, note_set, 16, FTW_PHYS) == 0 && keywords_set[0] != '\0');
    ck_assert_int_eq(nftw(rig.root, give_set, 16, FTW_PHYS), 0);
    other = rig_login(&rig, "ann@one.test", "INBOX"); /* it looks */
    do {
        fake_clear(c);
        fake_feed(c, YB_STR("n NOOP\r\n"), 0);
        ck_assert(!fake_is_closed(c) && count(fake_output(c), "n OK") == 1);
        told = count(fake_output(c), " FETCH (");
        heard += told;
    } while (told > 0);
    ck_assert_uint_eq(heard, MANY - 1);
    fake_free(&other);
    fake_free(&c);
}
END_TEST

/* LIST with STATUS lets others work between two mailboxes. */
START_TEST(test_list_status)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);
    char line[40], *got;
    size_t steps;

    for (unsigned i = 0; i < 9; i++) {
        snprintf(line, sizeof(line), "a CREATE box%u\r\n", i);
        (void)rig_say(c, line);
    }
    fake_free(&c);
    got = ask_slowly("a LIST \"\" % RETURN (STATUS (MESSAGES))\r\n", &steps);
    ck_assert_ptr_nonnull(strstr(got, "* STATUS \"box8\" (MESSAGES 0)\r\na OK"));
    ck_assert_uint_gt(steps, 9);
    free(got);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/slices");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_same, 0, YB_COUNT(commands));
    tcase_add_loop_test(tc, test_fields, 0, 2);
    tcase_add_loop_test(tc, test_window, 0, YB_COUNT(texts));
    tcase_add_test(tc, test_no_ascii);
    tcase_add_loop_test(tc, test_steps, 0, 4);
    tcase_add_test(tc, test_not_across);
    tcase_add_test(tc, test_command_memory);
    tcase_add_test(tc, test_commands_memory);
    tcase_add_test(tc, test_memory_half_way);
    tcase_add_test(tc, test_much_changed);
    tcase_add_test(tc, test_list_status);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
