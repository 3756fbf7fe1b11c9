#include "lib/auth/online.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

#include <errno.h>
#include <pthread.h>

#define BUCKETS 4096 /* a power of two */
#define DUE 64       /* addresses that wait to be looked at; more are all */
#define GROUPS 16    /* domains and tenants that do; more are all */
#define BATCH 100    /* sessions in a question */
#define PASSED 5000  /* sessions that a sweep passes over at once; then it lets go of the table */
#define REST_MS 20   /* between two questions: 50 a second */
#define AWAY_MS 5000 /* until a question that was not answered is asked again */
#define CUT_MS 5000  /* what is ended and not gone by then is cut off */
/* A second change within the directory's notice_ms is heard of at its end: so is each looked at
 * again this much later. */
#define AGAIN_MS 50

/* An address, a domain or a tenant to be looked at, now or again. */
struct due {
    uint64_t hash;
    int64_t at_ms;
    unsigned left;
};

struct yb_online {
    struct yb_online_conf conf;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, stopping;
    struct yb_online_entry *first, *last, *buckets[BUCKETS];
    uint64_t numbers, n;
    struct due due[DUE];
    size_t n_due;
    struct due groups[GROUPS]; /* domains and tenants */
    size_t n_groups;
    struct due all; /* hash is not used */
    bool sweeping, everybody;
    uint64_t wanted[GROUPS]; /* of the sweep, when it is not for everybody */
    size_t n_wanted;
    struct yb_online_entry *cursor; /* the next one of the sweep */
    int64_t rest_ms;                /* no question before */
    int64_t cut_ms;                 /* when to look for who is to be cut off; 0: nobody */
    uint64_t ended, kicked;
};

/* One session as the thread asks for it, without the lock. */
struct item {
    uint64_t number, hash;
    struct yb_str name;
};

struct yb_online *
yb_online_new(const struct yb_online_conf *conf)
{
    struct yb_online *o = yb_alloc(1, sizeof(*o));

    o->conf = *conf;
    if (o->conf.cut_ms == 0)
        o->conf.cut_ms = CUT_MS;
    pthread_mutex_init(&o->lock, NULL);
    yb_clock_cond_init(&o->changed);
    return o;
}

void
yb_online_free(struct yb_online **o)
{
    if (*o == NULL)
        return;
    yb_assert((*o)->n == 0 && !(*o)->started);
    pthread_mutex_destroy(&(*o)->lock);
    pthread_cond_destroy(&(*o)->changed);
    yb_free(*o);
    *o = NULL;
}

/* --- the table; the lock is held --- */

static struct yb_online_entry **
bucket_of(struct yb_online *o, uint64_t hash)
{
    return &o->buckets[hash & (BUCKETS - 1)];
}

static void
bucket_add(struct yb_online *o, struct yb_online_entry *e)
{
    struct yb_online_entry **head = bucket_of(o, e->hash.address);

    e->chain = *head;
    e->link = head;
    if (e->chain != NULL)
        e->chain->link = &e->chain;
    *head = e;
}

static void
bucket_remove(struct yb_online_entry *e)
{
    *e->link = e->chain;
    if (e->chain != NULL)
        e->chain->link = e->link;
    e->link = NULL;
}

/* By the key of now; notices by another key were about everybody. */
static void
rehash(struct yb_online *o, struct yb_online_entry *e)
{
    struct yb_directory_hashes hash;

    o->conf.source.hashes(o->conf.source.arg, yb_str_from(e->address), e->tenant, &hash);
    if (e->link != NULL && memcmp(&hash, &e->hash, sizeof(hash)) == 0)
        return;
    if (e->link != NULL)
        bucket_remove(e);
    e->hash = hash;
    bucket_add(o, e);
}

static void
end_session(struct yb_online *o, struct yb_online_entry *e, const char *why)
{
    if (atomic_load(&e->ended) != NULL)
        return;
    e->cut_ms = yb_clock_ms() + o->conf.cut_ms;
    if (o->cut_ms == 0)
        o->cut_ms = e->cut_ms;
    atomic_store(&e->ended, yb_dup(why, strlen(why)));
    o->conf.wake(o->conf.net, e->conn);
    pthread_cond_signal(&o->changed);
}

