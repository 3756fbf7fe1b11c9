/*
 * Where an account is at home, as its lock file says (cluster: home | moving | moved | arriving).
 *
 *   the slots say   `account` says   means
 *   HOME            its id           served here
 *   MOVING          its id           read here, changed nowhere
 *   MOVED           a second line    served by another store; the marker stays for ever
 *   ARRIVING        its id           not served here yet
 *   nothing         its id           unknown: who has the directory asks (yb_store_unknown()), and
 *                                    writes HOME if this is its node (yb_store_settle())
 *   nothing         a second line    unknown, and stays so: what was here has moved
 */
#include "lib/base/log.h"
#include "lib/store/sys.h"
#include "lib/store/truth.h"

#include <errno.h>

#define UNKNOWN_MOST 65536

/* An account whose state could not be read. */
struct unknown {
    bool wanted; /* somebody came since it was last asked for */
};

int
yb_account_err_moving(struct yb_err *err)
{
    return yb_err_as(err, YB_ERR_MOVING, YB_TEMP, "4.3.2", "The mailbox is being moved");
}

int
yb_account_may_change(const struct yb_store_account *a, struct yb_err *err)
{
    return a->state == YB_ACCOUNT_HOME ? 0 : yb_account_err_moving(err);
}

static struct yb_str
id_key(const struct yb_account_id *id)
{
    return yb_str((const char *)id->v, sizeof(id->v));
}

/* Told once in the log, for as long as it lasts. */
static void
log_unknown(const struct yb_store_account *a)
{
    struct yb_log_line l;
    char id[YB_ID_TEXT];

    yb_log_begin(&l, YB_LOG_ERROR, NULL, "store.state.unknown");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(a->id, id)));
    yb_log_str(&l, "moved", yb_account_marked(a) ? YB_STR("yes") : YB_STR("no"));
    yb_log_end(&l);
}

void
yb_account_note_unknown(struct yb_store_account *a)
{
    struct yb_store *s = a->store;
    struct unknown *u;
    bool news = false;

    pthread_mutex_lock(&s->mutex);
    u = yb_map_get(s->unknown, id_key(&a->id));
    if (u == NULL && yb_map_count(s->unknown) < UNKNOWN_MOST) {
        u = yb_alloc(1, sizeof(*u));
        yb_map_put(s->unknown, id_key(&a->id), u);
        news = true;
    }
    if (u != NULL)
        u->wanted = true;
    pthread_mutex_unlock(&s->mutex);
    if (news)
        log_unknown(a);
}

size_t
yb_store_unknown(struct yb_store *s, struct yb_account_id *ids, size_t max)
{
    size_t n = 0, at = 0;
    struct yb_str key;
    void *value;

    pthread_mutex_lock(&s->mutex);
    while (n < max && yb_map_next(s->unknown, &at, &key, &value)) {
        struct unknown *u = value;

        if (!u->wanted)
            continue;
        u->wanted = false;
        memcpy(ids[n++].v, key.p, YB_ID_BYTES);
    }
    pthread_mutex_unlock(&s->mutex);
    return n;
}

void
yb_store_unknown_free(struct yb_store *s)
{
    size_t at = 0;
    struct yb_str key;
    void *value;

    while (yb_map_next(s->unknown, &at, &key, &value))
        yb_free(value);
    yb_map_free(&s->unknown);
}

static void
log_home(struct yb_account_id id)
{
    struct yb_log_line l;
    char text[YB_ID_TEXT];

    yb_log_begin(&l, YB_LOG_WARN, NULL, "store.state.home");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(id, text)));
    yb_log_end(&l);
}

/* Under the lock file's lock: HOME is written and synced where nothing can be read. */
static int
settle_locked(struct yb_store_account *a, struct yb_err *err)
{
    struct yb_lock_durable d;

    yb_lockfile_read_durable(a->lock_fd, &d);
    if (d.state != YB_ACCOUNT_UNKNOWN) /* another process was quicker */
        return 0;
    if (yb_account_marked(a))
        return yb_account_err_moving(err);
    if (yb_lockfile_begin(a->lock_fd) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_LOCK_FILE);
    log_home(a->id);
    return 0;
}

int
yb_store_settle(struct yb_store *s, struct yb_account_id id, struct yb_err *err)
{
    struct yb_store_account *a;
    int rc;

    if (yb_root_fd(s, err) < 0 || yb_account_open(s, id, false, &a, err) < 0)
        return -1;
    rc = yb_account_hold(a, err);
    if (rc == 0) {
        rc = yb_account_stands(a, err) < 0 ? -1 : settle_locked(a, err);
        yb_account_unlock(a);
    }
    yb_store_close(&a);
    if (rc < 0)
        return -1;
    pthread_mutex_lock(&s->mutex);
    yb_free(yb_map_remove(s->unknown, id_key(&id)));
    pthread_mutex_unlock(&s->mutex);
    return 0;
}
