#include "relayd/queue.h"

#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "relayd/check.h"
#include "relayd/look_sql.h"
#include "relayd/scan_sql.h"
#include "relayd/writer.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define BALLAST (32u << 20)
#define IDLE_MS 10000
#define DONE_MS (15 * 60 * 1000)
#define DONE_MOST 1000000
/* Reading connections that are kept while nobody reads. */
#define READERS 8
struct relayd_queue {
    struct relayd_queue_conf c;
    struct relayd_disk disk;
    struct relayd_bodies bodies;
    struct relayd_db *db;
    struct relayd_known *known;
    struct relayd_room *room;
    struct relayd_writer *writer;
    struct relayd_check *check;
    struct relayd_queue_owner owner;
    _Atomic uint64_t next; /* number of the next message */
    bool scanned, unclean;
    bool damaged; /* found by the scan */
    struct yb_err why;
    pthread_mutex_t lock; /* of what follows */
    struct relayd_look *readers[READERS];
    size_t n_readers;
};

/* --- open --- */

static struct relayd_queue_conf
with_defaults(const struct relayd_queue_conf *conf)
{
    struct relayd_queue_conf c = *conf;

    c.dir = yb_dup(conf->dir, strlen(conf->dir));
    c.ballast = c.ballast == 0 ? BALLAST : c.ballast;
    c.idle_ms = c.idle_ms == 0 ? IDLE_MS : c.idle_ms;
    c.done_ms = c.done_ms == 0 ? DONE_MS : c.done_ms;
    c.done_most = c.done_most == 0 ? DONE_MOST : c.done_most;
    return c;
}

/* Also where its row says otherwise: then the row is what cannot be believed. */
static int
wanted(void *arg, struct yb_message_id mid YB_UNUSED, uint64_t m, struct yb_err *err)
{
    struct relayd_queue *q = arg;

    return relayd_db_has_rows(q->db, m, err);
}

static int
wanted_all(void *arg YB_UNUSED, struct yb_message_id mid YB_UNUSED, uint64_t m YB_UNUSED,
           struct yb_err *err)
{
    return yb_err_inside(err, YB_TEMP, "4.3.0",
                         "queue.db was not there, but the folder body beside it holds messages: "
                         "bring queue.db back, or move the queue's folder away");
}

/* Bodies that no row names: of messages that nobody was answered 250 for, or that are done. */
static int
tidy(struct relayd_queue *q, bool fresh, struct yb_err *err)
{
    size_t removed;
    int rc = relayd_bodies_tidy(&q->bodies, fresh ? wanted_all : wanted, q, &removed, err);

    if (rc == 0 && removed > 0)
        yb_log(YB_LOG_INFO, NULL, "relayd.queue.tidied", "%zu bodies without a message are removed",
               removed);
    return rc;
}

/* A database that is opened writes, its log and that it is open: on a full disk the ballast is for that
 * as well, since what waits must be delivered to make room. */
static int
open_db(struct relayd_queue *q, bool *fresh, struct yb_err *err)
{
    int rc = relayd_db_open(q->c.dir, q->c.node, q->c.wal_bytes, &q->db, fresh, &q->unclean, err);

    if (rc == 0 || !relayd_disk_is_full(&q->disk) || !relayd_disk_release(&q->disk))
        return rc;
    *err = (struct yb_err){ 0 };
    return relayd_db_open(q->c.dir, q->c.node, q->c.wal_bytes, &q->db, fresh, &q->unclean, err);
}

int
relayd_queue_open(const struct relayd_queue_conf *conf, struct relayd_queue **out,
                  struct yb_err *err)
{
    struct relayd_queue *q = yb_alloc(1, sizeof(*q));
    bool fresh = false;
    int rc;

    q->c = with_defaults(conf);
    q->bodies.fd = -1;
    pthread_mutex_init(&q->lock, NULL);
    q->known = relayd_known_new(q->c.done_ms, q->c.done_most);
    q->room = relayd_room_new(q->c.max_recipients, q->c.max_bytes);
    rc = relayd_disk_open(&q->disk, q->c.dir, q->c.disk_reserve, q->c.ballast, err);
    if (rc == 0)
        rc = relayd_bodies_open(&q->bodies, q->disk.dir_fd, err);
    if (rc == 0)
        rc = open_db(q, &fresh, err);
    if (rc == 0)
        rc = tidy(q, fresh, err);
    if (rc == 0)
        atomic_store(&q->next, relayd_db_next(q->db));
    else
        relayd_queue_close(&q);
    *out = q;
    return rc;
}

