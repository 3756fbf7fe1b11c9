/*
 * What lmtpd did not store: each way in which it can answer for one, two or three mailboxes, beside a
 * relayd that takes the rest or does not. What becomes of each, what the two are told, what the client
 * hears, and whom the log names.
 */
#include "tests/unit/receive/desk.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST 3
#define LMTP_HELLO "<220 x~|>|<250-x~250-PIPELINING~250-SIZE 9~250-XYUBIN~250 CHUNKING~|"
#define MESSAGE "A: b\r\n\r\nx\r\n"
#define WHOLE_BODY "=11|" /* of that many octets */

/* LATE: it says no to who asks whether it is there, and is there a moment later. */
enum relayd { NO_RELAYD, AWAY, LATE, TAKES, REFUSES, FULL, LOSES, RELAYDS };

/* lmtpd stores (S), refuses for now (r) or for good (R), or is lost (U). */
struct plan {
    size_t n;
    char lmtpd[MOST + 1];
    bool early; /* it refuses at RCPT, not when the message is whole */
    enum relayd relayd;
};

/* What must come of it: stored (S), queued (Q), unknown (U), nothing (N). */
struct outcome {
    bool covered; /* relayd is there before lmtpd has the message */
    bool handed[MOST];
    size_t n_handed;
    char end[MOST + 1];
    bool taken;
    const char *answer;
};

static bool
is_refused(char c)
{
    return c == 'r' || c == 'R';
}

static size_t
count_in(const char *s, const char *of)
{
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += strchr(of, *s) != NULL;
    return n;
}

static char
end_of(const struct plan *p, char lmtpd, bool handed)
{
    if (lmtpd == 'S' || (handed && (p->relayd == TAKES || p->relayd == LATE)))
        return lmtpd == 'S' ? 'S' : 'Q';
    return lmtpd == 'U' || (handed && p->relayd == LOSES) ? 'U' : 'N';
}

static void
expect(const struct plan *p, struct outcome *o)
{
    bool there = p->relayd > LATE || (p->relayd == LATE && p->n > 1), held, had;

    memset(o, 0, sizeof(*o));
    o->covered = p->n > 1 && p->relayd > LATE;
    held = !o->covered && p->early && count_in(p->lmtpd, "rR") > 0; /* nobody is sent it */
    had = !held && count_in(p->lmtpd, "SU") > 0;
    for (size_t i = 0; i < p->n; i++) {
        o->handed[i] = had && there && p->lmtpd[i] != 'S';
        o->n_handed += o->handed[i];
        o->end[i] = held ? 'N' : end_of(p, p->lmtpd[i], o->handed[i]);
    }
    o->taken = count_in(o->end, "SQ") == p->n;
    if (o->taken)
        o->answer = "250 2.0.0";
    else if (count_in(p->lmtpd, "R") == p->n)
        o->answer = "550 5.2.1";
    else if (count_in(p->lmtpd, "r") > 0 && count_in(o->end, "N") == p->n)
        o->answer = "450 4.2.0"; /* what lmtpd said */
    else
        o->answer = "451 4.3.0";
}

/* --- what the two servers do --- */

static void
add_times(struct yb_buf *b, const char *text, size_t n)
{
    while (n-- > 0)
        yb_buf_add(b, yb_str_from(text));
}

/* A transaction of n recipients, all taken at RCPT, up to the whole message; of one all comes at once. */
static void
add_message(struct yb_buf *b, size_t n)
{
    if (n == 1) {
        yb_buf_add(b, YB_STR(">3|" WHOLE_BODY));
        return;
    }
    yb_buf_printf(b, ">%zu|<250 a~", n + 1);
    add_times(b, "250 r~", n);
    yb_buf_add(b, YB_STR("|>|" WHOLE_BODY));
}

static const char *
answer_of(char c)
{
    if (c == 'S' || c == 'U')
        return "250 s~";
    return c == 'r' ? "450 4.2.0 x~" : "550 5.2.1 x~";
}

/* The answers to the whole message, as far as they come. */
static void
add_answers(struct yb_buf *b, const struct plan *p)
{
    for (const char *c = p->lmtpd; *c != '\0' && *c != 'U'; c++) {
        if (!p->early || !is_refused(*c))
            yb_buf_add(b, yb_str_from(answer_of(*c)));
    }
}

