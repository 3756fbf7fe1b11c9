/* The client against servers of every kind, most of them bad. */
#include "lib/smtp/client.h"
#include "tests/unit/smtp/odd_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HELLO "<220 x~|>|<250-x~250-PIPELINING~250-SIZE 9~250-XYUBIN~250 CHUNKING~|"
#define BODY "Subject: x\r\n\r\n.dot\r\n"

/* What a case sends: to one, two or three recipients. Fates: S stored, R refused (temp r), U
 * unknown, N not sent. */
static const struct {
    const char *name, *script;
    int n;
    bool lmtp, all_or_none;
    const char *fates;
    unsigned connections;
    const char *log; /* must be somewhere in what the server read; NULL: anything */
} cases[] = {
    { "one write for everything", HELLO ">3|=26|<250 2.1.0 a~250 2.1.5 b~250 2.1.5 c~|?", 1, true,
      true, "S", 1, "BDAT 26 LAST\r\nX: y\r\nSubject: x\r\n\r\n.dot\r\n" },
    { "lines in pieces of one octet", "/1|" HELLO ">3|=26|<250-2.1.0 a~250 2.1.0 a~250 b~250 c~|?",
      1, true, true, "S", 1, NULL },
    { "five lines of greeting",
      "/3|<220-a~220-b~220-c~220-d~220 e~|>|<250-x~250-PIPELINING~250-XYUBIN~250 CHUNKING~|"
      ">3|=26|<250 a~250 b~250 c~|?",
      1, true, true, "S", 1, NULL },
    { "refused at RCPT: its octets are answered too",
      HELLO ">3|=26|<250 a~550 5.1.1 no~503 5.5.1 c~|?", 1, true, true, "R", 1, NULL },
    { "refused at MAIL", HELLO ">3|=26|<552 5.3.4 a~503 b~503 c~|?", 1, true, true, "R", 1, NULL },
    { "refused after the octets", HELLO ">3|=26|<250 a~250 b~452 4.2.2 full~|?", 1, true, true, "r",
      1, NULL },
    { "two: octets only when both are taken",
      HELLO ">3|<250 a~250 b~250 c~|>|=26|<250 d~450 4.2.0 e~|?", 2, true, true, "Sr", 1,
      "RCPT TO:<u1@d.test> XDELIVERY=" },
    { "two, one refused: nobody gets it", HELLO ">3|<250 a~250 b~550 5.1.1 c~|?", 2, true, true,
      "NR", 1, NULL },
    { "two, one refused, the other wanted", HELLO ">3|<250 a~250 b~550 c~|>|=26|<250 d~|?", 2, true,
      false, "SR", 1, NULL },
    { "two, refused at MAIL", HELLO ">3|<451 4.3.0 a~503 b~503 c~|?", 2, true, false, "rr", 1,
      NULL },
    { "without extensions", "<220 x~|>|<250 x~|>|<250 a~|>|<250 b~|>|<354 go~|.|<250 c~|?", 1, true,
      true, "S", 1, "DATA\r\nX: y\r\nSubject: x\r\n\r\n..dot\r\n.\r\n" },
    { "without extensions, three",
      "<220 x~|>|<250 x~|>|<250 a~|>|<250 b~|>|<450 b~|>|<250 b~|>|<354 go~|.|<250 c~"
      "250 d~|?",
      3, true, false, "SrS", 1, NULL },
    { "DATA refused", "<220 x~|>|<250 x~|>|<250 a~|>|<250 b~|>|<451 no~|?", 1, true, true, "r", 1,
      NULL },
    { "SMTP: one answer for all",
      "<220 x~|>|<250-x~250 PIPELINING~|>3|<250 a~250 b~250 c~|>|<354 go~|.|<250 d~|?", 2, false,
      false, "SS", 1, NULL },
    { "SMTP: HELO for who does not know EHLO",
      "<220 x~|>|<502 x~|>|<250 x~|>|<250 a~|>|<250 b~|>|<354 go~|.|"
      "<250 d~|?",
      1, false, false, "S", 1, "HELO me.test\r\n" },
    { "greeting refused", "<554 5.7.1 no~|?", 1, true, true, "N", 1, NULL },
    { "no greeting", "!", 1, true, true, "N", 1, NULL },
    { "not SMTP", "<SSH-2.0-x~|?", 1, true, true, "N", 1, NULL },
    { "codes change within a reply", "<220-x~221 x~|?", 1, true, true, "N", 1, NULL },
    { "lost after the octets: asked again with XREPEAT",
      HELLO ">3|=26|!|" HELLO ">3|=26|<250 a~250 b~250 c~|?", 1, true, true, "S", 2, "XREPEAT" },
    { "lost after the octets, twice", HELLO ">3|=26|!|" HELLO ">3|=26", 1, true, true, "U", 2,
      NULL },
    { "lost before the octets: asked again without",
      HELLO ">3|!|" HELLO ">3|<250 a~250 b~250 c~|>|=26|<250 d~250 e~|?", 2, true, true, "SS", 2,
      NULL },
    { "lost between two answers: only the other is asked again",
      HELLO ">3|<250 a~250 b~250 c~|>|=26|<250 d~|!|" HELLO ">3|=26|<250 a~250 b~250 c~|?", 2, true,
      true, "SS", 2, "XREPEAT" },
    { "lost after the octets, then refused at RCPT: it may be stored",
      HELLO ">3|=26|!|" HELLO ">3|=26|<250 a~550 5.1.1 no~503 c~|?", 1, true, true, "U", 2, NULL },
    { "lost after the octets, then refused at MAIL: it may be stored",
      HELLO ">3|=26|!|" HELLO ">3|=26|<452 4.3.1 a~503 b~503 c~|?", 1, true, true, "U", 2, NULL },
    { "lost after the octets, then refused at the end: it is not stored",
      HELLO ">3|=26|!|" HELLO ">3|=26|<250 a~250 b~450 4.2.0 c~|?", 1, true, true, "r", 2, NULL },
    { "lost after the octets of two, then one refused at RCPT",
      HELLO ">3|<250 a~250 b~250 c~|>|=26|!|" HELLO ">3|<250 a~550 b~250 c~|>|=26|<250 d~|?", 2,
      true, false, "US", 2, NULL },
    { "the same, all or none",
      HELLO ">3|<250 a~250 b~250 c~|>|=26|!|" HELLO ">3|<250 a~550 b~250 c~|?", 2, true, true, "UU",
      2, NULL },
    { "a foreign server is never asked again after the octets",
      "<220 x~|>|<250 x~|>|<250 a~|>|<250 b~|>|<354 go~|.|!", 1, true, true, "U", 1, NULL },
    { "421 ends the connection",
      HELLO ">3|=26|<421 4.3.2 bye~|!|" HELLO ">3|=26|<250 a~250 b~250 c~|?", 1, true, true, "S", 2,
      NULL },
    { "silence after the octets", HELLO ">3|=26|?", 1, true, true, "U", 1, NULL },
    { "silence before", HELLO ">3|?", 2, true, true, "NN", 1, NULL },
};

