/* Whole POP3 sessions against a store in memory: what is said, and what is left afterwards. */
#include "pop3d/maildrop.h"
#include "tests/unit/pop3d/fake.h"

#include <check.h>
#include <stdlib.h>

#define HELLO "+OK POP3 ready\r\n"
#define LOGIN "USER alice@a.test\r\nPASS correct horse\r\n"
#define IN HELLO "+OK Password, please\r\n+OK 3 messages (49 octets)\r\n"
#define BYE "+OK\r\n"
#define NONE "-ERR There is no such message\r\n"
#define FIRST "Subject: 1\r\n\r\nx\r\n.y\r\n" /* 21 octets */
#define SECOND "Subject: 2\r\n\r\n\r\n"       /* 16 */
#define THIRD "Subject: 3\r\n"                /* 12 */
#define PLAIN "AGFsaWNlQGEudGVzdABjb3JyZWN0IGhvcnNl"
#define PLAIN_WRONG "AGFsaWNlQGEudGVzdAB3cm9uZw=="

static const struct {
    const char *name;
    bool clear; /* no TLS at first */
    const char *in, *out;
    bool open; /* the connection stays */
    unsigned expunged;
} sessions[] = {
    /* clang-format off */
    { .name = "greeting", .in = "", .out = HELLO, .open = true },
    { .name = "quit at once", .in = "QUIT\r\n", .out = HELLO BYE },
    { .name = "nothing shows a password in clear", .clear = true,
      .in = "USER alice@a.test\r\nPASS correct horse\r\nAUTH PLAIN " PLAIN "\r\nAUTH LOGIN\r\nQUIT\r\n",
      .out = HELLO "-ERR Encryption is needed before a password: use STLS\r\n"
             "-ERR USER comes first\r\n"
             "-ERR Encryption is needed before a password: use STLS\r\n"
             "-ERR Encryption is needed before a password: use STLS\r\n" BYE },
    { .name = "capabilities in clear", .clear = true, .in = "CAPA\r\n", .open = true,
      .out = HELLO "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nSTLS\r\n.\r\n" },
    { .name = "capabilities under TLS", .in = "capa\r\n", .open = true,
      .out = HELLO "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUSER\r\n"
             "SASL SCRAM-SHA-256 PLAIN LOGIN\r\n.\r\n" },
    { .name = "capabilities when logged in", .in = LOGIN "CAPA\r\n", .open = true,
      .out = IN "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n.\r\n" },
    { .name = "STLS, then login", .clear = true, .open = true,
      .in = "STLS\r\nSTLS\r\n" LOGIN,
      .out = HELLO "+OK Begin TLS\r\n-ERR This connection is encrypted already\r\n"
             "+OK Password, please\r\n+OK 3 messages (49 octets)\r\n" },
    { .name = "no STLS when logged in", .in = LOGIN "STLS\r\n", .open = true,
      .out = IN "-ERR You are logged in already\r\n" },
    { .name = "wrong password", .in = "USER alice@a.test\r\nPASS wrong\r\nPASS correct horse\r\n", .open = true,
      .out = HELLO "+OK Password, please\r\n-ERR [AUTH] Wrong user name or password\r\n-ERR USER comes first\r\n" },
    { .name = "spaces belong to the password", .in = "USER alice@a.test\r\nPASS correct horse \r\n", .open = true,
      .out = HELLO "+OK Password, please\r\n-ERR [AUTH] Wrong user name or password\r\n" },
    { .name = "three wrong passwords", .in = "USER a\r\nPASS 1\r\nUSER alice@a.test\r\nPASS 2\r\nAUTH PLAIN " PLAIN_WRONG "\r\n",
      .out = HELLO "+OK Password, please\r\n-ERR [AUTH] Wrong user name or password\r\n"
             "+OK Password, please\r\n-ERR [AUTH] Wrong user name or password\r\n"
             "-ERR [AUTH] Wrong user name or password\r\n" },
    { .name = "suspended", .in = "USER carol@a.test\r\nPASS correct horse\r\nUSER carol@a.test\r\nPASS wrong\r\n", .open = true,
      .out = HELLO "+OK Password, please\r\n-ERR [SYS/PERM] This account is suspended: unpaid\r\n"
             "+OK Password, please\r\n-ERR [AUTH] Wrong user name or password\r\n" },
    { .name = "database away", .open = true,
      .in = "USER away@a.test\r\nPASS x\r\nUSER away@a.test\r\nPASS x\r\nUSER away@a.test\r\nPASS x\r\nUSER away@a.test\r\nPASS x\r\n",
#define AWAY "+OK Password, please\r\n-ERR [SYS/TEMP] Accounts cannot be checked at the moment; try again later\r\n"
      .out = HELLO AWAY AWAY AWAY AWAY },
    { .name = "AUTH PLAIN at once", .in = "AUTH PLAIN " PLAIN "\r\n", .open = true,
      .out = HELLO "+OK 3 messages (49 octets)\r\n" },
    { .name = "AUTH PLAIN in two steps", .in = "AUTH plain\r\n" PLAIN "\r\n", .open = true,
      .out = HELLO "+ \r\n+OK 3 messages (49 octets)\r\n" },
    { .name = "AUTH LOGIN", .in = "AUTH LOGIN\r\nYWxpY2VAYS50ZXN0\r\nY29ycmVjdCBob3JzZQ==\r\n", .open = true,
      .out = HELLO "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK 3 messages (49 octets)\r\n" },
    { .name = "AUTH cancelled", .in = "AUTH LOGIN\r\n*\r\nNOOP\r\n", .open = true,
      .out = HELLO "+ VXNlcm5hbWU6\r\n-ERR Authentication cancelled\r\n-ERR Log in first\r\n" },
    { .name = "what is no login is no failed one", .open = true,
      .in = "AUTH LOGIN\r\n*\r\nAUTH LOGIN\r\n*\r\nAUTH X\r\nAUTH PLAIN !\r\n" LOGIN,
      .out = HELLO "+ VXNlcm5hbWU6\r\n-ERR Authentication cancelled\r\n"
             "+ VXNlcm5hbWU6\r\n-ERR Authentication cancelled\r\n-ERR This mechanism is not offered\r\n"
             "-ERR This response is not base64\r\n+OK Password, please\r\n+OK 3 messages (49 octets)\r\n" },
    { .name = "AUTH unknown", .in = "AUTH CRAM-MD5\r\nAUTH\r\nAUTH PLAIN !\r\n", .open = true,
      .out = HELLO "-ERR This mechanism is not offered\r\n-ERR An argument is missing\r\n"
             "-ERR This response is not base64\r\n" },
    { .name = "APOP is not there", .in = "APOP alice@a.test c4c9334bac560ecc979e58001b3e22fb\r\n", .open = true,
      .out = HELLO "-ERR Unknown command\r\n" },
    { .name = "not before login", .open = true,
      .in = "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 0\r\nDELE 1\r\nNOOP\r\nRSET\r\nPASS x\r\n",
      .out = HELLO "-ERR Log in first\r\n-ERR Log in first\r\n-ERR Log in first\r\n-ERR Log in first\r\n"
             "-ERR Log in first\r\n-ERR Log in first\r\n-ERR Log in first\r\n-ERR Log in first\r\n"
             "-ERR USER comes first\r\n" },
    { .name = "looking", .open = true,
      .in = LOGIN "STAT\r\nLIST\r\nLIST 2\r\nUIDL\r\nUIDL 3\r\nNOOP\r\n",
      .out = IN "+OK 3 49\r\n+OK\r\n1 21\r\n2 16\r\n3 12\r\n.\r\n+OK 2 16\r\n"
             "+OK\r\n1 01010101010101010101010101010101\r\n2 02020202020202020202020202020202\r\n"
             "3 03030303030303030303030303030303\r\n.\r\n+OK 3 03030303030303030303030303030303\r\n+OK\r\n" },
    { .name = "reading", .open = true,
      .in = LOGIN "RETR 1\r\nretr 3\r\nTOP 1 1\r\nTOP 1 0\r\nTOP 3 5\r\n",
      .out = IN "+OK 21 octets\r\nSubject: 1\r\n\r\nx\r\n..y\r\n.\r\n+OK 12 octets\r\nSubject: 3\r\n.\r\n"
             "+OK\r\nSubject: 1\r\n\r\nx\r\n.\r\n+OK\r\nSubject: 1\r\n\r\n.\r\n+OK\r\nSubject: 3\r\n.\r\n" },
    { .name = "no such message", .open = true,
      .in = LOGIN "RETR 0\r\nRETR 4\r\nRETR x\r\nRETR -1\r\nRETR 99999999999999999999\r\nRETR 1 1\r\nRETR\r\n"
            "TOP 1\r\nTOP 1 x\r\nTOP 4 1\r\nDELE 4\r\nLIST 4\r\nUIDL 0\r\nSTAT 1\r\n",
      .out = IN NONE NONE NONE NONE NONE NONE "-ERR An argument is missing\r\n"
             "-ERR TOP wants a message and a number of lines\r\n"
             "-ERR TOP wants a message and a number of lines\r\n" NONE NONE NONE NONE
             "-ERR There is no argument\r\n" },
    { .name = "deleting", .expunged = 2,
      .in = LOGIN "DELE 1\r\nDELE 1\r\nDELE 3\r\nSTAT\r\nLIST\r\nRETR 1\r\nUIDL\r\nQUIT\r\n",
      .out = IN "+OK Deleted at QUIT\r\n" NONE "+OK Deleted at QUIT\r\n+OK 1 16\r\n+OK\r\n2 16\r\n.\r\n" NONE
             "+OK\r\n2 02020202020202020202020202020202\r\n.\r\n" BYE },
    { .name = "changing one's mind", .in = LOGIN "DELE 1\r\nRSET\r\nLIST 1\r\nQUIT\r\n",
      .out = IN "+OK Deleted at QUIT\r\n+OK 3 49\r\n+OK 1 21\r\n" BYE },
    { .name = "nothing goes without QUIT", .in = LOGIN "DELE 1\r\n", .open = true,
      .out = IN "+OK Deleted at QUIT\r\n" },
    { .name = "a line with a NUL", .in = "NO\001OP\r\n", .open = true, .out = HELLO "-ERR Unknown command\r\n" },
    /* clang-format on */
};

