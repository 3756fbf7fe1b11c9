/*
 * queue DIR [what=all] [seconds=60]
 * How fast relayd's queue is, without any protocol. what: life (whole lives of messages, by 1, 8 and 32
 * threads, 4 and 16 KiB, and with 100 000 waiting), scan (the start with 100 000 and 1 000 000
 * recipients), stall (how long a message waits for its commit while the log is written back, with logs
 * of 16, 8 and 4 MiB, for so many seconds each), or all. One line of JSON for each figure. DIR is made,
 * and left for a look.
 */
#include "relayd/queue.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_THREADS 32
#define MOST_TIMES 4000000

static struct {
    const char *dir;
    char queue[500];
    struct relayd_queue_conf conf;
    struct relayd_queue *q;
    size_t size;
    _Atomic size_t next;
    size_t last;
    int64_t until_us; /* 0: until `last` */
    _Atomic size_t n_times;
    uint32_t *us; /* each put */
} bench;

static void
need(int rc, const struct yb_err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "queue: %s %s\n", err->status, err->text);
    exit(1);
}

static double
cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int
count_rows(void *arg, const struct relayd_message *m, struct yb_err *err)
{
    (void)err;
    *(size_t *)arg += m->n;
    return 0;
}

/* A queue of its own name; what it holds is counted. */
static size_t
queue_open(const char *name, uint64_t wal_bytes)
{
    struct relayd_queue_owner owner = { 0 };
    struct yb_err err = { 0 };
    size_t rows = 0;

    snprintf(bench.queue, sizeof(bench.queue), "%s/%s", bench.dir, name);
    bench.conf.dir = bench.queue;
    bench.conf.wal_bytes = wal_bytes;
    need(relayd_queue_open(&bench.conf, &bench.q, &err), &err);
    need(relayd_queue_scan(bench.q, count_rows, &rows, &err), &err);
    need(relayd_queue_start(bench.q, &owner, &err), &err);
    return rows;
}

/* --- lives --- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool over;
};

static void
op_done(void *arg, const struct relayd_op *op, bool ok)
{
    struct waiter *w = arg;

    (void)op;
    if (!ok)
        exit(1);
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_signal(&w->told);
    pthread_mutex_unlock(&w->lock);
}

static void
live(const struct yb_msgbuf *body, struct waiter *w)
{
    struct relayd_recipient r = { .delivery = yb_delivery_id_new(),
                                  .address = YB_STR("somebody@customer.example"),
                                  .state = RELAYD_WAITING };
    struct relayd_message m = {
        .mid = yb_message_id_new(), .sender = YB_STR("else@sender.example"), .r = &r, .n = 1
    };
    struct relayd_op op = { .kind = RELAYD_OP_DONE, .r = &r, .n = 1, .done = op_done, .arg = w };
    struct yb_err err = { 0 };
    int64_t begun = yb_clock_us();
    size_t at;

    yb_random(m.tenant.v, 1); /* so that none has half of it */
    r.tenant = m.tenant;
    need(relayd_queue_put(bench.q, &m, body, YB_STR(""), &err), &err);
    at = atomic_fetch_add(&bench.n_times, 1);
    if (at < MOST_TIMES)
        bench.us[at] = (uint32_t)(yb_clock_us() - begun);
    op.m = m.m;
    w->over = false;
    relayd_queue_post(bench.q, &op);
    pthread_mutex_lock(&w->lock);
    while (!w->over)
        pthread_cond_wait(&w->told, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void *
liver(void *arg)
{
    struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };
    struct yb_msgbuf *body = yb_msgbuf_new(bench.conf.spool, 0);
    struct yb_err err = { 0 };
    char *octets = yb_alloc(bench.size, 1);

    (void)arg;
    need(yb_msgbuf_append(body, yb_str(octets, bench.size), &err), &err);
    while (bench.until_us == 0 ? atomic_fetch_add(&bench.next, 1) < bench.last
                               : yb_clock_us() < bench.until_us)
        live(body, &w);
    yb_msgbuf_free(&body);
    yb_free(octets);
    return NULL;
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
run(const char *figure, size_t threads, size_t size, size_t lives, int64_t seconds)
{
    pthread_t ids[MOST_THREADS];
    struct relayd_queue_stats before, after;
    double cpu = cpu_us();
    int64_t begun = yb_clock_us();
    size_t n;

    relayd_queue_stats_read(bench.q, &before);
    bench.size = size;
    bench.last = lives;
    bench.until_us = seconds == 0 ? 0 : begun + seconds * 1000000;
    atomic_store(&bench.next, 0);
    atomic_store(&bench.n_times, 0);
    for (size_t i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, liver, NULL) != 0)
            exit(1);
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    n = atomic_load(&bench.n_times);
    n = n < MOST_TIMES ? n : MOST_TIMES;
    relayd_queue_stats_read(bench.q, &after);
    qsort(bench.us, n, sizeof(bench.us[0]), by_value);
    printf(
        "{\"figure\": \"%s\", \"threads\": %zu, \"size\": %zu, \"waiting\": %llu, \"lives\": %zu, "
        "\"per_s\": %.0f, \"cpu_us_each\": %.1f, \"ops_a_commit\": %.1f, \"put_ms_p50\": %.2f, "
        "\"put_ms_p99\": %.2f, \"put_ms_max\": %.2f, \"longest_commit_ms\": %.2f, "
        "\"checkpoints\": %llu}\n",
        figure, threads, size, (unsigned long long)after.recipients, n,
        (double)n * 1e6 / (double)(yb_clock_us() - begun), (cpu_us() - cpu) / (double)n,
        (double)(after.ops - before.ops) / (double)(after.commits - before.commits),
        bench.us[n / 2] / 1e3, bench.us[n * 99 / 100] / 1e3, bench.us[n - 1] / 1e3,
        (double)after.longest_commit_us / 1e3,
        (unsigned long long)(after.checkpoints - before.checkpoints));
    fflush(stdout);
}

