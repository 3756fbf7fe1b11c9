/* Deliveries over LMTP into a real store in a temporary folder. */
#include "lmtpd/deliver.h"
#include "tests/unit/smtp/fake_conn.h"

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCOUNT "XACCOUNT=a1000000000000000000000000000000"
#define OTHER "XACCOUNT=a2000000000000000000000000000000"
#define DELIVERY(n) "XDELIVERY=d" #n "000000000000000000000000000000"
#define MAIL "MAIL FROM:<Me@c.test> XSESSION=0102030405060708.00112233445566778899aabbccddeeff\r\n"

struct office {
    char root[64];
    struct lmtpd_deliver deliver;
    struct yb_smtp_server *server;
    struct yb_conn *conn;
};

static void
office_open(struct office *o)
{
    const struct yb_smtp_conf conf = {
        .dialect = YB_SMTP_LMTP, .name = "lmtp", .hostname = "mx.test", .max_message = 1 << 20
    };
    struct fake_spec fake = { .service = &yb_lmtp_service, .is_unix = true };
    struct yb_store_conf store = { .node = { { 1 } } };
    char id[YB_ID_TEXT];
    struct yb_err err = { 0 };

    memset(o, 0, sizeof(*o));
    memcpy(o->root, "/tmp/yubin-lmtpd.XXXXXX", sizeof("/tmp/yubin-lmtpd.XXXXXX"));
    ck_assert(mkdtemp(o->root) != NULL);
    store.root = o->root;
    ck_assert_msg(yb_store_init(o->root, id, &err) == 0, "%s", err.text);
    ck_assert_msg(yb_store_root_open(&store, NULL, &o->deliver.store, &err) == 0, "%s", err.text);
    o->server = yb_smtp_server_new(&conf, &lmtpd_hooks, &o->deliver);
    fake.arg = o->server;
    o->conn = fake_open(&fake);
    fake_feed(o->conn, YB_STR("LHLO me\r\n"), 0);
    fake_clear(o->conn);
}

static int
remove_one(const char *path, const struct stat *st YB_UNUSED, int flag YB_UNUSED,
           struct FTW *ftw YB_UNUSED)
{
    return remove(path);
}

