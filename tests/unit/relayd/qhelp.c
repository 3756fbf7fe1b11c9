#include "tests/unit/relayd/qhelp.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"

#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t
qhelp_patience(void)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    int64_t n = text == NULL ? 1 : strtoll(text, NULL, 10);

    return n < 1 ? 1 : n;
}

static void
came(void *arg, const struct relayd_message *m)
{
    struct qhelp *h = arg;

    ck_assert(m->m > 0 && m->n > 0);
    atomic_fetch_add(&h->came, 1);
}

static void
init(struct qhelp *h, const char *tmp)
{
    struct yb_msgbuf_conf spool = { .disk_network = 1 << 30,
                                    .memory_each = 1 << 20,
                                    .memory_total = 64 << 20,
                                    .memory_network = 64 << 20 };
    struct yb_err err = { 0 };

    *h = (struct qhelp){ 0 };
    snprintf(h->root, sizeof(h->root), "%s/relayd.XXXXXX", tmp);
    ck_assert(mkdtemp(h->root) != NULL);
    snprintf(h->dir, sizeof(h->dir), "%s/state/queue", h->root);
    spool.folder = h->root;
    h->conf = (struct relayd_queue_conf){ .dir = h->dir,
                                          .node = { { 1, 2, 3, 4, 5, 6, 7, 8 } },
                                          .inline_body = 16384,
                                          .max_recipients = 1000000,
                                          .max_bytes = (uint64_t)20 << 30,
                                          .wal_bytes = 16 << 20,
                                          .ballast = 1 << 20 };
    h->conf.spool = yb_msgbuf_pool_new(&spool, &err);
    ck_assert_msg(h->conf.spool != NULL, "%s", err.text);
    h->owner = (struct relayd_queue_owner){ .arg = h, .came = came };
}

void
qhelp_init_disk(struct qhelp *h)
{
    const char *tmp = getenv("TMPDIR");

    init(h, tmp == NULL ? "/tmp" : tmp);
}

void
qhelp_init(struct qhelp *h)
{
    if (access("/dev/shm", W_OK) == 0)
        init(h, "/dev/shm");
    else
        qhelp_init_disk(h);
}

static int
nobody(void *arg, const struct relayd_message *m, struct yb_err *err)
{
    (void)arg;
    (void)m;
    (void)err;
    return 0;
}

int
qhelp_try_start(struct qhelp *h, struct yb_err *err)
{
    if (relayd_queue_open(&h->conf, &h->q, err) < 0)
        return -1;
    if (relayd_queue_scan(h->q, nobody, NULL, err) < 0)
        return -1;
    return relayd_queue_start(h->q, &h->owner, err);
}

void
qhelp_start(struct qhelp *h)
{
    OK(qhelp_try_start(h, &err));
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void
qhelp_end(struct qhelp *h)
{
    relayd_queue_close(&h->q);
    yb_msgbuf_pool_free(&h->conf.spool);
    ck_assert(nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

void
qhelp_again(struct qhelp *h)
{
    relayd_queue_close(&h->q);
    qhelp_start(h);
}

static sqlite3 *
raw(struct qhelp *h)
{
    char path[300];
    sqlite3 *db;

    ck_assert(h->q == NULL);
    snprintf(path, sizeof(path), "%s/queue.db", h->dir);
    ck_assert(sqlite3_open(path, &db) == SQLITE_OK);
    return db;
}

void
qhelp_sql(struct qhelp *h, const char *sql)
{
    sqlite3 *db = raw(h);
    char *text = NULL;

    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s: %s", sql, text);
    sqlite3_close(db);
}

int64_t
qhelp_number(struct qhelp *h, const char *sql)
{
    sqlite3 *db = raw(h);
    sqlite3_stmt *st = NULL;
    int64_t v;

    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK, "%s", sql);
    ck_assert(sqlite3_step(st) == SQLITE_ROW);
    v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return v;
}

static size_t files;

static int
count_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)path;
    (void)st;
    (void)at;
    files += kind == FTW_F ? 1 : 0;
    return 0;
}

size_t
qhelp_bodies(struct qhelp *h)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/body", h->dir);
    files = 0;
    ck_assert(nftw(path, count_one, 16, FTW_PHYS) == 0);
    return files;
}

/* --- messages --- */

