/*
 * Sessions of imapd: what a client says and hears, over a real store. Each row of a script is what
 * is sent and what must be in the answer; "!x" must not.
 */
#include "tests/unit/imapd/rig.h"

#include "imapd/suspect.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rig rig;

static void
setup(void)
{
    rig_start(&rig);
}

static void
teardown(void)
{
    rig_stop(&rig);
}

#define WANTS 8
struct row {
    const char *say, *want[WANTS];
};

static void
play(struct yb_conn *c, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = rig_say(c, rows[i].say);

        for (size_t k = 0; k < WANTS && rows[i].want[k] != NULL; k++) {
            const char *want = rows[i].want[k];

            if (want[0] == '!')
                ck_assert_msg(strstr(got, want + 1) == NULL, "%s\ngot %s", rows[i].say, got);
            else
                ck_assert_msg(strstr(got, want) != NULL, "%s\nwants %s\ngot %s", rows[i].say, want,
                              got);
        }
    }
}
#define PLAY(c, ...)                                                                               \
    play(c, (const struct row[]){ __VA_ARGS__ }, YB_COUNT(((const struct row[]){ __VA_ARGS__ })))

#define HELLO                                                                                      \
    "From: a@b.test\r\nTo: c@d.test\r\nSubject: hello\r\nDate: Sun, 22 Nov 2026 02:44:25 "         \
    "+0000\r\n\r\nhello body\r\n"
#define APPEND_HELLO "A APPEND INBOX {99+}\r\n" HELLO "\r\n"

/* --- before login --- */

/* clang-format off */
START_TEST(test_before_login)
{
    struct yb_conn *c = rig_connect_plain(&rig);

    ck_assert_uint_eq(sizeof(HELLO) - 1, 99);
    PLAY(c,
         { "a CAPABILITY\r\n", { "* CAPABILITY IMAP4rev1", " STARTTLS", " LOGINDISABLED", " SASL-IR", "!AUTH=", "a OK" } },
         { "b LOGIN ann@one.test secret\r\n", { "b NO [PRIVACYREQUIRED]" } },
         { "b AUTHENTICATE PLAIN\r\n", { "b NO [PRIVACYREQUIRED]", "!+" } },
         { "c SELECT INBOX\r\n", { "c BAD Log in first" } },
         { "d NOOP extra\r\n", { "d BAD" } },
         { "d APPEND INBOX {3+}\r\nabc\r\n", { "d BAD Log in first" } },
         { "e STARTTLS\r\nf NOOP\r\n", { "e OK Begin TLS", "!f OK" } },
         { "g CAPABILITY\r\n", { "AUTH=PLAIN", "AUTH=SCRAM-SHA-256", "!STARTTLS", "!LOGINDISABLED", "!CONDSTORE" } },
         { "h STARTTLS\r\n", { "h BAD TLS is spoken already" } },
         { "i LOGIN ann@one.test wrong\r\n", { "i NO [AUTHENTICATIONFAILED]" } },
         { "j LOGIN {12}\r\n", { "+ " } }, { "ann@one.test {6+}\r\nsecret\r\n", { "j OK [CAPABILITY", " IDLE", " CONDSTORE", "!AUTH=" } },
         { "k LOGIN ann@one.test secret\r\n", { "k BAD Not after login" } },
         { "l LOGOUT\r\n", { "* BYE", "l OK" } });
    ck_assert(fake_is_closed(c));
    fake_free(&c);
}
END_TEST

START_TEST(test_authenticate)
{
    struct yb_conn *c = rig_connect(&rig);

    PLAY(c,
         /* \0ann@one.test\0secret */
         { "a AUTHENTICATE PLAIN\r\n", { "+ \r\n" } },
         { "*\r\n", { "a BAD" } },
         { "b AUTHENTICATE PLAIN AGFubkBvbmUudGVzdAB3cm9uZw==\r\n", { "b NO [AUTHENTICATIONFAILED]" } },
         { "c AUTHENTICATE NOPE\r\n", { "c NO [CANNOT]" } },
         { "c AUTHENTICATE PLAIN\r\n", { "+ \r\n" } }, { "AGFubkBvbmUudGVzdABzZWNyZXQ=\n", { "c BAD Lines end", "!AGF" } },
         { "d AUTHENTICATE PLAIN\r\n", { "+ \r\n" } },
         { "AGFubkBvbmUudGVzdABzZWNyZXQ=\r\n", { "d OK [CAPABILITY" } });
    fake_free(&c);
    c = rig_connect(&rig);
    PLAY(c, { "a AUTHENTICATE PLAIN AGFubkBvbmUudGVzdABzZWNyZXQ=\r\n", { "a OK [CAPABILITY" } });
    fake_free(&c);
}
END_TEST

/* A program that now and then says what it should not is not let go in the course of days; one that
 * says nothing else is. */
START_TEST(test_too_many_wrong)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);

    for (unsigned i = 0; i < 60; i++)
        PLAY(c, { "a NOSUCH\r\n", { "a BAD" } }, { "b NOOP\r\n", { "b OK" } });
    for (unsigned i = 0; i < 13; i++) /* no such command, wrong arguments, a literal in them */
        PLAY(c, { "a NOSUCH\r\n", { "a BAD", "!BYE" } }, { "a SELECT (\r\n", { "a BAD", "!BYE" } },
             { "a APPEND x ({1+}\r\nx\r\n", { "a BAD", "!BYE" } });
    PLAY(c, { "a NOSUCH\r\n", { "* BYE Too many" } });
    ck_assert(fake_is_closed(c));
    fake_free(&c);
}
END_TEST

/* Guessing ends with the connection. */
START_TEST(test_too_many_logins)
{
    struct yb_conn *c = rig_connect(&rig);

    for (unsigned i = 0; i < 9; i++)
        PLAY(c, { "a LOGIN nobody@one.test wrong\r\n", { "a NO [AUTHENTICATIONFAILED]" } });
    PLAY(c, { "a LOGIN nobody@one.test wrong\r\n", { "* BYE" } });
    ck_assert(fake_is_closed(c));
    fake_free(&c);
}
END_TEST