static struct pop3d pop3d;
static struct fake_store *store;

static void
setup(void)
{
    store = fake_start(&pop3d);
    fake_add(store, FIRST);
    fake_add(store, SECOND);
    fake_add(store, THIRD);
}

static void
teardown(void)
{
    fake_stop(&pop3d);
}

static void
say(struct yb_conn *c, const char *text)
{
    struct yb_str rest = yb_str_from(text);

    while (rest.n > 0 && fake_is_open(c)) {
        size_t end = yb_str_find_str(rest, YB_STR("\r\n"));

        fake_line(c, yb_str_head(rest, end), 0);
        rest = yb_str_skip(rest, end + 2);
    }
}

START_TEST(test_session)
{
    struct yb_conn *c = fake_open(&pop3d, !sessions[_i].clear);
    struct yb_str out;

    say(c, sessions[_i].in);
    out = fake_output(c);
    ck_assert_msg(yb_str_eq(out, yb_str_from(sessions[_i].out)), "%s:\n%.*s", sessions[_i].name,
                  YB_STR_ARG(out));
    ck_assert(fake_is_open(c) == sessions[_i].open);
    fake_close(&c);
    ck_assert_uint_eq(store->expunged, sessions[_i].expunged);
    ck_assert_uint_eq(store->durable, sessions[_i].expunged > 0 ? 1 : 0);
}
END_TEST

