/* lib/event: lines, segments, bounds, several threads, readers that go on where they were. */
#include "lib/event/event.h"

#include "lib/base/io.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct yb_arena *arena;
static char dir[64];
static const struct yb_node_id node = { { 1, 2, 3, 4, 5, 6, 7, 8 } };

static void
setup(void)
{
    arena = yb_arena_new(65536);
    snprintf(dir, sizeof(dir), "/tmp/yb-event-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

/* Calls nothing for NULL; counts the segments whose name begins with `prefix`. */
static size_t
each_segment(const char *prefix, void (*visit)(const char *path))
{
    DIR *d = opendir(dir);
    size_t n = 0;

    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[512];

        if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (visit != NULL)
            visit(path);
        n++;
    }
    closedir(d);
    return n;
}

static void
remove_file(const char *path)
{
    ck_assert_int_eq(unlink(path), 0);
}

static void
teardown(void)
{
    each_segment("", remove_file);
    rmdir(dir);
    yb_arena_free(&arena);
}

static struct yb_event_writer *
writer(uint64_t segment_size, uint64_t limit)
{
    struct yb_event_options options = { node, "testd", segment_size, limit };
    struct yb_event_writer *w;
    struct yb_err err = { 0 };

    ck_assert_msg(yb_event_writer_open(dir, &options, &w, &err) == 0, "%s", err.text);
    return w;
}

static struct yb_event_reader *
reader(enum yb_event_grade grade, struct yb_event_position from)
{
    struct yb_event_reader *r;
    struct yb_err err = { 0 };

    ck_assert_msg(yb_event_reader_open(dir, grade, &from, &r, &err) == 0, "%s", err.text);
    return r;
}

static struct yb_event_reader *
reader_from_start(enum yb_event_grade grade)
{
    struct yb_event_position start = { 0 };

    return reader(grade, start);
}

/* The number in the reason of the next event, or -1 when there is none. */
static int
next_number(struct yb_event_reader *r)
{
    struct yb_event_record record;
    struct yb_err err = { 0 };
    int rc = yb_event_read(r, arena, &record, &err);
    uint64_t v;

    ck_assert_msg(rc >= 0, "%s", err.text);
    if (rc == 0)
        return -1;
    ck_assert(yb_str_u64(record.event.reason, 1000000, &v));
    return (int)v;
}

static void
say(struct yb_event_writer *w, enum yb_event_grade grade, int number)
{
    struct yb_event e = { .grade = grade, .name = YB_STR("test.number") };

    e.reason = yb_arena_printf(arena, "%d", number);
    yb_event_append(w, &e);
}

static struct yb_event_record
full_record(void)
{
    return (struct yb_event_record){
        .time_us = 1795315465000001,
        .node = node,
        .daemon = YB_STR("smtpd"),
        .event = { .grade = YB_EVENT_FINAL,
                   .name = YB_STR("smtp.rcpt.reject"),
                   .session = { { 1 } },
                   .message = { { 2 } },
                   .delivery = { { 3 } },
                   .tenant = { { 4 } },
                   .account = { { 5 } },
                   .sender = YB_STR(""),
                   .recipient = YB_STR("\"a b\\\"\xc3\xbc\0\n\"@c"),
                   .client = YB_STR("192.0.2.1"),
                   .decision = YB_STR("refuse"),
                   .code = 550,
                   .status = YB_STR("5.1.1"),
                   .reason = YB_STR("no such user = here"),
                   .attempt = UINT32_MAX,
                   .next_us = INT64_MAX },
    };
}

START_TEST(test_line_full)
{
    struct yb_event_record in = full_record(), out;
    char line[YB_EVENT_LINE_MAX];
    size_t n = yb_event_line_write(&in, line);

    ck_assert(line[n - 1] == '\n' && memchr(line, '\n', n - 1) == NULL);
    ck_assert(yb_event_line_parse(yb_str(line, n - 1), arena, &out));
    ck_assert(out.time_us == in.time_us && memcmp(&out.node, &node, sizeof(node)) == 0);
    ck_assert(yb_str_eq(out.daemon, in.daemon) && out.event.grade == YB_EVENT_FINAL);
    ck_assert(yb_str_eq(out.event.name, in.event.name));
    ck_assert(yb_session_id_eq(out.event.session, in.event.session));
    ck_assert(yb_message_id_eq(out.event.message, in.event.message));
    ck_assert(yb_delivery_id_eq(out.event.delivery, in.event.delivery));
    ck_assert(yb_tenant_id_eq(out.event.tenant, in.event.tenant));
    ck_assert(yb_account_id_eq(out.event.account, in.event.account));
    ck_assert(out.event.sender.p != NULL && out.event.sender.n == 0);
    ck_assert(yb_str_eq(out.event.recipient, in.event.recipient));
    ck_assert(yb_str_eq(out.event.client, in.event.client));
    ck_assert(yb_str_eq(out.event.decision, in.event.decision) && out.event.code == 550);
    ck_assert(yb_str_eq(out.event.status, in.event.status));
    ck_assert(yb_str_eq(out.event.reason, in.event.reason));
    ck_assert(out.event.attempt == UINT32_MAX && out.event.next_us == INT64_MAX);
}
END_TEST

START_TEST(test_line_empty)
{
    struct yb_event_record in = { .daemon = YB_STR("d"), .event.name = YB_STR("x") }, out;
    char line[YB_EVENT_LINE_MAX];
    size_t n = yb_event_line_write(&in, line);

    ck_assert(yb_event_line_parse(yb_str(line, n - 1), arena, &out));
    ck_assert(out.event.sender.p == NULL && out.event.reason.p == NULL && out.event.code == 0);
    ck_assert(out.event.attempt == 0 && out.event.next_us == 0);
    ck_assert(yb_session_id_is_zero(out.event.session));
}
END_TEST

START_TEST(test_line_longest)
{
    struct yb_event_record in = full_record(), out;
    char line[YB_EVENT_LINE_MAX], *many = yb_alloc(1000, 1);
    struct yb_str s = yb_str(many, 1000); /* NULs: four bytes each */
    size_t n;

    in.daemon = in.event.sender = in.event.recipient = in.event.client = s;
    in.event.decision = in.event.status = in.event.reason = s;
    n = yb_event_line_write(&in, line);
    ck_assert_uint_le(n, YB_EVENT_LINE_MAX);
    ck_assert(yb_event_line_parse(yb_str(line, n - 1), arena, &out));
    ck_assert_uint_eq(out.event.sender.n, 320);
    ck_assert_uint_eq(out.event.decision.n, 400);
    yb_free(many);
}
END_TEST

/* No single changed, lost or added byte goes unnoticed. */
START_TEST(test_line_damage)
{
    struct yb_event_record in = full_record(), out;
    char line[YB_EVENT_LINE_MAX], copy[YB_EVENT_LINE_MAX];
    size_t n = yb_event_line_write(&in, line) - 1;

    for (size_t i = 0; i < n; i++) {
        memcpy(copy, line, n);
        copy[i] = (char)(copy[i] ^ 1);
        ck_assert(!yb_event_line_parse(yb_str(copy, n), arena, &out));
        ck_assert(!yb_event_line_parse(yb_str(line, i), arena, &out));
    }
    line[n] = ' ';
    ck_assert(!yb_event_line_parse(yb_str(line, n + 1), arena, &out));
}
END_TEST

START_TEST(test_write_and_read)
{
    struct yb_event_writer *w = writer(0, 0);
    struct yb_event_reader *r = reader_from_start(YB_EVENT_STEP);

    ck_assert_int_eq(next_number(r), -1);
    ck_assert_uint_eq(each_segment("", NULL), 0);
    for (int i = 0; i < 3; i++) {
        say(w, YB_EVENT_STEP, i);
        say(w, YB_EVENT_FINAL, 100 + i);
        ck_assert_int_eq(next_number(r), i);
        ck_assert_int_eq(next_number(r), -1);
    }
    ck_assert_uint_eq(each_segment("step-", NULL), 1);
    ck_assert_uint_eq(each_segment("final-", NULL), 1);
    ck_assert_uint_eq(yb_event_writer_counts(w).written, 6);
    yb_event_reader_close(&r);
    r = reader_from_start(YB_EVENT_FINAL);
    ck_assert_int_eq(next_number(r), 100);
    yb_event_writer_close(&w);
    ck_assert_int_eq(next_number(r), 101);
    ck_assert_int_eq(next_number(r), 102);
    ck_assert_int_eq(next_number(r), -1);
    ck_assert_uint_eq(yb_event_reader_damaged(r), 0);
    yb_event_reader_close(&r);
    ck_assert_ptr_null(r);
    yb_event_reader_close(&r);
    yb_event_writer_close(&w);
    yb_event_append(NULL, &(struct yb_event){ 0 });
}
END_TEST

/* Over many small segments, reopened at every event, while the writer is replaced. */
START_TEST(test_rotation_and_positions)
{
    struct yb_event_writer *w = writer(1000, 1u << 20);
    struct yb_event_position at = { 0 };

    for (int i = 0; i < 60; i++) {
        say(w, YB_EVENT_FINAL, i);
        if (i % 20 == 19) {
            yb_event_writer_close(&w);
            w = writer(1000, 1u << 20);
        }
    }
    ck_assert_uint_ge(each_segment("final-", NULL), 6);
    for (int i = 0; i < 60; i++) {
        struct yb_event_reader *r = reader(YB_EVENT_FINAL, at);

        ck_assert_int_eq(next_number(r), i);
        at = yb_event_reader_position(r);
        yb_event_reader_close(&r);
    }
    yb_event_writer_close(&w);
}
END_TEST

START_TEST(test_position_gone)
{
    struct yb_event_position gone = { "final-0000000000000001-1", 500 };
    struct yb_event_position nonsense = { "zzz", 500 };
    struct yb_event_writer *w = writer(0, 0);
    struct yb_event_reader *r;

    say(w, YB_EVENT_FINAL, 7);
    r = reader(YB_EVENT_FINAL, gone);
    ck_assert_int_eq(next_number(r), 7);
    yb_event_reader_close(&r);
    r = reader(YB_EVENT_FINAL, nonsense);
    ck_assert_int_eq(next_number(r), 7);
    yb_event_reader_close(&r);
    yb_event_writer_close(&w);
}
END_TEST

static void
append_garbage(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);

    ck_assert_int_eq(yb_write_all(fd, YB_STR("00012 00000000 event=x ts=1\n\0\0\0\0\n00099 torn")),
                     0);
    close(fd);
}