START_TEST(test_bad_input)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    PLAY(c,
         { "\r\n", { "* BAD" } }, { "x\r\n", { "* BAD" } }, { "(x) NOOP\r\n", { "* BAD" } }, { "a NOSUCH\r\n", { "a BAD Unknown" } },
         { "a  NOOP\r\n", { "a BAD" } }, { "a NOOP\n", { "a BAD Lines end with CRLF" } }, { "a UID NOOP\r\n", { "a BAD" } },
         { "a UID\r\n", { "a BAD" } }, { "a APPEND INBOX abc\r\n", { "a BAD APPEND ends" } }, { "a FETCH\r\n", { "a BAD" } }, { "a FETCH 1 (FLAGS\r\n", { "a BAD" } },
         { "a FETCH 1 FLAGS\r\n", { "a BAD There is no message" } }, { "a FETCH 1:* FLAGS\r\n", { "a OK" } },
         { "a LIST \"\" \"x\xff\"\r\n", { "a OK", "!LIST (" } }, { "a CREATE \"caf\xc3\xa9\"\r\n", { "a NO [CANNOT]" } },
         /* literals: too large ones are refused before they come, or read and forgotten */
         { "a CREATE {70000}\r\n", { "a BAD [TOOBIG]", "!+ " } }, { "a CREATE {4294967296}\r\n", { "a BAD [TOOBIG]", "!+ " } },
         { "a NOOP\r\n", { "a OK" } },
         { "a CREATE {3+}\r\na\rb\r\n", { "a NO [CANNOT]" } },
         { "a APPEND INBOX {2000000}\r\n", { "a NO [TOOBIG]", "!+ " } },
         { "a APPEND INBOX (\\Nope( {3}\r\n", { "a BAD", "!+ " } },
         { "a APPEND INBOX (\\Nope( {3+}\r\nabc\r\nb NOOP\r\n", { "a BAD", "b OK" } },
         { "a APPEND Nope {3+}\r\nabc\r\nb NOOP\r\n", { "a NO [TRYCREATE]", "b OK" } },
         { "a APPEND INBOX {3+}\r\nabc junk\r\nb NOOP\r\n", { "a BAD", "b OK", "!EXISTS" } },
         { "a APPEND INBOX {3+}\r\nabc {8+}\r\nz NOOP\r\n\r\nb NOOP\r\n", { "a BAD Something follows", "!z ", "b OK", "!EXISTS" } },
         { "a APPEND INBOX {3+}\r\nabc {8}\r\n", { "a BAD Something follows", "!+ " } },
         { "a LOGIN {3+}\r\nabc {3}\r\n", { "+ " } }, { "abc\r\n", { "a BAD Not after login" } },
         { "a IDLE\r\n", { "+ " } }, { "NOPE\r\n", { "a BAD" } }, { "b NOOP\r\n", { "b OK" } },
         /* a wrong line end ends the command it belongs to, under its own tag */
         { "c IDLE\r\n", { "+ " } }, { "DONE\n", { "c BAD Lines end" } }, { "d CREATE {3}\r\n", { "+ " } }, { "abc x\n", { "d BAD Lines end" } },
         { "e APPEND INBOX {3}\r\n", { "+ " } }, { "abc x\n", { "e BAD Lines end" } }, { "f NOOP\r\n", { "f OK", "!EXISTS" } });
    fake_feed(c, yb_str("a CREATE {4+}\r\na\0bc\r\n", 21), 0);
    PLAY(c, { "", { NULL } });
    ck_assert(!fake_is_closed(c));
    /* so large a literal that it cannot be thrown away: what follows is not read as commands */
    PLAY(c, { "a CREATE {4294967296+}\r\nb NOOP\r\n", { "* BYE [TOOBIG]", "!b " } });
    ck_assert(fake_is_closed(c));
    fake_free(&c);
}
END_TEST

/* --- mailboxes --- */

START_TEST(test_select)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);

    PLAY(c,
         { "a FETCH 1 FLAGS\r\n", { "a BAD Select a mailbox first" } },
         { APPEND_HELLO, { "A OK [APPENDUID ", " 1] " } }, { APPEND_HELLO, { " 2] " } },
         { "b SELECT inbox\r\n", { "* 2 EXISTS", "* 2 RECENT", "[UNSEEN 1]", "[UIDNEXT 3]", "[UIDVALIDITY ", "[HIGHESTMODSEQ ", "\\*)]", "b OK [READ-WRITE]" } },
         { "c EXAMINE INBOX\r\n", { "* 2 EXISTS", "* 0 RECENT", "[PERMANENTFLAGS ()]", "c OK [READ-ONLY]" } },
         { "d STORE 1 +FLAGS (\\Seen)\r\n", { "d NO [READ-ONLY]" } }, { "d EXPUNGE\r\n", { "d NO [READ-ONLY]" } },
         { "d FETCH 1 BODY[]\r\n", { "BODY[] {99}", "!\\Seen" } },
         { "e SELECT Nope\r\n", { "e NO [NONEXISTENT]" } }, { "f FETCH 1 FLAGS\r\n", { "f BAD Select" } },
         { "g STATUS INBOX (MESSAGES UIDNEXT UNSEEN RECENT UIDVALIDITY)\r\n", { "* STATUS \"INBOX\" (MESSAGES 2 ", "UIDNEXT 3", "UNSEEN 2" } },
         { "h SELECT INBOX\r\n", { "h OK" } }, { "i STORE 2 +FLAGS.SILENT (\\Deleted)\r\n", { "i OK", "!FETCH (" } },
         { "j UNSELECT\r\n", { "j OK", "!EXPUNGE" } }, { "k SELECT INBOX\r\n", { "* 2 EXISTS" } },
         { "l CLOSE\r\n", { "l OK", "! EXPUNGE\r\n" } }, { "m SELECT INBOX\r\n", { "* 1 EXISTS", "[UIDNEXT 3]" } },
         { "n CHECK\r\n", { "n OK" } });
    fake_free(&c);
}
END_TEST

START_TEST(test_folders)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);

    PLAY(c,
         { "a NAMESPACE\r\n", { "* NAMESPACE ((\"\" \"/\")) NIL NIL" } },
         { "b LIST \"\" \"\"\r\n", { "* LIST (\\Noselect) \"/\" \"\"" } },
         { "c CREATE Work/&AOk-\r\n", { "c OK" } }, { "c CREATE Work/&AOk-\r\n", { "c NO [ALREADYEXISTS]" } },
         { "d LIST \"\" *\r\n", { "\"INBOX\"", "\"Work/&AOk-\"", "\\HasChildren", "d OK" } },
         { "e LIST \"\" %\r\n", { "\"Work\"", "!&AOk-" } }, { "e LIST Work/ %\r\n", { "\"Work/&AOk-\"", "!INBOX" } },
         { "f SUBSCRIBE Work/&AOk-\r\n", { "f OK" } },
         { "f LSUB \"\" *\r\n", { "* LSUB () \"/\" \"Work/&AOk-\"" } }, { "f LSUB \"\" %\r\n", { "* LSUB (\\Noselect) \"/\" \"Work\"" } },
         { "g LIST (SUBSCRIBED) \"\" * RETURN (CHILDREN)\r\n", { "\\Subscribed", "&AOk-", "!INBOX" } },
         { "h RENAME Work/&AOk- Other\r\n", { "h OK" } }, { "h LIST \"\" *\r\n", { "\"Other\"", "!&AOk-" } },
         { "i DELETE Other\r\n", { "i OK" } }, { "i DELETE Other\r\n", { "i NO [NONEXISTENT]" } }, { "i DELETE INBOX\r\n", { "i NO" } },
         { "j CREATE Sent\r\n", { "j OK" } }, { "j LIST \"\" Sent\r\n", { "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent\"" } },
         { "j LIST (SPECIAL-USE) \"\" *\r\n", { "\\Sent", "!INBOX" } },
         { "j CREATE Own\r\n", { "j OK" } }, { "j SELECT Own\r\n", { "j OK" } }, { "j DELETE Own\r\n", { "j OK", "!BYE" } }, { "j CHECK\r\n", { "j BAD Select" } },
         { "j UNSUBSCRIBE Other\r\n", { "j OK" } }, { "j LSUB \"\" *\r\n", { "!LSUB (" } },
         { "k STATUS Nope (MESSAGES)\r\n", { "k NO [NONEXISTENT]" } });
    fake_free(&c);
}
END_TEST