/* --- looking --- */

static void
item_add(struct item *items, size_t *n, const struct yb_online_entry *e, struct yb_arena *arena)
{
    if (atomic_load(&e->ended) != NULL)
        return;
    items[*n] =
        (struct item){ e->number, e->hash.address, yb_arena_dup(arena, yb_str_from(e->address)) };
    ++*n;
}

static int64_t
again_ms(const struct yb_online *o)
{
    return o->conf.source.notice_ms + AGAIN_MS;
}

/* Those of addresses that are due; one that has more sessions than fit is looked at with all. */
static size_t
take_due(struct yb_online *o, int64_t now, struct item *items, struct yb_arena *arena)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_due;) {
        struct due *d = &o->due[i];
        size_t before = n;
        struct yb_online_entry *e = *bucket_of(o, d->hash);

        if (d->at_ms > now) {
            i++;
            continue;
        }
        for (; e != NULL && n < BATCH; e = e->chain) {
            if (e->hash.address == d->hash)
                item_add(items, &n, e, arena);
        }
        if (e != NULL && before > 0) {
            n = before; /* the next question is its */
            break;
        }
        if (e != NULL)
            o->all = (struct due){ .at_ms = now, .left = 2 };
        d->at_ms = now + again_ms(o);
        if (--d->left == 0)
            *d = o->due[--o->n_due];
        else
            i++;
    }
    return n;
}

/* It has been looked at, or is being: `false`, it need not be again. */
static bool
again(const struct yb_online *o, struct due *d, int64_t now)
{
    d->at_ms = now + again_ms(o);
    return --d->left > 0;
}

static void
sweep_begin(struct yb_online *o, int64_t now)
{
    o->sweeping = true;
    o->cursor = o->first;
    o->n_wanted = 0;
    o->everybody = o->all.left > 0 && o->all.at_ms <= now;
    if (o->everybody)
        (void)again(o, &o->all, now);
    for (size_t i = 0; i < o->n_groups;) {
        struct due *d = &o->groups[i];

        if (d->at_ms <= now) {
            o->wanted[o->n_wanted++] = d->hash;
            if (!again(o, d, now)) {
                *d = o->groups[--o->n_groups];
                continue;
            }
        }
        i++;
    }
}

static bool
is_wanted(const struct yb_online *o, const struct yb_online_entry *e)
{
    for (size_t i = 0; i < o->n_wanted; i++) {
        if (e->hash.domain == o->wanted[i] || e->hash.tenant == o->wanted[i])
            return true;
    }
    return o->everybody;
}

static size_t
take_sweep(struct yb_online *o, int64_t now, struct item *items, struct yb_arena *arena)
{
    size_t n = 0, passed = 0;

    if (!o->sweeping)
        sweep_begin(o, now);
    for (; o->cursor != NULL && n < BATCH && passed < PASSED; o->cursor = o->cursor->next) {
        if (o->everybody) /* by another key, it may be */
            rehash(o, o->cursor);
        if (is_wanted(o, o->cursor))
            item_add(items, &n, o->cursor, arena);
        passed++;
    }
    o->sweeping = o->cursor != NULL;
    if (n == 0 && o->sweeping)
        o->rest_ms = now + 1;
    return n;
}

/* Is there something for a sweep? */
static bool
sweep_due(const struct yb_online *o, int64_t now)
{
    bool due = o->sweeping || (o->all.left > 0 && o->all.at_ms <= now);

    for (size_t i = 0; i < o->n_groups && !due; i++)
        due = o->groups[i].at_ms <= now;
    return due;
}

static struct yb_online_entry *
find(struct yb_online *o, const struct item *item)
{
    struct yb_online_entry *e = *bucket_of(o, item->hash);

    while (e != NULL && e->number != item->number)
        e = e->chain;
    return e;
}

