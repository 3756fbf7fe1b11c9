/*
 * What the queue promises when processes are killed, the disk fails, fills up, or the power goes. A child
 * works on a queue and writes a ledger: "try-put 3" before, "ok-put 3" after. The parent, which has no
 * queue open meanwhile, opens what is left and holds it against the ledger.
 */
#include "tests/unit/relayd/qdisk.h"
#include "tests/unit/relayd/qhelp.h"

#include "lib/base/io.h"
#include "lib/store/form.h"
#include "relayd/body.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 100000 /* messages of a test */
#define LARGE 30000
/* Which call fails next. ThreadSanitizer's processes rest for a second before they end. */
#ifdef __SANITIZE_THREAD__
#define NEXT(n) (2 * (n))
#else
#define NEXT(n) ((n) < 10 ? (n) + 1 : (n) + (n) / 5)
#endif

/* --- the ledger --- */

enum { TRY_PUT = 1, OK_PUT = 2, TRY_DONE = 4, OK_DONE = 8 };

static const char *const words[] = { "try-put", "ok-put", "try-done", "ok-done" };

static int ledger_fd = -1;

static void
ledger_write(unsigned what, unsigned tag)
{
    char line[40];
    size_t i = 0;
    int n;

    while ((1u << i) != what)
        i++;
    n = snprintf(line, sizeof(line), "%s %u\n", words[i], tag);
    if (write(ledger_fd, line, (size_t)n) != n)
        abort();
}

static unsigned char *
ledger_read(const char *path)
{
    unsigned char *fate = yb_alloc(MOST, 1);
    FILE *f = fopen(path, "r");
    char word[20];
    unsigned tag;

    ck_assert(f != NULL);
    while (fscanf(f, "%19s %u", word, &tag) == 2) {
        ck_assert(tag < MOST);
        for (size_t i = 0; i < YB_COUNT(words); i++)
            fate[tag] |= strcmp(words[i], word) == 0 ? (unsigned char)(1u << i) : 0;
    }
    fclose(f);
    return fate;
}

static size_t
size_of(unsigned tag)
{
    return tag % 5 == 0 ? LARGE : 200 + tag % 7 * 1000;
}

/* --- the child --- */

static void
do_put(struct qhelp *h, unsigned tag, uint64_t *m)
{
    struct yb_err err = { 0 };

    ledger_write(TRY_PUT, tag);
    *m = qhelp_try_put(h, tag, 1, size_of(tag), &err);
    if (*m > 0)
        ledger_write(OK_PUT, tag);
}

static void
do_done(struct qhelp *h, unsigned tag, uint64_t m)
{
    ledger_write(TRY_DONE, tag);
    if (m > 0 && qhelp_op1(h, RELAYD_OP_DONE, m, 0))
        ledger_write(OK_DONE, tag);
}

/* Twelve messages, of which each third is delivered, and each fourth waits once more. */
static void
walk(struct qhelp *h, unsigned first)
{
    uint64_t m;

    for (unsigned tag = first; tag < first + 12; tag++) {
        do_put(h, tag, &m);
        if (tag % 4 == 1 && m > 0)
            (void)qhelp_op1(h, RELAYD_OP_LATER, m, 0);
        if (tag % 3 == 0)
            do_done(h, tag, m);
    }
}

struct worker {
    struct qhelp *h;
    unsigned first, step;
};

/* Until it is killed. */
static void *
work_on(void *arg)
{
    struct worker *w = arg;

    for (unsigned tag = w->first; tag < MOST; tag += w->step) {
        uint64_t m;

        do_put(w->h, tag, &m);
        if (tag % 3 != 0)
            do_done(w->h, tag, m);
    }
    return NULL;
}

static void
child_open(struct qhelp *h, const char *root)
{
    struct yb_msgbuf_conf spool = {
        .folder = root, .memory_each = 1 << 20, .memory_total = 64 << 20, .memory_network = 64 << 20
    };
    struct yb_err err = { 0 };

    *h = (struct qhelp){ 0 };
    snprintf(h->root, sizeof(h->root), "%s", root);
    snprintf(h->dir, sizeof(h->dir), "%s/state/queue", root);
    h->conf = (struct relayd_queue_conf){ .dir = h->dir,
                                          .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } },
                                          .spool = yb_msgbuf_pool_new(&spool, &err),
                                          .inline_body = 16384,
                                          .max_recipients = 1000000,
                                          .max_bytes = (uint64_t)20 << 30,
                                          .wal_bytes = 64 << 10,
                                          .ballast = 64 << 10 };
    if (relayd_queue_open(&h->conf, &h->q, &err) < 0) {
        fprintf(stderr, "child: %s\n", err.text);
        yb_leave(75);
    }
}