/* --- the scan --- */

struct scanning {
    struct relayd_queue *q;
    int (*each)(void *arg, const struct relayd_message *m, struct yb_err *err);
    void *arg;
};

static bool
has_body(void *arg, struct yb_message_id mid, uint64_t m)
{
    struct relayd_queue *q = arg;

    return relayd_body_is(&q->bodies, mid, m);
}

static int
scanned(void *arg, const struct relayd_message *m, struct yb_err *err)
{
    struct scanning *s = arg;
    struct relayd_share share = { m->tenant, 0, m->size };

    relayd_room_add(s->q->room, &share);
    for (size_t i = 0; i < m->n; i++) {
        share = (struct relayd_share){ m->r[i].tenant, 1, 0 };
        relayd_room_add(s->q->room, &share);
        if (!yb_delivery_id_is_zero(m->r[i].delivery))
            relayd_known_queued(s->q->known, m->r[i].delivery);
    }
    return s->each(s->arg, m, err);
}

static void
was_done(void *arg, uint64_t s, struct yb_delivery_id id)
{
    struct relayd_queue *q = arg;

    relayd_known_done(q->known, id, s, yb_clock_ms());
}

int
relayd_queue_scan(struct relayd_queue *q,
                  int (*each)(void *arg, const struct relayd_message *m, struct yb_err *err),
                  void *arg, struct yb_err *err)
{
    struct scanning with = { q, each, arg };
    struct relayd_scan scan = {
        .has_body = has_body, .body_arg = q, .each = scanned, .arg = &with
    };
    struct sqlite3 *handle = relayd_db_handle(q->db);
    struct yb_err why = { 0 }, ignored;
    enum relayd_fate fate = relayd_scan_done(handle, was_done, q, &why);
    bool fine = fate == RELAYD_FATE_OK;
    enum relayd_fate more = relayd_scan_messages(handle, &scan, fine ? &why : &ignored);

    fate = fine ? more : fate;
    if (fate == RELAYD_FATE_OK)
        fate = relayd_scan_hold(handle, &scan, &why);
    yb_free(scan.found);
    q->scanned = true;
    if (fate == RELAYD_FATE_DAMAGED) { /* what could be read is shown; nothing is changed */
        q->damaged = true;
        q->why = why;
        return 0;
    }
    if (fate == RELAYD_FATE_OK)
        return 0;
    *err = why;
    return -1;
}

/* --- start and stop --- */

int
relayd_queue_start(struct relayd_queue *q, const struct relayd_queue_owner *owner,
                   struct yb_err *err)
{
    struct relayd_writer_conf conf = { .db = q->db,
                                       .known = q->known,
                                       .room = q->room,
                                       .disk = &q->disk,
                                       .bodies = &q->bodies,
                                       .wal_bytes = q->c.wal_bytes,
                                       .idle_ms = q->c.idle_ms,
                                       .owner = *owner,
                                       .damaged = q->damaged ? &q->why : NULL };

    yb_assert(q->scanned && q->writer == NULL);
    q->owner = *owner;
    if (relayd_writer_new(&conf, &q->writer, err) < 0)
        return -1;
    if (!q->unclean || q->damaged)
        return 0;
    return relayd_check_new(q->c.dir, q->writer, q->c.wal_bytes, &q->check, err);
}

void
relayd_queue_close(struct relayd_queue **out)
{
    struct relayd_queue *q = *out;
    bool checked, started, sound;

    if (q == NULL)
        return;
    checked = relayd_check_free(&q->check);
    started = q->writer != NULL;
    sound = relayd_writer_free(&q->writer);
    for (size_t i = 0; i < q->n_readers; i++)
        relayd_look_close(&q->readers[i]);
    /* Not clean while it is still to be looked through: then the next start does that. */
    relayd_db_close(&q->db, started && sound && checked);
    relayd_bodies_close(&q->bodies);
    relayd_disk_close(&q->disk);
    relayd_known_free(&q->known);
    relayd_room_free(&q->room);
    pthread_mutex_destroy(&q->lock);
    yb_free((char *)(uintptr_t)q->c.dir);
    yb_free(q);
    *out = NULL;
}