/* By a login as it is now the session ends (false), or learns what counts for it. Under the lock. */
static bool
judge(struct yb_online *o, struct yb_online_entry *e, const struct yb_login *login)
{
    struct yb_err why = { 0 };

    if (yb_auth_still(e->account, &e->by, login, o->conf.source.protocol, e->since, &why) < 0) {
        end_session(o, e, yb_err_public(&why));
        return false;
    }
    if (o->conf.source.elsewhere != NULL &&
        o->conf.source.elsewhere(o->conf.source.arg, login->store)) {
        end_session(o, e, "Your mailbox is served by another host now");
        return false;
    }
    if (o->conf.heard != NULL)
        o->conf.heard(o->conf.heard_arg, e, login);
    return true;
}

/* Without the lock while the database is asked. */
static void
look(struct yb_online *o, const struct item *items, size_t n, struct yb_arena *arena)
{
    const struct yb_online_source *source = &o->conf.source;
    struct yb_login *logins = yb_arena_alloc(arena, n, sizeof(*logins));
    struct yb_str *names = yb_arena_alloc(arena, n, sizeof(*names));
    struct yb_err err = { 0 };
    bool asked = false;
    int rc;

    for (size_t i = 0; i < n; i++)
        names[i] = items[i].name;
    pthread_mutex_unlock(&o->lock);
    rc = source->logins(source->arg, names, n, arena, logins, &asked, &err);
    pthread_mutex_lock(&o->lock);
    if (asked)
        o->rest_ms = yb_clock_ms() + REST_MS;
    if (rc < 0) {
        yb_log_err(YB_LOG_WARN, NULL, "auth.online.away", &err);
        o->all = (struct due){ .at_ms = yb_clock_ms() + AWAY_MS, .left = 2 };
        o->sweeping = false;
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct yb_online_entry *e = find(o, &items[i]);

        if (e != NULL && atomic_load(&e->ended) == NULL && !judge(o, e, &logins[i]))
            o->ended++;
    }
}

/* Who was told and is still there takes nothing from us. */
static void
cut_off(struct yb_online *o, int64_t now)
{
    o->cut_ms = 0;
    for (struct yb_online_entry *e = o->first; e != NULL; e = e->next) {
        if (atomic_load(&e->ended) == NULL || e->cut_ms == 0)
            continue;
        if (e->cut_ms <= now) {
            o->conf.kick(o->conf.net, e->conn);
            e->cut_ms = 0;
        } else if (o->cut_ms == 0 || e->cut_ms < o->cut_ms) {
            o->cut_ms = e->cut_ms;
        }
    }
}

/* Milliseconds until there is something to do. */
static int64_t
wait_ms(const struct yb_online *o, int64_t now)
{
    int64_t at = o->sweeping ? now : INT64_MAX;

    for (size_t i = 0; i < o->n_due; i++)
        at = o->due[i].at_ms < at ? o->due[i].at_ms : at;
    for (size_t i = 0; i < o->n_groups; i++)
        at = o->groups[i].at_ms < at ? o->groups[i].at_ms : at;
    if (o->all.left > 0 && o->all.at_ms < at)
        at = o->all.at_ms;
    if (at < o->rest_ms)
        at = o->rest_ms;
    if (o->cut_ms != 0 && o->cut_ms < at)
        at = o->cut_ms;
    return at == INT64_MAX ? -1 : at > now ? at - now : 0;
}

static void
work(struct yb_online *o, struct yb_arena *arena)
{
    struct item items[BATCH];
    int64_t now = yb_clock_ms();
    size_t n = 0;

    if (o->cut_ms != 0 && o->cut_ms <= now)
        cut_off(o, now);
    if (o->rest_ms > now)
        return;
    n = take_due(o, now, items, arena);
    if (n == 0 && sweep_due(o, now))
        n = take_sweep(o, now, items, arena);
    if (n > 0)
        look(o, items, n, arena);
    yb_arena_reset(arena);
}

static void *
thread_main(void *arg)
{
    struct yb_arena *arena = yb_arena_new(1 << 16);
    struct yb_online *o = arg;

    pthread_mutex_lock(&o->lock);
    while (!o->stopping) {
        int64_t ms = wait_ms(o, yb_clock_ms());
        struct timespec until = yb_clock_wait(ms);

        if (ms == 0)
            work(o, arena);
        else if (ms < 0)
            pthread_cond_wait(&o->changed, &o->lock);
        else
            pthread_cond_timedwait(&o->changed, &o->lock, &until);
    }
    pthread_mutex_unlock(&o->lock);
    yb_arena_free(&arena);
    return NULL;
}