static char
fate_letter(const struct yb_smtp_send_rcpt *r)
{
    switch (r->fate) {
    case YB_FATE_NONE:
        return 'N';
    case YB_FATE_STORED:
        return 'S';
    case YB_FATE_WELCOME:
        return 'w';
    case YB_FATE_UNKNOWN:
        return 'U';
    case YB_FATE_REFUSED:
        break;
    }
    return r->err.class == YB_PERM ? 'R' : 'r';
}

static struct yb_msgbuf_pool *
pool_new(size_t each)
{
    const struct yb_msgbuf_conf conf = { .folder = "/tmp",
                                         .memory_each = each,
                                         .memory_total = 1 << 26,
                                         .memory_network = 1 << 26,
                                         .disk_network = 1 << 30 };
    struct yb_err err = { 0 };
    struct yb_msgbuf_pool *p = yb_msgbuf_pool_new(&conf, &err);

    ck_assert(p != NULL);
    return p;
}

/* An answer that comes is waited for, however busy the machine is; one that does not, not long. */
#define COMES 30000
#define NEVER 400

static struct yb_smtp_dest *
dest_new(const struct odd_server *s, bool lmtp, int64_t answer_ms)
{
    const struct yb_smtp_dest_conf conf = { .where = s->where,
                                            .hostname = "me.test",
                                            .lmtp = lmtp,
                                            .inside = 4,
                                            .connect_ms = COMES,
                                            .answer_ms = answer_ms };

    return yb_smtp_dest_new(&conf);
}