/* --- FETCH --- */

START_TEST(test_fetch)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    PLAY(c,
         { "A APPEND INBOX (\\Flagged $Work) \" 1-Feb-2020 10:20:30 +0100\" {99+}\r\n" HELLO "\r\n", { "* 1 EXISTS", "A OK [APPENDUID" } },
         { "a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)\r\n", { "RFC822.SIZE 99", "\"01-Feb-2020 09:20:30 +0000\"", "\\Flagged", "$Work", "\\Recent" } },
         { "b FETCH 1 ENVELOPE\r\n", { "ENVELOPE (\"Sun, 22 Nov 2026 02:44:25 +0000\" \"hello\" ((NIL NIL \"a\" \"b.test\"))", "((NIL NIL \"c\" \"d.test\")) NIL NIL NIL NIL)" } },
         { "c FETCH 1 BODYSTRUCTURE\r\n", { "BODYSTRUCTURE (\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 12 1 NIL NIL NIL NIL)" } },
         { "d FETCH 1 BODY.PEEK[HEADER.FIELDS (subject X)]\r\n", { "BODY[HEADER.FIELDS (subject X)] {18}\r\nSubject: hello\r\n\r\n)" } },
         { "d FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (from to date)]\r\n", { "{18}\r\nSubject: hello\r\n\r\n)" } },
         { "e FETCH 1 BODY.PEEK[TEXT]<6.4>\r\n", { "BODY[TEXT]<6> {4}\r\nbody)" } }, { "e FETCH 1 BODY.PEEK[1]<100.4>\r\n", { "BODY[1]<100> {0}\r\n)" } },
         { "f FETCH 1 BODY.PEEK[2]\r\n", { "BODY[2] NIL" } }, { "f FETCH 1 FLAGS\r\n", { "!\\Seen" } },
         { "g UID FETCH 1 BODY[1]\r\n", { "UID 1", "FLAGS (", "\\Seen", "{12}\r\nhello body\r\n)", "g OK" } },
         { "h FETCH 1 BODY[1]\r\n", { "!FLAGS" } },
         { "i UID FETCH 1:5,9 FLAGS\r\n", { "* 1 FETCH (UID 1 FLAGS" } }, { "i UID FETCH 7:9 FLAGS\r\n", { "!FETCH (", "i OK" } }, { "i UID FETCH 7:* FLAGS\r\n", { "* 1 FETCH (UID 1" } },
         { "j FETCH 1 RFC822\r\n", { "RFC822 {99}" } }, { "j FETCH 1 RFC822.HEADER\r\n", { "RFC822.HEADER {87}" } }, { "j FETCH 1 FULL\r\n", { "ENVELOPE (", " BODY (\"text\"" } },
         { "k APPEND INBOX \"01-Jan-1970 00:00:00 +0000\" {3+}\r\nabc\r\n", { "* 2 EXISTS" } }, { "k FETCH 2 INTERNALDATE\r\n", { "\"01-Jan-1970 00:00:00 +0000\"" } });
    fake_free(&c);
}
END_TEST

/* A long answer comes in pieces, and a slow client sees the same. */
START_TEST(test_fetch_pieces)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX"), *slow;
    struct yb_buf *fetch = yb_buf_new(10000);
    unsigned pieces = 0;
    const char *text;

    for (unsigned i = 0; i < 40; i++)
        PLAY(c, { APPEND_HELLO, { "A OK" } });
    yb_buf_add(fetch, YB_STR("a FETCH 1:* (UID"));
    for (unsigned i = 0; i < 60; i++)
        yb_buf_add(fetch, YB_STR(" BODY.PEEK[]"));
    yb_buf_add(fetch, YB_STR(")\r\n"));
    yb_buf_add_c(fetch, '\0');
    text = yb_buf_view(fetch).p;
    slow = rig_login(&rig, "ann@one.test", "INBOX");
    fake_slow(slow);
    PLAY(c, { text, { "* 40 FETCH", "a OK" } });
    ck_assert_uint_gt(fake_output(c).n, 3 * YB_OUT_PIECE);
    fake_clear(slow);
    fake_feed(slow, yb_str_from(text), 0);
    while (yb_str_find_str(fake_output(slow), YB_STR("a OK")) == fake_output(slow).n) {
        fake_produce(slow);
        ck_assert_uint_lt(pieces++, 20);
    }
    ck_assert_uint_ge(pieces, 2);
    ck_assert_uint_eq(fake_output(slow).n, fake_output(c).n);
    /* The connection ends in the middle: nothing is left behind. */
    fake_feed(slow, yb_str_from(text), 0);
    fake_free(&slow);
    yb_buf_free(&fetch);
    fake_free(&c);
}
END_TEST

/* Flags that another session changes while a long answer is under way are not told old afterwards. */
START_TEST(test_fetch_newest_flags)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX"), *slow;
    const char *flagged, *answer;
    unsigned pieces = 0;

    for (unsigned i = 0; i < 130; i++)
        PLAY(c, { APPEND_HELLO, { "A OK" } });
    PLAY(c, { "a STORE 130 +FLAGS (\\Seen)\r\n", { "a OK" } });
    slow = rig_login(&rig, "ann@one.test", "INBOX");
    fake_slow(slow);
    fake_feed(slow, YB_STR("b FETCH 1:* (FLAGS BODY[]"), 0);
    for (unsigned i = 0; i < 20; i++)
        fake_feed(slow, YB_STR(" BODY[]"), 0);
    fake_feed(slow, YB_STR(")\r\n"), 0);
    ck_assert(yb_str_find_str(fake_output(slow), YB_STR("* 64 FETCH")) == fake_output(slow).n);
    PLAY(c, { "c STORE 130 +FLAGS (\\Flagged)\r\n", { "c OK" } });
    while (yb_str_find_str(fake_output(slow), YB_STR("b OK")) == fake_output(slow).n) {
        fake_produce(slow);
        ck_assert_uint_lt(pieces++, 20);
    }
    flagged = strstr(yb_arena_dup(yb_conn_scratch(slow), fake_output(slow)).p, "* 130 FETCH (FLAGS (\\Flagged \\Seen");
    ck_assert(flagged != NULL);
    answer = strstr(flagged + 1, "* 130 FETCH (FLAGS (");
    ck_assert(answer != NULL && strncmp(answer, flagged, strlen("* 130 FETCH (FLAGS (\\Flagged")) == 0);
    fake_free(&slow);
    fake_free(&c);
}
END_TEST

/* --- STORE, EXPUNGE, COPY, MOVE --- */

