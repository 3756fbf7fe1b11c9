/* What relayd answers to who hands over, by a connection without sockets; the queue behind it is ours. */
#include "relayd/intake.h"
#include "tests/unit/smtp/fake_conn.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define ANN "RCPT TO:<ann@d.test> XACCOUNT=a1000000000000000000000000000000"
#define BEN "RCPT TO:<ben@d.test> XACCOUNT=a2000000000000000000000000000000"
#define DELIVERY(n) " XDELIVERY=d" #n "000000000000000000000000000000"
#define TENANT "7e000000000000000000000000000000"
#define MAIL                                                                                       \
    "MAIL FROM:<Me@c.test> XSESSION=0102030405060708.00112233445566778899aabbccddeeff "            \
    "XTENANT=" TENANT "\r\n"
#define TEXT "BDAT 8 LAST\r\nX: y\r\n\r\n"

/* --- the queue --- */

static struct {
    bool full, nearly_full; /* nearly: only what is accepted goes in */
    bool fails, known;      /* put: an error; all delivery ids are known already */
    size_t puts;
    unsigned asked_of; /* the first octet of the tenant */
    struct relayd_message m;
    struct relayd_recipient r[10];
    char sender[100], address[10][100], body[200];
} queue;

bool
relayd_queue_may_take(struct relayd_queue *q YB_UNUSED, struct yb_tenant_id tenant,
                      uint64_t octets YB_UNUSED, bool accepted, struct yb_err *err)
{
    /* At connect and NOOP nobody. */
    ck_assert(yb_tenant_id_is_zero(tenant) || tenant.v[0] == 0x7e || tenant.v[0] == 0x7f);
    queue.asked_of = tenant.v[0];
    if (!queue.full && (accepted || !queue.nearly_full))
        return true;
    yb_err_as(err, YB_ERR_FULL, YB_TEMP, "4.3.1", "The queue is full");
    return false;
}

int
relayd_run_put(struct relayd_run *run YB_UNUSED, struct relayd_message *m,
               const struct yb_msgbuf *body, struct yb_err *err)
{
    struct yb_err unused = { 0 };
    ssize_t n;

    if (queue.fails)
        return yb_err_as(err, YB_ERR_FULL, YB_TEMP, "4.3.1", "The queue is full");
    queue.puts++;
    queue.m = *m;
    ck_assert(yb_str_copy(m->sender, queue.sender, sizeof(queue.sender)));
    n = yb_msgbuf_pread(body, queue.body, sizeof(queue.body) - 1, 0, &unused);
    ck_assert_int_ge(n, 0);
    queue.body[n] = '\0';
    for (size_t i = 0; i < m->n; i++) {
        queue.r[i] = m->r[i];
        ck_assert(yb_str_copy(m->r[i].address, queue.address[i], sizeof(queue.address[i])));
    }
    if (queue.known)
        m->n = 0;
    return 0;
}

/* --- a session --- */

static struct relayd_intake intake;
static struct yb_msgbuf_pool *pool;
static struct yb_smtp_server *server;
static struct yb_conn *conn;

static void
setup(void)
{
    const struct yb_msgbuf_conf buffers = { .folder = "/tmp",
                                            .memory_total = 1 << 20,
                                            .memory_network = 1 << 20,
                                            .disk_network = 1 << 20 };
    struct yb_err err = { 0 };
    struct yb_smtp_conf conf = { .dialect = YB_SMTP_LMTP,
                                 .name = "lmtp",
                                 .hostname = "mx.test",
                                 .max_message = 1000,
                                 .max_hops = 2,
                                 .max_rcpt = 3 };
    struct fake_spec fake = { .service = &yb_lmtp_service, .is_unix = true };

    memset(&queue, 0, sizeof(queue));
    pool = yb_msgbuf_pool_new(&buffers, &err);
    ck_assert_msg(pool != NULL, "%s", err.text);
    conf.pool = pool;
    server = yb_smtp_server_new(&conf, &relayd_intake_hooks, &intake);
    fake.arg = server;
    conn = fake_open(&fake);
    fake_feed(conn, YB_STR("LHLO me\r\n"), 0);
}

static void
teardown(void)
{
    fake_free(&conn);
    yb_smtp_server_free(&server);
    ck_assert_uint_eq(yb_msgbuf_pool_memory(pool), 0);
    yb_msgbuf_pool_free(&pool);
}

