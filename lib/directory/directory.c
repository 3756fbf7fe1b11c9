#include "lib/directory/directory.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/db/listen.h"
#include "lib/directory/inside.h"

#include <limits.h>

#define DEFAULT_CACHE_BYTES ((size_t)64 << 20)
#define DEFAULT_STALE_MS (10 * 60 * 1000)
#define DEFAULT_NOTICE_MS 1000
#define CHANNEL "yubin_directory"
#define KEY_SQL "SELECT yubin.yb_notice_key()"
#define MAP_CHANNEL "yubin_nodes"
#define MAP_SQL "SELECT yubin.yb_map()"
#define MAX_ASKED 10000

static const struct yb_db_statement at_home_sql = {
    "directory_at_home", "SELECT yubin.yb_at_home2($1::text, $2::bytea, $3::uuid[])"
};
static const struct yb_db_statement map_sql = { "directory_map", MAP_SQL };
static const struct yb_db_statement now_sql = {
    "directory_account_now", "SELECT store_id FROM yubin.yb_account_now($1::uuid)"
};
static const struct yb_db_statement upgrade_sql = {
    "directory_upgrade", "SELECT yubin.yb_password_upgrade($1::uuid, $2::text, $3::text)"
};

static char *
text_dup(const char *s)
{
    return yb_dup(s == NULL ? "" : s, s == NULL ? 0 : strlen(s));
}

struct yb_directory *
yb_directory_new(const struct yb_directory_conf *conf)
{
    struct yb_directory *d = yb_alloc(1, sizeof(*d));
    struct yb_db_conf db = { .conninfo = conf->conninfo,
                             .application = conf->application,
                             .connections = conf->connections };

    d->node = conf->node;
    d->warm = conf->warm;
    d->notice_ms = conf->notice_ms > 0 ? conf->notice_ms : DEFAULT_NOTICE_MS;
    d->stale_ms = conf->stale_ms > 0 ? conf->stale_ms : DEFAULT_STALE_MS;
    d->conninfo = text_dup(conf->conninfo);
    d->application = text_dup(conf->application);
    d->postmaster = text_dup(conf->postmaster);
    d->db = yb_db_new(&db);
    d->cache = yb_cache_new(conf->cache_bytes > 0 ? conf->cache_bytes : DEFAULT_CACHE_BYTES,
                            d->stale_ms, d->notice_ms);
    d->places = yb_places_new();
    return d;
}

static void
listen_failed(void *arg YB_UNUSED, const struct yb_err *err)
{
    yb_log_err(YB_LOG_WARN, NULL, "directory.listen.failed", err);
}

/* Whether that succeeds is nobody's concern: the first client asks all the same. */
static void
warm(struct yb_directory *d)
{
    char class = d->warm == YB_WARM_LOGIN ? YB_KEY_LOGIN : YB_KEY_RECIPIENT, room[YB_KEY_MAX];
    struct yb_arena *arena = yb_arena_new(256);
    struct yb_cache_value *value = NULL;
    struct yb_err unused = { 0 };
    struct yb_str key;

    /* RFC 2606 §2: a name that no domain has. */
    if (d->warm != YB_WARM_NOTHING &&
        yb_key_address(class, YB_STR("nobody"), YB_STR("warm.invalid"), room, arena, &key,
                       &unused) == 0 &&
        yb_step_get(d->cache, d->db, &key, 1, &value, &unused) == 0)
        yb_cache_value_drop(&value);
    yb_arena_free(&arena);
}

static void
tell_changed(struct yb_directory *d, enum yb_directory_changed kind, uint64_t hash)
{
    const struct yb_directory_change what = { kind, hash };

    if (d->changed != NULL)
        d->changed(d->changed_arg, &what);
}

static void
listen_up(void *arg)
{
    struct yb_directory *d = arg;

    yb_cache_up(d->cache);
    yb_places_heard(d->places, true);
    tell_changed(d, YB_CHANGED_ANYBODY, 0);
    warm(d);
    yb_log(YB_LOG_INFO, NULL, "directory.listen.up", "changes are heard of");
}