static int
nothing(void *arg, const struct relayd_message *m, struct yb_err *err)
{
    (void)arg;
    (void)m;
    (void)err;
    return 0;
}

static int
child(const char *root, const char *what, unsigned first, long n, int rc)
{
    char path[300];
    struct qhelp h;
    struct yb_err err = { 0 };

    snprintf(path, sizeof(path), "%s/ledger", root);
    ledger_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    qdisk_install();
    child_open(&h, root);
    if (relayd_queue_scan(h.q, nothing, NULL, &err) < 0 ||
        relayd_queue_start(h.q, &h.owner, &err) < 0)
        return 75;
    if (strcmp(what, "workers") == 0) {
        pthread_t threads[4];
        struct worker w[4];

        for (unsigned i = 0; i < 4; i++) {
            w[i] = (struct worker){ &h, first + i, 4 };
            if (pthread_create(&threads[i], NULL, work_on, &w[i]) != 0)
                return 2;
        }
        for (unsigned i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    if (strcmp(what, "write") == 0)
        qdisk_fail(QDISK_WRITE, n, rc);
    else if (strcmp(what, "sync") == 0)
        qdisk_fail(QDISK_SYNC, n, rc);
    walk(&h, first);
    if (qdisk_failed()) /* it got to the end all the same: what it was told is kept */
        yb_leave(3);
    relayd_queue_close(&h.q);
    return 0;
}

/* The form for file systems that keep a linked file by one sync, wherever this runs; NULL: it worked,
 * and the file is there, whole, and can be removed. */
static const char *
linked_body(struct qhelp *h)
{
    struct yb_message_id mid = { { 0xab, 1, 2 } };
    struct yb_msgbuf *octets = qhelp_octets(h, 3, LARGE);
    struct relayd_bodies b;
    struct yb_err err = { 0 };
    int dir_fd = open(h->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
    struct stat st;
    const char *wrong = NULL;

    if (relayd_bodies_open(&b, dir_fd, &err) < 0)
        return "open";
    b.form = YB_FORM_LINKED;
    fd = relayd_body_write(&b, mid, 77, octets, &err) < 0 ? -1 : relayd_body_open(&b, mid, 77);
    if (fd < 0)
        wrong = "write";
    else if (fstat(fd, &st) < 0 || st.st_size != LARGE || (st.st_mode & 0777) != 0600)
        wrong = "size or mode";
    else if (relayd_body_write(&b, mid, 77, octets, &err) == 0)
        wrong = "overwrites";
    relayd_body_remove(&b, mid, 77);
    if (wrong == NULL && relayd_body_is(&b, mid, 77))
        wrong = "remove";
    if (fd >= 0)
        close(fd);
    relayd_bodies_close(&b);
    close(dir_fd);
    yb_msgbuf_free(&octets);
    return wrong;
}

static pid_t
spawn(struct qhelp *h, const char *what, unsigned first, long n, int rc, const char *fault)
{
    pid_t pid = fork();

    ck_assert(pid >= 0);
    if (pid == 0) {
        if (fault != NULL) /* read at the first fault point, which no parent has come to */
            setenv("YB_FAULT", fault, 1);
        if (strcmp(what, "linked") == 0)
            yb_leave(linked_body(h) == NULL ? 0 : 2);
        yb_leave(child(h->root, what, first, n, rc));
    }
    return pid;
}

static int
ended(pid_t pid)
{
    int status;

    ck_assert(waitpid(pid, &status, 0) == pid);
    return status;
}

/* --- what is left --- */

struct look {
    const unsigned char *fate;
    unsigned char *seen;
    uint64_t m[64];
    size_t n, files;
};

static int
look_at(void *arg, const struct relayd_message *m, struct yb_err *err)
{
    struct look *l = arg;
    unsigned tag;

    (void)err;
    memcpy(&tag, m->mid.v, sizeof(tag));
    ck_assert_msg(tag < MOST && !l->seen[tag], "%u is there twice", tag);
    ck_assert_msg((l->fate[tag] & TRY_PUT) != 0, "%u was never put", tag);
    ck_assert_msg((l->fate[tag] & OK_DONE) == 0, "%u was done", tag);
    ck_assert(m->n == 1 && m->r[0].state == RELAYD_WAITING);
    ck_assert_uint_eq(m->size, size_of(tag) + 9);
    l->seen[tag] = 1;
    l->files += m->file ? 1 : 0;
    if (l->n < YB_COUNT(l->m))
        l->m[l->n++] = m->m;
    return 0;
}

/* Everything that was answered is there or done; nothing else is, and no body lies about. */
static void
hold_against(struct qhelp *h, const char *what)
{
    char path[300];
    struct look l = { .seen = yb_alloc(MOST, 1) };
    unsigned char *fate;

    snprintf(path, sizeof(path), "%s/ledger", h->root);
    l.fate = fate = ledger_read(path);
    OK(relayd_queue_open(&h->conf, &h->q, &err));
    OK(relayd_queue_scan(h->q, look_at, &l, &err));
    OK(relayd_queue_start(h->q, &h->owner, &err));
    for (unsigned tag = 0; tag < MOST; tag++) {
        if ((fate[tag] & OK_PUT) != 0 && (fate[tag] & TRY_DONE) == 0)
            ck_assert_msg(l.seen[tag], "%s: %u was answered and is lost", what, tag);
    }
    ck_assert_msg(qhelp_bodies(h) == l.files, "%s: %zu bodies, %zu files", what, qhelp_bodies(h),
                  l.files);
    for (size_t i = 0; i < l.n; i++) {
        struct yb_str head;
        struct yb_msgbuf *body;

        OK(relayd_queue_body(h->q, l.m[i], &head, &body, &err));
        yb_free((char *)(uintptr_t)head.p);
        yb_msgbuf_free(&body);
    }
    for (unsigned tag = 0; tag < MOST; tag++) { /* a repeat is told that it was done */
        struct relayd_message m;
        struct yb_msgbuf *octets;

        if ((fate[tag] & OK_DONE) == 0)
            continue;
        m = qhelp_message(tag, 1);
        octets = qhelp_octets(h, tag, 10);
        OK(relayd_queue_put(h->q, &m, octets, YB_STR(""), &err));
        ck_assert_msg(m.n == 0, "%s: %u was done and is taken again", what, tag);
        m.n = 1;
        yb_msgbuf_free(&octets);
        qhelp_free_message(&m);
    }
    relayd_queue_close(&h->q);
    ck_assert_int_eq(qhelp_number(h, "SELECT count(*) FROM pragma_integrity_check"
                                     " WHERE integrity_check <> 'ok'"),
                     0);
    yb_free(l.seen);
    yb_free(fate);
}

/* --- bodies --- */

START_TEST(test_linked_body)
{
    struct qhelp h;
    const char *wrong;

    qhelp_init_disk(&h);
    wrong = linked_body(&h);
    ck_assert_msg(wrong == NULL, "%s", wrong);
    qhelp_end(&h);
}
END_TEST

/* --- the n-th call fails --- */

static void
nth_call(const char *call, int rc)
{
    struct qhelp h;
    unsigned first = 1;
    long n, broken = 0;

    qhelp_init(&h);
    for (n = 1;; n = NEXT(n)) {
        int status = ended(spawn(&h, call, first, n, rc, NULL));

        ck_assert_msg(WIFEXITED(status), "%s %ld: signal %d", call, n, WTERMSIG(status));
        hold_against(&h, call);
        if (WEXITSTATUS(status) == 0)
            break;
        broken += WEXITSTATUS(status) == 75 ? 1 : 0;
        ck_assert_msg(WEXITSTATUS(status) == 75 || (WEXITSTATUS(status) == 3 && rc == SQLITE_FULL),
                      "%s %ld: exit %d", call, n, WEXITSTATUS(status));
        first += 12;
    }
    ck_assert_msg(n > 10 && (broken > 3) == (rc != SQLITE_FULL), "%s: %ld calls, %ld broken", call,
                  n, broken);
    qhelp_end(&h);
}

START_TEST(test_sync_fails)
{
    nth_call("sync", SQLITE_IOERR_FSYNC);
}
END_TEST

START_TEST(test_write_fails)
{
    nth_call("write", SQLITE_IOERR_WRITE);
}
END_TEST

START_TEST(test_write_finds_no_room)
{
    nth_call("write", SQLITE_FULL);
}
END_TEST

/* What was refused is not known: the same message is taken when there is room. */
START_TEST(test_refused_comes_again)
{
    struct qhelp h;
    struct yb_err why = { 0 };

    qdisk_install();
    qhelp_init(&h);
    qhelp_start(&h);
    qdisk_fail(QDISK_WRITE, 1, SQLITE_FULL);
    ck_assert(qhelp_try_put(&h, 1, 1, 100, &why) == 0);
    ck_assert(why.class == YB_TEMP && why.kind == YB_ERR_FULL && strcmp(why.status, "4.3.1") == 0);
    ck_assert(!qhelp_stats(&h).ballast);
    qdisk_fail(QDISK_NONE, 0, 0);
    UNTIL(&h, st.ballast);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 0);
    qhelp_put(&h, 1, 1, 100);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 1);
    qhelp_end(&h);
}
END_TEST

static void
count_done(void *arg, const struct relayd_op *op, bool ok)
{
    (void)op;
    atomic_fetch_add((_Atomic unsigned *)arg, ok ? 1 : 1000);
}

/* A message that SQLite does not take fails alone, whoever was in the same transaction. */
START_TEST(test_bad_one)
{
    struct qhelp h;
    struct relayd_message bad = qhelp_message(999, 1);
    struct yb_str address = bad.r[0].address;
    struct yb_msgbuf *octets;
    _Atomic unsigned done = 0;
    uint64_t m[100];

    qhelp_init_disk(&h); /* a sync takes time there, in which the others gather */
    qhelp_start(&h);
    octets = qhelp_octets(&h, 999, 100);
    for (unsigned i = 0; i < 100; i++)
        m[i] = qhelp_put(&h, i, 1, 100);
    for (unsigned i = 0; i < 100; i++) {
        struct relayd_recipient r = { .n = 0 };
        struct relayd_op op = {
            .kind = RELAYD_OP_DONE, .m = m[i], .r = &r, .n = 1, .done = count_done, .arg = &done
        };

        relayd_queue_post(h.q, &op);
        if (i == 50) {
            bad.r[0].address.n = 1000000001; /* over the limit; nobody reads that far */
            FAILS(relayd_queue_put(h.q, &bad, octets, YB_STR(""), &err), YB_ERR_OTHER);
            bad.r[0].address = address;
        }
    }
    OK(relayd_queue_put(h.q, &bad, octets, YB_STR(""), &err));
    ck_assert_uint_eq(bad.n, 1); /* it did not become known by what failed */
    UNTIL(&h, atomic_load(&done) >= 100);
    ck_assert_uint_eq(atomic_load(&done), 100);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, 1);
    ck_assert(qhelp_stats(&h).ops > qhelp_stats(&h).commits);
    yb_msgbuf_free(&octets);
    qhelp_free_message(&bad);
    qhelp_end(&h);
}
END_TEST