START_TEST(test_store)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    PLAY(c,
         { APPEND_HELLO, { "* 1 EXISTS" } }, { APPEND_HELLO, { "* 2 EXISTS" } },
         { "a STORE 1 +FLAGS (\\Seen work)\r\n", { "* FLAGS (", "work", "* 1 FETCH (FLAGS (\\Seen work", "a OK" } },
         { "b STORE 1 +FLAGS (\\Seen)\r\n", { "* 1 FETCH (FLAGS (\\Seen work", "b OK" } },
         { "c STORE 1:2 -FLAGS.SILENT (\\Seen)\r\n", { "!FETCH (", "c OK" } },
         { "d UID STORE 2 FLAGS (\\Answered)\r\n", { "* 2 FETCH (UID 2 FLAGS (\\Answered", "d OK" } },
         { "e STORE 3 FLAGS (\\Seen)\r\n", { "e BAD" } }, { "e UID STORE 9 FLAGS (\\Seen)\r\n", { "!FETCH (", "e OK" } },
         { "f STORE 1 -FLAGS (nosuchword)\r\n", { "f OK" } },
         { "g SEARCH KEYWORD work\r\n", { "* SEARCH 1\r\n" } },
         { "h STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\n", { "h OK" } }, { "i UID EXPUNGE 2\r\n", { "* 2 EXPUNGE", "!* 1 EXPUNGE", "i OK" } },
         { "j UID EXPUNGE *\r\n", { "* 1 EXPUNGE", "j OK" } },
         { APPEND_HELLO, { "* 1 EXISTS" } }, { "j STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", { "j OK" } }, { "j EXPUNGE\r\n", { "* 1 EXPUNGE", "j OK" } }, { "k EXPUNGE\r\n", { "!EXPUNGE\r\n", "k OK" } });
    fake_free(&c);
}
END_TEST

/* The same of a STORE in slices: the last of them tells what another session changed before it. */
START_TEST(test_store_newest_flags)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX"), *slow;
    const char *told, *last;

    PLAY(c, { APPEND_HELLO, { "A OK" } });
    for (unsigned i = 0; i < 11; i++)
        PLAY(c, { "a COPY 1:* INBOX\r\n", { "a OK" } });
    PLAY(c, { "a COPY 1:1025 INBOX\r\n", { "* 3073 EXISTS" } }, { "a STORE 3073 +FLAGS.SILENT (\\Seen)\r\n", { "a OK" } });
    slow = rig_login(&rig, "ann@one.test", "INBOX");
    fake_slow(slow);
    fake_feed(slow, YB_STR("b STORE 1:* +FLAGS (\\Seen)\r\n"), 0);
    PLAY(c, { "c STORE 3073 +FLAGS (\\Flagged)\r\n", { "c OK" } });
    fake_produce(slow);
    fake_produce(slow);
    told = yb_arena_dup(yb_conn_scratch(slow), fake_output(slow)).p;
    ck_assert(strstr(told, "b OK") != NULL);
    while ((last = strstr(told, "* 3073 FETCH (FLAGS (")) != NULL)
        told = last + 1;
    ck_assert(strncmp(told, " 3073 FETCH (FLAGS (\\Flagged \\Seen", strlen(" 3073 FETCH (FLAGS (\\Flagged")) == 0);
    fake_free(&slow);
    fake_free(&c);
}
END_TEST

START_TEST(test_condstore)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX"), *other;
    char line[200], highest[100];
    unsigned long long modseq;
    const char *got;

    PLAY(c, { APPEND_HELLO, { "A OK", "!MODSEQ" } }, { APPEND_HELLO, { "A OK" } },
         { "a ENABLE CONDSTORE X-FOO\r\n", { "* ENABLED CONDSTORE\r\n", "[HIGHESTMODSEQ ", "a OK" } });
    got = rig_say(c, "b FETCH 2 MODSEQ\r\n");
    ck_assert(sscanf(strstr(got, "MODSEQ ("), "MODSEQ (%llu)", &modseq) == 1);
    PLAY(c, { "c STORE 1 +FLAGS.SILENT (\\Seen)\r\n", { "* 1 FETCH (", "MODSEQ (", "c OK" } });
    snprintf(line, sizeof(line), "d FETCH 1:2 FLAGS (CHANGEDSINCE %llu)\r\n", modseq);
    PLAY(c, { line, { "* 1 FETCH", "!* 2 FETCH", "d OK" } });
    snprintf(line, sizeof(line), "e STORE 1:2 (UNCHANGEDSINCE %llu) +FLAGS (\\Flagged)\r\n", modseq);
    PLAY(c, { line, { "* 2 FETCH (", "!* 1 FETCH", "e OK [MODIFIED 1]" } });
    got = strrchr(rig_say(c, "f FETCH 2 MODSEQ\r\n"), '(') + 1; /* the highest there is */
    snprintf(highest, sizeof(highest), "* SEARCH 1 2 (MODSEQ %llu)\r\n", strtoull(got, NULL, 10));
    snprintf(line, sizeof(line), "f SEARCH MODSEQ %llu\r\n", modseq + 1);
    PLAY(c, { line, { highest } }, { "g SEARCH MODSEQ 9999999\r\n", { "* SEARCH\r\n" } },
         { "h SEARCH RETURN (MIN COUNT) MODSEQ 1\r\n", { "* ESEARCH (TAG \"h\") MIN 1 COUNT 2 MODSEQ " } },
         { "i STATUS INBOX (HIGHESTMODSEQ)\r\n", { "(HIGHESTMODSEQ " } },
         { "j STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Draft)\r\n", { "j OK [MODIFIED 1]" } });
    /* Another session is told only when it asks. */
    other = rig_login(&rig, "ann@one.test", "INBOX");
    PLAY(c, { "k STORE 2 -FLAGS (\\Flagged)\r\n", { "k OK" } });
    PLAY(other, { "a NOOP\r\n", { "* 2 FETCH (FLAGS (", "!MODSEQ", "!UID" } }, { "b NOOP\r\n", { "!FETCH" } },
         { "c UNSELECT\r\n", { "c OK" } }, { "d SELECT INBOX (CONDSTORE)\r\n", { "d OK" } });
    PLAY(c, { "l STORE 2 +FLAGS (\\Flagged)\r\n", { "l OK" } });
    PLAY(other, { "e NOOP\r\n", { "* 2 FETCH (UID 2 FLAGS (", "MODSEQ (" } });
    fake_free(&other);
    fake_free(&c);
}
END_TEST

START_TEST(test_copy_move)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    for (unsigned i = 0; i < 4; i++)
        PLAY(c, { APPEND_HELLO, { "A OK" } });
    PLAY(c,
         { "a COPY 1 Box\r\n", { "a NO [TRYCREATE]" } }, { "a CREATE Box\r\n", { "a OK" } },
         { "b STORE 1 +FLAGS (\\Seen kw)\r\n", { "b OK" } },
         { "c COPY 1:2,4 Box\r\n", { "c OK [COPYUID ", " 1:2,4 1:3] COPY" } },
         { "d UID COPY 100 Box\r\n", { "d OK COPY", "!COPYUID" } }, { "d COPY 9 Box\r\n", { "d BAD" } },
         { "e UID MOVE 1,3 Box\r\n", { "* OK [COPYUID ", " 1,3 4:5] Moved\r\n* 1 EXPUNGE\r\n* 2 EXPUNGE\r\n", "e OK" } },
         { "f MOVE 2 Box\r\n", { " 4 6] ", "* 2 EXPUNGE", "f OK" } },
         { "g SEARCH ALL\r\n", { "* SEARCH 1\r\n" } },
         { "h SELECT Box\r\n", { "* 6 EXISTS" } }, { "i FETCH 1,4 FLAGS\r\n", { "* 1 FETCH (FLAGS (\\Seen kw", "* 4 FETCH (FLAGS (\\Seen kw" } });
    fake_free(&c);
}
END_TEST