START_TEST(test_damage_is_passed)
{
    struct yb_event_writer *w = writer(1u << 20, 0);
    struct yb_event_reader *r = reader_from_start(YB_EVENT_FINAL);

    say(w, YB_EVENT_FINAL, 1);
    each_segment("final-", append_garbage);
    say(w, YB_EVENT_FINAL, 2); /* stands behind "00099 torn": lost with it */
    say(w, YB_EVENT_FINAL, 3);
    ck_assert_int_eq(next_number(r), 1);
    ck_assert_int_eq(next_number(r), 3);
    ck_assert_uint_eq(yb_event_reader_damaged(r), 3);
    each_segment("final-", append_garbage);
    ck_assert_int_eq(next_number(r), -1); /* the torn end may still be completed */
    ck_assert_uint_eq(yb_event_reader_damaged(r), 5);
    yb_event_writer_close(&w);
    ck_assert_int_eq(next_number(r), -1); /* now it may not */
    ck_assert_uint_eq(yb_event_reader_damaged(r), 6);
    w = writer(0, 0);
    say(w, YB_EVENT_FINAL, 4);
    ck_assert_int_eq(next_number(r), 4);
    yb_event_writer_close(&w);
    yb_event_reader_close(&r);
}
END_TEST

static void
append_endless_line(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    char *much = yb_alloc(300000, 1);

    ck_assert_int_eq(yb_write_all(fd, yb_str(much, 300000)), 0);
    ck_assert_int_eq(yb_write_all(fd, YB_STR("\n")), 0);
    yb_free(much);
    close(fd);
}