static void
office_close(struct office *o)
{
    fake_free(&o->conn);
    yb_smtp_server_free(&o->server);
    yb_store_root_close(&o->deliver.store);
    nftw(o->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The codes of the replies to `text`. */
static const char *
say(struct office *o, const char *text, char *codes, size_t size)
{
    struct yb_str out, line;
    size_t n = 0;

    fake_clear(o->conn);
    fake_feed(o->conn, yb_str_from(text), 0);
    out = fake_output(o->conn);
    codes[0] = '\0';
    while (yb_str_split(&out, '\n', &line) && line.n > 3)
        n += (size_t)snprintf(codes + n, size - n, "%s%.3s", n > 0 ? " " : "", line.p);
    return codes;
}

/* How many files lie in a folder of the account ("a1…" or "a2…"); the last one is read into `text`. */
static int
count_files(const struct office *o, const char *account, const char *folder, char *text,
            size_t size)
{
    char path[300], file[600];
    struct dirent *e;
    int n = 0;
    DIR *d;

    snprintf(path, sizeof(path), "%s/%.2s/%s000000000000000000000000000000/Maildir/%snew", o->root,
             account, account, folder);
    d = opendir(path);
    while (d != NULL && (e = readdir(d)) != NULL) {
        FILE *f;
        size_t got;

        if (e->d_name[0] == '.')
            continue;
        n++;
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        f = fopen(file, "r");
        got = f == NULL ? 0 : fread(text, 1, size - 1, f);
        text[got] = '\0';
        if (f != NULL)
            fclose(f);
    }
    if (d != NULL)
        closedir(d);
    return n;
}

START_TEST(test_two)
{
    struct office o;
    char codes[100], text[500];

    office_open(&o);
    say(&o,
        MAIL "RCPT TO:<Ann@d.test> " ACCOUNT
             " " DELIVERY(1) "\r\n"
                             "RCPT TO:<ben@d.test> " OTHER
                             " " DELIVERY(2) " XMARK=junk\r\n"
                                             "BDAT 11 LAST\r\nX: y\r\n\r\n.\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 250 250 250 250");
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1);
    ck_assert_str_eq(text,
                     "Return-Path: <Me@c.test>\r\nDelivered-To: Ann@d.test\r\nX: y\r\n\r\n.\r\n");
    ck_assert_int_eq(count_files(&o, "a2", "", text, sizeof(text)), 0);
    ck_assert_int_eq(count_files(&o, "a2", ".Junk/", text, sizeof(text)), 1);
    ck_assert(o.deliver.delivered == 2 && o.deliver.refused == 0);
    office_close(&o);
}
END_TEST

/* Empty, in one octet, in three chunks and with dots: what is stored is what was sent. */
START_TEST(test_octets)
{
    static const struct {
        bool dot;
        const char *say, *want;
    } cases[] = {
        { false, "BDAT 0 LAST\r\n", "" },
        { false, "BDAT 1\r\nxBDAT 2\r\n\r\nBDAT 2 LAST\r\n\r\n", "x\r\n\r\n" },
        { true, ".\r\n", "" },
        { true, "..x\r\n.\r\n", ".x\r\n" },
    };
    struct office o;
    char codes[100], text[500], want[500];

    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        office_open(&o);
        say(&o, "MAIL FROM:<>\r\nRCPT TO:<ann@d.test> " ACCOUNT " " DELIVERY(1) "\r\n", codes,
            sizeof(codes));
        if (cases[i].dot)
            say(&o, "DATA\r\n", codes, sizeof(codes));
        say(&o, cases[i].say, codes, sizeof(codes));
        ck_assert_msg(strcmp(codes + strlen(codes) - 3, "250") == 0, "%zu: %s", i, codes);
        snprintf(want, sizeof(want), "Return-Path: <>\r\nDelivered-To: ann@d.test\r\n%s",
                 cases[i].want);
        ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1);
        ck_assert_str_eq(text, want);
        office_close(&o);
    }
}
END_TEST

/* XREPEAT finds what is there, and stores what is not. */
START_TEST(test_repeat)
{
    static const char again[] =
        MAIL "RCPT TO:<ann@d.test> " ACCOUNT " " DELIVERY(1) " XREPEAT\r\nBDAT 3 LAST\r\nx\r\n";
    struct office o;
    char codes[100], text[500];

    office_open(&o);
    ck_assert_str_eq(say(&o, again, codes, sizeof(codes)), "250 250 250");
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1);
    ck_assert_str_eq(say(&o, again, codes, sizeof(codes)), "250 250 250");
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1);
    ck_assert(o.deliver.duplicates == 1);
    office_close(&o);
}
END_TEST

/* Who handed it over has given up before it is whole, and comes again by another way: before it, or
 * not yet. */
START_TEST(test_left)
{
    static const char half[] =
        MAIL "RCPT TO:<ann@d.test> " ACCOUNT " " DELIVERY(1) "\r\nBDAT 3 LAST\r\nx";
    static const char again[] =
        MAIL "RCPT TO:<ann@d.test> " ACCOUNT " " DELIVERY(1) " XREPEAT\r\nBDAT 3 LAST\r\nx\r\n";
    struct fake_spec fake = { .service = &yb_lmtp_service, .is_unix = true };
    struct yb_conn *late;
    struct office o;
    char codes[100], text[500];

    office_open(&o);
    fake.arg = o.server;
    say(&o, half, codes, sizeof(codes));
    fake_leave(o.conn);
    late = o.conn;
    o.conn = fake_open(&fake);
    fake_feed(o.conn, YB_STR("LHLO me\r\n"), 0);
    if (_i == 1)
        ck_assert_str_eq(say(&o, again, codes, sizeof(codes)), "250 250 250");
    fake_clear(late);
    fake_feed(late, YB_STR("\r\n"), 0);
    ck_assert(yb_str_starts(fake_output(late), YB_STR("451 4.4.2 ")));
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), _i);
    ck_assert_str_eq(say(&o, again, codes, sizeof(codes)), "250 250 250");
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1);
    fake_free(&late);
    office_close(&o);
}
END_TEST