START_TEST(test_quota)
{
    struct yb_conn *c = rig_login(&rig, "bob@two.test", "INBOX");
    char *text = yb_alloc(30000, 1);

    memset(text, 'x', 12000);
    memcpy(text, "Subject: x\r\n\r\n", 14);
    text[12000] = '\0';
    rig_append(&rig, "bob@two.test", "INBOX", text);
    PLAY(c,
         { "a GETQUOTAROOT INBOX\r\n", { "* QUOTAROOT \"INBOX\" \"\"\r\n* QUOTA \"\" (STORAGE 12 19)", "a OK" } },
         { "b GETQUOTA \"\"\r\n", { "* QUOTA \"\" (STORAGE 12 19)" } }, { "c GETQUOTA x\r\n", { "c NO [NONEXISTENT]" } },
         { "c STATUS INBOX (DELETED-STORAGE)\r\n", { "* STATUS \"INBOX\" (DELETED-STORAGE 0)\r\n" } }, { "c STORE 1 +FLAGS (\\Deleted)\r\n", { "c OK" } },
         { "c STATUS INBOX (MESSAGES DELETED-STORAGE)\r\n", { "(MESSAGES 1 DELETED-STORAGE 12000)\r\n" } }, { "c STORE 1 -FLAGS (\\Deleted)\r\n", { "c OK" } },
         { "d SETQUOTA \"\" (STORAGE 99999)\r\n", { "d NO [NOPERM]" } },
         { "e APPEND INBOX {12000}\r\n", { "e NO [OVERQUOTA]", "!+ " } },
         { "f CREATE Box\r\n", { "f OK" } }, { "g COPY 1 Box\r\n", { "g NO [OVERQUOTA]" } }, { "h MOVE 1 Box\r\n", { "h OK" } });
    fake_free(&c);
    c = rig_login(&rig, "ann@one.test", NULL);
    /* without a limit there is no quota root: a QUOTA without resources is not in the grammar */
    PLAY(c, { "a GETQUOTAROOT INBOX\r\n", { "* QUOTAROOT \"INBOX\"\r\na OK" } }, { "a GETQUOTA \"\"\r\n", { "a NO [NONEXISTENT]", "!QUOTA \"\"" } });
    fake_free(&c);
    yb_free(text);
}
END_TEST

/* --- SEARCH --- */

#define JAPANESE                                                                                   \
    "From: =?utf-8?b?5bGx55Sw?= <yamada@one.test>\r\nSubject: =?iso-2022-jp?b?GyRCRnxLXDhsGyhC?=\r\n" \
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"                              \
    "Content-Transfer-Encoding: base64\r\n\r\n5p2x5Lqs44Gr6KGM44GPCg==\r\n"

START_TEST(test_search)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");

    rig_append(&rig, "ann@one.test", "INBOX", HELLO);
    rig_append(&rig, "ann@one.test", "INBOX", JAPANESE);
    rig_append(&rig, "ann@one.test", "INBOX", "Subject: HELLO again\r\nX-Tag: Blue\r\nDate: Sat, 1 Jan 2000 23:00:00 -0500\r\n\r\nsecond\r\n");
    PLAY(c,
         { "a NOOP\r\n", { "* 3 EXISTS" } },
         { "b SEARCH SUBJECT hello\r\n", { "* SEARCH 1 3\r\n" } }, { "b SEARCH SUBJECT hello NOT SUBJECT again\r\n", { "* SEARCH 1\r\n" } },
         { "c UID SEARCH BODY BODY\r\n", { "* SEARCH 1\r\n" } }, { "c SEARCH TEXT x-tag\r\n", { "* SEARCH 3\r\n" } },
         { "d SEARCH HEADER X-Tag blue\r\n", { "* SEARCH 3\r\n" } }, { "d SEARCH HEADER X-Tag \"\"\r\n", { "* SEARCH 3\r\n" } }, { "d SEARCH HEADER Subject \"\"\r\n", { "* SEARCH 1 2 3\r\n" } },
         /* one and two characters of Japanese, in header and body */
         { "e SEARCH CHARSET UTF-8 SUBJECT {6+}\r\n\xe6\x97\xa5\xe6\x9c\xac\r\n", { "* SEARCH 2\r\n" } },
         { "e SEARCH CHARSET UTF-8 TEXT {3+}\r\n\xe8\xaa\x9e\r\n", { "* SEARCH 2\r\n" } },
         { "e SEARCH CHARSET UTF-8 BODY {6+}\r\n\xe6\x9d\xb1\xe4\xba\xac\r\n", { "* SEARCH 2\r\n" } },
         { "e SEARCH CHARSET UTF-8 FROM {3+}\r\n\xe5\xb1\xb1\r\n", { "* SEARCH 2\r\n" } },
         { "e SEARCH CHARSET UTF-8 BODY {3+}\r\n\xe8\xaa\x9e\r\n", { "* SEARCH\r\n" } },
         { "f SEARCH CHARSET X-KLINGON SUBJECT {1+}\r\n\xe9\r\n", { "f NO [BADCHARSET (US-ASCII UTF-8)]" } },
         { "f SEARCH CHARSET ISO-2022-JP SUBJECT {10+}\r\n\x1b$BF|K\\\x1b(B\r\n", { "* SEARCH 2\r\n" } }, { "f SEARCH CHARSET x-sjis FROM {2+}\r\n\x8e\x52\r\n", { "* SEARCH 2\r\n" } },
         { "f SEARCH CHARSET EUC-JP BODY {4+}\r\n\xc5\xec\xb5\xfe SUBJECT {4+}\r\n\xc6\xfc\xcb\xdc\r\n", { "* SEARCH 2\r\n" } },
         { "f SEARCH CHARSET EUC-JP BODY {2+}\r\n\xc5z\r\n", { "f BAD" } }, { "f SEARCH CHARSET US-ASCII SUBJECT {1+}\r\n\xe9\r\n", { "f BAD" } }, { "f SEARCH CHARSET UTF-8 SUBJECT {1+}\r\n\xe9\r\n", { "f BAD" } },
         { "g SEARCH SENTON 1-Jan-2000\r\n", { "* SEARCH 3\r\n" } }, { "g SEARCH SENTSINCE 1-Jan-2026\r\n", { "* SEARCH 1\r\n" } }, { "g SEARCH SENTBEFORE 1-Jan-2026\r\n", { "* SEARCH 3\r\n" } },
         { "h SEARCH OR FROM yamada SUBJECT again\r\n", { "* SEARCH 2 3\r\n" } }, { "h SEARCH 2:* LARGER 90\r\n", { "* SEARCH 2\r\n" } },
         { "i SEARCH RETURN (MIN MAX COUNT ALL) ALL\r\n", { "* ESEARCH (TAG \"i\") MIN 1 MAX 3 ALL 1:3 COUNT 3\r\n" } },
         { "i UID SEARCH RETURN () SUBJECT hello\r\n", { "* ESEARCH (TAG \"i\") UID ALL 1,3\r\n" } }, { "i SEARCH RETURN (MIN COUNT) SUBJECT nope\r\n", { "* ESEARCH (TAG \"i\") COUNT 0\r\n" } },
         { "j SEARCH 4\r\n", { "* SEARCH\r\n", "j OK" } }, { "j SEARCH 4:*\r\n", { "* SEARCH 3\r\n" } }, { "j SEARCH RETURN (COUNT) 2:9\r\n", { " COUNT 2\r\n" } }, { "j SEARCH UID 4:9\r\n", { "* SEARCH\r\n" } }, { "j SEARCH UID 4:*\r\n", { "* SEARCH 3\r\n" } }, { "j SEARCH BEFORE 1-Jan-2000\r\n", { "* SEARCH\r\n" } }, { "j SEARCH SINCE 1-Jan-2000 NEW\r\n", { "* SEARCH 1 2 3\r\n" } });
    rig_append(&rig, "ann@one.test", "INBOX",
               "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee there\r\n--b\r\nContent-Type: application/pdf\r\n"
               "Content-Disposition: attachment; filename=Report.pdf\r\n\r\nreport.pdf is not read\r\n--b\r\n"
               "Content-Type: message/rfc822\r\n\r\nSubject: within\r\n\r\ninside\r\n--b--\r\n");
    PLAY(c,
         { "k NOOP\r\n", { "* 4 EXISTS" } }, { "k SEARCH BODY filename=report.pdf\r\n", { "* SEARCH 4\r\n" } }, { "k SEARCH BODY \"not read\"\r\n", { "* SEARCH\r\n" } },
         { "k SEARCH BODY within BODY inside\r\n", { "* SEARCH 4\r\n" } }, { "k SEARCH SUBJECT within\r\n", { "* SEARCH\r\n" } });
    /* how a field was folded makes no difference */
    rig_append(&rig, "ann@one.test", "INBOX", "Subject: far\r\n\taway  now\r\nX-Way: to\r\n\t the  sea\r\n\r\nfar\r\n\taway  now\r\n");
    PLAY(c,
         { "l NOOP\r\n", { "* 5 EXISTS" } }, { "l SEARCH SUBJECT \"far away now\"\r\n", { "* SEARCH 5\r\n" } }, { "l SEARCH SUBJECT \"far\taway  now\"\r\n", { "* SEARCH 5\r\n" } },
         { "l SEARCH HEADER X-Way \"to the sea\"\r\n", { "* SEARCH 5\r\n" } }, { "l SEARCH TEXT \"to the sea\"\r\n", { "* SEARCH 5\r\n" } }, { "l SEARCH BODY \"away  now\"\r\n", { "* SEARCH 5\r\n" } },
         { "l SEARCH BODY \"away now\"\r\n", { "* SEARCH\r\n" } }, { "l SEARCH SUBJECT \"faraway\"\r\n", { "* SEARCH\r\n" } });
    fake_free(&c);
}
END_TEST