/* --- the start --- */

/* Rows as the queue writes them, by SQL because that is faster: one recipient each. */
static void
fill(const char *name, size_t n)
{
    static const char sql[] =
        "WITH RECURSIVE c(m) AS (SELECT 1 UNION ALL SELECT m + 1 FROM c WHERE m < %zu)"
        "INSERT INTO message SELECT m, randomblob(16), randomblob(8), randomblob(16), 0,"
        " 'sender-' || m || '@example.net', 0, 4096, 1700000000000, 0 FROM c;"
        "WITH RECURSIVE c(m) AS (SELECT 1 UNION ALL SELECT m + 1 FROM c WHERE m < %zu)"
        "INSERT INTO recipient SELECT m, 0, randomblob(16), CAST(randomblob(1) || zeroblob(15) AS "
        "BLOB),"
        " randomblob(16), randomblob(16), 'recipient-' || m || '@customer.example', 1073741824, 0,"
        " 1, 0, 3, 1700000000000, 451, '4.2.1', 'Mailbox busy, try again later', 1700000000000"
        " FROM c;"
        "WITH RECURSIVE c(m) AS (SELECT 1 UNION ALL SELECT m + 1 FROM c WHERE m < %zu)"
        "INSERT INTO body SELECT m, x'', randomblob(%d) FROM c;"
        "UPDATE meta SET value = %zu + 1 WHERE key = 'm';";
    char text[2000], path[600];
    sqlite3 *db;

    queue_open(name, 16 << 20);
    relayd_queue_close(&bench.q);
    snprintf(path, sizeof(path), "%s/queue.db", bench.queue);
    snprintf(text, sizeof(text), sql, n, n, n, n > 100000 ? 64 : 4096, n);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "queue: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_close(db);
}

static void
scan(const char *name, size_t n)
{
    int64_t begun;
    double cpu;

    fill(name, n);
    for (int round = 0; round < 3; round++) {
        size_t rows;

        begun = yb_clock_us();
        cpu = cpu_us();
        rows = queue_open(name, 16 << 20);
        printf("{\"figure\": \"start\", \"recipients\": %zu, \"ms\": %.0f, \"cpu_ms\": %.0f}\n",
               rows, (double)(yb_clock_us() - begun) / 1e3, (cpu_us() - cpu) / 1e3);
        fflush(stdout);
        relayd_queue_close(&bench.q);
    }
}

int
main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "all";
    int64_t seconds = argc > 3 ? strtoll(argv[3], NULL, 10) : 60;
    struct yb_msgbuf_conf spool = { .memory_each = 1 << 20,
                                    .memory_total = 256 << 20,
                                    .memory_network = 256 << 20 };
    static const size_t threads[] = { 1, 8, 32 }, logs[] = { 16, 8, 4 };
    struct yb_err err = { 0 };
    char name[20];

    if (argc < 2) {
        fprintf(stderr, "usage: queue DIR [life|scan|stall|all] [seconds]\n");
        return 2;
    }
    bench.dir = spool.folder = argv[1];
    if (mkdir(bench.dir, 0700) < 0 && errno != EEXIST)
        return 1;
    yb_log_init("queue", YB_LOG_ERROR);
    bench.conf = (struct relayd_queue_conf){ .spool = yb_msgbuf_pool_new(&spool, &err),
                                             .inline_body = 16384,
                                             .max_recipients = 10000000,
                                             .max_bytes = (uint64_t)200 << 30 };
    need(bench.conf.spool == NULL ? -1 : 0, &err);
    bench.us = yb_alloc(MOST_TIMES, sizeof(bench.us[0]));
    if (strcmp(what, "scan") == 0 || strcmp(what, "all") == 0) {
        scan("scan-100k", 100000);
        scan("scan-1m", 1000000);
    }
    if (strcmp(what, "life") == 0 || strcmp(what, "all") == 0) {
        queue_open("life", 16 << 20);
        for (size_t i = 0; i < YB_COUNT(threads); i++) {
            run("life", threads[i], 4096, threads[i] == 1 ? 2000 : 20000, 0);
            run("life", threads[i], 16384, threads[i] == 1 ? 2000 : 10000, 0);
        }
        relayd_queue_close(&bench.q);
        fill("life-waiting", 100000);
        queue_open("life-waiting", 16 << 20);
        for (size_t i = 0; i < YB_COUNT(threads); i++)
            run("life", threads[i], 4096, threads[i] == 1 ? 2000 : 20000, 0);
        relayd_queue_close(&bench.q);
    }
    for (size_t i = 0;
         i < YB_COUNT(logs) && (strcmp(what, "stall") == 0 || strcmp(what, "all") == 0); i++) {
        snprintf(name, sizeof(name), "stall-%zu", logs[i]);
        queue_open(name, logs[i] << 20);
        run(name, 32, 4096, 0, seconds);
        relayd_queue_close(&bench.q);
    }
    yb_free(bench.us);
    yb_msgbuf_pool_free(&bench.conf.spool);
    return 0;
}