/* --- kills --- */

static long
rounds(long few, long many)
{
    const char *is_long = getenv("YUBIN_LONG");

    return is_long != NULL && strcmp(is_long, "1") == 0 ? many : few;
}

START_TEST(test_kills)
{
    struct qhelp h;
    unsigned seed = 4711, first = 1;
    long n = rounds(12, 400);
    char path[300];

    qhelp_init(&h);
    snprintf(path, sizeof(path), "%s/ledger", h.root);
    for (long i = 0; i < n; i++) {
        pid_t pid = spawn(&h, "workers", first, 0, 0, NULL);
        unsigned char *fate;

        yb_clock_rest_us(20000 + rand_r(&seed) % 180000);
        ck_assert(kill(pid, SIGKILL) == 0);
        ck_assert(WIFSIGNALED(ended(pid)));
        if (access(path, F_OK) != 0)
            continue;
        hold_against(&h, "kill");
        fate = ledger_read(path);
        for (unsigned tag = 0; tag < MOST; tag++)
            first = fate[tag] != 0 && tag >= first ? tag + 1 : first;
        yb_free(fate);
        if (first > MOST - 20000)
            break;
    }
    ck_assert(first > 1);
    qhelp_end(&h);
}
END_TEST

#ifdef YB_FAULTS
static const struct {
    const char *point;
    long nth;
} kills[] = {
    { "relay.Q1", 1 },         { "relay.Q1", 5 },         { "relay.Q2", 1 },
    { "relay.Q2", 5 },         { "relay.commit", 1 },     { "relay.commit", 7 },
    { "relay.checkpoint", 1 }, { "relay.checkpoint", 2 },
};

