/*
 * SEARCH where messages cannot be read: what cannot be known is no "no match" but NO [UNAVAILABLE] and
 * one line in the log; a message that is gone is no hit, whatever is asked of it.
 */
#include "tests/unit/imapd/rig.h"

#include "lib/base/io.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

/* What asks the message itself, or its parsed form, alone and under NOT and OR. */
static const char *const keys[] = {
    "BODY nowhere",
    "NOT BODY nowhere",
    "TEXT nowhere",
    "NOT TEXT nowhere",
    "HEADER X-A b",
    "NOT HEADER X-A b",
    "SUBJECT nowhere",
    "NOT SUBJECT nowhere",
    "SENTON 1-Jan-2020",
    "NOT SENTON 1-Jan-2020",
    "OR BODY nowhere NOT TEXT nowhere",
    "NOT (BODY nowhere SUBJECT nowhere)",
};

/* How often `what` stands in what was logged to the descriptor so far. */
static unsigned
count_logged(int fd, const char *what)
{
    static char text[1u << 16];
    ssize_t n = yb_pread_full(fd, text, sizeof(text) - 1, 0);
    unsigned times = 0;

    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

START_TEST(test_unreadable)
{
    char command[100];
    const char *got;
    int log = memfd_create("log", MFD_CLOEXEC), kept = dup(STDERR_FILENO);
    struct rlimit limit, none;
    struct yb_conn *c;

    rig_append(&rig, "ann@one.test", "INBOX", "Subject: one\r\n\r\nbody\r\n");
    c = rig_login(&rig, "ann@one.test", "INBOX");
    snprintf(command, sizeof(command), "a SEARCH %s\r\n", keys[_i]);
    /* No file can be opened any more. */
    ck_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0 && log >= 0 && kept >= 0);
    none = limit;
    none.rlim_cur = 0;
    yb_log_init("test", YB_LOG_WARN);
    dup2(log, STDERR_FILENO);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    got = rig_say(c, command);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    dup2(kept, STDERR_FILENO);
    ck_assert_msg(strstr(got, "a NO [UNAVAILABLE]") != NULL && strstr(got, "* SEARCH") == NULL,
                  "%s gives %s", keys[_i], got);
    ck_assert_uint_eq(count_logged(log, "event=imap.error"), 1);
    /* What the index knows needs no file; and the next one is answered. */
    ck_assert(strstr(rig_say(c, "b SEARCH LARGER 1\r\n"), "* SEARCH 1\r\n") != NULL);
    ck_assert(strstr(rig_say(c, command), "a OK") != NULL);
    fake_free(&c);
    close(log);
    close(kept);
}
END_TEST

static int
remove_first(const char *path, const struct stat *st YB_UNUSED, int kind, struct FTW *ftw YB_UNUSED)
{
    return kind == FTW_F && strstr(path, ".1:2,") != NULL && unlink(path) == 0 ? 1 : 0;
}

START_TEST(test_gone)
{
    char command[100];
    const char *got;
    struct yb_conn *c;

    rig_append(&rig, "ann@one.test", "INBOX", "Subject: gone\r\n\r\nbody\r\n");
    rig_append(&rig, "ann@one.test", "INBOX", "Subject: here\r\n\r\nbody\r\n");
    c = rig_login(&rig, "ann@one.test", "INBOX");
    ck_assert_int_eq(nftw(rig.root, remove_first, 16, FTW_PHYS), 1);
    snprintf(command, sizeof(command), "a SEARCH %s\r\n", keys[_i]);
    got = rig_say(c, command);
    ck_assert_msg(strstr(got, "a OK") != NULL && (strstr(got, "* SEARCH\r\n") != NULL ||
                                                  strstr(got, "* SEARCH 2\r\n") != NULL),
                  "%s gives %s", keys[_i], got);
    ck_assert(strstr(got, "EXPUNGE\r\n") == NULL); /* RFC 3501 §7.4.1 */
    fake_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("imapd/unread");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_unreadable, 0, YB_COUNT(keys));
    tcase_add_loop_test(tc, test_gone, 0, YB_COUNT(keys));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