START_TEST(test_endless_line)
{
    struct yb_event_writer *w = writer(1u << 20, 0);
    struct yb_event_reader *r = reader_from_start(YB_EVENT_FINAL);

    say(w, YB_EVENT_FINAL, 1);
    each_segment("final-", append_endless_line);
    say(w, YB_EVENT_FINAL, 2);
    ck_assert_int_eq(next_number(r), 1);
    ck_assert_int_eq(next_number(r), 2);
    ck_assert_uint_ge(yb_event_reader_damaged(r), 1);
    yb_event_writer_close(&w);
    yb_event_reader_close(&r);
}
END_TEST

/* Reads all numbers there are: they must follow each other. Returns how many, *last is the last. */
static int
count_numbers(enum yb_event_grade grade, int *last)
{
    struct yb_event_reader *r = reader_from_start(grade);
    int n = 0;

    for (int got; (got = next_number(r)) >= 0; n++) {
        ck_assert(n == 0 || got == *last + 1);
        *last = got;
    }
    ck_assert_uint_eq(yb_event_reader_damaged(r), 0);
    yb_event_reader_close(&r);
    return n;
}

/* At the bound debug segments go first, then steps; the newest final states stay. */
START_TEST(test_dir_limit)
{
    struct yb_event_writer *w = writer(1000, 8000);
    struct yb_event_counts counts;
    int last;

    for (int i = 0; i < 40; i++)
        say(w, YB_EVENT_DEBUG, i);
    for (int i = 0; i < 20; i++) {
        say(w, YB_EVENT_STEP, i);
        say(w, YB_EVENT_FINAL, i);
    }
    ck_assert_int_lt(count_numbers(YB_EVENT_DEBUG, &last), 40);
    ck_assert_int_eq(last, 39);
    ck_assert_int_eq(count_numbers(YB_EVENT_STEP, &last), 20);
    ck_assert_int_eq(count_numbers(YB_EVENT_FINAL, &last), 20);
    for (int i = 20; i < 100; i++)
        say(w, YB_EVENT_FINAL, i);
    ck_assert_uint_eq(each_segment("debug-", NULL), 1); /* the ones being written stay */
    ck_assert_uint_eq(each_segment("step-", NULL), 1);
    ck_assert_int_gt(count_numbers(YB_EVENT_FINAL, &last), 30);
    ck_assert_int_eq(last, 99);
    counts = yb_event_writer_counts(w);
    ck_assert_uint_ge(counts.removed, 8);
    ck_assert_uint_eq(counts.dropped[YB_EVENT_FINAL], 0);
    yb_event_writer_close(&w);
}
END_TEST