/* Each point is reached, ends the process there, and leaves what the ledger says. */
START_TEST(test_points)
{
    struct qhelp h;
    char fault[60];
    int status;

    qhelp_init(&h);
    snprintf(fault, sizeof(fault), "%s:kill:%ld", kills[_i].point, kills[_i].nth);
    status = ended(spawn(&h, "walk", 1, 0, 0, fault));
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: %x", fault, status);
    hold_against(&h, fault);
    ck_assert(ended(spawn(&h, "walk", 100, 0, 0, NULL)) == 0);
    hold_against(&h, fault);
    qhelp_end(&h);
}
END_TEST

static const struct {
    const char *point;
    int code; /* of the process */
} failing[] = {
    { "relay.commit", 75 }, { "relay.checkpoint", 75 },
    { "store.write", 0 },   { "store.fsync", 75 /* the folder of bodies, at the start */ },
    { "store.rename", 0 },
};

START_TEST(test_points_fail)
{
    struct qhelp h;
    char fault[60];
    int status;

    qhelp_init(&h);
    snprintf(fault, sizeof(fault), "%s:fail:1", failing[_i].point);
    status = ended(spawn(&h, "walk", 1, 0, 0, fault));
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == failing[_i].code, "%s: %x", fault,
                  status);
    ck_assert(ended(spawn(&h, "walk", 100, 0, 0, NULL)) == 0);
    hold_against(&h, fault);
    qhelp_end(&h);
}
END_TEST