/* The one account's, as it is reported. */
static struct yb_usage
usage_told(struct office *o)
{
    struct yb_account_id id;
    struct yb_usage u = { 0 };

    (void)yb_store_changed_usage(o->deliver.store, &id, &u, 1);
    return u;
}

/* A full mailbox says so at RCPT when the size is known or not even the fields of delivery fit,
 * exactly at the end otherwise, and never to what somebody already heard 250 for. */
START_TEST(test_quota)
{
    struct office o;
    char codes[100], text[500];

    office_open(&o);
    say(&o,
        "MAIL FROM:<a@c.test> SIZE=200\r\nRCPT TO:<ann@d.test> " ACCOUNT
        " " DELIVERY(1) " XQUOTA=100\r\nRSET\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 552 250"); /* it never will */
    say(&o,
        "MAIL FROM:<a@c.test>\r\nRCPT TO:<ann@d.test> " ACCOUNT
        " " DELIVERY(1) " XQUOTA=52\r\nBDAT 3 LAST\r\nx\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 250 552");
    ck_assert(usage_told(&o).full == false);
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 0);
    say(&o,
        "MAIL FROM:<a@c.test> SIZE=200\r\nRCPT TO:<ann@d.test> " ACCOUNT
        " " DELIVERY(1) " XQUOTA=20 XACCEPTED\r\nBDAT 3 LAST\r\nx\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 250 250");
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1);
    ck_assert(!usage_told(&o).full);
    /* No room for this one now: full, until something fits or goes, if it came. */
    say(&o,
        "MAIL FROM:<a@c.test> SIZE=50 XASK\r\nRCPT TO:<ann@d.test> " ACCOUNT
        " " DELIVERY(2) " XQUOTA=120\r\nRSET\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 452 250");
    ck_assert(!usage_told(&o).full);
    say(&o,
        "MAIL FROM:<a@c.test> SIZE=50\r\nRCPT TO:<ann@d.test> " ACCOUNT
        " " DELIVERY(2) " XQUOTA=120\r\nRSET\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 452 250");
    ck_assert(usage_told(&o).full);
    say(&o,
        "MAIL FROM:<a@c.test> SIZE=3\r\nRCPT TO:<ann@d.test> " ACCOUNT
        " " DELIVERY(3) " XQUOTA=120\r\nBDAT 3 LAST\r\nx\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 250 250");
    ck_assert(!usage_told(&o).full);
    office_close(&o);
}
END_TEST

/* XWHOLE: for all or for nobody, whoever comes first. */
START_TEST(test_whole)
{
    static const char *const rcpts[] = {
        "RCPT TO:<ann@d.test> " ACCOUNT " " DELIVERY(1) "\r\nRCPT TO:<ben@d.test> " OTHER
                                                        " " DELIVERY(2) " XQUOTA=110\r\n",
        "RCPT TO:<ben@d.test> " OTHER " " DELIVERY(2) " XQUOTA=110\r\nRCPT TO:<ann@d.test> " ACCOUNT
                                                      " " DELIVERY(1) "\r\n",
    };
    static const char *const wants[2][2] = {
        { "250 250 250 250 452", "250 250 250 452 250" },
        { "250 250 250 451 452", "250 250 250 452 451" },
    };
    static const char again[] = "MAIL FROM:<a@c.test> XWHOLE\r\nRCPT TO:<ann@d.test> " ACCOUNT
                                " " DELIVERY(1) " XREPEAT\r\nBDAT 3 LAST\r\nx\r\n";
    char codes[100], text[500], line[700];

    for (int whole = 0; whole < 2; whole++) {
        for (int i = 0; i < 2; i++) {
            struct office o;

            office_open(&o);
            say(&o,
                "MAIL FROM:<a@c.test>\r\nRCPT TO:<ben@d.test> " OTHER
                " " DELIVERY(3) "\r\nBDAT 3 LAST\r\nx\r\n",
                codes, sizeof(codes));
            snprintf(line, sizeof(line), "MAIL FROM:<a@c.test>%s\r\n%sBDAT 53 LAST\r\n%51s\r\n",
                     whole ? " XWHOLE" : "", rcpts[i], "x");
            ck_assert_str_eq(say(&o, line, codes, sizeof(codes)), wants[whole][i]);
            ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1 - whole);
            ck_assert_int_eq(count_files(&o, "a2", "", text, sizeof(text)), 1);
            /* What was held back was forgotten: the same id is no repeat. */
            ck_assert_str_eq(say(&o, again, codes, sizeof(codes)), "250 250 250");
            ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 1);
            office_close(&o);
        }
    }
}
END_TEST

