/* lib/base: io and base64, ids, errors, clock, log and logfmt, fault points. */
#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/log.h"
#include "lib/base/logfmt.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- io --- */

static int
temp_file(char *path, size_t size)
{
    int fd;

    snprintf(path, size, "/tmp/yb-io-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(test_files)
{
    char path[32], *data, bytes[16];
    struct yb_err err = { 0 };
    size_t size;
    int fd = temp_file(path, sizeof(path));

    ck_assert_int_eq(yb_write_all(fd, YB_STR("hello\0world")), 0);
    ck_assert_int_eq(yb_write_all(fd, YB_STR("")), 0);
    ck_assert_int_eq(yb_pwrite_all(fd, YB_STR("HE"), 0), 0);
    ck_assert_int_eq((int)yb_pread_full(fd, bytes, 5, 1), 5);
    ck_assert(memcmp(bytes, "Ello\0", 5) == 0);
    ck_assert_int_eq((int)yb_pread_full(fd, bytes, 16, 6), 5); /* the file ends */
    ck_assert_int_eq((int)yb_pread_full(fd, bytes, 16, 600), 0);
    ck_assert_int_eq(yb_read_file(path, 11, &data, &size, &err), 0);
    ck_assert(size == 11 && memcmp(data, "HEllo\0world", 12) == 0);
    yb_free(data);
    ck_assert_int_lt(yb_read_file(path, 10, &data, &size, &err), 0);
    ck_assert_int_eq(err.class, YB_PERM);
    ck_assert(err.internal);
    close(fd);
    unlink(path);
    ck_assert_int_lt(yb_read_file(path, 10, &data, &size, &err), 0);
    ck_assert(err.class == YB_TEMP && err.sys == ENOENT);
    ck_assert_int_lt(yb_read_file("/tmp", 10, &data, &size, &err), 0);
    ck_assert_int_eq(err.sys, EISDIR);
    ck_assert_int_lt(yb_write_all(-1, YB_STR("x")), 0);
    ck_assert_int_lt(yb_pwrite_all(-1, YB_STR("x"), 0), 0);
    ck_assert_int_lt((int)yb_pread_full(-1, bytes, 1, 0), 0);
}
END_TEST

static void *
read_slowly(void *ctx)
{
    const int *fd = ctx;
    char bytes[1000];
    size_t *n = yb_alloc(1, sizeof(*n));
    ssize_t got;

    while ((got = read(*fd, bytes, sizeof(bytes))) > 0)
        *n += (size_t)got;
    return n;
}

static void
nothing(int sig YB_UNUSED)
{
}

/* A pipe takes a part at a time, signals interrupt: still every byte arrives. */
START_TEST(test_short_writes)
{
    struct sigaction sa = { .sa_handler = nothing };
    int fds[2];
    pthread_t thread;
    char *much = yb_alloc(1000000, 1);
    void *n;

    sigaction(SIGALRM, &sa, NULL);
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_slowly, &fds[0]), 0);
    ualarm(1000, 1000);
    ck_assert_int_eq(yb_write_all(fds[1], yb_str(much, 1000000)), 0);
    ualarm(0, 0);
    close(fds[1]);
    pthread_join(thread, &n);
    ck_assert_uint_eq(*(size_t *)n, 1000000);
    yb_free(n);
    yb_free(much);
    close(fds[0]);
}
END_TEST

/* --- base64 --- */

/* clang-format off */
static const struct { const char *text, *base64; } base64s[] = {
    { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },                /* RFC 4648 §10 */
    { "\xfb\xff\xbf", "+/+/" }, { "\xff\xff\xff", "////" },
};
static const char *const no_base64[] = {
    "Z", "Zg", "Zg=", "Zg==Zg==", "=Zg=", "Z===", "====", "Zm9v\n", " Zm9v", "Zm 9", "Zm-_", "Zg=x",
    "Zm9vZm9\xff",
};
/* clang-format on */