/* The points that a child came to, in their order. */
static char *
points_of(struct qhelp *h, const char *what)
{
    struct yb_err err = { 0 };
    char path[300], *log;
    size_t size;

    snprintf(path, sizeof(path), "%s/points", h->root);
    setenv("YB_FAULT_LOG", path, 1);
    ck_assert(ended(spawn(h, what, 1, 0, 0, NULL)) == 0);
    unsetenv("YB_FAULT_LOG");
    ck_assert_msg(yb_read_file(path, 1 << 20, &log, &size, &err) == 0, "%s", err.text);
    return log;
}

/* A body and its name are synced before the row is written. */
START_TEST(test_order)
{
    static const struct {
        const char *what, *want;
    } ways[] = {
        { "walk", "store.write\nstore.fsync\nstore.rename\nstore.fsync\nrelay.Q1\n" },
        { "linked", "store.write\nstore.link\nstore.fsync\n" },
    };
    struct qhelp h;
    char *log;

    qhelp_init(&h); /* in memory the form is the portable one */
    log = points_of(&h, ways[_i].what);
    ck_assert_msg(strstr(log, ways[_i].want) != NULL, "%s", log);
    yb_free(log);
    qhelp_end(&h);
}
END_TEST

/* A body that cannot be written or synced: its message is refused, the others are not. */
START_TEST(test_body_fails)
{
    static const char *const points[] = { "store.write:fail:1", "store.fsync:fail:3",
                                          "store.fsync:fail:4", "store.rename:fail:1" };
    struct qhelp h;
    char path[300];
    unsigned char *fate;

    qhelp_init(&h);
    ck_assert(ended(spawn(&h, "walk", 1, 0, 0, points[_i])) == 0);
    snprintf(path, sizeof(path), "%s/ledger", h.root);
    fate = ledger_read(path);
    ck_assert((fate[5] & OK_PUT) == 0 && (fate[6] & OK_PUT) != 0 && (fate[10] & OK_PUT) != 0);
    yb_free(fate);
    hold_against(&h, points[_i]);
    qhelp_end(&h);
}
END_TEST
#endif

/* --- the power goes --- */

