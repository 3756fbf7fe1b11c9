/*
 * The usage of an account: counted in its head with every change, numbered so that of two reports the
 * newer can be told, and noted for the report to the database.
 */
#include "lib/store/handles.h"
#include "lib/store/sys.h"

static struct yb_str
id_key(const struct yb_account_id *id)
{
    return yb_str((const char *)id->v, sizeof(id->v));
}

void
yb_account_use(struct yb_store_account *a, int64_t bytes, int64_t messages)
{
    a->head.bytes += (uint64_t)bytes;
    a->head.messages += (uint64_t)messages;
}

void
yb_usage_note(struct yb_store *s, struct yb_account_id id, const struct yb_lock_head *head,
              bool full)
{
    struct yb_usage *u;

    pthread_mutex_lock(&s->mutex);
    u = yb_map_get(s->usage, id_key(&id));
    if (u == NULL) {
        u = yb_alloc(1, sizeof(*u));
        yb_map_put(s->usage, id_key(&id), u);
    }
    if (head->change >= u->change) {
        full = full || (u->full && u->change == head->change);
        *u = (struct yb_usage){ head->bytes, head->messages, head->change, full };
    }
    pthread_mutex_unlock(&s->mutex);
}

void
yb_account_note_usage(struct yb_store_account *a, bool full)
{
    yb_usage_note(a->store, a->id, &a->head, full);
}

/* Once in a million changes, and after another boot: the ceiling of their number is raised ahead. */
static int
change_reserve(struct yb_store_account *a, struct yb_err *err)
{
    struct yb_lock_durable d;

    if (a->head.change + 1 < a->head.change_ceiling)
        return 0;
    yb_lockfile_read_durable(a->lock_fd, &d);
    d.change_ceiling = a->head.change + YB_CHANGE_AHEAD;
    if (yb_lockfile_write_durable(a->lock_fd, &d) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write the lock file");
    a->head.change_ceiling = d.change_ceiling;
    return 0;
}

int
yb_account_busy(struct yb_store_account *a, struct yb_err *err)
{
    if (change_reserve(a, err) < 0)
        return -1;
    a->head.busy = 1;
    if (yb_lockfile_write(a->lock_fd, &a->head) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write the lock file");
    return 0;
}

int
yb_account_write_usage(struct yb_store_account *a, struct yb_err *err)
{
    a->head.busy = 0;
    a->head.change += a->head.bytes != a->told.bytes || a->head.messages != a->told.messages;
    if (yb_lockfile_write(a->lock_fd, &a->head) < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "write the lock file");
    a->told = (struct yb_usage){ a->head.bytes, a->head.messages, a->head.change, false };
    yb_account_note_usage(a, false);
    return 0;
}