/* A name given before the handshake is not remembered after it, and input before it is the
 * engine's to drop. */
START_TEST(test_stls_forgets)
{
    struct yb_conn *c = fake_open(&pop3d, true);
    struct pop3d_session *s = yb_conn_session(c);

    say(c, "USER alice@a.test\r\n");
    pop3d_service.tls_started(c);
    ck_assert_int_eq(s->state, POP3D_AUTHORIZATION);
    fake_output(c);
    say(c, "PASS correct horse\r\n");
    ck_assert(yb_str_eq(fake_output(c), YB_STR("-ERR USER comes first\r\n")));
    fake_close(&c);
}
END_TEST

START_TEST(test_in_use)
{
    struct yb_conn *one = fake_open(&pop3d, true), *two = fake_open(&pop3d, true);
    struct yb_str out;

    say(one, LOGIN);
    fake_output(two);
    say(two, LOGIN);
    out = fake_output(two);
    ck_assert_msg(
        yb_str_eq(out, YB_STR("+OK Password, please\r\n-ERR [IN-USE] Another session has this "
                              "mailbox\r\n")),
        "%.*s", YB_STR_ARG(out));
    say(one, "QUIT\r\n");
    ck_assert_uint_eq(store->locks, 0); /* before the client reads +OK */
    say(two, LOGIN);
    ck_assert(yb_str_starts(fake_output(two), YB_STR("+OK Password, please\r\n+OK 3")));
    fake_close(&one);
    fake_close(&two);
}
END_TEST