START_TEST(test_power_cut)
{
    struct qhelp h, after;
    struct {
        size_t at;
        unsigned what, tag;
    } told[200];
    size_t n_told = 0;
    char dump[400];
    uint64_t m[40] = { 0 };
    long cuts = rounds(60, 3000);
    unsigned seed = 17;
    size_t end;

    qdisk_install();
    qhelp_init(&h);
    h.conf.wal_bytes = 64 << 10; /* several times written back */
    qdisk_record();
    qhelp_start(&h);
    for (unsigned tag = 1; tag < 40; tag++) {
        m[tag] = qhelp_put(&h, tag, 1, 200 + tag % 7 * 1000);
        told[n_told].what = OK_PUT;
        told[n_told].tag = tag;
        told[n_told++].at = qdisk_at();
        if (tag % 3 == 0) {
            told[n_told].what = TRY_DONE;
            told[n_told].tag = tag;
            told[n_told++].at = qdisk_at();
            ck_assert(qhelp_op1(&h, RELAYD_OP_DONE, m[tag], 0));
            told[n_told].what = OK_DONE;
            told[n_told].tag = tag;
            told[n_told++].at = qdisk_at();
        }
    }
    end = qdisk_at();
    qhelp_init(&after);
    snprintf(dump, sizeof(dump), "mkdir -p %s", after.dir);
    for (long cut = 0; cut < cuts; cut++) {
        size_t at = told[0].at + (size_t)rand_r(&seed) % (end - told[0].at + 1);
        unsigned fate[40] = { 0 };
        char *all;

        if (cut == 0) { /* the folders */
            qhelp_start(&after);
            relayd_queue_close(&after.q);
        }
        snprintf(dump, sizeof(dump), "%s/queue.db-shm", after.dir);
        (void)unlink(dump);
        qdisk_cut(after.dir, at, (unsigned)rand_r(&seed));
        for (size_t i = 0; i < n_told; i++)
            fate[told[i].tag] |= told[i].at <= at ? told[i].what : 0;
        qhelp_start(&after);
        all = qhelp_dump(&after);
        for (unsigned tag = 1; tag < 40; tag++) {
            char line[60];
            bool is;

            snprintf(line, sizeof(line), "<r0-%u@example.org>", tag);
            is = strstr(all, line) != NULL;
            if ((fate[tag] & OK_PUT) != 0 && (fate[tag] & TRY_DONE) == 0)
                ck_assert_msg(is, "cut at %zu of %zu: %u is lost", at, end, tag);
            if ((fate[tag] & OK_DONE) != 0)
                ck_assert_msg(!is, "cut at %zu of %zu: %u is back", at, end, tag);
        }
        ck_assert(!qhelp_stats(&after).damaged);
        yb_free(all);
        relayd_queue_close(&after.q);
    }
    qhelp_end(&after);
    qhelp_end(&h);
}
END_TEST

/* --- a full disk --- */

/* A small file system of our own, which nobody else sees; false without the right to that. */
static bool
small_disk(struct qhelp *h, const char *size)
{
    char path[300];

    qhelp_init(h);
    snprintf(path, sizeof(path), "%s/state", h->root);
    return mkdir(path, 0700) == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, size) == 0;
}

/* To the last block. */
static void
fill_up(struct qhelp *h)
{
    static const char piece[4096];
    char path[300];
    int fd;

    snprintf(path, sizeof(path), "%s/state/filler", h->root);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert(fd >= 0);
    while (write(fd, piece, sizeof(piece)) == sizeof(piece))
        ;
    close(fd);
}