/* --- intake --- */

static int
damaged_err(struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.0",
                     "The queue is out of order, try again later");
}

bool
relayd_queue_may_take(struct relayd_queue *q, struct yb_tenant_id tenant, uint64_t octets,
                      bool accepted, struct yb_err *err)
{
    struct relayd_share share = { tenant, 1, octets };

    if (relayd_writer_is_damaged(q->writer)) {
        damaged_err(err);
        return false;
    }
    return relayd_disk_room(&q->disk, octets, err) == 0 &&
           relayd_room_look(q->room, &share, accepted, err) == 0;
}

/* The octets of an inline body: in place, or read into *copy for yb_free(). */
static int
inline_octets(const struct yb_msgbuf *body, char **copy, struct yb_str *octets, struct yb_err *err)
{
    size_t size = (size_t)yb_msgbuf_size(body);
    ssize_t n;

    *copy = NULL;
    if (yb_msgbuf_view(body, octets))
        return 0;
    *copy = yb_alloc(size, 1);
    n = yb_msgbuf_pread(body, *copy, size, 0, err);
    *octets = yb_str(*copy, n < 0 ? 0 : (size_t)n);
    return n < 0 ? -1 : 0;
}

/* What it takes: its octets, and a share for each recipient. */
static struct relayd_share *
shares_of(const struct relayd_message *m)
{
    struct relayd_share *shares = yb_alloc(m->n + 1, sizeof(*shares));

    shares[0] = (struct relayd_share){ m->tenant, 0, m->size };
    for (size_t i = 0; i < m->n; i++)
        shares[i + 1] = (struct relayd_share){ m->r[i].tenant, 1, 0 };
    return shares;
}

/* Those that were dropped leave the message, and what they took is given back. */
static void
settle(struct relayd_queue *q, struct relayd_message *m, const bool *drop)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (drop[i]) {
            relayd_room_give_back(q->room, &(struct relayd_share){ m->r[i].tenant, 1, 0 });
            continue;
        }
        m->r[kept] = m->r[i];
        m->r[kept].n = (uint32_t)kept;
        kept++;
    }
    m->n = kept;
    if (kept == 0)
        relayd_room_give_back(q->room, &(struct relayd_share){ m->tenant, 0, m->size });
}

/* The body and the row of a message for which there is room. */
static int
store(struct relayd_queue *q, struct relayd_message *m, const struct yb_msgbuf *body,
      struct relayd_put *put, struct yb_err *err)
{
    char *copy = NULL;
    int rc;

    m->m = atomic_fetch_add(&q->next, 1);
    m->file = yb_msgbuf_size(body) > q->c.inline_body;
    rc = m->file ? relayd_body_write(&q->bodies, m->mid, m->m, body, err)
                 : inline_octets(body, &copy, &put->octets, err);
    if (rc == 0) {
        yb_fault("relay.Q1");
        rc = relayd_writer_put(q->writer, put, err);
        if (m->file && (rc < 0 || put->dropped == m->n))
            relayd_body_remove(&q->bodies, m->mid, m->m);
        if (rc == 0)
            yb_fault("relay.Q2");
    }
    yb_free(copy);
    return rc;
}

int
relayd_queue_put(struct relayd_queue *q, struct relayd_message *m, const struct yb_msgbuf *body,
                 struct yb_str head, struct yb_err *err)
{
    struct relayd_share *shares;
    struct relayd_put put = { .message = m, .head = head };
    size_t n = m->n;
    int rc;

    if (relayd_writer_is_damaged(q->writer))
        return damaged_err(err);
    m->size = head.n + yb_msgbuf_size(body);
    if (relayd_disk_room(&q->disk, m->size, err) < 0)
        return -1;
    shares = shares_of(m);
    rc = relayd_room_take(q->room, shares, n + 1, m->accepted, err);
    if (rc == 0) {
        put.drop = yb_alloc(n, sizeof(*put.drop));
        rc = store(q, m, body, &put, err);
        for (size_t i = 0; rc < 0 && i < n + 1; i++)
            relayd_room_give_back(q->room, &shares[i]);
        if (rc == 0)
            settle(q, m, put.drop);
        yb_free(put.drop);
        if (rc == 0 && m->n > 0 && q->owner.came != NULL)
            q->owner.came(q->owner.arg, m);
    }
    yb_free(shares);
    return rc;
}

