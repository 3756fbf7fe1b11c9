/* What mail programs really send, beside what the books say. */
#include "tests/unit/imapd/script.h"

#include "lib/mime/tree.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig rig;

static void
setup(void)
{
    rig_start_alone(&rig);
}

static void
teardown(void)
{
    rig_stop(&rig);
}

/* Phones write the day of the month with one digit. */
START_TEST(test_append_date)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    PLAY(c, { "a APPEND INBOX (\\Seen) \"3-Feb-2025 18:28:47 +0000\" {3+}\r\nabc\r\n", { "a OK" } },
         { "b FETCH 1 INTERNALDATE\r\n", { "\"03-Feb-2025 18:28:47 +0000\"" } });
    fake_free(&c);
}
END_TEST

/* Every part that BODYSTRUCTURE tells of can be asked for. */
START_TEST(test_deep_section)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");
    struct yb_buf *b = yb_buf_new(1u << 20);

    for (unsigned mixed = 0; mixed < 2; mixed++) {
        char number[20];

        yb_buf_clear(b);
        for (int i = 0; i < YB_MIME_DEPTH_MAX - 1; i++) {
            yb_buf_add(b, YB_STR("Content-Type: "));
            if (mixed)
                yb_buf_printf(b, "multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
            else
                yb_buf_add(b, YB_STR("message/rfc822\r\n\r\n"));
        }
        yb_buf_add(b, YB_STR("\r\nfound"));
        yb_buf_add_c(b, '\0');
        rig_append(&rig, "ann@one.test", "INBOX", yb_buf_view(b).p);
        yb_buf_clear(b);
        snprintf(number, sizeof(number), "a FETCH %u (", mixed + 1);
        yb_buf_add(b, yb_str_from(number));
        yb_buf_add(b, YB_STR("BODY.PEEK[1"));
        for (int i = 0; i < YB_MIME_DEPTH_MAX - 2; i++)
            yb_buf_add(b, YB_STR(".1"));
        yb_buf_add(b, YB_STR("])\r\n"));
        yb_buf_add_c(b, '\0');
        PLAY(c, { "b NOOP\r\n", { "b OK" } }, { yb_buf_view(b).p, { "found", "a OK" } });
    }
    yb_buf_free(&b);
    fake_free(&c);
}
END_TEST

/* A migration names mailboxes that there cannot be: it is told so, however often. */
START_TEST(test_no_utf7)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    rig_append(&rig, "ann@one.test", "INBOX", "x");
    for (unsigned i = 0; i < 20; i++)
        PLAY(c, { "a CREATE \"Tom & Jerry\"\r\n", { "a NO [CANNOT]", "!BYE" } },
             { "b SELECT \"Tom & Jerry\"\r\n", { "b NO [CANNOT]" } },
             { "c STATUS \"Tom & Jerry\" (MESSAGES)\r\n", { "c NO [CANNOT]" } },
             { "d RENAME INBOX \"Tom & Jerry\"\r\n", { "d NO [CANNOT]" } },
             { "e SUBSCRIBE \"Tom & Jerry\"\r\n", { "e NO [CANNOT]" } },
             { "f APPEND \"Tom & Jerry\" {3}\r\n", { "f NO [CANNOT]", "!+" } },
             { "g APPEND \"Tom & Jerry\" {3+}\r\nabc\r\n", { "g NO [CANNOT]" } },
             { "h LIST \"\" \"Tom & Jerry\"\r\n", { "h OK", "!LIST (" } });
    PLAY(c, { "i SELECT INBOX\r\n", { "i OK" } },
         { "j COPY 1 \"Tom & Jerry\"\r\n", { "j NO [CANNOT]" } });
    fake_free(&c);
}
END_TEST

