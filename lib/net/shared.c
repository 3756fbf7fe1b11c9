/*
 * What all connections of an engine share: certificates, how many connections each client network
 * and account has, how much unhandled input is held.
 */
#include "lib/net/engine.h"

/* --- certificates --- */

void
yb_net_set_tls(struct yb_net *n, struct yb_tls_set *tls)
{
    struct yb_tls_set *old, *new = tls == NULL ? NULL : yb_tls_set_ref(tls);

    pthread_mutex_lock(&n->lock);
    old = n->tls;
    n->tls = new;
    atomic_store(&n->has_tls, new != NULL);
    pthread_mutex_unlock(&n->lock);
    yb_tls_set_unref(&old);
}

struct yb_tls_set *
yb_net_tls(struct yb_net *n)
{
    struct yb_tls_set *tls;

    pthread_mutex_lock(&n->lock);
    tls = n->tls == NULL ? NULL : yb_tls_set_ref(n->tls);
    pthread_mutex_unlock(&n->lock);
    return tls;
}

/* --- how many of whom --- */

uint64_t
yb_net_key(const struct yb_net *n, const union yb_addr *addr)
{
    struct yb_network network = yb_network_of(yb_ip_of(&addr->any));

    return yb_network_hash(&network, n->hash_key);
}

static bool
count_up(struct yb_net *n, struct yb_str key, size_t max, struct yb_net_count *count)
{
    uintptr_t now;
    bool ok;

    pthread_mutex_lock(&n->lock);
    now = (uintptr_t)yb_map_get(n->counts, key);
    ok = max == 0 || now < max;
    if (ok)
        yb_map_put(n->counts, key, (void *)(now + 1));
    pthread_mutex_unlock(&n->lock);
    if (ok) {
        count->n = (uint8_t)key.n;
        memcpy(count->key, key.p, key.n);
    }
    return ok;
}

bool
yb_net_admit(struct yb_net *n, const union yb_addr *addr, struct yb_net_count *count)
{
    struct yb_network network = yb_network_of(yb_ip_of(&addr->any));

    return network.bits == 0 || /* no IP network: not counted */
           count_up(n, yb_network_key(&network), n->conf.max_conns_per_network, count);
}

void
yb_net_dismiss(struct yb_net *n, struct yb_net_count *count)
{
    struct yb_str key = yb_str(count->key, count->n);
    uintptr_t now;

    if (key.n == 0)
        return;
    pthread_mutex_lock(&n->lock);
    now = (uintptr_t)yb_map_get(n->counts, key);
    if (now <= 1)
        yb_map_remove(n->counts, key);
    else
        yb_map_put(n->counts, key, (void *)(now - 1));
    pthread_mutex_unlock(&n->lock);
    count->n = 0;
}

bool
yb_conn_set_account(struct yb_conn *c, struct yb_account_id account, size_t max)
{
    struct yb_net_count before = c->counted;
    char key[1 + YB_ID_BYTES] = { 'a' }; /* shorter than a network's key, so never one */

    memcpy(key + 1, account.v, sizeof(account.v));
    if (!count_up(c->net, yb_str(key, sizeof(key)), max, &c->counted))
        return false;
    yb_net_dismiss(c->net, &before);
    return true;
}

/* --- unhandled input --- */

static void
held_remove(struct yb_net *n, struct yb_conn *c)
{
    if (c->held_prev != NULL)
        c->held_prev->held_next = c->held_next;
    else
        n->held_first = c->held_next;
    if (c->held_next != NULL)
        c->held_next->held_prev = c->held_prev;
    else
        n->held_last = c->held_prev;
    c->held_prev = c->held_next = NULL;
}

static void
held_append(struct yb_net *n, struct yb_conn *c)
{
    c->held_prev = n->held_last;
    if (n->held_last != NULL)
        n->held_last->held_next = c;
    else
        n->held_first = c;
    n->held_last = c;
}

void
yb_net_charge_input(struct yb_conn *c, size_t size)
{
    struct yb_net *n = c->net;
    struct yb_conn_ref oldest = { 0 };

    if (size == 0 && c->charged == 0)
        return;
    pthread_mutex_lock(&n->lock);
    if (c->charged == 0)
        held_append(n, c); /* one whose half line only grows keeps its place */
    n->held_bytes = n->held_bytes - c->charged + size;
    c->charged = size;
    if (size == 0)
        held_remove(n, c);
    else if (n->conf.max_input_total > 0 && n->held_bytes > n->conf.max_input_total)
        oldest = n->held_first->self;
    pthread_mutex_unlock(&n->lock);
    if (oldest.generation != 0) {
        yb_log(YB_LOG_WARN, &c->log, "net.input.full", "the longest waiting connection is closed");
        yb_slot_post(n, oldest, YB_EV_KICK);
    }
}