/* --- two sessions --- */

START_TEST(test_two_sessions)
{
    struct yb_conn *a = rig_login(&rig, "ann@one.test", "INBOX"), *b;

    for (unsigned i = 0; i < 3; i++)
        PLAY(a, { APPEND_HELLO, { "A OK" } });
    b = rig_login(&rig, "ann@one.test", "INBOX");
    PLAY(a, { "a STORE 2 +FLAGS (\\Deleted)\r\n", { "a OK" } }, { "b EXPUNGE\r\n", { "* 2 EXPUNGE" } });
    PLAY(b,
         /* numbers hold during FETCH, STORE and SEARCH (RFC 3501 §7.4.1) */
         { "a FETCH 3 UID\r\n", { "* 3 FETCH (UID 3)", "!EXPUNGE" } },
         { "b SEARCH UID 3\r\n", { "* SEARCH 3\r\n", "b OK [EXPUNGEISSUED]", "!EXPUNGE\r\n" } },
         { "c STORE 3 +FLAGS (\\Seen)\r\n", { "* 3 FETCH (FLAGS (\\Seen", "!EXPUNGE" } },
         /* what the index knows is answered, the rest left out */
         { "d FETCH 1:3 (UID BODY.PEEK[])\r\n", { "* 1 FETCH", "* 3 FETCH", "!* 2 FETCH", "d NO [EXPUNGEISSUED]" } },
         { "e UID FETCH 3 FLAGS\r\n", { "* 3 FETCH (UID 3", "* 2 EXPUNGE", "e OK" } },
         { "f FETCH 2 UID\r\n", { "* 2 FETCH (UID 3)" } });
    PLAY(a, { "c NOOP\r\n", { "* 2 FETCH (FLAGS (\\Seen" } });
    PLAY(b, { APPEND_HELLO, { "* 3 EXISTS", "A OK" } });
    PLAY(a, { "d NOOP\r\n", { "* 3 EXISTS", "* ", " RECENT" } });
    /* silent is what this session asked for, not what another did before (RFC 3501 §6.4.6) */
    PLAY(a, { "d STORE 1 +FLAGS (theirs)\r\n", { "d OK" } });
    PLAY(b, { "f STORE 1 +FLAGS.SILENT (\\Flagged)\r\n", { "* 1 FETCH (FLAGS (\\Flagged theirs" } }, { "f STORE 1 -FLAGS.SILENT (\\Flagged)\r\n", { "!FETCH" } });
    /* a message that came and went while numbers held: what was never there is not expunged */
    PLAY(a, { APPEND_HELLO, { "* 4 EXISTS" } }, { "d STORE 4 +FLAGS.SILENT (\\Deleted)\r\n", { "d OK" } }, { "d EXPUNGE\r\n", { "* 4 EXPUNGE" } });
    PLAY(b, { "f SEARCH 1\r\n", { "* 4 EXISTS", "!EXPUNGE\r\n" } }, { "f NOOP\r\n", { "* 4 EXPUNGE" } }, { "f NOOP\r\n", { "!EXPUNGE" } });
    /* the mailbox goes away under a session */
    PLAY(a, { "e CREATE Gone\r\n", { "e OK" } });
    PLAY(b, { "g SELECT Gone\r\n", { "g OK" } });
    PLAY(a, { "f DELETE Gone\r\n", { "f OK" } });
    PLAY(b, { "h NOOP\r\n", { "* BYE", "!h OK" } });
    ck_assert(fake_is_closed(b));
    fake_free(&b);
    fake_free(&a);
}
END_TEST