static void
script_lmtpd(struct yb_buf *b, const struct plan *p, const struct outcome *o)
{
    size_t unknown = count_in(p->lmtpd, "U"), refused = p->early ? count_in(p->lmtpd, "rR") : 0;

    yb_buf_add(b, YB_STR(LMTP_HELLO));
    if (p->n == 1) {
        yb_buf_add(b, YB_STR(">3|" WHOLE_BODY));
        if (unknown == 0)
            yb_buf_printf(b, "<250 a~%s%s|?", refused ? answer_of(p->lmtpd[0]) : "250 r~",
                          refused ? "503 x~" : answer_of(p->lmtpd[0]));
    } else {
        yb_buf_printf(b, ">%zu|<250 a~", p->n + 1);
        for (const char *c = p->lmtpd; *c != '\0'; c++)
            yb_buf_add(b, yb_str_from(p->early ? answer_of(*c) : "250 r~"));
        yb_buf_add(b, YB_STR("|"));
        if (refused == p->n || (refused > 0 && !o->covered)) {
            yb_buf_add(b, YB_STR("?"));
            return;
        }
        yb_buf_add(b, YB_STR(">|" WHOLE_BODY "<"));
        add_answers(b, p);
        yb_buf_add(b, yb_str_from(unknown > 0 ? "|" : "|?"));
    }
    if (unknown > 0) {
        yb_buf_add(b, YB_STR("!|" LMTP_HELLO));
        add_message(b, unknown);
    }
}

static void
script_relayd(struct yb_buf *b, enum relayd relayd, size_t n)
{
    if (relayd == LATE)
        yb_buf_add(b, YB_STR("<421 4.3.2 no~|!|"));
    yb_buf_add(b, YB_STR(LMTP_HELLO));
    if (n > 0 && (relayd == TAKES || relayd == LATE)) {
        add_message(b, n);
        add_times(b, n == 1 ? "<250 a~250 r~250 s~|" : "<", 1);
        add_times(b, "250 s~", n == 1 ? 0 : n);
        add_times(b, "|", 1);
    } else if (n > 0 && relayd == LOSES) {
        add_message(b, n);
        yb_buf_add(b, YB_STR("!|" LMTP_HELLO));
        add_message(b, n);
        return; /* lost again */
    } else if (n > 0) {
        yb_buf_printf(b, ">%zu|", n == 1 ? 3 : n + 1);
        add_times(b, WHOLE_BODY, n == 1);
        add_times(b, relayd == FULL ? "<452 4.3.1 a~" : "<250 a~", 1);
        add_times(b, relayd == FULL ? "503 r~" : "550 5.7.1 r~", n);
        add_times(b, n == 1 ? "503 s~|" : "|", 1);
    }
    yb_buf_add(b, YB_STR("?"));
}

/* --- what came of it --- */

/* The line of `log` that begins so; empty: there is none. */
static struct yb_str
line_of(struct yb_str log, const char *begin)
{
    size_t at = yb_str_find_str(log, yb_str_from(begin));

    log = yb_str_skip(log, at);
    return yb_str_head(log, yb_str_find(log, '\n'));
}

static bool
has(struct yb_str line, const char *word)
{
    return yb_str_find_str(line, yb_str_from(word)) < line.n;
}

/* How the log names the recipient: S, Q, U, or N for not at all. */
static char
named(struct yb_str log, size_t i)
{
    struct yb_str line;
    char to[60];

    snprintf(to, sizeof(to), " to=n%zu@ours.test ", i);
    while (yb_str_split(&log, '\n', &line)) {
        if (!has(line, "event=smtp.data.maybe_twice ") || !has(line, to))
            continue;
        if (has(line, " stored=unknown"))
            return 'U';
        return has(line, " stored=yes") ? 'S' : has(line, " stored=queued") ? 'Q' : '?';
    }
    return 'N';
}

static void
check_told(const struct desk *d, const struct plan *p, const struct outcome *o)
{
    struct yb_str lmtpd = yb_buf_view(d->lmtpd.log),
                  relayd = d->relayd.log == NULL ? yb_str("", 0) : yb_buf_view(d->relayd.log);

    ck_assert(has(line_of(lmtpd, "MAIL "), " XWHOLE") == (p->n > 1 && !o->covered));
    for (size_t i = 0; i < p->n; i++) {
        struct yb_str line;
        char to[60];

        snprintf(to, sizeof(to), "RCPT TO:<n%zu@ours.test>", i);
        ck_assert(!has(line_of(lmtpd, to), " XHOME=") && !has(line_of(lmtpd, to), " XOWNER=") &&
                  !has(line_of(lmtpd, to), " XACCEPTED"));
        line = line_of(relayd, to);
        ck_assert((line.n > 0) == o->handed[i]);
        if (!o->handed[i])
            continue;
        ck_assert(has(line, " XACCEPTED") && has(line, " XACCOUNT=04") &&
                  has(line, " XHOME=01000000000000000000000000000000"));
        ck_assert(has(line, " XOWNER=08000000000000000000000000000000") == (i % 2 == 1) &&
                  has(line, " XOWNER=") == (i % 2 == 1));
        ck_assert(has(line, " XREPEAT") == (p->lmtpd[i] == 'U'));
        /* The same delivery id: whatever lmtpd has already is not stored again. */
        line = yb_str_head(yb_str_skip(line, yb_str_find_str(line, YB_STR(" XDELIVERY="))), 43);
        ck_assert(line.n == 43 && yb_str_find_str(lmtpd, line) < lmtpd.n);
    }
    ck_assert(!has(relayd, "XWHOLE"));
}