static void
listen_down(void *arg)
{
    struct yb_directory *d = arg;

    yb_cache_down(d->cache);
    yb_places_heard(d->places, false);
    yb_log(YB_LOG_WARN, NULL, "directory.listen.down",
           "changes are not heard of: known answers are asked again, and kept while there is none");
}

static int
listen_answer(void *arg, struct yb_str text, struct yb_err *err)
{
    struct yb_directory *d = arg;

    if (yb_notice_key_read(text, &d->key, err) < 0)
        return -1;
    yb_cache_key(d->cache, &d->key);
    tell_changed(d, YB_CHANGED_ANYBODY, 0);
    return 0;
}

/* By a key that we do not know it may be about anything, and the key may be another by now: true. */
static bool
listen_notice(void *arg, struct yb_str payload)
{
    struct yb_directory *d = arg;
    uint64_t hash;

    switch (yb_notice_parse(&d->key, payload, &hash)) {
    case YB_NOTICE_ADDRESS:
        yb_cache_changed_address(d->cache, hash);
        tell_changed(d, YB_CHANGED_ADDRESS, hash);
        return false;
    case YB_NOTICE_DOMAIN:
        yb_cache_changed_domain(d->cache, hash);
        tell_changed(d, YB_CHANGED_DOMAIN, hash);
        return false;
    case YB_NOTICE_TENANT:
        yb_cache_changed_tenant(d->cache, hash);
        tell_changed(d, YB_CHANGED_TENANT, hash);
        return false;
    case YB_NOTICE_NAMES: /* no account is in a domain that comes or goes */
        yb_cache_changed_names(d->cache);
        return false;
    case YB_NOTICE_ALL:
        yb_cache_changed_all(d->cache);
        tell_changed(d, YB_CHANGED_ANYBODY, 0);
        return false;
    case YB_NOTICE_UNKNOWN:
        break;
    }
    yb_cache_changed_all(d->cache);
    tell_changed(d, YB_CHANGED_ANYBODY, 0);
    return true;
}

static void
map_asks(void *arg)
{
    struct yb_directory *d = arg;

    d->map_asked = yb_places_ask(d->places);
}

static int
map_answer(void *arg, struct yb_str text, struct yb_err *err)
{
    struct yb_directory *d = arg;

    if (yb_places_take(d->places, d->map_asked, text, err) < 0)
        return -1;
    if (yb_str_eq(text, d->map))
        return 0;
    /* Who uses a mailbox may be at the wrong node now. */
    if (d->map.p != NULL)
        tell_changed(d, YB_CHANGED_ANYBODY, 0);
    yb_free((char *)(uintptr_t)d->map.p);
    d->map = yb_str(yb_dup(text.p, text.n), text.n);
    return 0;
}

/* Whatever it says. */
static bool
map_notice(void *arg YB_UNUSED, struct yb_str payload YB_UNUSED)
{
    return true;
}

int
yb_directory_start(struct yb_directory *d, struct yb_err *err)
{
    struct yb_db_listener_conf conf = {
        .conninfo = d->conninfo,
        .application = d->application,
        .topics = { { .channel = CHANNEL,
                      .question = KEY_SQL,
                      .rest_ms = d->notice_ms,
                      .answer = listen_answer,
                      .notice = listen_notice },
                    { .channel = MAP_CHANNEL,
                      .question = MAP_SQL,
                      .again_ms = d->stale_ms,
                      .rest_ms = d->notice_ms,
                      .asks = map_asks,
                      .answer = map_answer,
                      .notice = map_notice } },
        .n_topics = 2,
        .failed = listen_failed,
        .up = listen_up,
        .down = listen_down,
        .arg = d,
    };

    return yb_db_listener_start(&conf, &d->listener, err);
}

