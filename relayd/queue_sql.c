/*
 * SQLite from 3.7.0 to 3.51.2 loses committed rows when one connection checkpoints while another
 * writes (the WAL-reset fault): so this one connection does both. Values are bound, never written
 * into a statement.
 */
#include "relayd/queue_sql.h"

#include "lib/base/fault.h"
#include "lib/store/sys.h"
#include "relayd/open_sql.h"

#include <sqlite3.h>
#include <stdatomic.h>

#define CHECKPOINT_BUSY_MS 20 /* for readers, whose statements are short */
#define WAL_FRAME (RELAYD_PAGE + 24)
/* meta.m is written once for so many messages, and is ahead of all of them. */
#define NUMBERS_AHEAD 10000
/* Pages given back in one transaction, when more than LOOSE_BYTES and a quarter are free. */
#define SHRINK "PRAGMA incremental_vacuum(1000)"
#define LOOSE_BYTES (64u << 20)

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    MESSAGE,
    BODY,
    RECIPIENT,
    CHANGE,
    REMOVE,
    LEFT,
    END,
    END_BODY,
    DONE,
    PRUNE,
    META_SET,
    HAS_ROWS,
    LAST,
    FREE_PAGES,
    PAGES,
    VACUUM,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [MESSAGE] =
        "INSERT INTO message (m, mid, sid, tenant, origin, sender, flags, size, arrived, file)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [BODY] = "INSERT INTO body (m, head, octets) VALUES (?1, ?2, ?3)",
    [RECIPIENT] =
        "INSERT INTO recipient (m, n, did, tenant, account, home, address, quota, flags,"
        " state, reason, attempts, next, code, status, text, at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    [CHANGE] = "UPDATE recipient SET state = ?3, reason = ?4, attempts = ?5, next = ?6, code = ?7,"
               " status = ?8, text = ?9, at = ?10 WHERE m = ?1 AND n = ?2",
    [REMOVE] = "DELETE FROM recipient WHERE m = ?1 AND n = ?2 RETURNING did, tenant",
    [LEFT] = "SELECT 1 FROM recipient WHERE m = ?1 LIMIT 1",
    [END] = "DELETE FROM message WHERE m = ?1 RETURNING mid, tenant, size, file",
    [END_BODY] = "DELETE FROM body WHERE m = ?1",
    [DONE] = "INSERT INTO done (s, did) VALUES (?1, ?2)",
    [PRUNE] = "DELETE FROM done WHERE s IN (SELECT s FROM done WHERE s <= ?1 ORDER BY s LIMIT ?2)"
              " RETURNING s, did",
    [META_SET] = "INSERT INTO meta (key, value) VALUES (?1, ?2)"
                 " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    [HAS_ROWS] = "SELECT 1 FROM message WHERE m = ?1"
                 " UNION ALL SELECT 1 FROM recipient WHERE m = ?1 LIMIT 1",
    [LAST] = "SELECT max(m) FROM message",
    [FREE_PAGES] = "PRAGMA freelist_count",
    [PAGES] = "PRAGMA page_count",
    [VACUUM] = SHRINK,
};

struct relayd_db {
    sqlite3 *handle;
    sqlite3_stmt *statement[STATEMENTS];
    uint64_t ceiling, next_ceiling; /* meta.m: as committed, as of this transaction */
    uint64_t next;
    _Atomic uint64_t wal_bytes;
};

struct sqlite3 *
relayd_db_handle(const struct relayd_db *db)
{
    return db->handle;
}

uint64_t
relayd_db_next(const struct relayd_db *db)
{
    return db->next;
}

uint64_t
relayd_db_wal_bytes(const struct relayd_db *db)
{
    return atomic_load(&db->wal_bytes);
}

/* --- statements --- */

/* Its last step said `rc`. Never stepped again: that would run it a second time. */
static enum relayd_fate
ended(struct relayd_db *db, enum statement which, int rc, struct yb_err *err)
{
    enum relayd_fate fate = relayd_sql_fate(db->handle, rc, texts[which], err);

    sqlite3_reset(db->statement[which]);
    return fate;
}

/* To its end, without rows that anybody wants. */
static enum relayd_fate
run(struct relayd_db *db, enum statement which, struct yb_err *err)
{
    int rc;

    do
        rc = sqlite3_step(db->statement[which]);
    while (rc == SQLITE_ROW);
    return ended(db, which, rc, err);
}