bool
relayd_queue_is_damaged(struct relayd_queue *q)
{
    return relayd_writer_is_damaged(q->writer);
}

void
relayd_queue_post(struct relayd_queue *q, const struct relayd_op *op)
{
    relayd_writer_post(q->writer, op);
}

/* --- bodies --- */

static struct relayd_look *
reader_take(struct relayd_queue *q, struct yb_err *err)
{
    struct relayd_look *look = NULL;

    pthread_mutex_lock(&q->lock);
    if (q->n_readers > 0)
        look = q->readers[--q->n_readers];
    pthread_mutex_unlock(&q->lock);
    if (look == NULL && relayd_look_open(q->c.dir, &look, err) < 0)
        return NULL;
    return look;
}

static void
reader_give(struct relayd_queue *q, struct relayd_look *look)
{
    pthread_mutex_lock(&q->lock);
    if (q->n_readers < READERS) {
        q->readers[q->n_readers++] = look;
        look = NULL;
    }
    pthread_mutex_unlock(&q->lock);
    relayd_look_close(&look);
}

/* Not there, or not all of it: part of a message is nobody's message. */
static int
no_body(uint64_t m, struct yb_err *err)
{
    yb_err_as(err, YB_ERR_NOT_FOUND, YB_TEMP, "4.3.0", "message %llu has no body in the queue",
              (unsigned long long)m);
    err->internal = true;
    return -1;
}

static int
file_body(struct relayd_queue *q, uint64_t m, const struct relayd_looked *found,
          struct yb_msgbuf **body, struct yb_err *err)
{
    int fd = relayd_body_open(&q->bodies, found->mid, m);
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return no_body(m, err);
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open the body of message %llu",
                          (unsigned long long)m);
    if (fstat(fd, &st) < 0) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "look at the body of message %llu",
                   (unsigned long long)m);
        close(fd);
        return -1;
    }
    if (found->head.n + (uint64_t)st.st_size != found->size) {
        close(fd);
        return no_body(m, err);
    }
    *body = yb_msgbuf_of_file(q->c.spool, fd, (uint64_t)st.st_size);
    return 0;
}

static int
inline_body(struct relayd_queue *q, struct yb_str octets, struct yb_msgbuf **body,
            struct yb_err *err)
{
    *body = yb_msgbuf_new(q->c.spool, 0);
    if (yb_msgbuf_append(*body, octets, err) == 0)
        return 0;
    yb_msgbuf_free(body);
    return -1;
}

int
relayd_queue_body(struct relayd_queue *q, uint64_t m, struct yb_str *head, struct yb_msgbuf **body,
                  struct yb_err *err)
{
    struct relayd_look *look = reader_take(q, err);
    struct relayd_looked found = { 0 };
    enum relayd_fate fate;
    int rc;

    *head = yb_str(NULL, 0);
    *body = NULL;
    if (look == NULL)
        return -1;
    fate = relayd_look_body(look, m, &found, err);
    reader_give(q, look);
    if (fate == RELAYD_FATE_DAMAGED)
        relayd_writer_damaged(q->writer, err);
    if (fate != RELAYD_FATE_OK)
        rc = -1;
    else if (!found.found ||
             (!found.file && (!found.octets_there || found.head.n + found.octets.n != found.size)))
        rc = no_body(m, err);
    else
        rc = found.file ? file_body(q, m, &found, body, err)
                        : inline_body(q, found.octets, body, err);
    yb_free((char *)(uintptr_t)found.octets.p);
    if (rc == 0)
        *head = found.head;
    else
        yb_free((char *)(uintptr_t)found.head.p);
    return rc;
}

void
relayd_queue_stats_read(struct relayd_queue *q, struct relayd_queue_stats *out)
{
    relayd_writer_stats(q->writer, out);
    relayd_room_read(q->room, &out->recipients, &out->bytes);
    out->checking = relayd_check_runs(q->check);
}
