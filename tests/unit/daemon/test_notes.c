/* The notes alone: a child's threads, its death, the parent's verdicts. Processes are in test_daemon. */
#include "lib/daemon/notes.h"

#include "lib/base/io.h"
#include "lib/daemon/condemned.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct yb_note
named(unsigned name)
{
    struct yb_note note = { 0 };

    memcpy(note.v, &name, sizeof(name));
    note.v[YB_NOTE_SIZE - 1] = (uint8_t)name; /* all of it counts */
    return note;
}

/* A child takes n notes from `first` on and dies with them. */
static void
die_with(struct yb_notes *n, unsigned first, unsigned count)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        for (unsigned i = 0; i < count; i++) {
            struct yb_note note = named(first + i);

            if (yb_notes_begin(n, &note) < 0)
                _exit(1);
        }
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static void
check_verdict(const struct yb_notes *n, unsigned name, enum yb_verdict want)
{
    struct yb_note note = named(name);

    ck_assert_int_eq(yb_notes_verdict(n, &note), want);
}

static void
judge(struct yb_notes *n, unsigned name, enum yb_verdict verdict)
{
    struct yb_note note = named(name);

    yb_notes_judge(n, &note, verdict);
}

static void
check_next(const struct yb_notes *n, enum yb_note_task task, unsigned name)
{
    struct yb_note note, want = named(name);

    ck_assert_int_eq(yb_notes_next(n, &note), task);
    if (task != YB_NOTE_IDLE)
        ck_assert_mem_eq(note.v, want.v, YB_NOTE_SIZE);
}

START_TEST(test_life)
{
    struct yb_notes *n = yb_notes_new();
    struct yb_note note = named(9);

    check_next(n, YB_NOTE_IDLE, 0);
    yb_notes_end(n, yb_notes_begin(n, &note));
    ck_assert_uint_eq(yb_notes_take(n), 0);
    die_with(n, 1, 2);
    check_verdict(n, 1, YB_NOTE_CLEAR); /* until the parent has seen the death */
    ck_assert_uint_eq(yb_notes_take(n), 2);
    ck_assert_uint_eq(yb_notes_take(n), 0); /* the slots are empty now */
    check_verdict(n, 1, YB_NOTE_SUSPECT);
    check_verdict(n, 2, YB_NOTE_SUSPECT);
    check_verdict(n, 9, YB_NOTE_CLEAR);
    die_with(n, 2, 1);
    ck_assert_uint_eq(yb_notes_take(n), 0); /* known already */
    judge(n, 1, YB_NOTE_CONDEMNED);
    judge(n, 2, YB_NOTE_CLEAR);
    check_verdict(n, 1, YB_NOTE_CONDEMNED);
    check_verdict(n, 2, YB_NOTE_CLEAR);
    check_next(n, YB_NOTE_CONDEMN, 1);
    note = named(1);
    yb_notes_written(n, &note);
    check_next(n, YB_NOTE_IDLE, 0);
    ck_assert_uint_eq(yb_notes_take(n), 0);
    check_verdict(n, 1, YB_NOTE_CONDEMNED); /* for every child */
    yb_notes_free(&n);
    ck_assert_ptr_null(n);
}
END_TEST

START_TEST(test_order)
{
    struct yb_notes *n = yb_notes_new();
    struct yb_note first = named(1);

    die_with(n, 1, 1);
    ck_assert_uint_eq(yb_notes_take(n), 1);
    die_with(n, 2, 1);
    ck_assert_uint_eq(yb_notes_take(n), 1);
    check_next(n, YB_NOTE_TRY, 1);
    yb_notes_postpone(n, &first);
    check_next(n, YB_NOTE_TRY, 2);
    judge(n, 2, YB_NOTE_CLEAR);
    check_next(n, YB_NOTE_TRY, 1);
    yb_notes_free(&n);
}
END_TEST

/* Trials that were cut off are counted for each, anew for each verdict. */
START_TEST(test_cut_off)
{
    struct yb_notes *n = yb_notes_new();
    struct yb_note first = named(1), second = named(2), none = named(3);

    die_with(n, 1, 2);
    ck_assert_uint_eq(yb_notes_take(n), 2);
    ck_assert_uint_eq(yb_notes_cut_off(n, &first), 1);
    ck_assert_uint_eq(yb_notes_cut_off(n, &first), 2);
    ck_assert_uint_eq(yb_notes_cut_off(n, &second), 1);
    ck_assert_uint_eq(yb_notes_cut_off(n, &none), 0);
    judge(n, 1, YB_NOTE_CONDEMNED);
    ck_assert_uint_eq(yb_notes_cut_off(n, &first), 1);
    judge(n, 2, YB_NOTE_CLEAR);
    die_with(n, 2, 1);
    ck_assert_uint_eq(yb_notes_take(n), 1);
    ck_assert_uint_eq(yb_notes_cut_off(n, &second), 1);
    yb_notes_free(&n);
}
END_TEST

