#include "lib/store/dirty.h"

#define NOTED_MOST 65536

static struct yb_str
noted_key(const struct yb_mailbox *m, char buf[YB_ID_BYTES + YB_FOLDER_DIR_MAX])
{
    size_t n = strlen(m->dir.s);

    memcpy(buf, m->account->id.v, YB_ID_BYTES);
    memcpy(buf + YB_ID_BYTES, m->dir.s, n);
    return yb_str(buf, YB_ID_BYTES + n);
}

void
yb_tidy_note(struct yb_mailbox *m)
{
    struct yb_tidy *t = m->account->store->tidy;
    char buf[YB_ID_BYTES + YB_FOLDER_DIR_MAX];
    struct yb_str key = noted_key(m, buf);
    struct yb_noted *n;

    if (t == NULL)
        return;
    pthread_mutex_lock(&t->mutex);
    n = yb_map_get(t->noted, key);
    if (n == NULL && yb_map_count(t->noted) < NOTED_MOST) {
        n = yb_alloc(1, sizeof(*n));
        n->account = m->account->id;
        n->dir = m->dir;
        yb_map_put(t->noted, key, n);
    }
    if (n != NULL) {
        n->last_ms = yb_clock_ms();
        n->changes = m->head.changes;
    }
    pthread_mutex_unlock(&t->mutex);
}

size_t
yb_dirty_take(struct yb_tidy *t, int64_t before_ms, struct yb_noted *out, size_t max)
{
    struct yb_str key;
    void *value;
    size_t at = 0, n = 0;

    pthread_mutex_lock(&t->mutex);
    while (n < max && yb_map_next(t->noted, &at, &key, &value)) {
        const struct yb_noted *e = value;

        if (e->last_ms <= before_ms)
            out[n++] = *e;
    }
    for (size_t i = 0; i < n; i++) {
        char buf[YB_ID_BYTES + YB_FOLDER_DIR_MAX];
        size_t len = strlen(out[i].dir.s);

        memcpy(buf, out[i].account.v, YB_ID_BYTES);
        memcpy(buf + YB_ID_BYTES, out[i].dir.s, len);
        yb_free(yb_map_remove(t->noted, yb_str(buf, YB_ID_BYTES + len)));
    }
    pthread_mutex_unlock(&t->mutex);
    return n;
}
