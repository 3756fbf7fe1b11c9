/*
 * Two cursors in the order of their keys, messages and recipients, side by side; one message with its
 * recipients is in memory at a time.
 */
#include "relayd/scan_sql.h"

#include "lib/base/arena.h"
#include "lib/base/log.h"

#include <sqlite3.h>

#define ADDRESS_MAX 1000
#define STATUS_MAX 9
/* So many strange rows are named in the log; the others are counted. */
#define NAMED_ROWS 20

static const char messages[] = "SELECT m, mid, sid, tenant, origin, sender, flags, size, arrived, "
                               "file FROM message ORDER BY m";
static const char recipients[] =
    "SELECT m, n, did, tenant, account, home, address, quota, flags, state, reason, attempts, next,"
    " code, status, text, at FROM recipient ORDER BY m, n";

struct cursor {
    struct relayd_scan *scan;
    sqlite3 *handle;
    sqlite3_stmt *message, *recipient;
    int rc;                   /* of the last step of `recipient` */
    int64_t at_m, of_m, of_n; /* where they stand: the message; the recipient */
    struct yb_arena *arena;
    struct relayd_recipient *r;
    size_t room;
    size_t room_found;
};

/* --- values --- */

static bool
number_at(sqlite3_stmt *st, int at, int64_t least, int64_t most, int64_t *v)
{
    *v = sqlite3_column_int64(st, at);
    if (sqlite3_column_type(st, at) == SQLITE_INTEGER && *v >= least && *v <= most)
        return true;
    *v = least;
    return false;
}

/* Without controls: it becomes part of a line. */
static bool
text_at(struct cursor *c, sqlite3_stmt *st, int at, size_t most, struct yb_str *v)
{
    struct yb_str s;

    *v = yb_str("", 0);
    if (sqlite3_column_type(st, at) != SQLITE_TEXT)
        return false;
    s.p = sqlite3_column_blob(st, at);
    s.n = (size_t)sqlite3_column_bytes(st, at);
    if (s.n > most)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    }
    if (s.n > 0)
        *v = yb_arena_dup(c->arena, s);
    return true;
}

/* --- rows --- */

static void
strange(struct relayd_scan *scan, int64_t m, const char *what)
{
    if (scan->strange++ < NAMED_ROWS)
        yb_log(YB_LOG_ERROR, NULL, "relayd.queue.row", "message %lld: %s", (long long)m, what);
}

/* False: it cannot be believed. */
static bool
read_message(struct cursor *c, struct relayd_message *m)
{
    sqlite3_stmt *st = c->message;
    int64_t origin, flags, size, arrived, file;
    bool fine = true;

    fine &= relayd_sql_id(st, 1, m->mid.v, sizeof(m->mid.v));
    fine &= relayd_sql_id(st, 2, m->sid.v, sizeof(m->sid.v));
    fine &= relayd_sql_id(st, 3, m->tenant.v, sizeof(m->tenant.v));
    fine &= number_at(st, 4, YB_ORIGIN_NONE, YB_ORIGIN_AUTH, &origin);
    fine &= text_at(c, st, 5, ADDRESS_MAX, &m->sender);
    fine &= number_at(st, 6, 0, 3, &flags);
    fine &= number_at(st, 7, 0, INT64_MAX, &size);
    fine &= number_at(st, 8, 0, INT64_MAX, &arrived);
    fine &= number_at(st, 9, 0, 1, &file);
    m->origin = (enum yb_lmtp_origin)origin;
    m->body_8bit = (flags & 1) != 0;
    m->utf8 = (flags & 2) != 0;
    m->size = (uint64_t)size;
    m->arrived_ms = arrived;
    m->file = file == 1;
    return fine;
}

/* What is about past attempts is only looked at by people: what is odd there is left out. */
static void
read_answer(struct cursor *c, struct relayd_recipient *r)
{
    sqlite3_stmt *st = c->recipient;
    int64_t attempts, next, code, at;

    (void)number_at(st, 11, 0, UINT32_MAX, &attempts);
    (void)number_at(st, 12, 0, INT64_MAX, &next);
    (void)number_at(st, 13, 0, 999, &code);
    (void)text_at(c, st, 14, STATUS_MAX, &r->status);
    (void)text_at(c, st, 15, RELAYD_TEXT_MAX, &r->text);
    (void)number_at(st, 16, 0, INT64_MAX, &at);
    r->attempts = (uint32_t)attempts;
    r->next_ms = next;
    r->code = (unsigned)code;
    r->at_ms = at;
}