/* What is refused leaves nothing: no id, a bad message, a hand-over that ends half-way. */
START_TEST(test_nothing_left)
{
    struct office o;
    char codes[100], text[500];

    office_open(&o);
    say(&o,
        MAIL "RCPT TO:<ann@d.test>\r\nRCPT TO:<ann@d.test> " ACCOUNT
             "\r\nRCPT TO:<ann@d.test> " DELIVERY(1) "\r\nRSET\r\n",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 501 501 501 250");
    say(&o, MAIL "RCPT TO:<ann@d.test> " ACCOUNT " " DELIVERY(1) "\r\nBDAT 3 LAST\r\nx\ny", codes,
        sizeof(codes));
    ck_assert_str_eq(codes, "250 250 550");
    say(&o, MAIL "RCPT TO:<ann@d.test> " ACCOUNT " " DELIVERY(1) "\r\nBDAT 3000 LAST\r\nhalf",
        codes, sizeof(codes));
    ck_assert_str_eq(codes, "250 250");
    fake_time_out(o.conn);
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 0);
    office_close(&o);
}
END_TEST

/* Over TCP, or as a user that is nobody's daemon, nothing is believed. */
START_TEST(test_stranger)
{
    struct fake_spec fake = { .service = &yb_lmtp_service };
    struct office o;
    struct yb_conn *c;

    office_open(&o);
    fake.arg = o.server;
    c = fake_open(&fake);
    ck_assert(yb_str_starts(fake_output(c), YB_STR("554 5.7.1 ")) && fake_is_closed(c));
    fake_free(&c);
    office_close(&o);
}
END_TEST

static int
keeps_nothing(void *home, struct yb_err *err)
{
    *(unsigned *)home += 1;
    return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.2", "elsewhere");
}

/* A store that is at home on another node by now gets nothing here, whoever was told otherwise before. */
START_TEST(test_elsewhere)
{
    struct office o;
    char codes[100], text[1000];
    unsigned asked = 0;

    office_open(&o);
    o.deliver.keeps = keeps_nothing;
    o.deliver.home = &asked;
    ck_assert_str_eq(
        say(&o, MAIL "RCPT TO:<Ann@d.test> " ACCOUNT " " DELIVERY(1) "\r\n", codes, sizeof(codes)),
        "250 451");
    ck_assert_uint_eq(asked, 1);
    ck_assert_int_eq(count_files(&o, "a1", "", text, sizeof(text)), 0);
    office_close(&o);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lmtpd/deliver");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    yb_log_init("test", YB_LOG_ERROR);
    tcase_add_test(tc, test_two);
    tcase_add_test(tc, test_octets);
    tcase_add_test(tc, test_repeat);
    tcase_add_loop_test(tc, test_left, 0, 2);
    tcase_add_test(tc, test_quota);
    tcase_add_test(tc, test_whole);
    tcase_add_test(tc, test_nothing_left);
    tcase_add_test(tc, test_stranger);
    tcase_add_test(tc, test_elsewhere);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