/* A session at rest keeps nothing open; what others did to its mailbox meanwhile it learns of. */
START_TEST(test_rest)
{
    struct yb_conn *a = rig_login(&rig, "ann@one.test", "INBOX"), *b;
    const struct imapd_session *rests = yb_conn_session(a);

    ck_assert_ptr_null(rests->account);
    ck_assert_ptr_null(rests->mailbox);
    PLAY(a, { "a CREATE Box\r\n", { "a OK" } }, { "b CREATE Other\r\n", { "b OK" } });
    rig_append(&rig, "ann@one.test", "Box", HELLO);
    PLAY(a, { "c SELECT Box\r\n", { "* 1 EXISTS", "c OK" } });
    ck_assert_ptr_null(rests->mailbox);
    b = rig_login(&rig, "ann@one.test", NULL);
    /* Its UIDVALIDITY, not its name, says which it is. */
    PLAY(b, { "a RENAME Box New\r\n", { "a OK" } }, { "b RENAME Other Box\r\n", { "b OK" } });
    PLAY(a, { "d FETCH 1 UID\r\n", { "* 1 FETCH (UID 1)", "d OK" } }, { "e APPEND New {99+}\r\n" HELLO "\r\n", { "* 2 EXISTS", "e OK" } });
    /* Gone while it rests: a command of the mailbox hears it, one that leaves it does not. */
    PLAY(b, { "c DELETE New\r\n", { "c OK" } });
    PLAY(a, { "f SELECT Box\r\n", { "* 0 EXISTS", "!BYE", "f OK" } });
    PLAY(b, { "d DELETE Box\r\n", { "d OK" } });
    PLAY(a, { "g FETCH 1 UID\r\n", { "* BYE", "!g OK", "!g NO" } });
    ck_assert(fake_is_closed(a));
    fake_free(&a);
    fake_free(&b);
}
END_TEST

/* The last one who leaves a mailbox compacts its index, no one before. */
START_TEST(test_last_leaves)
{
    struct yb_conn *a = rig_login(&rig, "ann@one.test", "INBOX"), *b;
    struct yb_account_id ann;
    char path[300], inbox[200];
    struct stat before, after;

    rig.conf.keep_expunged = -10000; /* what dies now is old */
    for (unsigned i = 0; i < 260; i++)
        PLAY(a, { "A APPEND INBOX (\\Deleted) {99+}\r\n" HELLO "\r\n", { "A OK" } });
    b = rig_login(&rig, "ann@one.test", "INBOX");
    memset(ann.v, 0xa1, sizeof(ann.v));
    yb_store_path(ann, inbox, sizeof(inbox));
    snprintf(path, sizeof(path), "%s/%s/yubin-index", rig.root, inbox);
    PLAY(b, { "a EXPUNGE\r\n", { "a OK" } });
    ck_assert_int_eq(stat(path, &before), 0);
    PLAY(b, { "b CLOSE\r\n", { "b OK" } });
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_int_eq(after.st_size, before.st_size);
    PLAY(a, { "b NOOP\r\n", { "* 1 EXPUNGE", "b OK" } });
    fake_free(&a);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_int_lt(after.st_size, before.st_size / 4);
    fake_free(&b);
}
END_TEST

START_TEST(test_idle)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", "INBOX");
    unsigned woken = atomic_load(&rig.woken);

    PLAY(c, { "a IDLE\r\n", { "+ " } });
    rig_append(&rig, "ann@one.test", "INBOX", HELLO);
    rig_await_woken(&rig, woken + 1);
    fake_clear(c);
    fake_wake(c);
    ck_assert(yb_str_find_str(fake_output(c), YB_STR("* 1 EXISTS\r\n")) < fake_output(c).n);
    fake_clear(c);
    fake_wake(c);
    ck_assert_uint_eq(fake_output(c).n, 0);
    PLAY(c, { "DONE\r\n", { "a OK IDLE", "!EXISTS" } });
    /* after DONE a late notice says nothing, the next command does */
    rig_append(&rig, "ann@one.test", "INBOX", HELLO);
    fake_clear(c);
    fake_wake(c);
    ck_assert_uint_eq(fake_output(c).n, 0);
    PLAY(c, { "b NOOP\r\n", { "* 2 EXISTS" } }, { "b IDLE\r\n", { "+ " } });
    fake_clear(c);
    fake_time_out(c);
    ck_assert(yb_str_starts(fake_output(c), YB_STR("* BYE")));
    fake_free(&c);
    c = rig_login(&rig, "ann@one.test", NULL);
    PLAY(c, { "c IDLE\r\n", { "+ " } }, { "DONE\r\n", { "c OK" } }, { "d ID (\"name\" \"x\")\r\n", { "* ID (\"name\" \"yubin\")" } });
    /* the server's end: whoever is there hears of it, in the middle of a command too */
    PLAY(c, { "e APPEND INBOX {9}\r\n", { "+ " } }, { "abc", { NULL } });
    atomic_store(&rig.server.stopping, true);
    fake_clear(c);
    fake_wake(c);
    ck_assert(yb_str_starts(fake_output(c), YB_STR("* BYE [UNAVAILABLE]")) && fake_is_closed(c));
    fake_free(&c);
}
END_TEST

static size_t
count(struct yb_str text, const char *what)
{
    size_t n = 0, at;

    while ((at = yb_str_find_str(text, yb_str_from(what))) < text.n) {
        n++;
        text = yb_str_skip(text, at + 1);
    }
    return n;
}

/* Many changes come in pieces: who idles is woken until he has heard of all, others hear of the rest
 * with their next commands; what a STORE asked for is told in its own answer. */
START_TEST(test_many_changes)
{
    const unsigned n = 3 * RIG_CHANGES + 1;
    struct yb_conn *idler = rig_login(&rig, "ann@one.test", NULL), *other, *third;
    size_t heard = 0;
    char line[100];

    for (unsigned i = 0; i < n; i++)
        PLAY(idler, { APPEND_HELLO, { "A OK" } });
    PLAY(idler, { "s SELECT INBOX\r\n", { "s OK" } });
    other = rig_login(&rig, "ann@one.test", "INBOX");
    third = rig_login(&rig, "ann@one.test", "INBOX");
    PLAY(idler, { "i IDLE\r\n", { "+ " } });
    for (unsigned i = 1; i <= n; i++) {
        snprintf(line, sizeof(line), "f STORE %u FLAGS (\\Flagged)\r\n", i);
        PLAY(other, { line, { "f OK" } });
    }
    for (unsigned k = 0; k < 4; k++) {
        unsigned woken = atomic_load(&rig.woken);

        fake_clear(idler);
        fake_wake(idler);
        ck_assert_uint_eq(count(fake_output(idler), " FETCH "), k < 3 ? RIG_CHANGES : 1);
        heard += count(fake_output(idler), "\\Flagged");
        if (k < 3)
            ck_assert_uint_gt(atomic_load(&rig.woken), woken);
    }
    ck_assert_uint_eq(heard, n);
    fake_clear(idler);
    fake_wake(idler);
    ck_assert_uint_eq(fake_output(idler).n, 0);
    /* The last message's own change is told, though others' come first. */
    snprintf(line, sizeof(line), "* %u FETCH (FLAGS (\\Answered", n);
    PLAY(third, { "t STORE 25 FLAGS (\\Answered)\r\n", { line, "t OK" } });
    for (size_t k = 0; k < 3; k++)
        (void)rig_say(third, "u NOOP\r\n");
    PLAY(third, { "v NOOP\r\n", { "v OK", "! FETCH " } });
    fake_free(&idler);
    fake_free(&other);
    fake_free(&third);
}
END_TEST