/* What comes from another process may be any number. */
START_TEST(test_utc)
{
    char text[YB_CLOCK_UTC];

    ck_assert_str_eq(yb_clock_utc(0, text), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(yb_clock_utc(1700000300, text), "2023-11-14T22:18:20Z");
    ck_assert_ptr_null(yb_clock_utc(INT64_MAX, text));
    ck_assert_ptr_null(yb_clock_utc(INT64_MIN, text));
}
END_TEST

START_TEST(test_base64)
{
    struct yb_str text = yb_str_from(base64s[_i].text);
    char out[YB_BASE64_SIZE(6)];
    uint8_t back[6];
    size_t n;

    ck_assert_uint_eq(yb_base64(text, out), strlen(base64s[_i].base64));
    ck_assert_str_eq(out, base64s[_i].base64);
    ck_assert_uint_eq(YB_BASE64_SIZE(text.n), strlen(out) + 1);
    ck_assert(yb_unbase64(yb_str_from(out), back, &n));
    ck_assert(yb_str_eq(yb_str((char *)back, n), text));
}
END_TEST

START_TEST(test_no_base64)
{
    uint8_t back[8];
    size_t n;

    ck_assert_msg(!yb_unbase64(yb_str_from(no_base64[_i]), back, &n), "%s", no_base64[_i]);
}
END_TEST

/* --- id --- */

START_TEST(test_ids)
{
    struct yb_account_id a = yb_account_id_new(), b = yb_account_id_new(), c;
    struct yb_node_id zero = { { 0 } };
    char text[YB_ID_TEXT], node[YB_NODE_ID_TEXT];

    ck_assert(!yb_account_id_eq(a, b) && !yb_account_id_is_zero(a));
    ck_assert_uint_eq(strlen(yb_account_id_text(a, text)), 32);
    ck_assert(yb_account_id_parse(yb_str_from(text), &c) && yb_account_id_eq(a, c));
    text[0] = 'A';
    ck_assert(yb_account_id_parse(yb_str_from(text), &c) && c.v[0] >> 4 == 10);
    ck_assert(!yb_account_id_parse(yb_str(text, 31), &c));
    text[31] = 'g';
    ck_assert(!yb_account_id_parse(yb_str_from(text), &c));
    ck_assert(yb_node_id_is_zero(zero));
    ck_assert_str_eq(yb_node_id_text(zero, node), "0000000000000000");
}
END_TEST

/* A forked child has its own randomness, with what the parent drew before still in memory. */
START_TEST(test_random_after_fork)
{
    unsigned char ours[16], theirs[16], before[16], large[1000] = { 0 };
    int fds[2], status;
    size_t zeros = 0;

    yb_random(before, sizeof(before));
    ck_assert_int_eq(pipe(fds), 0);
    if (fork() == 0) {
        yb_random(theirs, sizeof(theirs));
        _exit(write(fds[1], theirs, sizeof(theirs)) == sizeof(theirs) ? 0 : 1);
    }
    ck_assert_int_eq((int)read(fds[0], theirs, sizeof(theirs)), sizeof(theirs));
    wait(&status);
    yb_random(ours, sizeof(ours));
    ck_assert(memcmp(ours, theirs, sizeof(ours)) != 0);
    ck_assert(memcmp(ours, before, sizeof(ours)) != 0);
    yb_random(large, sizeof(large));
    for (size_t i = 0; i < sizeof(large); i++)
        zeros += large[i] == 0;
    ck_assert_uint_lt(zeros, 50);
    yb_random(large, 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* --- err --- */

START_TEST(test_err)
{
    struct yb_err err = { 0 };

    ck_assert_int_eq(yb_err_set(&err, YB_PERM, "5.1.1", "no %s\r\n\x7f", "user"), -1);
    ck_assert_str_eq(err.text, "no user???");
    ck_assert_str_eq(err.status, "5.1.1");
    ck_assert(err.class == YB_PERM && !err.internal && err.sys == 0);
    ck_assert_str_eq(yb_err_public(&err), err.text);
    yb_err_set(&err, YB_PERM, "5.1.1", "wrapped: %s", err.text); /* its own text as an argument */
    ck_assert_str_eq(err.text, "wrapped: no user???");
    ck_assert_int_eq(err.kind, YB_ERR_OTHER);
    ck_assert_int_eq(yb_err_as(&err, YB_ERR_EXISTS, YB_PERM, "5.2.0", "%s\n", err.text), -1);
    ck_assert(err.kind == YB_ERR_EXISTS && err.class == YB_PERM && !err.internal);
    ck_assert_str_eq(err.text, "wrapped: no user????");
    yb_err_inside(&err, YB_PERM, "5.3.0", "/etc/secret");
    ck_assert_int_eq(err.kind, YB_ERR_OTHER); /* nothing of what it was stays */
    ck_assert(err.internal && strstr(yb_err_public(&err), "secret") == NULL);
    errno = EACCES;
    ck_assert_int_eq(yb_err_sys(&err, YB_TEMP, "4.3.0", "open %s", "/x"), -1);
    ck_assert_int_eq(errno, EACCES);
    ck_assert_str_eq(err.text, "open /x: Permission denied");
    ck_assert(err.internal && err.sys == EACCES);
    ck_assert_ptr_nonnull(strstr(yb_err_public(&err), "try again later"));
    errno = ENOSPC;
    yb_err_sys(&err, YB_TEMP, "4.3.0", "write");
    ck_assert_str_eq(err.status, "4.3.1");
    ck_assert_ptr_nonnull(strstr(yb_err_public(&err), "storage"));
    ck_assert_int_eq(yb_err_set(NULL, YB_TEMP, "4.0.0", "x"), -1);
    ck_assert_int_eq(yb_err_as(NULL, YB_ERR_EXISTS, YB_TEMP, "4.0.0", "x"), -1);
    ck_assert_int_eq(yb_err_inside(NULL, YB_TEMP, "4.0.0", "x"), -1);
    ck_assert_int_eq(yb_err_sys(NULL, YB_TEMP, "4.0.0", "x"), -1);
}
END_TEST

START_TEST(test_err_long)
{
    struct yb_err err = { 0 };
    char text[600];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    yb_err_set(&err, YB_TEMP, "4.123.456.789", "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    ck_assert_uint_eq(strlen(err.status), sizeof(err.status) - 1);
    errno = EIO;
    yb_err_sys(&err, YB_TEMP, "4.3.0", "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

/* --- clock --- */

START_TEST(test_clock)
{
    int64_t ms = yb_clock_ms(), us = yb_clock_us(), now = yb_clock_now_us();
    struct yb_deadline soon = yb_deadline_in(60000), past = yb_deadline_in(-1), never;

    never = yb_deadline_never();
    ck_assert(yb_clock_ms() >= ms && us / 1000 >= ms);
    ck_assert(now / 1000000 <= yb_clock_now() && now / 1000000 > 1700000000);
    ck_assert(yb_deadline_left(soon) > 50000 && yb_deadline_left(soon) <= 60000);
    ck_assert_int_eq(yb_deadline_left(past), 0);
    ck_assert_int_eq(yb_deadline_left(never), -1);
    ck_assert_int_eq(yb_deadline_left(yb_deadline_in((int64_t)INT_MAX * 10)), INT_MAX);
    ck_assert_int_eq((int)(yb_deadline_min(soon, never).at_ms - soon.at_ms), 0);
    ck_assert_int_eq((int)(yb_deadline_min(soon, past).at_ms - past.at_ms), 0);
    yb_clock_advance(3600);
#ifdef YB_FAULTS
    ck_assert(yb_clock_now_us() - now >= 3600000000);
    ck_assert_int_eq(yb_deadline_left(soon), 0);
#else
    ck_assert(yb_clock_now_us() - now < 3600000000); /* no other build has such a switch */
    ck_assert_int_gt(yb_deadline_left(soon), 0);
#endif
}
END_TEST

/* --- log --- */

/* Runs `log` with stderr in a file; returns what it wrote, for yb_free(). */
static char *
capture(void (*log)(void))
{
    char path[32], *data;
    size_t size;
    int fd = temp_file(path, sizeof(path)), keep = dup(STDERR_FILENO);

    dup2(fd, STDERR_FILENO);
    log();
    dup2(keep, STDERR_FILENO);
    ck_assert_int_eq(yb_read_file(path, 100000, &data, &size, NULL), 0);
    ck_assert(strlen(data) == size); /* no NUL gets out */
    close(keep);
    close(fd);
    unlink(path);
    return data;
}

static void
log_some(void)
{
    struct yb_log_ctx ctx = { 0 };
    struct yb_err err = { 0 };
    struct yb_log_line l;
    size_t keep;

    yb_log_init("testd", YB_LOG_INFO);
    yb_log_ctx_add(&ctx, "sid", YB_STR("0102"));
    keep = ctx.n;
    yb_log_ctx_add(&ctx, "user", YB_STR("a b\"\n"));
    yb_log(YB_LOG_WARN, &ctx, "test.one", "%d %s", 42, "x");
    yb_log_ctx_cut(&ctx, keep);
    yb_log(YB_LOG_DEBUG, &ctx, "test.unseen", "x");
    yb_log_begin(&l, YB_LOG_DEBUG, &ctx, "test.unseen");
    yb_log_str(&l, "a", YB_STR("b"));
    yb_log_num(&l, "n", 1);
    yb_log_end(&l);
    yb_log_begin(&l, YB_LOG_INFO, &ctx, "test.two");
    yb_log_str(&l, "a", YB_STR(""));
    yb_log_num(&l, "n", -7);
    yb_log_fmt(&l, "f", "%d/%d", 1, 2);
    yb_log_str(&l, "z", YB_STR("\0\xff"));
    yb_log_end(&l);
    yb_err_set(&err, YB_PERM, "5.1.1", "gone");
    yb_log_err(YB_LOG_ERROR, NULL, "test.three", &err);
    yb_log_ctx_free(&ctx);
}

START_TEST(test_log)
{
    char *text = capture(log_some), *line = text;

    ck_assert(strncmp(line, "ts=2", 4) == 0);
    ck_assert_ptr_nonnull(strstr(line, "Z level=warn prog=testd event=test.one sid=0102 "
                                       "user=\"a b\\\"\\x0a\" text=\"42 x\"\n"));
    line = strchr(line, '\n') + 1;
    ck_assert_ptr_nonnull(strstr(line, "level=info prog=testd event=test.two sid=0102 a=\"\" n=-7 "
                                       "f=1/2 z=\"\\x00\\xff\"\n"));
    line = strchr(line, '\n') + 1;
    ck_assert_ptr_nonnull(strstr(
        line, "level=error prog=testd event=test.three class=perm status=5.1.1 text=gone\n"));
    ck_assert_ptr_null(strstr(text, "unseen"));
    yb_free(text);
}
END_TEST

/* However much is logged, a line is one line, and ends. */
static void
log_much(void)
{
    struct yb_log_ctx ctx = { 0 };
    struct yb_log_line l;
    char *much = yb_alloc(5000, 1);

    yb_log_init("testd", YB_LOG_DEBUG);
    for (int i = 0; i < 50; i++)
        yb_log_ctx_add(&ctx, "key", yb_str(much, (size_t)i));
    yb_log_begin(&l, YB_LOG_DEBUG, &ctx, "test.much");
    for (int i = 0; i < 300; i++)
        yb_log_str(&l, "key", yb_str(much, (size_t)i * 10));
    yb_log_end(&l);
    memset(much, '"', 4999);
    yb_log(YB_LOG_INFO, &ctx, "test.much", "%s", much);
    yb_log_ctx_free(&ctx);
    yb_free(much);
}

START_TEST(test_log_much)
{
    char *text = capture(log_much);
    size_t lines = 0;

    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    ck_assert_uint_eq(lines, 2);
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    yb_free(text);
}
END_TEST

/* A context takes what it holds: each connection has one. */
START_TEST(test_log_ctx)
{
    struct yb_log_ctx ctx = { 0 };
    char much[1000] = "";
    size_t keep;

    yb_log_ctx_add(&ctx, "sid", YB_STR("0102"));
    keep = ctx.n;
    ck_assert_uint_eq(keep, strlen(" sid=0102"));
    ck_assert_uint_eq(ctx.room, keep);
    yb_log_ctx_add(&ctx, "user", YB_STR("a@b.test"));
    ck_assert(yb_str_eq(yb_str(ctx.fields, ctx.n), YB_STR(" sid=0102 user=a@b.test")));
    yb_log_ctx_cut(&ctx, keep);
    yb_log_ctx_add(&ctx, "user", YB_STR("c"));
    ck_assert(yb_str_eq(yb_str(ctx.fields, ctx.n), YB_STR(" sid=0102 user=c")));
    memset(much, 'x', sizeof(much));
    yb_log_ctx_add(&ctx, "much", yb_str(much, sizeof(much)));
    ck_assert_uint_le(ctx.room, YB_LOG_CTX_MOST);
    yb_log_ctx_free(&ctx);
    ck_assert(ctx.fields == NULL && ctx.n == 0 && ctx.room == 0);
    yb_log_ctx_add(&ctx, "again", YB_STR("x"));
    yb_log_ctx_free(&ctx);
}
END_TEST

START_TEST(test_log_cut_too_much)
{
    struct yb_log_ctx ctx = { 0 };

    yb_log_ctx_cut(&ctx, 1);
}
END_TEST

/* --- logfmt --- */

/* clang-format off */
static const struct { struct yb_str value; const char *want; } values[] = {
    { YB_STR_INIT("plain"), " k=plain" },       { YB_STR_INIT(""), " k=\"\"" },
    { YB_STR_INIT("a b"), " k=\"a b\"" },       { YB_STR_INIT("a=b"), " k=\"a=b\"" },
    { YB_STR_INIT("a\"b\\"), " k=\"a\\\"b\\\\\"" },
    { YB_STR_INIT("\n\0\x7f"), " k=\"\\x0a\\x00\\x7f\"" },
    { YB_STR_INIT("\xc3\xbc"), " k=\"\\xc3\\xbc\"" },
    { YB_STR_INIT("<a@b>"), " k=<a@b>" },
};
/* clang-format on */

START_TEST(test_logfmt)
{
    struct yb_arena *arena = yb_arena_new(256);
    char line[64];
    struct yb_str s, key, value;
    size_t n = yb_logfmt_put(line, 0, sizeof(line), "k", values[_i].value);

    ck_assert(yb_str_eq(yb_str(line, n), yb_str_from(values[_i].want)));
    s = yb_str(line, n);
    ck_assert_int_eq(yb_logfmt_next(&s, arena, &key, &value), 1);
    ck_assert(yb_str_eq(key, YB_STR("k")) && yb_str_eq(value, values[_i].value));
    ck_assert_int_eq(yb_logfmt_next(&s, arena, &key, &value), 0);
    /* every smaller size: whole pieces, closed quotes, nothing past the end */
    for (size_t size = 0; size < n; size++) {
        size_t cut = yb_logfmt_put(line, 0, size, "k", values[_i].value);

        ck_assert_uint_le(cut, size);
        s = yb_str(line, cut);
        ck_assert_int_eq(yb_logfmt_next(&s, arena, &key, &value), cut > 0);
        ck_assert(cut == 0 || yb_str_starts(values[_i].value, value));
    }
    yb_arena_free(&arena);
}
END_TEST

/* clang-format off */
static const char *const no_logfmt[] = {
    "k", "=v", "k=\"open", "k=\"a\"b", "k=\"\\xg0\"", "k=\"\\x1", "k=\"\\", "k=a=b", "k=\"\\x1\"",
    "\"k\"=v", "k\x01=v", "k=a\x01",
};
/* clang-format on */

START_TEST(test_no_logfmt)
{
    struct yb_arena *arena = yb_arena_new(256);
    struct yb_str s = yb_str_from(no_logfmt[_i]), key, value;

    ck_assert_msg(yb_logfmt_next(&s, arena, &key, &value) == -1, "%s", no_logfmt[_i]);
    yb_arena_free(&arena);
}
END_TEST

/* --- fault --- */

/* Runs `work` in a child with YB_FAULT=spec; returns its wait status. The environment is set before
 * the fork: a sanitizer has a thread, and what it has locked stays locked in the child. */
static int
with_fault(const char *spec, void (*work)(void))
{
    int status;
    pid_t pid;

    setenv("YB_FAULT", spec, 1);
    pid = fork();
    if (pid == 0) {
        work();
        _exit(0);
    }
    unsetenv("YB_FAULT");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void
pass_points(void)
{
    yb_fault("test.a");
    if (yb_fault_fails("test.b"))
        _exit(1);
    yb_fault("test.a");
    if (yb_fault_fails("test.b"))
        _exit(errno == EIO ? 2 : 3);
}

START_TEST(test_fault)
{
    static const struct {
        const char *spec;
        int exit; /* -1: killed */
    } cases[] = {
        { "other:kill:1", 0 },  { "test.a:kill:2", -1 },
        { "test.a:kill:3", 0 }, { "test.b:fail:1", 1 },
        { "test.b:fail:2", 2 }, { "x:fail:1,test.b:fail:2", 2 },
        { "test.a:fail:1", 0 }, { "", 0 },
        { "nonsense", 0 },
    };

    for (size_t i = 0; i < YB_COUNT(cases); i++) {
        int status = with_fault(cases[i].spec, pass_points);

#ifdef YB_FAULTS
        ck_assert_msg(cases[i].exit < 0 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                                        : WIFEXITED(status) && WEXITSTATUS(status) == cases[i].exit,
                      "%s: status %x", cases[i].spec, (unsigned)status);
#else
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", cases[i].spec);
#endif
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("base/io");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_files);
    tcase_add_test(tc, test_short_writes);
    tcase_add_test(tc, test_utc);
    tcase_add_loop_test(tc, test_base64, 0, YB_COUNT(base64s));
    tcase_add_loop_test(tc, test_no_base64, 0, YB_COUNT(no_base64));
    tcase_add_test(tc, test_ids);
    tcase_add_test(tc, test_random_after_fork);
    tcase_add_test(tc, test_err);
    tcase_add_test(tc, test_err_long);
    tcase_add_test(tc, test_clock);
    tcase_add_test(tc, test_log);
    tcase_add_test(tc, test_log_much);
    tcase_add_test(tc, test_log_ctx);
    tcase_add_test_raise_signal(tc, test_log_cut_too_much, SIGABRT);
    tcase_add_loop_test(tc, test_logfmt, 0, YB_COUNT(values));
    tcase_add_loop_test(tc, test_no_logfmt, 0, YB_COUNT(no_logfmt));
    tcase_add_test(tc, test_fault);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