/* macOS writes letters and accents apart; what SELECT takes, LIST finds. */
START_TEST(test_decomposed)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);

    PLAY(c, { "a CREATE \"Entwu&Awg-rfe/u&Awg-\"\r\n", { "a OK" } },
         { "b SELECT \"Entwu&Awg-rfe/u&Awg-\"\r\n", { "b OK" } },
         { "c LIST \"\" \"Entwu&Awg-rfe/%\"\r\n", { "\"Entw&APw-rfe/&APw-\"" } },
         { "d LIST \"Entwu&Awg-rfe/\" u&Awg-\r\n", { "\"Entw&APw-rfe/&APw-\"" } },
         { "e CREATE \"Entw&APw-rfe/&APw-\"\r\n", { "e NO [ALREADYEXISTS]" } },
         { "f SUBSCRIBE \"Entwu&Awg-rfe/u&Awg-\"\r\n", { "f OK" } },
         { "g LSUB \"\" \"Entwu&Awg-rfe/*\"\r\n", { "LSUB () \"/\" \"Entw&APw-rfe/&APw-\"" } });
    fake_free(&c);
}
END_TEST

/* Programs that show subscribed folders only do not lose what is renamed, nor what lies below it. */
START_TEST(test_rename_subscribed)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);

    PLAY(c, { "a CREATE old/in\r\n", { "a OK" } }, { "a CREATE older\r\n", { "a OK" } },
         { "b SUBSCRIBE old\r\n", { "b OK" } }, { "b SUBSCRIBE old/in\r\n", { "b OK" } },
         { "b SUBSCRIBE older\r\n", { "b OK" } }, { "c RENAME old new\r\n", { "c OK" } },
         { "d LSUB \"\" *\r\n",
           { "LSUB () \"/\" \"new\"", "\"new/in\"", "\"older\"", "!\"old\"", "!\"old/in\"" } },
         { "e RENAME new/in other\r\n", { "e OK" } },
         { "f LSUB \"\" *\r\n", { "\"new\"", "\"other\"", "!in\"" } });
    fake_free(&c);
}
END_TEST

/* Messages that another session expunged, and that this one may not be told of yet. */
START_TEST(test_gone)
{
    struct yb_conn *c, *other;

    for (unsigned i = 0; i < 4; i++)
        rig_append(&rig, "ann@one.test", "INBOX", "Subject: x\r\n\r\nx\r\n");
    c = rig_login(&rig, "ann@one.test", "INBOX");
    other = rig_login(&rig, "ann@one.test", "INBOX");
    PLAY(c, { "a CREATE To\r\n", { "a OK" } },
         { "a SEARCH ALL\r\n", { "* SEARCH 1 2 3 4\r\n", "a OK SEARCH" } });
    PLAY(other, { "a STORE 2:3 +FLAGS.SILENT \\Deleted\r\n", { "a OK" } },
         { "b EXPUNGE\r\n", { "* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n", "b OK" } });
    PLAY(c, { "b SEARCH ALL\r\n", { "* SEARCH 1 4\r\n", "b OK [EXPUNGEISSUED]", "!EXPUNGE\r\n" } },
         { "c STORE 1:4 +FLAGS.SILENT \\Seen\r\n", { "c OK [EXPUNGEISSUED]", "!EXPUNGE\r\n" } },
         { "d STORE 1:4 +FLAGS \\Flagged\r\n", { "* 4 FETCH", "d NO [EXPUNGEISSUED]" } },
         { "e STORE 2:3 +FLAGS \\Seen\r\n", { "!FETCH (", "e NO [EXPUNGEISSUED]" } },
         { "f FETCH 1:4 BODY.PEEK[]\r\n", { "* 4 FETCH", "!* 2 FETCH", "f NO [EXPUNGEISSUED]" } },
         /* which lets them be told */
         { "g UID FETCH 1:4 BODY.PEEK[]\r\n", { "* 4 FETCH", "* 2 EXPUNGE\r\n", "g OK" } },
         { "h SEARCH ALL\r\n", { "* SEARCH 1 2\r\n", "h OK SEARCH" } });
    PLAY(other, { "c STORE 1 +FLAGS.SILENT \\Deleted\r\n", { "c OK" } },
         { "d EXPUNGE\r\n", { "* 1 EXPUNGE\r\n", "d OK" } });
    PLAY(c, { "i UID STORE 1 +FLAGS \\Seen\r\n", { "!FETCH", "* 1 EXPUNGE\r\n", "i OK STORE" } },
         { "j UID COPY 1:3 To\r\n", { "j OK", "!COPYUID" } },
         { "k UID FETCH 1:3 FLAGS\r\n", { "!FETCH (", "k OK" } });
    PLAY(other, { "e STORE 1 +FLAGS.SILENT \\Deleted\r\n", { "e OK" } },
         { "f EXPUNGE\r\n", { "* 1 EXPUNGE\r\n", "f OK" } });
    PLAY(c, { "l UID MOVE 4 To\r\n", { "* 1 EXPUNGE\r\n", "l OK", "!COPYUID" } });
    fake_free(&other);
    fake_free(&c);
}
END_TEST

