/* Who has the message already is found by a tree, at the same cost for ten as for ten thousand. */
#include "lib/receive/envelope.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"

#define MAX_TARGETS 1000

/* Ordered by a hash whose key no stranger knows, so that none can make the tree deep. */
struct seen {
    uint64_t hash;         /* of the name */
    struct seen *child[2]; /* up to this hash, above it */
    struct yb_str name;
};

/* tx->data */
struct envelope {
    uint64_t key[2];        /* of the hashes */
    struct seen *addresses; /* of recipients: local part folded, domain in normal form */
    struct seen *mailboxes; /* account id and sub-address */
    size_t n_targets;
};

static struct envelope *
envelope_of(struct yb_smtp_tx *tx)
{
    struct envelope *e = tx->data;

    if (e == NULL) {
        e = yb_arena_alloc(tx->arena, 1, sizeof(*e));
        yb_random(e->key, sizeof(e->key));
        tx->data = e;
    }
    return e;
}

/* Where the name is in a tree, or would be. */
static struct seen **
find_place(const struct envelope *e, struct seen **root, struct yb_str name, uint64_t *hash)
{
    struct seen **at = root;

    *hash = yb_siphash(e->key, name);
    while (*at != NULL && ((*at)->hash != *hash || !yb_str_eq((*at)->name, name)))
        at = &(*at)->child[*hash > (*at)->hash];
    return at;
}

static bool
is_seen(const struct envelope *e, struct seen **root, struct yb_str name)
{
    uint64_t hash;

    return *find_place(e, root, name, &hash) != NULL;
}

static void
see(const struct envelope *e, struct seen **root, struct yb_str name, struct yb_arena *arena)
{
    uint64_t hash;
    struct seen **at = find_place(e, root, name, &hash);

    if (*at != NULL)
        return;
    *at = yb_arena_alloc(arena, 1, sizeof(**at));
    (*at)->hash = hash;
    (*at)->name = yb_arena_dup(arena, name);
}

/* The address in one form; the forms with an @ in the local part are refused before: only one pair
 * gives the same text. */
static struct yb_str
address_name(const struct yb_address *a, struct yb_arena *scratch)
{
    return yb_arena_printf(scratch, "%.*s@%.*s", YB_STR_ARG(yb_address_fold(a->local, scratch)),
                           YB_STR_ARG(a->domain));
}

/* The place of delivery that a target is: another sub-address may be another folder. */
static struct yb_str
mailbox_name(const struct yb_target *t, struct yb_arena *arena)
{
    char *p = yb_arena_alloc(arena, sizeof(t->account.v) + t->detail.n, 1);

    memcpy(p, t->account.v, sizeof(t->account.v));
    if (t->detail.n > 0)
        memcpy(p + sizeof(t->account.v), t->detail.p, t->detail.n);
    return yb_str(p, sizeof(t->account.v) + t->detail.n);
}

void
yb_envelope_drop_seen(struct yb_smtp_session *s, const struct yb_smtp_rcpt *r,
                      struct yb_resolution *res)
{
    struct yb_arena *scratch = yb_conn_scratch(s->conn);
    struct envelope *e = envelope_of(s->tx);
    size_t n = 0;

    if (is_seen(e, &e->addresses, address_name(&r->address, scratch)))
        res->n_targets = 0;
    for (size_t i = 0; i < res->n_targets; i++) {
        if (!is_seen(e, &e->mailboxes, mailbox_name(&res->targets[i], scratch)))
            res->targets[n++] = res->targets[i];
    }
    res->n_targets = n;
}

static struct yb_envelope_rcpt *
keep_recipient(const struct yb_resolution *res, struct yb_arena *arena)
{
    struct yb_envelope_rcpt *r =
        yb_arena_alloc(arena, 1, sizeof(*r) + res->n_targets * sizeof(r->v[0]));

    r->n = res->n_targets;
    for (size_t i = 0; i < r->n; i++) {
        r->v[i] = (struct yb_envelope_target){ .account = res->targets[i].account,
                                               .tenant = res->targets[i].tenant,
                                               .store = res->targets[i].store,
                                               .quota = res->targets[i].quota_bytes,
                                               .full_since = res->targets[i].full_since,
                                               .full_days = res->targets[i].full_days,
                                               .accepted = res->targets[i].accepted };
    }
    return r;
}

int
yb_envelope_add(size_t limit, struct yb_smtp_session *s, struct yb_smtp_rcpt *r,
                const struct yb_resolution *res, struct yb_err *err)
{
    struct yb_arena *scratch = yb_conn_scratch(s->conn);
    struct envelope *e = envelope_of(s->tx);

    if (e->n_targets + res->n_targets > (limit == 0 ? MAX_TARGETS : limit))
        return yb_err_as(err, YB_ERR_LIMIT, YB_TEMP, "4.5.3",
                         "Too many recipients, send the rest again");
    r->data = keep_recipient(res, s->tx->arena);
    see(e, &e->addresses, address_name(&r->address, scratch), s->tx->arena);
    for (size_t i = 0; i < res->n_targets; i++)
        see(e, &e->mailboxes, mailbox_name(&res->targets[i], scratch), s->tx->arena);
    e->n_targets += res->n_targets;
    return 0;
}

size_t
yb_envelope_size(struct yb_smtp_tx *tx)
{
    return envelope_of(tx)->n_targets;
}