/* The codes of the replies to `text`. */
static const char *
say(const char *text, size_t piece)
{
    static char codes[200];
    struct yb_str out, line;
    size_t n = 0;

    fake_clear(conn);
    fake_feed(conn, yb_str_from(text), piece);
    out = fake_output(conn);
    codes[0] = '\0';
    while (yb_str_split(&out, '\n', &line) && line.n > 3)
        n += (size_t)snprintf(codes + n, sizeof(codes) - n, "%s%.3s", n > 0 ? " " : "", line.p);
    return codes;
}

/* All that is said of a message arrives, whole or octet by octet. */
START_TEST(test_taken)
{
    char id[YB_ID_TEXT];

    ck_assert_str_eq(
        say(MAIL ANN DELIVERY(
                1) " XQUOTA=5000 XACCEPTED"
                   " XHOME=0e000000000000000000000000000000\r\n" BEN DELIVERY(
                       2) " XMARK=junk XREPEAT XOWNER=7f000000000000000000000000000000\r\n" TEXT,
            (size_t)_i),
        "250 250 250 250 250");
    ck_assert_uint_eq(queue.puts, 1);
    ck_assert_uint_eq(queue.m.n, 2);
    ck_assert_str_eq(queue.sender, "Me@c.test");
    ck_assert_str_eq(queue.body, "X: y\r\n\r\n");
    ck_assert_str_eq(yb_message_id_text(queue.m.mid, id), "00112233445566778899aabbccddeeff");
    ck_assert(queue.m.sid.v[0] == 1 && queue.m.tenant.v[0] == 0x7e && !queue.m.accepted);
    ck_assert_str_eq(queue.address[0], "ann@d.test");
    ck_assert(queue.r[0].account.v[0] == 0xa1 && queue.r[0].delivery.v[0] == 0xd1 &&
              queue.r[0].home.v[0] == 0x0e && queue.r[0].quota == 5000 && !queue.r[0].junk &&
              !queue.r[0].repeat && queue.r[0].state == RELAYD_WAITING &&
              queue.r[0].tenant.v[0] == 0x7e);
    ck_assert(queue.r[1].junk && queue.r[1].repeat && yb_store_id_is_zero(queue.r[1].home));
    ck_assert(queue.r[1].tenant.v[0] == 0x7f && queue.asked_of == 0x7f);
    /* The last tenth is for messages that are accepted for all. */
    ck_assert_str_eq(say(MAIL ANN DELIVERY(1) " XACCEPTED\r\n" TEXT, 0), "250 250 250");
    ck_assert(queue.m.accepted);
}
END_TEST

/* Whether it goes in circles is smtpd's to say, before anybody has it: its own Received is one more. */
START_TEST(test_hops)
{
    ck_assert_str_eq(say(MAIL ANN DELIVERY(1) "\r\nBDAT 42 LAST\r\n"
                                              "Received: a\r\nReceived: b\r\nReceived: c\r\n\r\nx",
                         0),
                     "250 250 250");
    ck_assert_uint_eq(queue.puts, 1);
}
END_TEST

/* Only mailboxes, each by its ids; who is left out does not keep the others. */
START_TEST(test_ids)
{
    ck_assert_str_eq(say(MAIL "RCPT TO:<far@away.example>" DELIVERY(1) "\r\n" ANN "\r\n", 0),
                     "250 550 501");
    ck_assert_str_eq(say("DATA\r\n", 0), "503");
    ck_assert_str_eq(say(BEN DELIVERY(2) "\r\n" TEXT, 0), "250 250");
    ck_assert_uint_eq(queue.m.n, 1);
    ck_assert_str_eq(queue.address[0], "ben@d.test");
}
END_TEST

START_TEST(test_full)
{
    queue.full = true;
    ck_assert_str_eq(say(MAIL, 0), "452");
    queue.full = false;
    queue.nearly_full = true;
    ck_assert_str_eq(say(MAIL ANN DELIVERY(1) "\r\n" BEN DELIVERY(2) " XACCEPTED\r\n" TEXT, 0),
                     "250 452 250 250");
    /* Full by the time it is there: all or none. */
    queue.nearly_full = false;
    queue.fails = true;
    ck_assert_str_eq(say(MAIL ANN DELIVERY(1) "\r\n" BEN DELIVERY(2) "\r\n" TEXT, 0),
                     "250 250 250 452 452");
    ck_assert_uint_eq(queue.puts, 1);
}
END_TEST

/* A repeat of what is there: 250 for all, and nobody is told of anything. */
START_TEST(test_known)
{
    queue.known = true;
    ck_assert_str_eq(
        say(MAIL ANN DELIVERY(1) " XREPEAT\r\n" BEN DELIVERY(2) " XREPEAT\r\n" TEXT, 0),
        "250 250 250 250 250");
}
END_TEST