/* A message is \Recent to one session, the first that was told of it (RFC 3501 §2.3.2). */
START_TEST(test_recent)
{
    struct yb_conn *a = rig_login(&rig, "ann@one.test", "INBOX"), *b, *ex, *last;

    b = rig_login(&rig, "ann@one.test", "INBOX");
    rig_append(&rig, "ann@one.test", "INBOX", "x");
    PLAY(a, { "a NOOP\r\n", { "* 1 EXISTS\r\n* 1 RECENT\r\n" } },
         { "b FETCH 1 FLAGS\r\n", { "(FLAGS (\\Recent))" } });
    PLAY(b, { "a NOOP\r\n", { "* 1 EXISTS\r\n* 0 RECENT\r\n" } },
         { "b FETCH 1 FLAGS\r\n", { "(FLAGS ())" } });
    rig_append(&rig, "ann@one.test", "INBOX", "x");
    PLAY(b, { "c NOOP\r\n", { "* 2 EXISTS\r\n* 1 RECENT\r\n" } },
         { "c STORE 1:2 +FLAGS \\Seen\r\n",
           { "* 1 FETCH (FLAGS (\\Seen))", "* 2 FETCH (FLAGS (\\Seen \\Recent))" } });
    PLAY(a, { "c NOOP\r\n",
              { "* 2 EXISTS\r\n* 1 RECENT\r\n", "* 1 FETCH (FLAGS (\\Seen \\Recent))" } });
    ex = rig_login(&rig, "ann@one.test", NULL);
    rig_append(&rig, "ann@one.test", "INBOX", "x");
    PLAY(ex, { "a STATUS INBOX (RECENT)\r\n", { "(RECENT 1)" } },
         { "b EXAMINE INBOX\r\n", { "* 3 EXISTS\r\n* 1 RECENT\r\n" } },
         { "c SEARCH RECENT\r\n", { "* SEARCH 3\r\n" } },
         { "d STATUS INBOX (RECENT)\r\n", { "(RECENT 1)" } });
    PLAY(a, { "d NOOP\r\n", { "* 3 EXISTS\r\n* 2 RECENT\r\n" } },
         { "d STATUS INBOX (RECENT)\r\n", { "(RECENT 0)" } },
         { "e SEARCH RECENT\r\n", { "* SEARCH 1 3\r\n" } },
         { "f SEARCH OLD\r\n", { "* SEARCH 2\r\n" } },
         { "g SEARCH NEW\r\n", { "* SEARCH 3\r\n" } });
    last = rig_login(&rig, "ann@one.test", NULL);
    PLAY(last, { "a SELECT INBOX\r\n", { "* 3 EXISTS\r\n* 0 RECENT\r\n" } });
    fake_free(&last);
    fake_free(&ex);
    fake_free(&b);
    fake_free(&a);
}
END_TEST

