#include "imapd/push.h"

#include <pthread.h>

#define BUCKETS 4096 /* a power of two */

struct imapd_push {
    pthread_mutex_t lock;
    struct yb_net *net;
    void (*wake)(struct yb_net *, struct yb_conn_ref);
    uint64_t entries, idling, woken;
    struct imapd_push_entry *buckets[BUCKETS];
};

/* Account ids are random: any of their bytes are a hash. */
static struct imapd_push_entry **
bucket_of(struct imapd_push *p, struct yb_account_id account)
{
    return &p->buckets[(account.v[0] | (size_t)account.v[1] << 8) & (BUCKETS - 1)];
}

struct imapd_push *
imapd_push_new(struct yb_net *net, void (*wake)(struct yb_net *, struct yb_conn_ref))
{
    struct imapd_push *p = yb_alloc(1, sizeof(*p));

    pthread_mutex_init(&p->lock, NULL);
    p->net = net;
    p->wake = wake;
    return p;
}

void
imapd_push_free(struct imapd_push **p)
{
    if (*p == NULL)
        return;
    yb_assert((*p)->entries == 0);
    pthread_mutex_destroy(&(*p)->lock);
    yb_free(*p);
    *p = NULL;
}

void
imapd_push_add(struct imapd_push *p, struct imapd_push_entry *e)
{
    struct imapd_push_entry **head = bucket_of(p, e->account);

    yb_assert(e->link == NULL);
    pthread_mutex_lock(&p->lock);
    e->next = *head;
    e->link = head;
    if (e->next != NULL)
        e->next->link = &e->next;
    *head = e;
    p->entries++;
    pthread_mutex_unlock(&p->lock);
}

static bool
same_mailbox(const struct imapd_push_entry *e, struct yb_account_id account, uint32_t uidvalidity)
{
    return yb_account_id_eq(e->account, account) && e->uidvalidity == uidvalidity;
}

bool
imapd_push_remove(struct imapd_push *p, struct imapd_push_entry *e)
{
    struct imapd_push_entry *other;

    pthread_mutex_lock(&p->lock);
    *e->link = e->next;
    if (e->next != NULL)
        e->next->link = e->link;
    p->entries--;
    p->idling -= e->idling;
    other = *bucket_of(p, e->account);
    while (other != NULL && !same_mailbox(other, e->account, e->uidvalidity))
        other = other->next;
    pthread_mutex_unlock(&p->lock);
    *e = (struct imapd_push_entry){ 0 };
    return other == NULL;
}

void
imapd_push_idle(struct imapd_push *p, struct imapd_push_entry *e, bool idling)
{
    if (e->link == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->idling += idling;
    p->idling -= e->idling;
    e->idling = idling;
    pthread_mutex_unlock(&p->lock);
}

static void
wake_bucket(struct imapd_push *p, struct imapd_push_entry *e, bool all,
            struct yb_account_id account, uint32_t uidvalidity)
{
    for (; e != NULL; e = e->next) {
        if (!e->idling ||
            (!all && !same_mailbox(e, account, uidvalidity == 0 ? e->uidvalidity : uidvalidity)))
            continue;
        p->woken++;
        p->wake(p->net, e->conn);
    }
}

void
imapd_push_changed(void *arg, struct yb_account_id account, uint32_t uidvalidity)
{
    struct imapd_push *p = arg;

    pthread_mutex_lock(&p->lock);
    if (yb_account_id_is_zero(account)) {
        for (size_t i = 0; i < BUCKETS; i++)
            wake_bucket(p, p->buckets[i], true, account, 0);
    } else {
        wake_bucket(p, *bucket_of(p, account), false, account, uidvalidity);
    }
    pthread_mutex_unlock(&p->lock);
}

void
imapd_push_stats(struct imapd_push *p, uint64_t *waiting, uint64_t *woken)
{
    pthread_mutex_lock(&p->lock);
    *waiting = p->idling;
    *woken = p->woken;
    pthread_mutex_unlock(&p->lock);
}

void
imapd_push_again(struct imapd_push *p, const struct imapd_push_entry *e)
{
    p->wake(p->net, e->conn);
}