/* The one number that a statement answers; -1 when it has none. */
static int64_t
number_of(struct relayd_db *db, enum statement which)
{
    sqlite3_stmt *st = db->statement[which];
    int64_t v = -1;

    if (sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return v;
}

static enum relayd_fate
meta_set(struct relayd_db *db, const char *key, uint64_t value, struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[META_SET];

    relayd_sql_text(st, 1, yb_str_from(key));
    relayd_sql_number(st, 2, value);
    return run(db, META_SET, err);
}

static enum relayd_fate
meta_set_id(struct relayd_db *db, const char *key, const uint8_t *id, size_t n, struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[META_SET];

    relayd_sql_text(st, 1, yb_str_from(key));
    relayd_sql_blob(st, 2, id, n);
    return run(db, META_SET, err);
}

/* --- open --- */

static int
prepare(struct relayd_db *db, struct yb_err *err)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(db->handle, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statement[i], NULL) != SQLITE_OK)
            return yb_err_inside(err, YB_TEMP, "4.3.0", "queue.db: %s: %s", texts[i],
                                 sqlite3_errmsg(db->handle));
    }
    return 0;
}

/* Whose it is, since when it is open, and that it was not closed. */
static int
sign(struct relayd_db *db, struct yb_node_id node, bool fresh, bool *unclean, struct yb_err *err)
{
    uint8_t boot[YB_ID_BYTES], last[YB_ID_BYTES];
    struct yb_err why = { 0 };
    int64_t last_m;
    uint64_t meta_m;

    if (!fresh && relayd_sql_is_ours(db->handle, node, err) < 0)
        return -1;
    (void)yb_sys_boot_id(YB_BOOT_FILE, boot); /* a random one means: look through it */
    *unclean = !fresh && relayd_sql_meta_number(db->handle, "clean") != 1 &&
               (!relayd_sql_meta_id(db->handle, "boot", last, sizeof(last)) ||
                memcmp(boot, last, sizeof(boot)) != 0);
    last_m = number_of(db, LAST);
    meta_m = fresh ? 1 : (uint64_t)relayd_sql_meta_number(db->handle, "m");
    if (meta_m > INT64_MAX / 2) /* what no queue reaches is no number of ours */
        meta_m = 1;
    db->next = last_m >= 0 && (uint64_t)last_m >= meta_m ? (uint64_t)last_m + 1 : meta_m;
    db->ceiling = db->next_ceiling = meta_m;
    if ((fresh && (meta_set(db, "schema", RELAYD_SCHEMA, &why) != RELAYD_FATE_OK ||
                   meta_set_id(db, "node", node.v, sizeof(node.v), &why) != RELAYD_FATE_OK)) ||
        (!*unclean && /* else the boot stays, until somebody has looked through it */
         meta_set_id(db, "boot", boot, sizeof(boot), &why) != RELAYD_FATE_OK) ||
        meta_set(db, "clean", 0, &why) != RELAYD_FATE_OK) {
        *err = why;
        return -1;
    }
    if (fresh && run(db, COMMIT, &why) != RELAYD_FATE_OK) {
        *err = why;
        return -1;
    }
    return 0;
}

static int
on_commit(void *arg, sqlite3 *handle YB_UNUSED, const char *name YB_UNUSED, int frames)
{
    struct relayd_db *db = arg;

    atomic_store(&db->wal_bytes, (uint64_t)frames * WAL_FRAME);
    return SQLITE_OK;
}

int
relayd_db_open(const char *dir, struct yb_node_id node, uint64_t wal_bytes, struct relayd_db **out,
               bool *fresh, bool *unclean, struct yb_err *err)
{
    struct relayd_db *db = yb_alloc(1, sizeof(*db));
    int rc = relayd_sql_open(dir, wal_bytes, &db->handle, fresh, err);

    if (rc == 0)
        rc = prepare(db, err);
    if (rc == 0)
        rc = sign(db, node, *fresh, unclean, err);
    if (rc == 0)
        sqlite3_wal_hook(db->handle, on_commit, db);
    else
        relayd_db_close(&db, false);
    *out = db;
    return rc;
}

void
relayd_db_close(struct relayd_db **db, bool clean)
{
    struct yb_err err;

    if (*db == NULL)
        return;
    if (clean) /* if not, the next start looks through it, once */
        (void)meta_set(*db, "clean", 1, &err);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize((*db)->statement[i]);
    sqlite3_close_v2((*db)->handle);
    yb_free(*db);
    *db = NULL;
}