static void
check_counts(const struct yb_handover *h, const struct outcome *o)
{
    bool taken = o->taken, queued = count_in(o->end, "Q") > 0, unknown = count_in(o->end, "U") > 0;

    ck_assert(h->stored == (taken && !queued) && h->queued == (taken && queued));
    ck_assert(h->unknown == (!taken && unknown) && h->refused == (!taken && !unknown));
    ck_assert(h->places_stored == (taken ? count_in(o->end, "S") : 0) &&
              h->places_queued == (taken ? count_in(o->end, "Q") : 0));
}

/* A message to n0, n1 … */
static void
send_message(struct desk *d, size_t n, struct yb_str message)
{
    char line[60];

    desk_say(d, "MAIL FROM:<x@c.test>", "250 ");
    for (size_t i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "RCPT TO:<n%zu@ours.test>", i);
        desk_say(d, line, "250 ");
    }
    desk_say(d, "DATA", "354 ");
    fake_clear(d->conn);
    fake_feed(d->conn, message, 0);
    fake_feed(d->conn, YB_STR(".\r\n"), 0);
}

static void
check_plan(const struct plan *p)
{
    struct yb_buf *lmtpd = yb_buf_new(4096), *relayd = yb_buf_new(4096);
    int log = memfd_create("log", MFD_CLOEXEC), kept = dup(STDERR_FILENO);
    char text[4096] = "", ends[MOST + 1] = "", answer[10] = "";
    struct outcome o;
    struct desk d;
    ssize_t n;

    expect(p, &o);
    script_lmtpd(lmtpd, p, &o);
    script_relayd(relayd, p->relayd, o.n_handed);
    yb_buf_add_c(lmtpd, '\0');
    yb_buf_add_c(relayd, '\0');
    desk_open(&d, 0, 0, yb_buf_view(lmtpd).p);
    if (p->relayd != NO_RELAYD)
        desk_relayd(&d, p->relayd == AWAY ? NULL : yb_buf_view(relayd).p);
    dup2(log, STDERR_FILENO);
    send_message(&d, p->n, YB_STR(MESSAGE));
    dup2(kept, STDERR_FILENO);
    memcpy(answer, fake_output(d.conn).p, sizeof(answer) - 1);
    desk_close(&d);
    n = pread(log, text, sizeof(text) - 1, 0);
    for (size_t i = 0; i < p->n && n >= 0; i++)
        ends[i] = o.taken ? o.end[i] : named(yb_str(text, (size_t)n), i);
    ck_assert_msg(strcmp(answer, o.answer) == 0 && strcmp(ends, o.end) == 0,
                  "%s%s, relayd %d: %s %s, not %s %s; %s", p->lmtpd, p->early ? " early" : "",
                  (int)p->relayd, answer, ends, o.answer, o.end, text);
    ck_assert_msg(!o.taken || strstr(text, "maybe_twice") == NULL, "%s", text);
    check_told(&d, p, &o);
    check_counts(&d.handover, &o);
    close(log);
    close(kept);
    yb_buf_free(&lmtpd);
    yb_buf_free(&relayd);
    yb_buf_free(&d.lmtpd.log);
    yb_buf_free(&d.relayd.log);
}

/* LMTP answers in the order of the recipients: once it is lost, nobody further on has an answer but to
 * RCPT. To refuse nobody is the same at both times. */
static bool
can_be(const struct plan *p)
{
    size_t lost = strcspn(p->lmtpd, "U");

    return strspn(p->lmtpd + lost, p->early ? "UrR" : "U") == p->n - lost &&
           (!p->early || count_in(p->lmtpd, "rR") > 0);
}