/* RFC 6154: what a mailbox is for is said when it is made. */
START_TEST(test_uses)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);

    PLAY(
        c, { "a CREATE Gesendet (USE (\\sent))\r\n", { "a OK" } },
        { "b LIST (SPECIAL-USE) \"\" *\r\n",
          { "* LIST (\\HasNoChildren \\Sent) \"/\" \"Gesendet\"\r\n", "!INBOX" } },
        { "c CREATE Sent (USE (\\Sent))\r\n", { "c NO [USEATTR]" } },
        { "c CREATE All (USE (\\All))\r\n", { "c NO [USEATTR]" } },
        { "c CREATE Two (USE (\\Drafts \\Trash))\r\n", { "c NO [USEATTR]" } },
        { "c CREATE Gesendet (USE (\\Drafts))\r\n", { "c NO [ALREADYEXISTS]" } },
        { "d LIST \"\" *\r\n", { "\"Gesendet\"", "!\"Sent\"", "!\"All\"", "!\"Two\"", "!Drafts" } },
        /* the use goes with its mailbox, and is free when that is no more */
        { "e RENAME Gesendet Raus\r\n", { "e OK" } },
        { "e CREATE Sent (USE (\\Sent))\r\n", { "e NO [USEATTR]" } },
        { "f DELETE Raus\r\n", { "f OK" } }, { "g CREATE Neu (USE (\\Sent))\r\n", { "g OK" } },
        { "h LIST \"\" * RETURN (SPECIAL-USE)\r\n", { "\\Sent) \"/\" \"Neu\"" } },
        { "i CREATE Plain (USE ())\r\n", { "i OK" } });
    fake_free(&c);
}
END_TEST

/* RFC 5258, and the STATUS of RFC 5819 between. */
START_TEST(test_list_extended)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);

    rig_append(&rig, "ann@one.test", "INBOX", "x");
    PLAY(c, { "a CREATE Fruit/Apple\r\n", { "a OK" } },
         { "a CREATE Herbs/Mint (USE (\\Archive))\r\n", { "a OK" } },
         { "a SUBSCRIBE Fruit/Apple\r\n", { "a OK" } },
         { "a SUBSCRIBE Fruit/Peach\r\n", { "a OK" } },
         { "a SUBSCRIBE Herbs/Mint\r\n", { "a OK" } },
         { "b LIST (SUBSCRIBED) \"\" *\r\n",
           { "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"Fruit/Apple\"\r\n",
             "* LIST (\\NonExistent \\Noselect \\Subscribed) \"/\" \"Fruit/Peach\"\r\n", "!INBOX",
             "!\"Fruit\"" } },
         { "c LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %\r\n",
           { "\"Fruit\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
             "\"Herbs\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n", "!INBOX", "!Apple" } },
         /* all options that are named, together */
         { "d LIST (SUBSCRIBED SPECIAL-USE RECURSIVEMATCH) \"\" %\r\n",
           { "\"Herbs\" (\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\"))\r\n", "!Fruit" } },
         { "e LIST (REMOTE) \"\" *\r\n", { "\"INBOX\"", "\"Fruit/Apple\"", "!Peach" } },
         { "f LIST \"\" (INBOX \"Fruit/*\" F%)\r\n",
           { "\"INBOX\"", "\"Fruit\"", "\"Fruit/Apple\"", "!Herbs", "!Peach" } },
         { "g LIST \"\" % RETURN (STATUS (MESSAGES RECENT APPENDLIMIT))\r\n",
           { "\"INBOX\"\r\n* STATUS \"INBOX\" (MESSAGES 1 RECENT 1 APPENDLIMIT 1048576)\r\n",
             "\"Fruit\"\r\n", "!STATUS \"Fruit\"", "g OK" } });
    PLAY(c,
         { "h LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Fruit* RETURN (STATUS (MESSAGES))\r\n",
           { "* STATUS \"Fruit/Apple\" (MESSAGES 0)\r\n", "!STATUS \"Fruit\"",
             "!STATUS \"Fruit/Peach\"", "h OK" } },
         { "i CREATE Fruit\r\n", { "i OK" } },
         { "i LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Fruit* RETURN (STATUS (MESSAGES))\r\n",
           { "!STATUS \"Fruit\"" } },
         { "j STATUS INBOX (APPENDLIMIT)\r\n", { "* STATUS \"INBOX\" (APPENDLIMIT 1048576)\r\n" } },
         { "k CAPABILITY\r\n",
           { " CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS ", " APPENDLIMIT=1048576" } });
    fake_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/habits");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_append_date);
    tcase_add_test(tc, test_deep_section);
    tcase_add_test(tc, test_no_utf7);
    tcase_add_test(tc, test_decomposed);
    tcase_add_test(tc, test_rename_subscribed);
    tcase_add_test(tc, test_gone);
    tcase_add_test(tc, test_recent);
    tcase_add_test(tc, test_uses);
    tcase_add_test(tc, test_list_extended);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