/* Nothing that is not a hand-over gets through, and the dialogue stays in step. */
START_TEST(test_hostile)
{
    static const struct {
        const char *say, *codes;
    } cases[] = {
        { MAIL ANN " XDELIVERY=d1\r\n", "250 501" },
        { MAIL ANN DELIVERY(1) DELIVERY(1) "\r\n", "250 501" },
        { MAIL ANN DELIVERY(1) " XHOME=x\r\n", "250 501" },
        { MAIL "RCPT TO:<ann@d.test> XACCOUNT=00000000000000000000000000000000" DELIVERY(1) "\r\n",
          "250 501" },
        { MAIL ANN DELIVERY(1) "\r\n" BEN DELIVERY(2) "\r\n" ANN DELIVERY(3) "\r\n" BEN DELIVERY(
              4) "\r\n",
          "250 250 250 250 452" },
        { MAIL ANN DELIVERY(1) "\r\nBDAT 9 LAST\r\nX: y\r\n\r\n\r", "250 250 550" },
        { MAIL ANN DELIVERY(1) "\r\nBDAT 9 LAST\r\nX: y\n\r\n\r\n", "250 250 550" },
        { "MAIL FROM:<a@b.test> SIZE=1001\r\n", "552" },
        { MAIL ANN DELIVERY(1) "\r\nBDAT -1 LAST\r\n", "250 250 501" },
        { "EHLO me\r\n", "500" },
        { "AUTH PLAIN\r\n", "500" },
        { "QUEUE-DELETE {}\r\n", "500" },
        { TEXT, "503" },
    };

    ck_assert_str_eq(say(cases[_i].say, 0), cases[_i].codes);
    ck_assert_uint_eq(queue.puts, 0);
    if (_i == 0) { /* what others take for the end of a message is none */
        ck_assert_str_eq(say("RSET\r\n" MAIL ANN DELIVERY(1) "\r\n", 0), "250 250 250");
        ck_assert_str_eq(say("DATA\r\n", 0), "354");
        ck_assert_str_eq(say("X: y\r\n\r\n\n.\n\r\n.\n" MAIL ".\r\n", 0), "550");
        ck_assert_uint_eq(queue.puts, 0);
    }
    if (!fake_is_closed(conn))
        ck_assert_str_eq(say("RSET\r\n" MAIL ANN DELIVERY(1) "\r\n" TEXT, 0), "250 250 250 250");
}
END_TEST

START_TEST(test_drain)
{
    ck_assert_str_eq(say(MAIL ANN DELIVERY(1) "\r\n", 0), "250 250");
    yb_smtp_server_drain(server);
    /* What is begun is finished. */
    ck_assert_str_eq(say(TEXT, 0), "250");
    ck_assert_str_eq(say(MAIL, 0), "421");
    ck_assert(fake_is_closed(conn));
}
END_TEST

/* Who asks whether we are there has mail; who comes, too. */
START_TEST(test_not_there)
{
    struct fake_spec fake = { .service = &yb_lmtp_service, .arg = server, .is_unix = true };
    struct yb_conn *other;

    queue.nearly_full = true;
    ck_assert_str_eq(say("NOOP\r\n", 0), "250");
    queue.full = true;
    ck_assert_str_eq(say("NOOP\r\n", 0), "421");
    ck_assert(fake_is_closed(conn));
    other = fake_open(&fake);
    ck_assert(yb_str_starts(fake_output(other), YB_STR("421 4.3.2 ")));
    ck_assert(fake_is_closed(other));
    fake_free(&other);
}
END_TEST

/* Who is no process of this node hears nothing else. */
START_TEST(test_stranger)
{
    struct fake_spec fake = { .service = &yb_lmtp_service, .arg = server };
    struct yb_conn *stranger = fake_open(&fake);

    ck_assert(yb_str_starts(fake_output(stranger), YB_STR("554 5.7.1 ")));
    ck_assert(fake_is_closed(stranger));
    fake_free(&stranger);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("intake");
    TCase *tc = tcase_create("sessions");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_taken, 0, 2);
    tcase_add_test(tc, test_hops);
    tcase_add_test(tc, test_ids);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_known);
    tcase_add_loop_test(tc, test_hostile, 0, 13);
    tcase_add_test(tc, test_drain);
    tcase_add_test(tc, test_not_there);
    tcase_add_test(tc, test_stranger);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