static void
fill(struct yb_smtp_send_rcpt *v, int n)
{
    static const struct yb_str to[] = { YB_STR_INIT("u0@d.test"), YB_STR_INIT("u1@d.test"),
                                        YB_STR_INIT("u2@d.test") };

    memset(v, 0, (size_t)n * sizeof(*v));
    for (int i = 0; i < n; i++) {
        v[i].to = to[i];
        v[i].x.delivery = yb_delivery_id_new();
    }
}

START_TEST(test_case)
{
    struct odd_server server;
    struct yb_msgbuf_pool *pool = pool_new(1 << 17);
    struct yb_msgbuf *body = yb_msgbuf_new(pool, 0);
    struct yb_smtp_send_rcpt rcpts[3];
    struct yb_err err = { 0 };
    struct yb_smtp_dest *d;
    char got[4] = "";
    int rc;
    struct yb_smtp_send send = { .from = YB_STR("s@d.test"),
                                 .rcpts = rcpts,
                                 .n_rcpts = (size_t)cases[_i].n,
                                 .head = YB_STR("X: y\r\n"),
                                 .body = body,
                                 .all_or_none = cases[_i].all_or_none };

    ck_assert(yb_msgbuf_append(body, YB_STR(BODY), &err) == 0);
    fill(rcpts, cases[_i].n);
    odd_server_start(&server, cases[_i].script);
    d = dest_new(&server, cases[_i].lmtp,
                 strncmp(cases[_i].name, "silence", 7) == 0 ? NEVER : COMES);
    rc = yb_smtp_send_message(d, &send, &err);
    yb_smtp_dest_free(&d);
    odd_server_stop(&server);
    for (int i = 0; i < cases[_i].n; i++)
        got[i] = fate_letter(&rcpts[i]);
    ck_assert_msg(strcmp(got, cases[_i].fates) == 0, "%s: %s, want %s (%s)", cases[_i].name, got,
                  cases[_i].fates, err.text);
    ck_assert((rc < 0) == (strpbrk(got, "NU") != NULL));
    ck_assert_msg(server.connections == cases[_i].connections, "%s: %u connections", cases[_i].name,
                  server.connections);
    if (cases[_i].log != NULL)
        ck_assert_msg(yb_str_find_str(yb_buf_view(server.log), yb_str_from(cases[_i].log)) <
                          yb_buf_size(server.log),
                      "%s: the server read %.*s", cases[_i].name,
                      YB_STR_ARG(yb_buf_view(server.log)));
    yb_buf_free(&server.log);
    yb_msgbuf_free(&body);
    yb_msgbuf_pool_free(&pool);
}
END_TEST