/* A full house of suspects takes no more; the condemned make room for each other. */
START_TEST(test_limits)
{
    struct yb_notes *n = yb_notes_new();
    unsigned name = 1;

    die_with(n, name, YB_NOTES_SUSPECTS + 20);
    ck_assert_uint_eq(yb_notes_take(n), YB_NOTES_SUSPECTS);
    while (name < YB_NOTES_KNOWN + 100) {
        enum yb_note_task task;
        struct yb_note note;

        while ((task = yb_notes_next(n, &note)) != YB_NOTE_IDLE) {
            if (task == YB_NOTE_TRY)
                yb_notes_judge(n, &note, YB_NOTE_CONDEMNED);
            else
                yb_notes_written(n, &note);
        }
        name += YB_NOTES_SUSPECTS + 20;
        die_with(n, name, YB_NOTES_SUSPECTS);
        ck_assert_uint_eq(yb_notes_take(n), YB_NOTES_SUSPECTS);
    }
    check_verdict(n, name, YB_NOTE_SUSPECT);
    yb_notes_free(&n);
}
END_TEST

/* Nothing to note in: nothing happens. */
START_TEST(test_none)
{
    struct yb_note note = named(1);

    ck_assert_int_eq(yb_notes_begin(NULL, &note), -1);
    yb_notes_end(NULL, -1);
    ck_assert_int_eq(yb_notes_verdict(NULL, &note), YB_NOTE_CLEAR);
    ck_assert_int_eq(yb_notes_next(NULL, &note), YB_NOTE_IDLE);
}
END_TEST

static void
change_octet(const char *path, off_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char c;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &c, 1, at), 1);
    c ^= 1;
    ck_assert_int_eq(yb_pwrite_all(fd, yb_str(&c, 1), at), 0);
    close(fd);
}

/* What an earlier life of the daemon condemned, in its file: of this build only, and bounded. */
START_TEST(test_file)
{
    char folder[] = "/tmp/yb-notes-XXXXXX", path[64];
    struct yb_note got[YB_NOTES_KNOWN], note;
    struct yb_notes *n = yb_notes_new();
    struct yb_err err = { 0 };

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/" YB_CONDEMNED_FILE, folder);
    ck_assert_uint_eq(yb_condemned_read(folder, got), 0);
    for (unsigned i = 1; i <= YB_NOTES_KNOWN + 2; i++) {
        note = named(i);
        ck_assert_int_eq(yb_condemned_add(folder, &note, &err), 0);
    }
    ck_assert_uint_eq(yb_condemned_read(folder, got), YB_NOTES_KNOWN);
    yb_notes_remember(n, got, YB_NOTES_KNOWN);
    check_verdict(n, 2, YB_NOTE_CLEAR); /* the oldest are forgotten */
    check_verdict(n, 3, YB_NOTE_CONDEMNED);
    check_verdict(n, YB_NOTES_KNOWN + 2, YB_NOTE_CONDEMNED);
    change_octet(path, 10); /* another build's */
    ck_assert_uint_eq(yb_condemned_read(folder, got), 0);
    ck_assert_int_eq(yb_condemned_add(folder, &note, &err), 0); /* ours begins anew */
    ck_assert_uint_eq(yb_condemned_read(folder, got), 1);
    change_octet(path, 0);
    ck_assert_uint_eq(yb_condemned_read(folder, got), 0);
    ck_assert_int_eq(truncate(path, 5), 0);
    ck_assert_uint_eq(yb_condemned_read(folder, got), 0);
    unlink(path);
    rmdir(folder);
    note = named(1); /* the folder is gone: that is told */
    ck_assert_int_eq(yb_condemned_add(folder, &note, &err), -1);
    yb_notes_free(&n);
}
END_TEST

#define THREADS 8
#define ROUNDS 20000

static void *
work(void *arg)
{
    struct yb_notes *n = arg;
    struct yb_note note = named(7);

    for (int i = 0; i < ROUNDS; i++) {
        int slot = yb_notes_begin(n, &note);
        enum yb_verdict v = yb_notes_verdict(n, &note);

        if (slot < 0 || v > YB_NOTE_CONDEMNED)
            return arg;
        yb_notes_end(n, slot);
    }
    return NULL;
}

/* Many threads, and a parent that changes its mind meanwhile: no slot is anybody else's. */
START_TEST(test_threads)
{
    struct yb_notes *n = yb_notes_new();
    pthread_t threads[THREADS];
    void *wrong;

    die_with(n, 7, 1);
    ck_assert_uint_eq(yb_notes_take(n), 1);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, n), 0);
    for (int i = 0; i < 1000; i++)
        judge(n, 7, i % 2 == 0 ? YB_NOTE_CONDEMNED : YB_NOTE_SUSPECT);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    die_with(n, 20, 1); /* the slots are free again: only this one is held */
    ck_assert_uint_eq(yb_notes_take(n), 1);
    yb_notes_free(&n);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("notes");
    TCase *tc = tcase_create("notes");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, test_life);
    tcase_add_test(tc, test_order);
    tcase_add_test(tc, test_cut_off);
    tcase_add_test(tc, test_limits);
    tcase_add_test(tc, test_none);
    tcase_add_test(tc, test_file);
    tcase_add_test(tc, test_threads);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