static bool
read_recipient(struct cursor *c, struct relayd_recipient *r)
{
    sqlite3_stmt *st = c->recipient;
    int64_t quota, flags, state, reason;
    bool fine = true;

    fine &= relayd_sql_id(st, 2, r->delivery.v, sizeof(r->delivery.v));
    fine &= relayd_sql_id(st, 3, r->tenant.v, sizeof(r->tenant.v));
    fine &= relayd_sql_id(st, 4, r->account.v, sizeof(r->account.v));
    fine &= relayd_sql_id(st, 5, r->home.v, sizeof(r->home.v));
    fine &= text_at(c, st, 6, ADDRESS_MAX, &r->address) && r->address.n > 0;
    fine &= number_at(st, 7, INT64_MIN, INT64_MAX, &quota); /* unsigned on disk as signed */
    fine &= number_at(st, 8, 0, 3, &flags);
    fine &= number_at(st, 9, RELAYD_WAITING, RELAYD_HELD, &state);
    fine &= number_at(st, 10, RELAYD_NO_REASON, RELAYD_REASONS - 1, &reason);
    r->quota = (uint64_t)quota;
    r->junk = (flags & 1) != 0;
    r->repeat = (flags & 2) != 0;
    r->state = (enum relayd_state)state;
    r->reason = state == RELAYD_HELD ? (enum relayd_reason)reason : RELAYD_NO_REASON;
    read_answer(c, r);
    return fine;
}

static void
hold(struct cursor *c, uint64_t m, struct relayd_recipient *r, enum relayd_reason reason)
{
    struct relayd_scan *scan = c->scan;

    if (r->state == RELAYD_HELD && (r->reason == reason || reason == RELAYD_NO_BODY))
        return; /* it is held already, and stays so for what it was */
    r->state = RELAYD_HELD;
    r->reason = reason;
    if (scan->n_found == c->room_found) {
        c->room_found = c->room_found == 0 ? 64 : 2 * c->room_found;
        scan->found = yb_realloc(scan->found, c->room_found, sizeof(*scan->found));
    }
    scan->found[scan->n_found++] = (struct relayd_found){ m, r->n, reason };
    if (scan->n_found <= NAMED_ROWS)
        yb_log(YB_LOG_ERROR, NULL, "relayd.queue.row", "message %llu, recipient %u is held: %s",
               (unsigned long long)m, r->n,
               reason == RELAYD_NO_BODY ? "its body is lost" : "its row is damaged");
}

/* The recipient that the cursor stands on, into c->r[*n]. */
static void
add_recipient(struct cursor *c, uint64_t m, bool fine, size_t *n)
{
    struct relayd_recipient *r;
    int64_t number;

    if (!number_at(c->recipient, 1, 0, UINT32_MAX - 1, &number)) { /* who walks on says n + 1 */
        strange(c->scan, (int64_t)m, "a recipient without a number");
        return;
    }
    if (*n == c->room) {
        c->room = c->room == 0 ? 64 : 2 * c->room;
        c->r = yb_realloc(c->r, c->room, sizeof(*c->r));
    }
    r = &c->r[(*n)++];
    *r = (struct relayd_recipient){ .n = (uint32_t)number };
    if (!read_recipient(c, r) || !fine)
        hold(c, m, r, RELAYD_DAMAGED);
}

/* Whoever looks for a row by its number finds it, or one beside it, only in their order, and SQLite takes
 * that for granted. */
static enum relayd_fate
disorder(const char *table, struct yb_err *err)
{
    yb_err_inside(err, YB_TEMP, "4.3.0", "queue.db is damaged: rows of %s are out of order", table);
    return RELAYD_FATE_DAMAGED;
}

/* The end, with SQLITE_CORRUPT, where they are not in their order. */
static void
next_recipient(struct cursor *c)
{
    int64_t m = c->of_m, n = c->of_n;

    c->rc = sqlite3_step(c->recipient);
    if (c->rc != SQLITE_ROW)
        return;
    c->of_m = sqlite3_column_int64(c->recipient, 0);
    c->of_n = sqlite3_column_int64(c->recipient, 1);
    if (c->of_m < m || (c->of_m == m && c->of_n <= n))
        c->rc = SQLITE_CORRUPT;
}

static int
tell_message(struct cursor *c, struct yb_err *err)
{
    struct relayd_message m = { .m = (uint64_t)sqlite3_column_int64(c->message, 0) };
    bool fine = read_message(c, &m);

    while (c->rc == SQLITE_ROW && sqlite3_column_int64(c->recipient, 0) < (int64_t)m.m) {
        strange(c->scan, sqlite3_column_int64(c->recipient, 0), "a recipient without its message");
        next_recipient(c);
    }
    while (c->rc == SQLITE_ROW && sqlite3_column_int64(c->recipient, 0) == (int64_t)m.m) {
        add_recipient(c, m.m, fine, &m.n);
        next_recipient(c);
    }
    if (m.n == 0) {
        strange(c->scan, (int64_t)m.m, "no recipients");
        return 0;
    }
    m.r = c->r;
    if (m.file && !c->scan->has_body(c->scan->body_arg, m.mid, m.m)) {
        for (size_t i = 0; i < m.n; i++)
            hold(c, m.m, &m.r[i], RELAYD_NO_BODY);
    }
    return c->scan->each(c->scan->arg, &m, err);
}