/* One connection serves many, is reset after a refusal, and is not used once the peer has left. */
START_TEST(test_reuse)
{
    static const char script[] = HELLO
        ">3|=26|<250 a~550 b~503 c~|>4|=26|<250 r~250 a~250 b~250 c~|>3|=26|<250 a~250 b~250 c~|"
        "!|" HELLO ">3|=26|<250 a~250 b~250 c~|?";
    struct odd_server server;
    struct yb_msgbuf_pool *pool = pool_new(1 << 17);
    struct yb_msgbuf *body = yb_msgbuf_new(pool, 0);
    struct yb_smtp_send_rcpt rcpt;
    struct yb_err err = { 0 };
    struct yb_smtp_dest_stats stats;
    struct yb_smtp_dest *d;
    struct yb_smtp_send send = {
        .rcpts = &rcpt, .n_rcpts = 1, .head = YB_STR("X: y\r\n"), .body = body
    };

    ck_assert(yb_msgbuf_append(body, YB_STR(BODY), &err) == 0);
    odd_server_start(&server, script);
    d = dest_new(&server, true, COMES);
    for (int i = 0; i < 4; i++) {
        fill(&rcpt, 1);
        ck_assert_msg(yb_smtp_send_message(d, &send, &err) == 0, "%d: %s", i, err.text);
        ck_assert(rcpt.fate == (i == 0 ? YB_FATE_REFUSED : YB_FATE_STORED));
    }
    yb_smtp_dest_stats_read(d, &stats);
    ck_assert(stats.connections == 2 && stats.idle == 1);
    yb_smtp_dest_free(&d);
    odd_server_stop(&server);
    yb_buf_free(&server.log);
    yb_msgbuf_free(&body);
    yb_msgbuf_pool_free(&pool);
}
END_TEST

/* Dots, in memory and across the pieces of a file: what arrives is what DATA's rules make of it. */
START_TEST(test_stuffing)
{
    static const char script[] = "<220 x~|>|<250 x~|>|<250 a~|>|<250 b~|>|<354 go~|.|<250 c~|?";
    struct odd_server server;
    struct yb_msgbuf_pool *pool = pool_new(_i == 0 ? 1 << 20 : 1000);
    struct yb_msgbuf *body = yb_msgbuf_new(pool, 0);
    struct yb_smtp_send_rcpt rcpt;
    struct yb_err err = { 0 };
    struct yb_smtp_dest *d;
    struct yb_buf *want = yb_buf_new(1 << 20);
    struct yb_smtp_send send = { .rcpts = &rcpt, .n_rcpts = 1, .body = body };

    for (int i = 0; i < 40000; i++) {
        ck_assert(yb_msgbuf_append(body, YB_STR("..\r\n.a\r\nb.\r\n"), &err) == 0);
        yb_buf_add(want, YB_STR("...\r\n..a\r\nb.\r\n"));
    }
    ck_assert(yb_msgbuf_append(body, YB_STR("no end"), &err) == 0);
    yb_buf_add(want, YB_STR("no end\r\n.\r\n"));
    fill(&rcpt, 1);
    odd_server_start(&server, script);
    d = dest_new(&server, true, COMES);
    ck_assert_msg(yb_smtp_send_message(d, &send, &err) == 0 && rcpt.fate == YB_FATE_STORED, "%s",
                  err.text);
    yb_smtp_dest_free(&d);
    odd_server_stop(&server);
    ck_assert(yb_str_ends_i(yb_buf_view(server.log), yb_buf_view(want)));
    yb_buf_free(&want);
    yb_buf_free(&server.log);
    yb_msgbuf_free(&body);
    yb_msgbuf_pool_free(&pool);
}
END_TEST

/* Is it there? By what the server does to a second question, when the first answer is old or not. */
static const struct {
    const char *name, *script;
    bool fresh;
    int rc[2];
    unsigned connections;
    const char *log; /* all that it read */
} readies[] = {
    { "believed for a while", HELLO "?", true, { 0, 0 }, 1, "LHLO me.test\r\n" },
    { "asked again", HELLO ">|<250 n~|?", false, { 0, 0 }, 1, "LHLO me.test\r\nNOOP\r\n" },
    { "gone when it is asked",
      HELLO ">|!|" HELLO "?",
      false,
      { 0, 0 },
      2,
      "LHLO me.test\r\nNOOP\r\nLHLO me.test\r\n" },
    { "closing", HELLO ">|<421 4.3.2 bye~|!|" HELLO "?", false, { 0, 0 }, 2, NULL },
    { "says no", HELLO ">|<451 4.3.0 no~|!|<554 no~|?", false, { 0, -1 }, 2, NULL },
    { "hangs", HELLO "?", false, { 0, -1 }, 1, NULL },
    { "greets nobody", "<451 4.3.2 no~|!|" HELLO "?", false, { -1, 0 }, 2, NULL },
};