struct yb_delivery_id
qhelp_delivery(unsigned tag, size_t i)
{
    struct yb_delivery_id id = { { 0 } };

    memcpy(id.v, &tag, sizeof(tag));
    memcpy(id.v + 8, &i, 4);
    id.v[15] = 0xdd;
    return id;
}

struct relayd_message
qhelp_message(unsigned tag, size_t n)
{
    struct relayd_message m = { .origin = (enum yb_lmtp_origin)(tag % 3),
                                .body_8bit = tag % 2 == 0,
                                .utf8 = tag % 5 == 0,
                                .arrived_ms = 1700000000000 + tag,
                                .n = n };
    char text[100];

    memcpy(m.mid.v, &tag, sizeof(tag));
    m.mid.v[15] = 0x33;
    m.sid.v[0] = (uint8_t)tag;
    m.tenant.v[0] = (uint8_t)(tag % 4 + 1);
    snprintf(text, sizeof(text), "sender-%u@example.net", tag);
    m.sender = yb_str(yb_dup(text, strlen(text)), tag % 7 == 0 ? 0 : strlen(text));
    m.r = yb_alloc(n, sizeof(*m.r));
    for (size_t i = 0; i < n; i++) {
        struct relayd_recipient *r = &m.r[i];

        r->delivery = qhelp_delivery(tag, i);
        r->tenant.v[0] = (uint8_t)((tag + i) % 4 + 1);
        memcpy(r->account.v, &i, sizeof(i));
        r->account.v[15] = 0xaa;
        r->home.v[0] = 0x55;
        snprintf(text, sizeof(text), "r%zu-%u@example.org", i, tag);
        r->address = yb_str(yb_dup(text, strlen(text)), strlen(text));
        r->quota = i % 2 == 0 ? UINT64_MAX - i : i;
        r->junk = i % 3 == 1;
        r->repeat = i % 4 == 2;
        r->state = RELAYD_WAITING;
        r->next_ms = m.arrived_ms;
    }
    return m;
}

void
qhelp_free_message(struct relayd_message *m)
{
    for (size_t i = 0; i < m->n; i++)
        yb_free((char *)(uintptr_t)m->r[i].address.p);
    yb_free((char *)(uintptr_t)m->sender.p);
    yb_free(m->r);
}

static char
octet(unsigned tag, size_t at)
{
    return (char)((tag * 31 + at * 7 + at / 251) % 256);
}

struct yb_msgbuf *
qhelp_octets(struct qhelp *h, unsigned tag, size_t size)
{
    struct yb_msgbuf *b = yb_msgbuf_new(h->conf.spool, 0);
    char piece[4096];

    for (size_t at = 0; at < size;) {
        size_t n = size - at < sizeof(piece) ? size - at : sizeof(piece);

        for (size_t i = 0; i < n; i++)
            piece[i] = octet(tag, at + i);
        OK(yb_msgbuf_append(b, yb_str(piece, n), &err));
        at += n;
    }
    return b;
}

uint64_t
qhelp_try_put(struct qhelp *h, unsigned tag, size_t n, size_t size, struct yb_err *err)
{
    struct relayd_message m = qhelp_message(tag, n);
    struct yb_msgbuf *octets = qhelp_octets(h, tag, size);
    int rc = relayd_queue_put(h->q, &m, octets, YB_STR("Head: 1\r\n"), err);
    uint64_t number = rc < 0 ? 0 : m.m;

    yb_msgbuf_free(&octets);
    if (rc == 0)
        ck_assert_uint_eq(m.n, n); /* else those that were dropped are to be freed by the test */
    qhelp_free_message(&m);
    return number;
}

uint64_t
qhelp_put(struct qhelp *h, unsigned tag, size_t n, size_t size)
{
    struct yb_err err = { 0 };
    uint64_t m = qhelp_try_put(h, tag, n, size, &err);

    ck_assert_msg(m > 0, "put %u: %s %s", tag, err.status, err.text);
    return m;
}