/* What is stored with bare LFs goes out in lines, and is counted so; each message is read for that
 * once. */
START_TEST(test_bare_line_ends)
{
    static const char answers[] =
        "+OK Password, please\r\n+OK 5 messages (73 octets)\r\n+OK 5 73\r\n"
        "+OK\r\n1 21\r\n2 16\r\n3 12\r\n4 19\r\n5 5\r\n.\r\n"
        "+OK 19 octets\r\nA: 1\r\n\r\n..\r\nb\rc\r\nd\r\n.\r\n+OK\r\nA: 1\r\n\r\n..\r\n.\r\n"
        "+OK 5 octets\r\nend\r\n.\r\n";

    fake_add(store, "A: 1\n\n.\nb\rc\nd\r\n");
    fake_add(store, "end");
    for (unsigned login = 0; login < 4; login++) {
        struct yb_conn *c = fake_open(&pop3d, true);
        struct yb_str out;

        if (login == 2) /* what cannot be ours is as if there were none */
            yb_buf_truncate(store->memo, yb_buf_size(store->memo) - 1);
        store->reads = 0;
        fake_output(c);
        say(c, LOGIN "STAT\r\nLIST\r\nRETR 4\r\nTOP 4 1\r\nRETR 5\r\n");
        out = fake_output(c);
        ck_assert_msg(yb_str_eq(out, yb_str_from(answers)), "%.*s", YB_STR_ARG(out));
        ck_assert_uint_eq(store->reads, 3 + (login % 2 == 0 ? 5 : 0));
        fake_close(&c);
    }
    /* A message more is one to be read, and RSET counts as before. */
    fake_add(store, "x\n");
    for (unsigned login = 0; login < 2; login++) {
        struct yb_conn *c = fake_open(&pop3d, true);

        store->reads = 0;
        fake_output(c);
        say(c, LOGIN "DELE 4\r\nSTAT\r\nRSET\r\n");
        ck_assert(yb_str_eq(fake_output(c),
                            YB_STR("+OK Password, please\r\n+OK 6 messages (76 octets)\r\n"
                                   "+OK Deleted at QUIT\r\n+OK 5 57\r\n+OK 6 76\r\n")));
        ck_assert_uint_eq(store->reads, login == 0);
        fake_close(&c);
    }
}
END_TEST

/* A session that ends while it counts leaves what it counted to the next. */
START_TEST(test_ends_while_counting)
{
    for (unsigned login = 0; login < 4; login++) {
        struct yb_account_id id = { { 0 } };
        struct pop3d_maildrop *d;
        struct yb_err err = { 0 };

        store->reads = 0;
        ck_assert_int_eq(pop3d_maildrop_open((struct yb_store *)store, id, &d, &err), 0);
        ck_assert(pop3d_maildrop_count_octets(d, 0) == (login < 2));
        ck_assert_uint_eq(store->reads, login < 3);
        pop3d_maildrop_close(&d);
    }
}
END_TEST

START_TEST(test_trouble)
{
    struct yb_conn *c = fake_open(&pop3d, true);

    store->fail_open = true;
    fake_output(c);
    say(c, LOGIN);
    ck_assert(yb_str_starts(fake_output(c), YB_STR("+OK Password, please\r\n-ERR [SYS/TEMP] ")));
    store->fail_open = false;
    say(c, LOGIN);
    store->lost = true;
    fake_output(c);
    say(c, "RETR 1\r\n");
    ck_assert(
        yb_str_eq(fake_output(c), YB_STR("-ERR This message was removed by another session\r\n")));
    store->fail_expunge = true;
    say(c, "DELE 1\r\n");
    fake_output(c);
    say(c, "QUIT\r\n");
    ck_assert(yb_str_eq(fake_output(c),
                        YB_STR("-ERR [SYS/TEMP] Some deleted messages were not removed\r\n")));
    ck_assert(!fake_is_open(c));
    fake_close(&c);
}
END_TEST