void
yb_directory_free(struct yb_directory **d)
{
    if (*d == NULL)
        return;
    yb_db_listener_stop(&(*d)->listener);
    yb_cache_free(&(*d)->cache);
    yb_places_free(&(*d)->places);
    yb_db_free(&(*d)->db);
    yb_free((*d)->conninfo);
    yb_free((*d)->application);
    yb_free((*d)->postmaster);
    yb_free((char *)(uintptr_t)(*d)->map.p);
    yb_free(*d);
    *d = NULL;
}

/* Out of the cache, which may drop the value at any time. */
static void
login_copy(const struct yb_cache_value *value, struct yb_arena *arena, struct yb_login *out)
{
    struct yb_str *apps;

    *out = *yb_value_login(value);
    if (!out->known)
        return;
    apps = yb_arena_alloc(arena, out->n_apps + 1, sizeof(*apps));
    for (size_t i = 0; i < out->n_apps; i++)
        apps[i] = yb_arena_dup(arena, out->apps[i]);
    out->apps = apps;
    out->local = yb_arena_dup(arena, out->local);
    out->domain = yb_arena_dup(arena, out->domain);
    out->verifier = yb_arena_dup(arena, out->verifier);
    out->refused = yb_arena_dup(arena, out->refused);
    out->settings = yb_step_settings(out->settings, out->local, out->domain, arena);
}

int
yb_directory_login(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                   struct yb_arena *arena, struct yb_login *out, struct yb_err *err)
{
    struct yb_cache_value *value;
    struct yb_err why = { 0 };
    char room[YB_KEY_MAX];
    struct yb_str key;

    *out = (struct yb_login){ .known = false };
    if (yb_key_address(YB_KEY_LOGIN, local, domain, room, arena, &key, &why) < 0)
        return 0;
    if (yb_step_get(d->cache, d->db, &key, 1, &value, err) < 0)
        return -1;
    login_copy(value, arena, out);
    yb_cache_value_drop(&value);
    return 0;
}

int
yb_directory_logins(struct yb_directory *d, const struct yb_login_name *names, size_t n,
                    struct yb_arena *arena, struct yb_login *out, bool *asked, struct yb_err *err)
{
    struct yb_cache_value **values = yb_arena_alloc(arena, n + 1, sizeof(struct yb_cache_value *));
    struct yb_str *keys = yb_arena_alloc(arena, n + 1, sizeof(*keys));
    size_t *whose = yb_arena_alloc(arena, n + 1, sizeof(*whose)), n_keys = 0;
    int64_t begun = yb_clock_ms();

    *asked = false;
    for (size_t i = 0; i < n; i++) {
        char *room = yb_arena_alloc(arena, YB_KEY_MAX, 1);
        struct yb_err why = { 0 };

        out[i] = (struct yb_login){ .known = false };
        if (yb_key_address(YB_KEY_LOGIN, names[i].local, names[i].domain, room, arena,
                           &keys[n_keys], &why) == 0)
            whose[n_keys++] = i;
    }
    if (n_keys > 0 && yb_step_get(d->cache, d->db, keys, n_keys, values, err) < 0) {
        *asked = true; /* and did not answer */
        return -1;
    }
    for (size_t i = 0; i < n_keys; i++) {
        *asked = *asked || values[i]->at_ms >= begun;
        login_copy(values[i], arena, &out[whose[i]]);
        yb_cache_value_drop(&values[i]);
    }
    return 0;
}

void
yb_directory_on_change(struct yb_directory *d,
                       void (*changed)(void *arg, const struct yb_directory_change *what),
                       void *arg)
{
    yb_assert(d->listener == NULL);
    d->changed = changed;
    d->changed_arg = arg;
}

struct yb_directory_hashes
yb_directory_hashes_of(struct yb_directory *d, struct yb_login_name name,
                       struct yb_tenant_id tenant)
{
    struct yb_notice_key k = yb_cache_key_now(d->cache);
    struct yb_arena *arena = yb_arena_new(512);
    struct yb_str key, local = { "", 0 }, domain = { "", 0 };
    struct yb_directory_hashes hashes;
    struct yb_err why = { 0 };
    char room[YB_KEY_MAX];