int
relayd_db_has_rows(struct relayd_db *db, uint64_t m, struct yb_err *err)
{
    int rc;

    relayd_sql_number(db->statement[HAS_ROWS], 1, m);
    rc = sqlite3_step(db->statement[HAS_ROWS]);
    (void)ended(db, HAS_ROWS, rc, err);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* --- transactions --- */

enum relayd_fate
relayd_db_begin(struct relayd_db *db, struct yb_err *err)
{
    db->next_ceiling = db->ceiling;
    return run(db, BEGIN, err);
}

/*
 * A write that finds no room leaves no whole frame with the mark of a commit, so FULL means: not
 * done. After any other error the frames may be on disk, and stay there through a sync that "works".
 */
enum relayd_fate
relayd_db_commit(struct relayd_db *db, struct yb_err *err)
{
    enum relayd_fate fate;

    yb_fault("relay.commit");
    if (yb_fault_fails("relay.commit")) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "queue.db: COMMIT");
        return RELAYD_FATE_BROKEN;
    }
    fate = run(db, COMMIT, err);
    if (fate == RELAYD_FATE_OK)
        db->ceiling = db->next_ceiling;
    return fate == RELAYD_FATE_OK || fate == RELAYD_FATE_FULL ? fate : RELAYD_FATE_BROKEN;
}

void
relayd_db_rollback(struct relayd_db *db)
{
    struct yb_err err;

    if (sqlite3_get_autocommit(db->handle) == 0) /* else an error has done it */
        (void)run(db, ROLLBACK, &err);
    db->next_ceiling = db->ceiling;
}

enum relayd_fate
relayd_db_message(struct relayd_db *db, const struct relayd_message *m, struct yb_str head,
                  struct yb_str octets, struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[MESSAGE], *body = db->statement[BODY];
    enum relayd_fate fate = RELAYD_FATE_OK;

    if (m->m >= db->next_ceiling) {
        db->next_ceiling = m->m + NUMBERS_AHEAD;
        fate = meta_set(db, "m", db->next_ceiling, err);
    }
    relayd_sql_number(st, 1, m->m);
    relayd_sql_blob(st, 2, m->mid.v, sizeof(m->mid.v));
    relayd_sql_blob(st, 3, m->sid.v, sizeof(m->sid.v));
    relayd_sql_blob(st, 4, m->tenant.v, sizeof(m->tenant.v));
    relayd_sql_number(st, 5, m->origin);
    relayd_sql_text(st, 6, m->sender);
    relayd_sql_number(st, 7, (m->body_8bit ? 1u : 0u) | (m->utf8 ? 2u : 0u));
    relayd_sql_number(st, 8, m->size);
    relayd_sql_number(st, 9, (uint64_t)m->arrived_ms);
    relayd_sql_number(st, 10, m->file);
    if (fate == RELAYD_FATE_OK)
        fate = run(db, MESSAGE, err);
    if (fate != RELAYD_FATE_OK || (m->file && head.n == 0))
        return fate;
    relayd_sql_number(body, 1, m->m);
    relayd_sql_blob(body, 2, head.p, head.n);
    relayd_sql_blob(body, 3, octets.p, octets.n);
    return run(db, BODY, err);
}

/* Number `at` and on: what changes with an attempt. */
static void
bind_attempt(sqlite3_stmt *st, int at, const struct relayd_recipient *r)
{
    relayd_sql_number(st, at, r->state);
    relayd_sql_number(st, at + 1, r->state == RELAYD_HELD ? r->reason : RELAYD_NO_REASON);
    relayd_sql_number(st, at + 2, r->attempts);
    relayd_sql_number(st, at + 3, (uint64_t)r->next_ms);
    relayd_sql_number(st, at + 4, r->code);
    relayd_sql_text(st, at + 5, r->status);
    relayd_sql_text(st, at + 6, yb_str_head(r->text, RELAYD_TEXT_MAX));
    relayd_sql_number(st, at + 7, (uint64_t)r->at_ms);
}

enum relayd_fate
relayd_db_recipient(struct relayd_db *db, uint64_t m, uint32_t n, const struct relayd_recipient *r,
                    struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[RECIPIENT];

    relayd_sql_number(st, 1, m);
    relayd_sql_number(st, 2, n);
    relayd_sql_blob(st, 3, r->delivery.v, sizeof(r->delivery.v));
    relayd_sql_blob(st, 4, r->tenant.v, sizeof(r->tenant.v));
    relayd_sql_blob(st, 5, r->account.v, sizeof(r->account.v));
    relayd_sql_blob(st, 6, r->home.v, sizeof(r->home.v));
    relayd_sql_text(st, 7, r->address);
    relayd_sql_number(st, 8, r->quota);
    relayd_sql_number(st, 9, (r->junk ? 1u : 0u) | (r->repeat ? 2u : 0u));
    bind_attempt(st, 10, r);
    return run(db, RECIPIENT, err);
}

enum relayd_fate
relayd_db_change(struct relayd_db *db, uint64_t m, uint32_t n, const struct relayd_recipient *r,
                 struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[CHANGE];

    relayd_sql_number(st, 1, m);
    relayd_sql_number(st, 2, n);
    bind_attempt(st, 3, r);
    return run(db, CHANGE, err);
}