START_TEST(test_ready)
{
    struct odd_server server;
    struct yb_smtp_dest_conf conf = { .hostname = "me.test", .lmtp = true, .connect_ms = COMES };
    struct yb_smtp_dest *d;
    struct yb_err err = { 0 };

    odd_server_start(&server, readies[_i].script);
    conf.where = server.where;
    conf.fresh_ms = readies[_i].fresh ? COMES : 1;
    d = yb_smtp_dest_new(&conf);
    for (int i = 0; i < 2; i++) {
        bool hangs = i == 1 && strcmp(readies[_i].name, "hangs") == 0;

        ck_assert_msg(yb_smtp_dest_ready(d, hangs ? NEVER : COMES, &err) == readies[_i].rc[i],
                      "%s, %d: %s", readies[_i].name, i, err.text);
        yb_clock_rest_us(2000); /* an answer is old by now */
    }
    yb_smtp_dest_free(&d);
    odd_server_stop(&server);
    ck_assert_uint_eq(server.connections, readies[_i].connections);
    ck_assert(readies[_i].log == NULL ||
              yb_str_eq(yb_buf_view(server.log), yb_str_from(readies[_i].log)));
    yb_buf_free(&server.log);
}
END_TEST

/* Who took nothing a moment ago is asked, however lately it answered; who took a message is not. */
START_TEST(test_ready_refused)
{
    bool takes = _i == 1;
    struct odd_server server;
    struct yb_msgbuf_pool *pool = pool_new(1 << 20);
    struct yb_msgbuf *body = yb_msgbuf_new(pool, 0);
    struct yb_smtp_dest_conf conf = {
        .hostname = "me.test", .lmtp = true, .connect_ms = COMES, .fresh_ms = COMES
    };
    struct yb_smtp_send_rcpt rcpt;
    struct yb_smtp_send send = { .rcpts = &rcpt, .n_rcpts = 1, .body = body };
    struct yb_smtp_dest *d;
    struct yb_err err = { 0 };

    ck_assert(yb_msgbuf_append(body, YB_STR(BODY), &err) == 0);
    fill(&rcpt, 1);
    odd_server_start(&server, takes ? HELLO ">3|=20|<250 a~250 b~250 c~|?"
                                    : HELLO ">3|=20|<452 4.3.1 a~503 b~503 c~|>|<421 4.3.2 d~|!|?");
    conf.where = server.where;
    d = yb_smtp_dest_new(&conf);
    ck_assert_int_eq(yb_smtp_dest_ready(d, COMES, &err), 0);
    ck_assert_msg(yb_smtp_send_message(d, &send, &err) == 0, "%s", err.text);
    ck_assert(rcpt.fate == (takes ? YB_FATE_STORED : YB_FATE_REFUSED));
    ck_assert_int_eq(yb_smtp_dest_ready(d, takes ? COMES : NEVER, &err), takes ? 0 : -1);
    yb_smtp_dest_free(&d);
    odd_server_stop(&server);
    ck_assert((yb_str_find_str(yb_buf_view(server.log), YB_STR("NOOP\r\n")) ==
               yb_buf_size(server.log)) == takes);
    yb_buf_free(&server.log);
    yb_msgbuf_free(&body);
    yb_msgbuf_pool_free(&pool);
}
END_TEST

/* A server that is lost with the message, and there again only after somebody could not reach it. */
struct revival {
    struct yb_smtp_dest *dest;
    const char *from, *to; /* where it is then, and the link that leads there */
};