START_TEST(test_fates)
{
    struct plan p = { .n = (size_t)_i / RELAYDS + 1, .relayd = (enum relayd)(_i % RELAYDS) };
    size_t checked = 0;

    for (unsigned k = 0; k < 2u << (2 * p.n); k++) {
        p.early = (k & 1) != 0;
        for (size_t i = 0; i < p.n; i++)
            p.lmtpd[i] = "SrRU"[k >> (1 + 2 * i) & 3];
        if (!can_be(&p))
            continue;
        check_plan(&p);
        checked++;
    }
    ck_assert_uint_eq(checked, p.n == 1 ? 6 : p.n == 2 ? 25 : 90);
}
END_TEST

/* A mailbox that refused what waits for it now: the next message asks it at RCPT, which is the answer,
 * and one that takes mail again is not asked any more; nor is one that only lacked room. */
static const struct {
    const char *said, *next, *answer;
} memories[] = {
    { "450 4.2.0 x~", ">2|<250 a~450 4.2.0 y~|", "450 4.2.0" },
    { "450 4.2.0 x~", ">2|<250 a~250 y~|", "250 2.1.5" },
    { "452 4.2.2 x~", "", "250 2.1.5" },
    { "552 5.2.3 x~", "", "250 2.1.5" },
};

START_TEST(test_memory)
{
    struct yb_buf *lmtpd = yb_buf_new(4096);
    struct desk d;

    yb_buf_printf(lmtpd, LMTP_HELLO ">3|<250 a~250 r~250 r~|>|" WHOLE_BODY "<250 s~%s|%s?%c",
                  memories[_i].said, memories[_i].next, '\0');
    desk_open(&d, 0, 0, yb_buf_view(lmtpd).p);
    desk_relayd(&d, LMTP_HELLO ">3|" WHOLE_BODY "<250 a~250 r~250 s~|?");
    send_message(&d, 2, YB_STR(MESSAGE));
    ck_assert(yb_str_starts(fake_output(d.conn), YB_STR("250 ")));
    for (int again = 0; again < (memories[_i].answer[0] == '2' ? 2 : 1); again++) {
        desk_say(&d, "MAIL FROM:<x@c.test>", "250 ");
        desk_say(&d, "RCPT TO:<n1@ours.test>", memories[_i].answer);
        desk_say(&d, "RCPT TO:<n0@ours.test>", "250 ");
        desk_say(&d, "RSET", "250 ");
    }
    desk_close(&d);
    yb_buf_free(&lmtpd);
    yb_buf_free(&d.lmtpd.log);
    yb_buf_free(&d.relayd.log);
}
END_TEST

/* A message that lies in a file goes out twice, each time whole and without what nobody may get. */
START_TEST(test_large)
{
    const size_t lines = 20000;
    struct yb_buf *message = yb_buf_new(1 << 20), *lmtpd = yb_buf_new(4096),
                  *relayd = yb_buf_new(4096);
    struct yb_str sent;
    struct desk d;

    yb_buf_add(message, YB_STR("Return-Path: <x@y>\r\nA: b\r\n\r\n"));
    for (size_t i = 0; i < lines; i++)
        yb_buf_printf(message, "line %zu\r\n", i);
    sent = yb_str_skip(yb_buf_view(message), 20);
    yb_buf_printf(lmtpd, LMTP_HELLO ">3|<250 a~250 r~250 r~|>|=%zu|<250 s~450 4.2.0 x~|?%c", sent.n,
                  '\0');
    yb_buf_printf(relayd, LMTP_HELLO ">2|<250 a~250 r~|>|=%zu|<250 s~|?%c", sent.n, '\0');
    desk_open(&d, 0, 0, yb_buf_view(lmtpd).p);
    desk_relayd(&d, yb_buf_view(relayd).p);
    send_message(&d, 2, yb_buf_view(message));
    ck_assert(yb_str_starts(fake_output(d.conn), YB_STR("250 ")));
    desk_close(&d);
    ck_assert(yb_str_ends_i(yb_buf_view(d.lmtpd.log), sent));
    ck_assert(yb_str_ends_i(yb_buf_view(d.relayd.log), sent));
    yb_buf_free(&message);
    yb_buf_free(&lmtpd);
    yb_buf_free(&relayd);
    yb_buf_free(&d.lmtpd.log);
    yb_buf_free(&d.relayd.log);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("receive/rest");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    yb_log_init("test", YB_LOG_WARN);
    tcase_set_timeout(tc, 60); /* more than lmtpd and relayd get to answer */
    tcase_add_loop_test(tc, test_fates, 0, MOST * RELAYDS);
    tcase_add_loop_test(tc, test_memory, 0, YB_COUNT(memories));
    tcase_add_test(tc, test_large);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