/* --- what the directory tells; on its thread --- */

static void
due_add(struct yb_online *o, uint64_t hash, int64_t now)
{
    size_t i = 0;

    while (i < o->n_due && o->due[i].hash != hash)
        i++;
    if (i == DUE) {
        o->all = (struct due){ .at_ms = now, .left = 2 };
        return;
    }
    if (i == o->n_due)
        o->n_due++;
    o->due[i] = (struct due){ hash, now, 2 };
}

static void
all_add(struct yb_online *o, int64_t now)
{
    if ((o->all.left == 0 && o->all.at_ms < now) || o->all.at_ms > now + again_ms(o))
        o->all.at_ms = now; /* the latter: the database was away, and is back */
    o->all.left = 2;
}

/* A domain or a tenant. */
static void
group_add(struct yb_online *o, uint64_t hash, int64_t now)
{
    size_t i = 0;

    while (i < o->n_groups && o->groups[i].hash != hash)
        i++;
    if (i < o->n_groups)
        o->groups[i].left = 2;
    else if (i < GROUPS)
        o->groups[o->n_groups++] = (struct due){ hash, now, 2 };
    else
        all_add(o, now);
}

static void
address_add(struct yb_online *o, uint64_t hash, int64_t now)
{
    const struct yb_online_entry *e = *bucket_of(o, hash);

    while (e != NULL && e->hash.address != hash)
        e = e->chain;
    if (e != NULL)
        due_add(o, hash, now);
}

/* A sweep that is under way is followed by another: it may have passed who this is about. The next
 * one begins when its time has come, so that many changes are one sweep a second. */