void
qhelp_is_body(struct qhelp *h, uint64_t m, unsigned tag, size_t size)
{
    struct yb_str head;
    struct yb_msgbuf *body;
    char *all = yb_alloc(size + 1, 1);
    struct yb_err err = { 0 };

    ck_assert_msg(relayd_queue_body(h->q, m, &head, &body, &err) == 0, "body of %u: %s", tag,
                  err.text);
    ck_assert(yb_str_eq(head, YB_STR("Head: 1\r\n")));
    ck_assert_uint_eq(yb_msgbuf_size(body), size);
    ck_assert_int_eq(yb_msgbuf_pread(body, all, size, 0, &err), (ssize_t)size);
    for (size_t i = 0; i < size; i++)
        ck_assert(all[i] == octet(tag, i));
    yb_free(all);
    yb_free((char *)(uintptr_t)head.p);
    yb_msgbuf_free(&body);
}

/* --- operations --- */

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool over, ok;
};

static void
op_done(void *arg, const struct relayd_op *op, bool ok)
{
    struct wait *w = arg;

    (void)op;
    pthread_mutex_lock(&w->lock);
    w->over = true;
    w->ok = ok;
    pthread_cond_signal(&w->told);
    pthread_mutex_unlock(&w->lock);
}

bool
qhelp_op(struct qhelp *h, enum relayd_op_kind kind, uint64_t m, struct relayd_recipient *r,
         size_t n)
{
    struct wait w = { .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };
    struct relayd_op op = { .kind = kind, .m = m, .r = r, .n = n, .done = op_done, .arg = &w };

    relayd_queue_post(h->q, &op);
    pthread_mutex_lock(&w.lock);
    while (!w.over)
        pthread_cond_wait(&w.told, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return w.ok;
}

bool
qhelp_op1(struct qhelp *h, enum relayd_op_kind kind, uint64_t m, uint32_t n)
{
    struct relayd_recipient r = { .n = n,
                                  .reason =
                                      kind == RELAYD_OP_HOLD ? RELAYD_OPERATOR : RELAYD_NO_REASON,
                                  .attempts = n + 1,
                                  .next_ms = 1800000000000 + n,
                                  .code = 451,
                                  .status = YB_STR("4.3.0"),
                                  .text = YB_STR("not now"),
                                  .at_ms = 1750000000000 + n };

    return qhelp_op(h, kind, m, &r, 1);
}

struct relayd_queue_stats
qhelp_stats(struct qhelp *h)
{
    struct relayd_queue_stats st;

    relayd_queue_stats_read(h->q, &st);
    return st;
}

/* --- what is there --- */

static int
dump_message(void *arg, const struct relayd_message *m, struct yb_err *err)
{
    struct yb_buf *out = arg;
    char mid[YB_ID_TEXT], did[YB_ID_TEXT], account[YB_ID_TEXT];

    (void)err;
    for (size_t i = 0; i < m->n; i++) {
        const struct relayd_recipient *r = &m->r[i];

        yb_buf_printf(
            out,
            "%llu.%u %s sid%u t%u o%d <%.*s> %d%d %llu %lld file%d | %s t%u %s h%u <%.*s> "
            "q%llu %d%d s%d r%d a%u n%lld %u %.*s '%.*s' %lld\n",
            (unsigned long long)m->m, r->n, yb_message_id_text(m->mid, mid), m->sid.v[0],
            m->tenant.v[0], (int)m->origin, YB_STR_ARG(m->sender), m->body_8bit, m->utf8,
            (unsigned long long)m->size, (long long)m->arrived_ms, m->file,
            yb_delivery_id_text(r->delivery, did), r->tenant.v[0],
            yb_account_id_text(r->account, account), r->home.v[0], YB_STR_ARG(r->address),
            (unsigned long long)r->quota, r->junk, r->repeat, (int)r->state, (int)r->reason,
            r->attempts, (long long)r->next_ms, r->code, YB_STR_ARG(r->status), YB_STR_ARG(r->text),
            (long long)r->at_ms);
    }
    return 0;
}

char *
qhelp_dump(struct qhelp *h)
{
    struct yb_buf *out = yb_buf_new(64 << 20);
    struct yb_str all;
    char *text;

    relayd_queue_close(&h->q);
    OK(relayd_queue_open(&h->conf, &h->q, &err));
    OK(relayd_queue_scan(h->q, dump_message, out, &err));
    OK(relayd_queue_start(h->q, &h->owner, &err));
    all = yb_buf_view(out);
    text = yb_dup(all.p, all.n);
    yb_buf_free(&out);
    return text;
}