START_TEST(test_full_disk)
{
    struct qhelp h;
    uint64_t m[400];
    unsigned n = 0, refused;
    struct yb_err why = { 0 };
    struct yb_tenant_id tenant = { { 1 } };
    char path[300];

    if (!small_disk(&h, "size=24m")) {
        fprintf(stderr, "test_full_disk: not without the right to mount\n");
        return;
    }
    h.conf.ballast = 2 << 20;
    h.conf.wal_bytes = 256 << 10;
    h.conf.idle_ms = 100;
    qhelp_start(&h);
    for (n = 0; n < 300; n++)
        m[n] = qhelp_put(&h, n, 1, n % 3 == 0 ? LARGE : 8000);
    ck_assert(qhelp_stats(&h).ballast);
    fill_up(&h);
    /* A few may fit into blocks of the log. */
    for (refused = 0; n < 390 && refused == 0; n += 1 - refused) {
        m[n] = qhelp_try_put(&h, n, 1, n % 3 == 0 ? LARGE : 8000, &why);
        refused = m[n] == 0 ? 1 : 0;
        ck_assert(refused == 0 || (why.kind == YB_ERR_FULL && why.class == YB_TEMP));
    }
    ck_assert(refused == 1);
    /* Every result is recorded, whatever the disk says. */
    for (unsigned i = 0; i < n; i += 2)
        ck_assert_msg(qhelp_op1(&h, RELAYD_OP_LATER, m[i], 0), "%u", i);
    for (unsigned i = 0; i < n; i++) {
        if (i % 2 == 0)
            ck_assert_msg(qhelp_op1(&h, RELAYD_OP_DONE, m[i], 0), "%u", i);
        if (i % 10 == 0)
            fill_up(&h); /* what the bodies gave back is somebody else's now */
    }
    ck_assert(!qhelp_stats(&h).ballast);
    ck_assert(!relayd_queue_may_take(h.q, tenant, 0, true, &why) && why.kind == YB_ERR_FULL);
    qhelp_again(&h); /* the start does not need room either */
    ck_assert(!qhelp_stats(&h).ballast);
    ck_assert(!qhelp_stats(&h).damaged);
    for (unsigned i = 1; i < n; i += 2)
        qhelp_is_body(&h, m[i], i, i % 3 == 0 ? LARGE : 8000);
    ck_assert_uint_eq(qhelp_stats(&h).recipients, n / 2);
    /* There is room again. */
    snprintf(path, sizeof(path), "%s/state/filler", h.root);
    ck_assert(unlink(path) == 0);
    UNTIL(&h, st.ballast);
    qhelp_put(&h, n, 1, LARGE); /* the one that was refused */
    relayd_queue_close(&h.q);
    yb_msgbuf_pool_free(&h.conf.spool);
    snprintf(path, sizeof(path), "%s/state", h.root);
    ck_assert(umount2(path, MNT_DETACH) == 0 && rmdir(path) == 0 && rmdir(h.root) == 0);
}
END_TEST

/* Stopped with its ballast in place; then somebody else took the rest, the log's blocks too. */
START_TEST(test_full_at_start)
{
    struct qhelp h;
    char path[300];
    uint64_t m[20];

    if (!small_disk(&h, "size=16m")) {
        fprintf(stderr, "test_full_at_start: not without the right to mount\n");
        return;
    }
    h.conf.ballast = 2 << 20;
    h.conf.wal_bytes = 256 << 10;
    qhelp_start(&h);
    for (unsigned n = 0; n < 20; n++)
        m[n] = qhelp_put(&h, n, 1, n % 3 == 0 ? LARGE : 8000);
    ck_assert(qhelp_stats(&h).ballast);
    relayd_queue_close(&h.q);
    fill_up(&h);
    qhelp_start(&h);
    ck_assert(!qhelp_stats(&h).ballast);
    for (unsigned n = 0; n < 20; n++) {
        qhelp_is_body(&h, m[n], n, n % 3 == 0 ? LARGE : 8000);
        ck_assert_msg(qhelp_op1(&h, RELAYD_OP_DONE, m[n], 0), "%u", n);
    }
    relayd_queue_close(&h.q);
    yb_msgbuf_pool_free(&h.conf.spool);
    snprintf(path, sizeof(path), "%s/state", h.root);
    ck_assert(umount2(path, MNT_DETACH) == 0 && rmdir(path) == 0 && rmdir(h.root) == 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("relayd/queue_trouble");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_linked_body);
    tcase_add_test(tc, test_sync_fails);
    tcase_add_test(tc, test_write_fails);
    tcase_add_test(tc, test_write_finds_no_room);
    tcase_add_test(tc, test_refused_comes_again);
    tcase_add_test(tc, test_bad_one);
    tcase_add_test(tc, test_kills);
#ifdef YB_FAULTS
    tcase_add_loop_test(tc, test_points, 0, YB_COUNT(kills));
    tcase_add_loop_test(tc, test_points_fail, 0, YB_COUNT(failing));
    tcase_add_loop_test(tc, test_body_fails, 0, 4);
    tcase_add_loop_test(tc, test_order, 0, 2);
#endif
    tcase_add_test(tc, test_power_cut);
    tcase_add_test(tc, test_full_disk);
    tcase_add_test(tc, test_full_at_start);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