static void
on_change(void *arg, const struct yb_directory_change *what)
{
    struct yb_online *o = arg;
    int64_t now = yb_clock_ms();

    pthread_mutex_lock(&o->lock);
    if (what->kind == YB_CHANGED_ADDRESS)
        address_add(o, what->hash, now);
    else if (o->n > 0 && what->kind == YB_CHANGED_ANYBODY)
        all_add(o, now);
    else if (o->n > 0)
        group_add(o, what->hash, now);
    pthread_cond_signal(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

int
yb_online_start(struct yb_online *o, struct yb_err *err)
{
    int rc;

    rc = pthread_create(&o->thread, NULL, thread_main, o);
    if (rc != 0) {
        errno = rc;
        return yb_err_sys(err, YB_TEMP, "4.3.0", "start the thread that looks at sessions");
    }
    o->started = true;
    if (o->conf.watch)
        o->conf.source.on_change(o->conf.source.arg, on_change, o);
    return 0;
}

void
yb_online_stop(struct yb_online *o)
{
    if (o == NULL || !o->started)
        return;
    pthread_mutex_lock(&o->lock);
    o->stopping = true;
    pthread_cond_signal(&o->changed);
    pthread_mutex_unlock(&o->lock);
    pthread_join(o->thread, NULL);
    o->started = false;
}

/* --- sessions --- */

static void
look_at_once(struct yb_online *o, struct yb_online_entry *e)
{
    const struct yb_online_source *source = &o->conf.source;
    struct yb_arena *arena = yb_arena_new(2048);
    struct yb_str name = yb_str_from(e->address);
    struct yb_err err = { 0 };
    struct yb_login login;
    bool asked;

    if (source->logins(source->arg, &name, 1, arena, &login, &asked, &err) == 0) {
        pthread_mutex_lock(&o->lock);
        (void)judge(o, e, &login);
        pthread_mutex_unlock(&o->lock);
    }
    yb_arena_free(&arena);
}

void
yb_online_add(struct yb_online *o, struct yb_online_entry *e, struct yb_conn *c,
              const struct yb_auth_user *user)
{
    if (o == NULL)
        return;
    yb_assert(e->link == NULL);
    *e = (struct yb_online_entry){ .conn = yb_conn_self(c),
                                   .id = yb_conn_session_id(c),
                                   .account = user->account,
                                   .tenant = user->tenant,
                                   .by = user->by,
                                   .address = yb_dup(user->address, strlen(user->address)),
                                   .peer = yb_conn_peer_text(c),
                                   .since = yb_clock_now() };
    pthread_mutex_lock(&o->lock);
    e->number = ++o->numbers;
    e->prev = o->last;
    *(o->last == NULL ? &o->first : &o->last->next) = e;
    o->last = e;
    o->n++;
    rehash(o, e);
    pthread_mutex_unlock(&o->lock);
    if (o->conf.watch)
        look_at_once(o, e);
}

void
yb_online_remove(struct yb_online *o, struct yb_online_entry *e)
{
    char *ended;

    if (o == NULL)
        return;
    pthread_mutex_lock(&o->lock);
    if (e->link == NULL) { /* asked under the lock: a sweep may give it another place just now */
        pthread_mutex_unlock(&o->lock);
        return;
    }
    bucket_remove(e);
    if (o->cursor == e)
        o->cursor = e->next;
    *(e->prev == NULL ? &o->first : &e->prev->next) = e->next;
    *(e->next == NULL ? &o->last : &e->next->prev) = e->prev;
    o->n--;
    pthread_mutex_unlock(&o->lock);
    ended = atomic_load(&e->ended);
    yb_free(ended);
    atomic_store(&e->ended, NULL);
    yb_free(e->address);
    e->address = NULL;
}

const char *
yb_online_ended(const struct yb_online_entry *e)
{
    return atomic_load(&e->ended);
}

/* --- commands --- */

/* An address, its domain, or the id of the session. */
static bool
is_of(const struct yb_online_entry *e, struct yb_str who)
{
    struct yb_str address = yb_str_from(e->address);
    char id[YB_ID_TEXT];

    return who.n == 0 || yb_str_eqi(who, address) ||
           yb_str_eqi(who, yb_str_skip(address, yb_str_rfind(address, '@') + 1)) ||
           yb_str_eqi(who, yb_str_from(yb_session_id_text(e->id, id)));
}

int
yb_online_list(struct yb_online *o, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    struct yb_str from = yb_str_word(&rest), most_text = yb_str_word(&rest);
    struct yb_str who = yb_str_word(&rest);
    uint64_t behind, most, n = 0;

    if (!yb_str_u64(from, UINT64_MAX, &behind) || !yb_str_u64(most_text, YB_ONLINE_MOST, &most))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "sessions NUMBER MOST [WHO]");
    pthread_mutex_lock(&o->lock);
    for (const struct yb_online_entry *e = o->first; e != NULL && n < most; e = e->next) {
        char id[YB_ID_TEXT], tenant[YB_ID_TEXT];

        if (e->number <= behind || !is_of(e, who))
            continue;
        n++;
        yb_buf_printf(answer, "%llu\t%s\t%s\t%s\t%s\t%lld\n", (unsigned long long)e->number,
                      yb_session_id_text(e->id, id), e->address,
                      yb_tenant_id_text(e->tenant, tenant), e->peer, (long long)e->since);
    }
    pthread_mutex_unlock(&o->lock);
    return 0;
}

int
yb_online_kick(struct yb_online *o, struct yb_str rest, struct yb_buf *answer, struct yb_err *err)
{
    struct yb_str who = yb_str_word(&rest);
    uint64_t n = 0;

    if (who.n == 0)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "kick WHO");
    pthread_mutex_lock(&o->lock);
    for (struct yb_online_entry *e = o->first; e != NULL; e = e->next) {
        if (!is_of(e, who) || atomic_load(&e->ended) != NULL)
            continue;
        n++;
        end_session(o, e, "The administrator ended this session");
    }
    o->kicked += n;
    pthread_mutex_unlock(&o->lock);
    yb_buf_printf(answer, "%llu\n", (unsigned long long)n);
    return 0;
}

void
yb_online_stats_read(struct yb_online *o, struct yb_online_stats *out)
{
    pthread_mutex_lock(&o->lock);
    *out = (struct yb_online_stats){ o->n, o->ended, o->kicked };
    pthread_mutex_unlock(&o->lock);
}