/* Logins that we cannot judge bring nobody nearer to the end; wrong ones do. */
START_TEST(test_failed_logins)
{
    struct yb_conn *c = rig_connect(&rig);

    for (unsigned i = 0; i < 3 * 11; i++)
        PLAY(c, { "a LOGIN away@one.test secret\r\n", { "a NO [UNAVAILABLE]", "!BYE" } });
    for (unsigned i = 0; i < 9; i++)
        PLAY(c, { "b LOGIN ann@one.test wrong\r\n", { "b NO [", "!BYE" } });
    PLAY(c, { "b LOGIN ann@one.test wrong\r\n", { "b NO [", "* BYE Too many failed logins" } });
    fake_free(&c);
}
END_TEST

/* --- messages that ended the process, or may have --- */

/* The first message of ann's inbox. */
static struct imapd_work
first_message(struct yb_conn *c)
{
    const char *got = rig_say(c, "a STATUS INBOX (UIDVALIDITY)\r\n"), *at;
    struct imapd_work work = { .uid = 1 };
    uint64_t n;

    memset(work.account.v, 0xa1, sizeof(work.account.v));
    at = strstr(got, "(UIDVALIDITY ");
    ck_assert_msg(at != NULL, "%s", got);
    ck_assert(yb_str_u64(yb_str(at + 13, strcspn(at + 13, ")")), UINT32_MAX, &n));
    work.uidvalidity = (uint32_t)n;
    return work;
}

/* A process dies at work on it, and its parent sees that. */
static void
die_at(const struct imapd_work *work)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)!imapd_work_begin(&rig.server, work);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_eq(yb_notes_take(rig.server.notes), 1);
}

START_TEST(test_suspect)
{
    struct yb_conn *c = rig_login(&rig, "ann@one.test", NULL);
    struct imapd_work work;
    struct yb_note note;

    rig.server.notes = yb_notes_new();
    PLAY(c, { APPEND_HELLO APPEND_HELLO, { "A OK", "A OK" } }, { "b SELECT INBOX\r\n", { "b OK" } });
    work = first_message(c);
    PLAY(c, { "c FETCH 1:2 (ENVELOPE BODY.PEEK[HEADER])\r\n", { "\"hello\"", "c OK" } },
         { "c SEARCH TEXT body\r\n", { "* SEARCH 1 2\r\n" } });
    ck_assert_uint_eq(yb_notes_take(rig.server.notes), 0); /* no work is under way */
    die_at(&work);
    PLAY(c, { "d FETCH 1 (FLAGS RFC822.SIZE)\r\n", { "d OK" } },
         { "d FETCH 1 (ENVELOPE)\r\n", { "!* 1 FETCH", "d NO [UNAVAILABLE] A message is being examined" } },
         { "d FETCH 1 (BODY.PEEK[])\r\n", { "!* 1 FETCH", "d NO [UNAVAILABLE]" } },
         { "d FETCH 2 (ENVELOPE BODY.PEEK[])\r\n", { "\"hello\"", "d OK" } });
    imapd_work_encode(&work, &note);
    yb_notes_judge(rig.server.notes, &note, YB_NOTE_CLEAR);
    PLAY(c, { "e FETCH 1 (ENVELOPE BODY.PEEK[])\r\n", { "\"hello\"", "hello body", "e OK" } });
    die_at(&work);
    yb_notes_judge(rig.server.notes, &note, YB_NOTE_CONDEMNED);
    PLAY(c,
         { "f FETCH 1:2 (ENVELOPE)\r\n", { "* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))\r\n", "\"hello\"", "f OK" } },
         { "f FETCH 1 (BODY BODYSTRUCTURE)\r\n",
           { "(BODY (\"application\" \"octet-stream\" NIL NIL NIL \"8BIT\" 99) ",
             "BODYSTRUCTURE (\"application\" \"octet-stream\" NIL NIL NIL \"8BIT\" 99 NIL NIL NIL NIL))" } },
         { "f FETCH 1 (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[1] RFC822.HEADER)\r\n",
           { "BODY[] {99}\r\nFrom: a@b.test", "BODY[HEADER] NIL", "BODY[1] NIL", "RFC822.HEADER NIL", "f OK" } },
         { "f FETCH 1 (BODY.PEEK[TEXT]<0.3> BODY.PEEK[HEADER.FIELDS.NOT (To)] BODY.PEEK[]<0.4>)\r\n",
           { "BODY[TEXT]<0> NIL", "BODY[HEADER.FIELDS.NOT (To)] NIL", "BODY[]<0> {4}\r\nFrom)", "f OK" } },
         { "g SEARCH TEXT hello\r\n", { "* SEARCH 2\r\n" } }, { "g SEARCH BODY body\r\n", { "* SEARCH 2\r\n" } },
         { "g SEARCH SUBJECT hello\r\n", { "* SEARCH 2\r\n" } }, { "g SEARCH HEADER To c@d\r\n", { "* SEARCH 2\r\n" } },
         { "g SEARCH HEADER Date 2026\r\n", { "* SEARCH 2\r\n" } }, { "g SEARCH SENTON 22-Nov-2026\r\n", { "* SEARCH 2\r\n" } },
         { "g SEARCH LARGER 50\r\n", { "* SEARCH 1 2\r\n" } });
    ck_assert_uint_eq(yb_notes_take(rig.server.notes), 0);
    fake_free(&c);
    yb_notes_free(&rig.server.notes);
}
END_TEST

/* clang-format on */

int
main(void)
{
    Suite *suite = suite_create("imapd/session");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_before_login);
    tcase_add_test(tc, test_authenticate);
    tcase_add_test(tc, test_too_many_wrong);
    tcase_add_test(tc, test_too_many_logins);
    tcase_add_test(tc, test_bad_input);
    tcase_add_test(tc, test_select);
    tcase_add_test(tc, test_folders);
    tcase_add_test(tc, test_fetch);
    tcase_add_test(tc, test_fetch_pieces);
    tcase_add_test(tc, test_fetch_newest_flags);
    tcase_add_test(tc, test_store);
    tcase_add_test(tc, test_store_newest_flags);
    tcase_add_test(tc, test_condstore);
    tcase_add_test(tc, test_copy_move);
    tcase_add_test(tc, test_quota);
    tcase_add_test(tc, test_search);
    tcase_add_test(tc, test_two_sessions);
    tcase_add_test(tc, test_rest);
    tcase_add_test(tc, test_last_leaves);
    tcase_add_test(tc, test_idle);
    tcase_add_test(tc, test_many_changes);
    tcase_add_test(tc, test_failed_logins);
    tcase_add_test(tc, test_suspect);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