static void *
revive(void *arg)
{
    struct revival *r = arg;
    struct yb_smtp_dest_stats stats;

    for (;;) {
        yb_smtp_dest_stats_read(r->dest, &stats);
        if (stats.failures >= 3) /* lost, and not reached twice */
            break;
        yb_clock_rest_us(1000);
    }
    yb_assert(symlink(r->from, r->to) == 0);
    return NULL;
}

START_TEST(test_revived)
{
    struct odd_server first, second;
    struct yb_msgbuf_pool *pool = pool_new(1 << 17);
    struct yb_msgbuf *body = yb_msgbuf_new(pool, 0);
    struct yb_smtp_send_rcpt rcpt;
    struct yb_smtp_send send = {
        .rcpts = &rcpt, .n_rcpts = 1, .head = YB_STR("X: y\r\n"), .body = body
    };
    struct yb_smtp_dest_conf conf = {
        .hostname = "me.test", .lmtp = true, .connect_ms = COMES, .repeat_ms = COMES
    };
    char place[150], where[160];
    struct revival r = { .from = second.where + 5, .to = place };
    struct yb_err err = { 0 };
    pthread_t reviver;

    ck_assert(yb_msgbuf_append(body, YB_STR(BODY), &err) == 0);
    odd_server_start(&second, HELLO ">3|=26|<250 a~250 b~250 c~|?");
    odd_server_start(&first, HELLO ">3|=26");
    snprintf(place, sizeof(place), "%s/link", second.folder);
    snprintf(where, sizeof(where), "unix:%s", place);
    ck_assert(symlink(first.where + 5, place) == 0);
    conf.where = where;
    r.dest = yb_smtp_dest_new(&conf);
    ck_assert(yb_smtp_dest_ready(r.dest, COMES, &err) == 0);
    unlink(place);
    ck_assert(pthread_create(&reviver, NULL, revive, &r) == 0);
    fill(&rcpt, 1);
    ck_assert_msg(yb_smtp_send_message(r.dest, &send, &err) == 0, "%s", err.text);
    ck_assert(rcpt.fate == YB_FATE_STORED);
    pthread_join(reviver, NULL);
    yb_smtp_dest_free(&r.dest);
    unlink(place);
    odd_server_stop(&first);
    odd_server_stop(&second);
    ck_assert(yb_str_find_str(yb_buf_view(second.log), YB_STR("XREPEAT")) <
              yb_buf_size(second.log));
    yb_buf_free(&second.log);
    yb_buf_free(&first.log);
    yb_msgbuf_free(&body);
    yb_msgbuf_pool_free(&pool);
}
END_TEST

START_TEST(test_nobody)
{
    const struct yb_smtp_dest_conf conf = { .where = "unix:/nowhere/at/all",
                                            .hostname = "me.test",
                                            .lmtp = true };
    struct yb_smtp_dest *d = yb_smtp_dest_new(&conf);
    struct yb_msgbuf_pool *pool = pool_new(1000);
    struct yb_msgbuf *body = yb_msgbuf_new(pool, 0);
    struct yb_smtp_send_rcpt rcpt;
    struct yb_err err = { 0 };
    struct yb_smtp_send send = { .rcpts = &rcpt, .n_rcpts = 1, .body = body };

    fill(&rcpt, 1);
    ck_assert(yb_smtp_send_message(d, &send, &err) < 0 && rcpt.fate == YB_FATE_NONE);
    ck_assert(err.class == YB_TEMP && rcpt.err.class == YB_TEMP);
    yb_smtp_dest_free(&d);
    yb_msgbuf_free(&body);
    yb_msgbuf_pool_free(&pool);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("smtp/client");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_case, 0, YB_COUNT(cases));
    tcase_add_test(tc, test_reuse);
    tcase_add_loop_test(tc, test_stuffing, 0, 2);
    tcase_add_loop_test(tc, test_ready, 0, YB_COUNT(readies));
    tcase_add_loop_test(tc, test_ready_refused, 0, 2);
    tcase_add_test(tc, test_revived);
    tcase_add_test(tc, test_nobody);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