    /* What is no address, no notice is about. */
    if (yb_key_address(YB_KEY_LOGIN, name.local, name.domain, room, arena, &key, &why) == 0)
        yb_key_split(key, &local, &domain);
    hashes =
        (struct yb_directory_hashes){ yb_notice_address(&k, local, domain),
                                      yb_notice_domain(&k, domain), yb_notice_tenant(&k, tenant) };
    yb_arena_free(&arena);
    return hashes;
}

int64_t
yb_directory_notice_ms(const struct yb_directory *d)
{
    return d->notice_ms;
}

/* Is the address (or its whole domain) among the rights? All in key form. */
static bool
rights_have(const struct yb_sender_rights *s, struct yb_str local, struct yb_str domain)
{
    for (size_t i = 0; i < s->n_rights; i++) {
        size_t at = yb_str_rfind(s->rights[i], '@');

        if (yb_str_eq(yb_str_skip(s->rights[i], at + 1), domain) &&
            (at == 0 || yb_str_eq(yb_str_head(s->rights[i], at), local)))
            return true;
    }
    return false;
}

/* Rights, by the domain that serves the address (a domain alias stands for it). */
static int
sender_granted(struct yb_directory *d, const struct yb_sender_rights *s, struct yb_str key,
               bool *may, struct yb_err *err)
{
    struct yb_cache_value *value;
    struct yb_str local, domain;

    *may = false;
    if (s->n_rights == 0)
        return 0;
    if (yb_step_get(d->cache, d->db, &key, 1, &value, err) < 0)
        return -1;
    yb_key_split(key, &local, &domain);
    *may = yb_value_step(value)->kind != YB_STEP_FOREIGN &&
           rights_have(s, local, yb_value_step(value)->domain);
    yb_cache_value_drop(&value);
    return 0;
}

static int
may_send(struct yb_directory *d, struct yb_account_id account, struct yb_str local,
         struct yb_str domain, struct yb_arena *arena, bool *may, struct yb_err *err)
{
    char id[1 + sizeof(account.v)] = { YB_KEY_SENDER }, room[YB_KEY_MAX];
    struct yb_str sender_key = yb_str(id, sizeof(id)), key;
    struct yb_cache_value *value;
    struct yb_err why = { 0 };
    const struct yb_sender_rights *s;
    int rc = 0;

    if (yb_key_address(YB_KEY_TARGET, local, domain, room, arena, &key, &why) < 0)
        return 0;
    memcpy(id + 1, account.v, sizeof(account.v));
    if (yb_step_get(d->cache, d->db, &sender_key, 1, &value, err) < 0)
        return -1;
    s = yb_value_sender(value);
    if (s->known) {
        rc = sender_granted(d, s, key, may, err);
        if (rc == 0 && !*may)
            rc = yb_resolve_owns(d, account, s->tenant, local, domain, arena, may, err);
    }
    yb_cache_value_drop(&value);
    return rc;
}

int
yb_directory_may_send(struct yb_directory *d, struct yb_account_id account, struct yb_str local,
                      struct yb_str domain, bool *may, struct yb_err *err)
{
    struct yb_arena *arena;
    int rc;

    *may = false;
    if (domain.n == 0)
        return 0;
    arena = yb_arena_new(4096);
    rc = may_send(d, account, local, domain, arena, may, err);
    yb_arena_free(&arena);
    return rc;
}

/* By whoever needs it now: what is heard of by itself may be late, or not come at all. */
static int
map_ask(struct yb_directory *d, struct yb_err *err)
{
    uint64_t asked = yb_places_ask(d->places);
    struct yb_db_result *r = NULL;
    int rc = yb_db_query(d->db, &map_sql, NULL, &r, err);

    if (rc == 0)
        rc = yb_places_take(d->places, asked,
                            yb_db_rows(r) > 0 ? yb_db_str(r, 0, 0) : yb_str("", 0), err);
    yb_db_result_free(&r);
    return rc;
}