static enum relayd_fate
walk(struct cursor *c, struct yb_err *err)
{
    enum relayd_fate fate;
    int rc;

    c->at_m = c->of_m = c->of_n = INT64_MIN;
    next_recipient(c);
    while ((rc = sqlite3_step(c->message)) == SQLITE_ROW) {
        int64_t m = sqlite3_column_int64(c->message, 0);

        if (m <= c->at_m)
            return disorder("message", err);
        c->at_m = m;
        if (tell_message(c, err) < 0)
            return RELAYD_FATE_REFUSED;
        yb_arena_reset(c->arena);
    }
    fate = relayd_sql_fate(c->handle, rc, "read the messages", err);
    while (fate == RELAYD_FATE_OK && c->rc == SQLITE_ROW) {
        strange(c->scan, sqlite3_column_int64(c->recipient, 0), "a recipient without its message");
        next_recipient(c);
    }
    if (fate == RELAYD_FATE_OK && c->rc == SQLITE_CORRUPT)
        return disorder("recipient", err);
    return fate == RELAYD_FATE_OK ? relayd_sql_fate(c->handle, c->rc, "read the recipients", err)
                                  : fate;
}

enum relayd_fate
relayd_scan_messages(sqlite3 *handle, struct relayd_scan *scan, struct yb_err *err)
{
    struct cursor c = { .scan = scan, .handle = handle };
    enum relayd_fate fate;
    int rc;

    scan->found = NULL;
    scan->n_found = 0;
    scan->strange = 0;
    c.arena = yb_arena_new(16384);
    rc = sqlite3_prepare_v2(handle, messages, -1, &c.message, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(handle, recipients, -1, &c.recipient, NULL);
    fate = relayd_sql_fate(handle, rc, "read the queue", err);
    if (fate == RELAYD_FATE_OK)
        fate = walk(&c, err);
    sqlite3_finalize(c.message);
    sqlite3_finalize(c.recipient);
    yb_arena_free(&c.arena);
    yb_free(c.r);
    if (scan->strange > 0 || scan->n_found > 0)
        yb_log(YB_LOG_ERROR, NULL, "relayd.queue.row",
               "%llu recipients are held for what was found, %llu rows are left alone",
               (unsigned long long)scan->n_found, (unsigned long long)scan->strange);
    return fate;
}

static int
hold_rows(sqlite3_stmt *st, const struct relayd_scan *scan)
{
    int rc = SQLITE_DONE;

    for (size_t i = 0; rc == SQLITE_DONE && i < scan->n_found; i++) {
        sqlite3_bind_int64(st, 1, (sqlite3_int64)scan->found[i].m);
        sqlite3_bind_int64(st, 2, scan->found[i].n);
        sqlite3_bind_int64(st, 3, RELAYD_HELD);
        sqlite3_bind_int64(st, 4, scan->found[i].reason);
        rc = sqlite3_step(st);
        sqlite3_reset(st);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum relayd_fate
relayd_scan_hold(sqlite3 *handle, const struct relayd_scan *scan, struct yb_err *err)
{
    sqlite3_stmt *st = NULL;
    enum relayd_fate fate;
    int rc;

    if (scan->n_found == 0)
        return RELAYD_FATE_OK;
    rc = sqlite3_prepare_v2(handle,
                            "UPDATE recipient SET state = ?3, reason = ?4 WHERE m = ?1 AND n = ?2",
                            -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = hold_rows(st, scan);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL);
    fate = relayd_sql_fate(handle, rc, "hold what was found", err);
    sqlite3_finalize(st);
    if (sqlite3_get_autocommit(handle) == 0)
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    return fate;
}

enum relayd_fate
relayd_scan_done(sqlite3 *handle, void (*each)(void *arg, uint64_t s, struct yb_delivery_id id),
                 void *arg, struct yb_err *err)
{
    sqlite3_stmt *st = NULL;
    enum relayd_fate fate;
    int64_t last = 0;
    int rc =
        sqlite3_prepare_v2(handle, "SELECT s, did FROM done WHERE s > 0 ORDER BY s", -1, &st, NULL);

    while ((rc == SQLITE_OK || rc == SQLITE_ROW) && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct yb_delivery_id id;
        int64_t s = sqlite3_column_int64(st, 0);

        if (s <= last) {
            sqlite3_finalize(st);
            return disorder("done", err);
        }
        last = s;
        /* Zero is nobody's, but its number is taken. */
        (void)relayd_sql_id(st, 1, id.v, sizeof(id.v));
        each(arg, (uint64_t)s, id);
    }
    fate = relayd_sql_fate(handle, rc, "read what was done", err);
    sqlite3_finalize(st);
    return fate;
}