START_TEST(test_draining)
{
    struct yb_conn *c = fake_open(&pop3d, true);

    atomic_store(&pop3d.draining, true);
    fake_output(c);
    say(c, LOGIN);
    ck_assert(yb_str_starts(fake_output(c), YB_STR("+OK Password, please\r\n-ERR [SYS/TEMP] ")));
    fake_close(&c);
}
END_TEST

/* A long listing comes in pieces, each of bounded size. */
START_TEST(test_many)
{
    struct yb_conn *c = fake_open(&pop3d, true);
    struct yb_str out, line;
    size_t n = 0;

    store->many = 100000;
    say(c, LOGIN);
    fake_output(c);
    say(c, "UIDL\r\n");
    out = fake_output(c);
    while (yb_str_split(&out, '\n', &line) && line.n > 0)
        n++;
    ck_assert_uint_eq(n, 100002); /* +OK and the dot */
    ck_assert_uint_gt(fake_longest_piece(c), 0);
    ck_assert_uint_le(fake_longest_piece(c), YB_OUT_PIECE + 64);
    fake_close(&c);
}
END_TEST

/* A large message comes in pieces too, dots at their borders included. */
START_TEST(test_large)
{
    struct yb_conn *c = fake_open(&pop3d, true);
    struct yb_buf *message = yb_buf_new(1 << 20), *want = yb_buf_new(1 << 20);

    yb_buf_add(message, YB_STR("Subject: large\r\n\r\n"));
    yb_buf_add(want, YB_STR("+OK 300018 octets\r\nSubject: large\r\n\r\n"));
    for (int i = 0; i < 100000; i++) {
        yb_buf_add(message, YB_STR(".\r\n"));
        yb_buf_add(want, YB_STR("..\r\n"));
    }
    yb_buf_add(want, YB_STR(".\r\n"));
    store->messages[0].bytes = yb_buf_view(message);
    say(c, LOGIN);
    fake_output(c);
    say(c, "RETR 1\r\n");
    ck_assert(yb_str_eq(fake_output(c), yb_buf_view(want)));
    ck_assert_uint_le(fake_longest_piece(c), YB_OUT_PIECE);
    say(c, "TOP 1 99999\r\n");
    ck_assert_uint_eq(fake_output(c).n, strlen("+OK\r\n") + 18 + 99999 * 4 + 3);
    yb_buf_free(&message);
    yb_buf_free(&want);
    fake_close(&c);
}
END_TEST

START_TEST(test_flags)
{
    static const struct {
        unsigned flags;
        const char *out;
    } cases[] = { { YB_IN_TOO_LONG, "-ERR Line too long\r\n" },
                  { YB_IN_NUL, "-ERR Forbidden character\r\n" },
                  { YB_IN_BARE_CR, "-ERR Forbidden character\r\n" },
                  { YB_IN_BARE_LF, "+OK\r\n" } };

    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        struct yb_conn *c = fake_open(&pop3d, true);

        fake_output(c);
        say(c, "AUTH PLAIN\r\n");
        fake_line(c, YB_STR("*"), 0);
        fake_output(c);
        fake_line(c, YB_STR("QUIT"), cases[i].flags);
        ck_assert(yb_str_eq(fake_output(c), yb_str_from(cases[i].out)));
        fake_close(&c);
    }
}
END_TEST

START_TEST(test_nonsense_ends)
{
    struct yb_conn *c = fake_open(&pop3d, true);
    unsigned n = 0;

    while (fake_is_open(c) && n < 100) {
        fake_line(c, YB_STR("GET / HTTP/1.1"), 0);
        n++;
    }
    ck_assert_uint_eq(n, 20);
    fake_close(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("session");
    TCase *tc = tcase_create("session");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_session, 0, YB_COUNT(sessions));
    tcase_add_test(tc, test_stls_forgets);
    tcase_add_test(tc, test_in_use);
    tcase_add_test(tc, test_bare_line_ends);
    tcase_add_test(tc, test_ends_while_counting);
    tcase_add_test(tc, test_trouble);
    tcase_add_test(tc, test_draining);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_large);
    tcase_add_test(tc, test_flags);
    tcase_add_test(tc, test_nonsense_ends);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