/* A write that is cut off leaves a well-formed segment and a count. */
START_TEST(test_cut_off_write)
{
    struct yb_event_writer *w = writer(1u << 20, 0);
    struct rlimit limit, old;
    struct yb_event_reader *r;

    signal(SIGXFSZ, SIG_IGN);
    say(w, YB_EVENT_FINAL, 1);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 150;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    say(w, YB_EVENT_FINAL, 2);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    say(w, YB_EVENT_FINAL, 3);
    ck_assert_uint_eq(yb_event_writer_counts(w).dropped[YB_EVENT_FINAL], 1);
    r = reader_from_start(YB_EVENT_FINAL);
    ck_assert_int_eq(next_number(r), 1);
    ck_assert_int_eq(next_number(r), 3);
    ck_assert_uint_eq(yb_event_reader_damaged(r), 0);
    yb_event_reader_close(&r);
    yb_event_writer_close(&w);
}
END_TEST

#define THREADS 8
#define EACH 400

struct teller {
    struct yb_event_writer *w;
    int first;
};

static void *
tell(void *ctx)
{
    const struct teller *t = ctx;

    for (int i = 0; i < EACH; i++) {
        char text[16];
        struct yb_event e = { .grade = YB_EVENT_FINAL, .name = YB_STR("t") };

        snprintf(text, sizeof(text), "%d", t->first + i);
        e.reason = yb_str_from(text);
        yb_event_append(t->w, &e);
    }
    return NULL;
}

