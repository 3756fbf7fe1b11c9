/*
 * store-bench DIR [deliveries=2000] [rows=100000] [size=4096] [accounts=100] [form=0]
 * form: 0 auto, 1 portable, 2 linked.
 * How fast lib/store is, without any protocol: durable deliveries a second by 1 and by 16 threads
 * into `accounts` INBOXes; a mailbox of `rows` foreign files adopted, opened cold (another process,
 * then without an index), selected warm, all flags read, status, 1 000 flags changed, 1 000 copied
 * and expunged. One line of JSON for each figure. DIR is made, and left for a look.
 */
#include "lib/base/log.h"
#include "lib/store/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *dir;
    size_t deliveries, rows, size, accounts, form;
    struct yb_store *store;
    char *message;
    atomic_size_t next;
} bench = { .deliveries = 2000, .rows = 100000, .size = 4096, .accounts = 100 };

static void
need(int rc, const struct yb_err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "store-bench: %s %s\n", err->status, err->text);
    exit(1);
}

static double
cpu_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

/* A measured stretch: wall and CPU time. */
struct lap {
    int64_t us;
    double cpu;
};

static struct lap
lap_begin(void)
{
    return (struct lap){ yb_clock_us(), cpu_ms() };
}

static void
lap_end(struct lap l, const char *what, size_t n)
{
    double ms = (double)(yb_clock_us() - l.us) / 1e3, cpu = cpu_ms() - l.cpu;

    printf("{\"figure\": \"%s\", \"n\": %zu, \"ms\": %.3f, \"cpu_ms\": %.3f, \"per_s\": %.0f, "
           "\"cpu_us_each\": %.2f}\n",
           what, n, ms, cpu, ms > 0 ? (double)n / ms * 1e3 : 0.0, cpu * 1e3 / (double)n);
    fflush(stdout);
}

static void
store_open(void)
{
    struct yb_store_conf conf = { .root = bench.dir,
                                  .form = (enum yb_store_form)bench.form,
                                  .max_open_accounts = bench.accounts };
    struct yb_err err = { 0 };

    need(yb_store_root_open(&conf, NULL, &bench.store, &err), &err);
}

static struct yb_account_id
account_id(size_t n)
{
    struct yb_account_id id = { { 0 } };

    id.v[0] = (uint8_t)n;
    memcpy(id.v + 8, &n, sizeof(n));
    return id;
}

/* --- deliveries --- */

static void
deliver(size_t n)
{
    struct yb_put put = { .id = yb_delivery_id_new() };
    struct iovec v = { bench.message, bench.size };
    struct yb_store_account *a;
    struct yb_incoming *i;
    struct yb_put_result out;
    struct yb_err err = { 0 };

    need(yb_store_open(bench.store, account_id(n * 2654435761u % bench.accounts), true, &a, &err),
         &err);
    need(yb_store_put_begin(a, bench.size, &i, &err), &err);
    need(yb_store_put_write(i, &v, 1, &err), &err);
    need(yb_store_put_place(i, &put, &out, &err), &err);
    need(yb_store_put_commit(&i, &err), &err);
    yb_store_close(&a);
}

static void *
deliverer(void *arg)
{
    (void)arg;
    for (size_t n; (n = atomic_fetch_add(&bench.next, 1)) < bench.deliveries;)
        deliver(n);
    return NULL;
}

static void
bench_deliveries(size_t threads)
{
    pthread_t t[64];
    char what[40];
    struct lap l = lap_begin();

    atomic_store(&bench.next, 0);
    for (size_t i = 0; i < threads; i++)
        yb_assert(pthread_create(&t[i], NULL, deliverer, NULL) == 0);
    for (size_t i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    snprintf(what, sizeof(what), "deliveries, %zu threads", threads);
    lap_end(l, what, bench.deliveries);
}

/* --- a large mailbox --- */

static struct yb_store_account *
large_account(void)
{
    struct yb_store_account *a;
    struct yb_err err = { 0 };

    need(yb_store_open(bench.store, account_id(1u << 20), true, &a, &err), &err);
    return a;
}

/* Files as another program leaves them. */
static void
fill_foreign(void)
{
    char path[600], below[80];

    yb_store_path(account_id(1u << 20), below, sizeof(below));
    for (size_t i = 0; i < bench.rows; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/%s/cur/%zu.M%zuP1.mx.example,S=64:2,S", bench.dir, below,
                 1760000000 + i * 60, i);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, bench.message, 64) != 64) {
            perror(path);
            exit(1);
        }
        close(fd);
    }
}

static void
large_open(const char *what)
{
    struct yb_store_account *a = large_account();
    struct yb_mailbox *m;
    struct yb_err err = { 0 };
    struct lap l = lap_begin();

    need(yb_mailbox_open(a, YB_STR("INBOX"), &m, &err), &err);
    lap_end(l, what, bench.rows);
    yb_mailbox_close(&m);
    yb_store_close(&a);
}