int
yb_directory_home(struct yb_directory *d, struct yb_store_id store, struct yb_home *out,
                  struct yb_err *err)
{
    enum yb_places_found found;
    struct yb_err why = { 0 };
    bool again;

    found = yb_places_find(d->places, store, d->notice_ms, out, &again);
    if (again && map_ask(d, &why) == 0)
        found = yb_places_find(d->places, store, d->notice_ms, out, &again);
    if (found == YB_PLACES_NONE)
        return yb_err_as(err, YB_ERR_AWAY, YB_TEMP, "4.3.0",
                         "Cannot look that up now, try again later");
    if (found == YB_PLACES_UNKNOWN)
        return yb_err_inside(err, YB_TEMP, "4.3.0", "the mailbox is in no store that is known");
    out->here = yb_node_id_eq(out->node, d->node);
    return 0;
}

bool
yb_directory_elsewhere(struct yb_directory *d, struct yb_store_id store, struct yb_home *out)
{
    bool again;

    out->here = false;
    return yb_places_find(d->places, store, INT64_MAX / 2, out, &again) == YB_PLACES_FOUND &&
           !yb_node_id_eq(out->node, d->node);
}

int
yb_directory_at_home(struct yb_directory *d, struct yb_store_id store, struct yb_account_id *ids,
                     size_t n, size_t *n_here, struct yb_err *err)
{
    struct yb_db_params p = { .n = 0 };
    struct yb_db_result *r = NULL;
    char text[YB_ID_TEXT];
    int rc;

    yb_assert(n <= MAX_ASKED);
    *n_here = 0;
    if (n == 0)
        return 0;
    yb_db_add_text(&p, yb_str_from(yb_store_id_text(store, text)));
    yb_db_add_bytes(&p, d->node.v, sizeof(d->node.v));
    yb_db_add_uuids(&p, (const uint8_t(*)[YB_ID_BYTES])ids, n);
    rc = yb_db_query(d->db, &at_home_sql, &p, &r, err);
    for (size_t i = 0; rc == 0 && i < yb_db_rows(r) && i < n; i++)
        yb_db_bytes(r, i, 0, ids[(*n_here)++].v, YB_ID_BYTES);
    yb_db_params_free(&p);
    yb_db_result_free(&r);
    return rc;
}

/* A store whose name is no id is one that the map does not have either. */
static void
now_read(const struct yb_db_result *r, struct yb_account_now *out)
{
    *out = (struct yb_account_now){ .known = yb_db_rows(r) > 0 };
    if (!out->known)
        return;
    if (!yb_store_id_parse(yb_db_str(r, 0, 0), &out->store))
        out->store = (struct yb_store_id){ { 0 } };
}

int
yb_directory_account_now(struct yb_directory *d, const struct yb_account_id *ids, size_t n,
                         struct yb_account_now *out, struct yb_err *err)
{
    struct yb_db_params *p;
    struct yb_db_result **r;
    int rc;

    yb_assert(n <= MAX_ASKED);
    if (n == 0)
        return 0;
    p = yb_alloc(n, sizeof(*p));
    r = yb_alloc(n, sizeof(*r));
    for (size_t i = 0; i < n; i++)
        yb_db_add_bytes(&p[i], ids[i].v, sizeof(ids[i].v));
    rc = yb_db_query_many(d->db, &now_sql, p, n, r, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        now_read(r[i], &out[i]);
        yb_db_result_free(&r[i]);
    }
    yb_free(p);
    yb_free(r);
    return rc;
}

int
yb_directory_upgrade_password(struct yb_directory *d, struct yb_account_id account,
                              struct yb_str old, struct yb_str verifier, struct yb_err *err)
{
    struct yb_db_params p = { .n = 0 };

    yb_db_add_bytes(&p, account.v, sizeof(account.v));
    yb_db_add_text(&p, old);
    yb_db_add_text(&p, verifier);
    return yb_db_query(d->db, &upgrade_sql, &p, NULL, err);
}

void
yb_directory_stats_read(struct yb_directory *d, struct yb_directory_stats *out)
{
    yb_cache_stats(d->cache, out);
}