START_TEST(test_threads)
{
    struct yb_event_writer *w = writer(20000, 8u << 20);
    struct teller tellers[THREADS];
    pthread_t threads[THREADS];
    bool *seen = yb_alloc(THREADS * EACH, sizeof(*seen));
    int last[THREADS], got, n = 0;
    struct yb_event_reader *r;

    for (int i = 0; i < THREADS; i++) {
        tellers[i] = (struct teller){ w, i * EACH };
        last[i] = -1;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, tell, &tellers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(yb_event_writer_counts(w).written, THREADS * EACH);
    yb_event_writer_close(&w);
    r = reader_from_start(YB_EVENT_FINAL);
    for (; (got = next_number(r)) >= 0; n++) {
        ck_assert(!seen[got]);
        seen[got] = true;
        ck_assert_int_gt(got, last[got / EACH]); /* each thread's own order */
        last[got / EACH] = got;
    }
    ck_assert_int_eq(n, THREADS * EACH);
    yb_event_reader_close(&r);
    yb_free(seen);
}
END_TEST

/* What was appended before a kill -9 is there, and its segment counts as finished. */
START_TEST(test_killed_writer)
{
    struct yb_event_reader *r = reader_from_start(YB_EVENT_FINAL);
    struct yb_event_writer *w;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        w = writer(0, 0);
        say(w, YB_EVENT_FINAL, 1);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    w = writer(0, 0);
    say(w, YB_EVENT_FINAL, 2);
    ck_assert_int_eq(next_number(r), 1);
    ck_assert_int_eq(next_number(r), 2);
    yb_event_writer_close(&w);
    yb_event_reader_close(&r);
}
END_TEST

START_TEST(test_no_directory)
{
    struct yb_event_options options = { node, "testd", 0, 0 };
    struct yb_event_position start = { 0 };
    struct yb_event_writer *w;
    struct yb_event_reader *r;
    struct yb_err err = { 0 };

    ck_assert_int_lt(yb_event_writer_open("/nonexistent", &options, &w, &err), 0);
    ck_assert_int_eq(err.class, YB_TEMP);
    ck_assert_int_lt(yb_event_reader_open("/nonexistent", YB_EVENT_STEP, &start, &r, &err), 0);
}
END_TEST

/* Without its directory nothing can be written; the caller does not notice, the counts do. */
START_TEST(test_directory_gone)
{
    struct yb_event_writer *w = writer(0, 0);
    struct yb_event_reader *r = reader_from_start(YB_EVENT_STEP);

    ck_assert_int_eq(rmdir(dir), 0);
    say(w, YB_EVENT_STEP, 1);
    ck_assert_uint_eq(yb_event_writer_counts(w).dropped[YB_EVENT_STEP], 1);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    yb_event_reader_close(&r);
    yb_event_writer_close(&w);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("event");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_line_full);
    tcase_add_test(tc, test_line_empty);
    tcase_add_test(tc, test_line_longest);
    tcase_add_test(tc, test_line_damage);
    tcase_add_test(tc, test_write_and_read);
    tcase_add_test(tc, test_rotation_and_positions);
    tcase_add_test(tc, test_position_gone);
    tcase_add_test(tc, test_damage_is_passed);
    tcase_add_test(tc, test_endless_line);
    tcase_add_test(tc, test_dir_limit);
    tcase_add_test(tc, test_cut_off_write);
    tcase_add_test(tc, test_threads);
    tcase_add_test(tc, test_killed_writer);
    tcase_add_test(tc, test_no_directory);
    tcase_add_test(tc, test_directory_gone);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