/* SELECT and FETCH 1:* FLAGS, but for the bytes of the answer. */
static uint64_t
select_all(struct yb_mailbox *m)
{
    const struct yb_rows *rows;
    struct yb_view v;
    struct yb_err err = { 0 };
    uint64_t sum = 0;

    need(yb_view_begin(m, false, &v, &err), &err);
    need(yb_view_rows(m, &v, &rows, &err), &err);
    for (size_t i = 0; i < rows->n; i++)
        sum += rows->v[i].flags + rows->v[i].uid;
    yb_rows_release(&rows);
    yb_view_end(m, &v);
    return sum;
}

static void
bench_status(struct yb_mailbox *m)
{
    struct yb_mailbox_status st;
    struct yb_err err = { 0 };
    struct lap l = lap_begin();

    for (int i = 0; i < 1000; i++)
        need(yb_mailbox_status_read(m, &st, &err), &err);
    lap_end(l, "status", 1000);
}

static void
bench_changes(struct yb_store_account *a, struct yb_mailbox *m)
{
    size_t n = bench.rows < 1000 ? bench.rows : 1000;
    uint32_t *uids = yb_alloc(n, sizeof(*uids)), *made = yb_alloc(n, sizeof(*made));
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_FLAGGED };
    struct yb_copy out = { .new_uids = made };
    struct yb_mailbox *to;
    struct yb_err err = { 0 };
    struct lap l;

    for (size_t i = 0; i < n; i++)
        uids[i] = (uint32_t)(i + 1);
    need(yb_store_create(a, YB_STR("Copy"), &err), &err);
    need(yb_mailbox_open(a, YB_STR("Copy"), &to, &err), &err);
    l = lap_begin();
    need(yb_mailbox_store(m, uids, n, &op, &err), &err);
    lap_end(l, "store flags", n);
    l = lap_begin();
    (void)select_all(m);
    lap_end(l, "select after the change", bench.rows);
    l = lap_begin();
    need(yb_mailbox_copy(m, uids, n, to, 0, &out, &err), &err);
    lap_end(l, "copy", n);
    l = lap_begin();
    need(yb_mailbox_move(m, uids, n, to, &out, &err), &err);
    lap_end(l, "move", n);
    l = lap_begin();
    need(yb_mailbox_expunge(to, made, n, false, false, &err), &err);
    lap_end(l, "expunge", n);
    yb_mailbox_close(&to);
    yb_free(uids);
    yb_free(made);
}

static void
bench_large(void)
{
    struct yb_store_account *a = large_account();
    struct yb_mailbox *m;
    struct yb_err err = { 0 };
    char path[600], below[80];
    struct lap l;

    need(yb_mailbox_open(a, YB_STR("INBOX"), &m, &err), &err);
    yb_mailbox_close(&m);
    fill_foreign();
    large_open("adopt foreign files");
    yb_store_close(&a);
    yb_store_root_close(&bench.store);
    store_open();
    large_open("open, another process");
    yb_store_path(account_id(1u << 20), below, sizeof(below));
    snprintf(path, sizeof(path), "%s/%s/yubin-index", bench.dir, below);
    unlink(path);
    large_open("open without an index");
    a = large_account();
    need(yb_mailbox_open(a, YB_STR("INBOX"), &m, &err), &err);
    l = lap_begin();
    (void)select_all(m);
    lap_end(l, "select, records not in memory", bench.rows);
    l = lap_begin();
    (void)select_all(m);
    lap_end(l, "select, warm", bench.rows);
    bench_status(m);
    bench_changes(a, m);
    yb_mailbox_close(&m);
    yb_store_close(&a);
}

static void
arguments(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        struct yb_str value = yb_str_from(argv[i]),
                      key = yb_str_head(value, yb_str_find(value, '='));
        uint64_t v;

        if (!yb_str_u64(yb_str_skip(value, key.n + 1), 1u << 30, &v))
            continue;
        if (yb_str_eq(key, YB_STR("deliveries")))
            bench.deliveries = v;
        else if (yb_str_eq(key, YB_STR("rows")))
            bench.rows = v;
        else if (yb_str_eq(key, YB_STR("size")))
            bench.size = v;
        else if (yb_str_eq(key, YB_STR("accounts")))
            bench.accounts = v;
        else if (yb_str_eq(key, YB_STR("form")))
            bench.form = v;
    }
}

int
main(int argc, char **argv)
{
    struct yb_err err = { 0 };
    struct rlimit files;
    char id[YB_ID_TEXT];

    if (argc < 2) {
        fprintf(stderr, "usage: store-bench DIR [key=value ...]\n");
        return 2;
    }
    bench.dir = argv[1];
    arguments(argc, argv);
    yb_log_init("store-bench", YB_LOG_ERROR);
    bench.message = yb_alloc(bench.size + 64, 1);
    memset(bench.message, 'x', bench.size + 64);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    need(yb_store_init(bench.dir, id, &err), &err);
    store_open();
    for (size_t i = 0; i < bench.accounts; i++) /* accounts and mailboxes are there, handles warm */
        deliver(i);
    bench_deliveries(1);
    bench_deliveries(16);
    bench_large();
    yb_store_root_close(&bench.store);
    yb_free(bench.message);
    return 0;
}
