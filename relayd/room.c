#include "relayd/room.h"

#include "lib/base/map.h"

#include <pthread.h>

struct held {
    uint64_t recipients, bytes;
};

struct relayd_room {
    pthread_mutex_t lock;
    struct held most, all;
    struct yb_map *tenants; /* id -> struct held; none that holds nothing */
};

struct relayd_room *
relayd_room_new(uint64_t max_recipients, uint64_t max_bytes)
{
    struct relayd_room *r = yb_alloc(1, sizeof(*r));

    pthread_mutex_init(&r->lock, NULL);
    r->most = (struct held){ max_recipients, max_bytes };
    r->tenants = yb_map_new();
    return r;
}

void
relayd_room_free(struct relayd_room **r)
{
    struct yb_str key;
    void *value;

    if (*r == NULL)
        return;
    for (size_t at = 0; yb_map_next((*r)->tenants, &at, &key, &value);)
        yb_free(value);
    yb_map_free(&(*r)->tenants);
    pthread_mutex_destroy(&(*r)->lock);
    yb_free(*r);
    *r = NULL;
}

static struct yb_str
key_of(const struct yb_tenant_id *tenant)
{
    return yb_str((const char *)tenant->v, sizeof(tenant->v));
}

static void
add(struct relayd_room *r, const struct relayd_share *share)
{
    struct held *h = yb_map_get(r->tenants, key_of(&share->tenant));

    if (h == NULL) {
        h = yb_alloc(1, sizeof(*h));
        yb_map_put(r->tenants, key_of(&share->tenant), h);
    }
    h->recipients += share->recipients;
    h->bytes += share->bytes;
    r->all.recipients += share->recipients;
    r->all.bytes += share->bytes;
}

/* Never below nothing: what damaged rows say may not be what was counted. */
static uint64_t
less(uint64_t from, uint64_t n)
{
    return n < from ? from - n : 0;
}

static void
give_back(struct relayd_room *r, const struct relayd_share *share)
{
    struct held *h = yb_map_get(r->tenants, key_of(&share->tenant));

    r->all.recipients = less(r->all.recipients, share->recipients);
    r->all.bytes = less(r->all.bytes, share->bytes);
    if (h == NULL)
        return;
    h->recipients = less(h->recipients, share->recipients);
    h->bytes = less(h->bytes, share->bytes);
    if (h->recipients == 0 && h->bytes == 0)
        yb_free(yb_map_remove(r->tenants, key_of(&share->tenant)));
}

static bool
over(uint64_t held, uint64_t more, uint64_t most)
{
    return more > most || held > most - more;
}

static int
fits(struct relayd_room *r, const struct relayd_share *share, bool accepted, struct yb_err *err)
{
    struct held tenth = { accepted ? 0 : r->most.recipients / 10,
                          accepted ? 0 : r->most.bytes / 10 };
    const struct held *h = yb_map_get(r->tenants, key_of(&share->tenant)), none = { 0 };

    if (over(r->all.recipients, share->recipients, r->most.recipients - tenth.recipients) ||
        over(r->all.bytes, share->bytes, r->most.bytes - tenth.bytes))
        return yb_err_as(err, YB_ERR_FULL, YB_TEMP, "4.3.1", "The queue is full, try again later");
    h = h == NULL ? &none : h;
    if (over(h->recipients, share->recipients, r->most.recipients / 2) ||
        over(h->bytes, share->bytes, r->most.bytes / 2))
        return yb_err_as(err, YB_ERR_FULL, YB_TEMP, "4.3.1",
                         "Too much is queued for this customer, try again later");
    return 0;
}

int
relayd_room_take(struct relayd_room *r, const struct relayd_share *shares, size_t n, bool accepted,
                 struct yb_err *err)
{
    size_t taken = 0;

    pthread_mutex_lock(&r->lock);
    while (taken < n && fits(r, &shares[taken], accepted, err) == 0)
        add(r, &shares[taken++]);
    if (taken < n) {
        for (size_t i = 0; i < taken; i++)
            give_back(r, &shares[i]);
    }
    pthread_mutex_unlock(&r->lock);
    return taken < n ? -1 : 0;
}

int
relayd_room_look(struct relayd_room *r, const struct relayd_share *share, bool accepted,
                 struct yb_err *err)
{
    int rc;

    pthread_mutex_lock(&r->lock);
    rc = fits(r, share, accepted, err);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void
relayd_room_add(struct relayd_room *r, const struct relayd_share *share)
{
    pthread_mutex_lock(&r->lock);
    add(r, share);
    pthread_mutex_unlock(&r->lock);
}

void
relayd_room_give_back(struct relayd_room *r, const struct relayd_share *share)
{
    pthread_mutex_lock(&r->lock);
    give_back(r, share);
    pthread_mutex_unlock(&r->lock);
}

void
relayd_room_read(struct relayd_room *r, uint64_t *recipients, uint64_t *bytes)
{
    pthread_mutex_lock(&r->lock);
    *recipients = r->all.recipients;
    *bytes = r->all.bytes;
    pthread_mutex_unlock(&r->lock);
}