enum relayd_fate
relayd_db_remove(struct relayd_db *db, uint64_t m, uint32_t n, struct relayd_removed *out,
                 struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[REMOVE];
    int rc;

    *out = (struct relayd_removed){ 0 };
    relayd_sql_number(st, 1, m);
    relayd_sql_number(st, 2, n);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->found = true;
        out->named = relayd_sql_id(st, 0, out->delivery.v, sizeof(out->delivery.v));
        (void)relayd_sql_id(st, 1, out->tenant.v, sizeof(out->tenant.v));
    }
    return ended(db, REMOVE, rc, err);
}

enum relayd_fate
relayd_db_end(struct relayd_db *db, uint64_t m, struct relayd_ended *out, struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[END];
    enum relayd_fate fate;
    int64_t size;
    int rc;

    *out = (struct relayd_ended){ 0 };
    relayd_sql_number(db->statement[LEFT], 1, m);
    rc = sqlite3_step(db->statement[LEFT]);
    fate = ended(db, LEFT, rc, err);
    if (rc != SQLITE_DONE) /* there are some, or nobody knows */
        return fate;
    relayd_sql_number(st, 1, m);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        out->gone = true;
        (void)relayd_sql_id(st, 0, out->mid.v, sizeof(out->mid.v));
        (void)relayd_sql_id(st, 1, out->tenant.v, sizeof(out->tenant.v));
        size = sqlite3_column_int64(st, 2);
        out->size = size < 0 ? 0 : (uint64_t)size;
        out->file = sqlite3_column_int64(st, 3) == 1;
    }
    fate = ended(db, END, rc, err);
    if (fate != RELAYD_FATE_OK)
        return fate;
    relayd_sql_number(db->statement[END_BODY], 1, m);
    return run(db, END_BODY, err);
}

enum relayd_fate
relayd_db_done(struct relayd_db *db, uint64_t s, struct yb_delivery_id id, struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[DONE];

    relayd_sql_number(st, 1, s);
    relayd_sql_blob(st, 2, id.v, sizeof(id.v));
    return run(db, DONE, err);
}

enum relayd_fate
relayd_db_prune(struct relayd_db *db, uint64_t upto, size_t most,
                void (*each)(void *arg, uint64_t s, struct yb_delivery_id id), void *arg,
                struct yb_err *err)
{
    sqlite3_stmt *st = db->statement[PRUNE];
    int rc;

    relayd_sql_number(st, 1, upto);
    relayd_sql_number(st, 2, most);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct yb_delivery_id id;

        (void)relayd_sql_id(st, 1, id.v, sizeof(id.v));
        each(arg, (uint64_t)sqlite3_column_int64(st, 0), id);
    }
    return ended(db, PRUNE, rc, err);
}

/* --- the log and the file --- */

enum relayd_fate
relayd_db_checkpoint(struct relayd_db *db, bool *all, struct yb_err *err)
{
    int rc, frames = 0, written = 0;
    enum relayd_fate fate;

    yb_fault("relay.checkpoint");
    if (yb_fault_fails("relay.checkpoint")) {
        yb_err_sys(err, YB_TEMP, "4.3.0", "queue.db: checkpoint");
        return RELAYD_FATE_BROKEN;
    }
    sqlite3_busy_timeout(db->handle, CHECKPOINT_BUSY_MS);
    rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_RESTART, &frames, &written);
    *all = rc == SQLITE_OK && frames == written;
    if (*all)
        atomic_store(&db->wal_bytes, 0);
    fate = (rc & 0xff) == SQLITE_BUSY ? RELAYD_FATE_OK
                                      : relayd_sql_fate(db->handle, rc, "checkpoint", err);
    sqlite3_busy_timeout(db->handle, RELAYD_BUSY_MS);
    return fate == RELAYD_FATE_REFUSED ? RELAYD_FATE_BROKEN : fate;
}

bool
relayd_db_loose(struct relayd_db *db, bool needed)
{
    int64_t loose = number_of(db, FREE_PAGES), pages = number_of(db, PAGES);

    return loose > 0 &&
           (needed || (loose * 4 > pages && loose * RELAYD_PAGE > (int64_t)LOOSE_BYTES));
}

enum relayd_fate
relayd_db_shrink(struct relayd_db *db, struct yb_err *err)
{
    enum relayd_fate fate = relayd_db_begin(db, err);

    if (fate == RELAYD_FATE_OK)
        fate = run(db, VACUUM, err);
    if (fate == RELAYD_FATE_OK)
        fate = relayd_db_commit(db, err);
    if (fate != RELAYD_FATE_OK)
        relayd_db_rollback(db);
    return fate;
}
