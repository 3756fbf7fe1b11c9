/* The questions put to the database, and their answers as values of the cache. */
#include "lib/directory/step.h"

#include "lib/base/log.h"
#include "lib/mime/address.h"

static const struct yb_db_statement resolve_sql = {
    "directory_resolve",
    "SELECT kind, tenant_id, account_id, store_id, local, domain, detail, quota_bytes,"
    " full_since, full_days, suspended, deliver, tell, until, targets, mailbox_full_since,"
    " more::text FROM yubin.yb_resolve2($1::text, $2::text)"
};
static const struct yb_db_statement login_sql = {
    "directory_login", "SELECT account_id, tenant_id, store_id, local, domain, verifier, apps,"
                       " imap, pop3, submission, refused, quota_bytes, until, more::text"
                       " FROM yubin.yb_login2($1::text, $2::text)"
};
static const struct yb_db_statement sender_sql = {
    "directory_sender", "SELECT tenant_id, local, domain, rights FROM yubin.yb_sender($1::uuid)"
};

void
yb_key_split(struct yb_str key, struct yb_str *local, struct yb_str *domain)
{
    struct yb_str rest = yb_str_skip(key, 1);
    size_t n = yb_str_find(rest, '\0');

    *domain = yb_str_head(rest, n);
    *local = yb_str_skip(rest, n + 1);
}

/* Lower-cases plain ASCII; false when there is more to fold. */
static bool
fold_ascii(struct yb_str s, char *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 128 || s.p[i] == '\0')
            return false;
        out[i] = yb_lower(s.p[i]);
    }
    return true;
}

/* A host name that lower-casing alone brings to its normal form. */
static bool
domain_ascii(struct yb_str s, char *out)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = yb_lower(s.p[i]);

        if (!yb_is_alpha(c) && !yb_is_digit(c) && c != '-' && c != '.')
            return false;
        out[i] = c;
    }
    return s.n > 0 && s.p[s.n - 1] != '.';
}

int
yb_key_address(char class, struct yb_str local, struct yb_str domain, char *room,
               struct yb_arena *arena, struct yb_str *out, struct yb_err *err)
{
    if (local.n == 0 || local.n + domain.n + 2 > YB_KEY_MAX)
        return yb_err_set(err, YB_PERM, "5.1.3", "no directory holds such an address");
    room[0] = class;
    if (!domain_ascii(domain, room + 1)) {
        if (yb_domain_normal(domain, arena, &domain, err) < 0)
            return -1;
        if (local.n + domain.n + 2 > YB_KEY_MAX)
            return yb_err_set(err, YB_PERM, "5.1.3", "no directory holds such an address");
        memcpy(room + 1, domain.p, domain.n);
    }
    room[1 + domain.n] = '\0';
    if (!fold_ascii(local, room + 2 + domain.n)) {
        if (yb_str_find(local, '\0') < local.n || !yb_str_utf8(local))
            return yb_err_set(err, YB_PERM, "5.1.3", "the local part is not UTF-8");
        local = yb_address_fold(local, arena);
        if (local.n + domain.n + 2 > YB_KEY_MAX)
            return yb_err_set(err, YB_PERM, "5.1.3", "no directory holds such an address");
        memcpy(room + 2 + domain.n, local.p, local.n);
    }
    *out = yb_str(room, 2 + domain.n + local.n);
    return 0;
}

/* Room behind the struct of a value, handed out piece by piece. */
struct room {
    char *p;
};

static struct yb_str
room_put(struct room *room, struct yb_str s)
{
    struct yb_str copy = yb_str(room->p, s.n);

    if (s.n > 0)
        memcpy(room->p, s.p, s.n);
    room->p += s.n;
    return copy;
}

/* Number and bytes of a text[] column. */
static size_t
texts_count(const struct yb_db_result *r, unsigned column, size_t *bytes)
{
    size_t at = 0, n = 0;
    struct yb_str s;

    while (yb_db_text_next(r, 0, column, &at, &s)) {
        *bytes += s.n;
        n++;
    }
    return n;
}

static void
texts_put(struct room *room, const struct yb_db_result *r, unsigned column, struct yb_str *out)
{
    size_t at = 0, n = 0;
    struct yb_str s;

    while (yb_db_text_next(r, 0, column, &at, &s))
        out[n++] = room_put(room, s);
}

/* What somebody set, of an answer that carries it; most do not, and need no memory for it. */
static struct yb_settings
settings_read(const struct yb_db_result *r, unsigned column, struct yb_arena **scratch)
{
    *scratch = NULL;
    if (yb_db_is_null(r, 0, column))
        return (struct yb_settings){ NULL, 0 };
    *scratch = yb_arena_new(1024);
    return yb_settings_read(yb_db_str(r, 0, column), *scratch);
}

/* The first that is put into a room: it is aligned. Ends what settings_read() began. */
static struct yb_settings
settings_put(struct room *room, struct yb_settings s, struct yb_arena **scratch)
{
    struct yb_settings copy = yb_settings_copy(s, room->p);

    room->p += yb_settings_bytes(s);
    yb_arena_free(scratch);
    return copy;
}

/* A value for a struct of `size` bytes, an array of n strings, and `bytes` more; *room begins
 * behind the array. */
static struct yb_cache_value *
value_new(size_t size, size_t n, size_t bytes, struct yb_str **array, struct room *room)
{
    struct yb_cache_value *v = yb_cache_value_new(size + n * sizeof(struct yb_str) + bytes);

    *array = (struct yb_str *)(void *)(v->data + size);
    room->p = v->data + size + n * sizeof(struct yb_str);
    return v;
}

static bool
step_kind(struct yb_str name, enum yb_step_kind *kind)
{
    static const struct {
        struct yb_str name;
        enum yb_step_kind kind;
    } kinds[] = {
        { YB_STR_INIT("account"), YB_STEP_ACCOUNT }, { YB_STR_INIT("alias"), YB_STEP_ALIAS },
        { YB_STR_INIT("moved"), YB_STEP_MOVED },     { YB_STR_INIT("disabled"), YB_STEP_DISABLED },
        { YB_STR_INIT("unknown"), YB_STEP_UNKNOWN }, { YB_STR_INIT("foreign"), YB_STEP_FOREIGN },
    };

    for (size_t i = 0; i < YB_COUNT(kinds); i++) {
        if (yb_str_eq(kinds[i].name, name)) {
            *kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* Does the answer lead somewhere? Nobody's mail goes to a mailbox that no row names, or bounces,
 * because a row contradicts itself. */
static bool
step_sound(const struct yb_db_result *r, enum yb_step_kind kind)
{
    size_t at = 0, n = 0;
    struct yb_str target;

    for (; yb_db_text_next(r, 0, 14, &at, &target); n++) {
        size_t sign = yb_str_rfind(target, '@');

        if (sign == 0 || sign + 1 >= target.n)
            return false;
    }
    if ((kind == YB_STEP_ACCOUNT || kind == YB_STEP_ALIAS) && yb_db_is_null(r, 0, 1))
        return false;
    if (kind == YB_STEP_ACCOUNT)
        return !yb_db_is_null(r, 0, 2) && !yb_db_is_null(r, 0, 3) &&
               (yb_db_bool(r, 0, 11) || n > 0);
    return true;
}

/* What besides the name that was asked for decides which domain serves it, if any: the nearest that is
 * hosted above it, or the domain of which it is another name. */
static void
depend_served(struct yb_cache *c, struct yb_cache_value *v, struct yb_str local,
              struct yb_str domain, struct yb_str served)
{
    if (yb_str_eq(domain, served))
        return;
    if (served.n == 0 || (domain.n > served.n && yb_str_ends_i(domain, served) &&
                          domain.p[domain.n - served.n - 1] == '.'))
        yb_cache_depend_above(c, v, domain, served);
    if (served.n > 0)
        yb_cache_depend(c, v, local, served);
}

static struct yb_cache_value *
step_value(struct yb_cache *c, struct yb_str key, const struct yb_db_result *r, struct yb_err *err)
{
    struct yb_cache_value *v;
    struct yb_str local, domain, *array;
    enum yb_step_kind kind;
    struct yb_step *step;
    struct yb_settings settings;
    struct yb_arena *scratch;
    struct room room;
    size_t bytes, n;

    if (yb_db_rows(r) != 1 || !step_kind(yb_db_str(r, 0, 0), &kind)) {
        /* "empty": rows that are not there yet must not make anybody's mail bounce. */
        yb_err_inside(err, YB_TEMP, "4.3.0", "the directory holds no domain");
        return NULL;
    }
    if (!step_sound(r, kind)) {
        yb_err_inside(err, YB_TEMP, "4.3.0", "the directory's answer leads nowhere");
        return NULL;
    }
    settings = settings_read(r, 16, &scratch);
    bytes = yb_db_str(r, 0, 4).n + yb_db_str(r, 0, 5).n + yb_db_str(r, 0, 6).n +
            yb_settings_bytes(settings);
    n = texts_count(r, 14, &bytes);
    v = value_new(sizeof(*step), n, bytes, &array, &room);
    step = (struct yb_step *)(void *)v->data;
    step->settings = settings_put(&room, settings, &scratch);
    step->kind = kind;
    yb_db_bytes(r, 0, 1, step->tenant.v, sizeof(step->tenant.v));
    yb_db_bytes(r, 0, 2, step->account.v, sizeof(step->account.v));
    (void)!yb_store_id_parse(yb_db_str(r, 0, 3), &step->store);
    step->local = room_put(&room, yb_db_str(r, 0, 4));
    step->domain = room_put(&room, yb_db_str(r, 0, 5));
    step->detail = room_put(&room, yb_db_str(r, 0, 6));
    step->quota_bytes = (uint64_t)yb_db_i64(r, 0, 7);
    step->full_since = yb_db_i64(r, 0, 8);
    step->full_days = yb_db_i64(r, 0, 9);
    step->mailbox_full_since = yb_db_i64(r, 0, 15);
    step->suspended = yb_db_bool(r, 0, 10);
    step->deliver = yb_db_bool(r, 0, 11);
    step->tell = yb_db_bool(r, 0, 12);
    v->until = yb_db_i64(r, 0, 13);
    step->targets = array;
    step->n_targets = n;
    texts_put(&room, r, 14, array);

    yb_key_split(key, &local, &domain);
    yb_cache_depend(c, v, local, domain);
    v->positive = kind == YB_STEP_ACCOUNT || kind == YB_STEP_ALIAS ||
                  (kind == YB_STEP_FOREIGN && key.p[0] == YB_KEY_TARGET);
    depend_served(c, v, local, domain, step->domain);
    if (!yb_db_is_null(r, 0, 1))
        yb_cache_depend_tenant(c, v, step->tenant);
    return v;
}

static struct yb_cache_value *
login_value(struct yb_cache *c, struct yb_str key, const struct yb_db_result *r)
{
    static const unsigned strings[] = { 3, 4, 5, 10 };
    bool known = yb_db_rows(r) == 1;
    struct yb_cache_value *v;
    struct yb_str local, domain, *array;
    struct yb_settings settings = { NULL, 0 };
    struct yb_arena *scratch = NULL;
    struct yb_login *login;
    struct room room;
    size_t bytes = 0, n = 0;

    for (size_t i = 0; i < YB_COUNT(strings) && known; i++)
        bytes += yb_db_str(r, 0, strings[i]).n;
    if (known) {
        n = texts_count(r, 6, &bytes);
        settings = settings_read(r, 13, &scratch);
        bytes += yb_settings_bytes(settings);
    }
    v = value_new(sizeof(*login), n, bytes, &array, &room);
    login = (struct yb_login *)(void *)v->data;
    login->settings = settings_put(&room, settings, &scratch);
    yb_key_split(key, &local, &domain);
    yb_cache_depend(c, v, local, domain);
    if (!known) {
        /* Nobody, and not whose domain it is. A name below a domain is none to log in by, and what
         * changes in a domain is told by its other names too. */
        v->owner = YB_CACHE_UNKNOWN;
        v->names = true;
        return v;
    }
    login->known = v->positive = true;
    yb_db_bytes(r, 0, 0, login->account.v, sizeof(login->account.v));
    yb_db_bytes(r, 0, 1, login->tenant.v, sizeof(login->tenant.v));
    /* Without one he may send, and read nothing. */
    (void)!yb_store_id_parse(yb_db_str(r, 0, 2), &login->store);
    login->local = room_put(&room, yb_db_str(r, 0, 3));
    login->domain = room_put(&room, yb_db_str(r, 0, 4));
    login->verifier = room_put(&room, yb_db_str(r, 0, 5));
    login->apps = array;
    login->n_apps = n;
    texts_put(&room, r, 6, array);
    login->imap = yb_db_bool(r, 0, 7);
    login->pop3 = yb_db_bool(r, 0, 8);
    login->submission = yb_db_bool(r, 0, 9);
    login->refused = room_put(&room, yb_db_str(r, 0, 10));
    login->quota_bytes = (uint64_t)yb_db_i64(r, 0, 11);
    v->until = yb_db_i64(r, 0, 12);
    depend_served(c, v, local, domain, login->domain);
    yb_cache_depend_tenant(c, v, login->tenant);
    return v;
}

static struct yb_cache_value *
sender_value(struct yb_cache *c, const struct yb_db_result *r)
{
    bool known = yb_db_rows(r) == 1;
    struct yb_cache_value *v;
    struct yb_sender_rights *sender;
    struct yb_str *array;
    struct room room;
    size_t bytes = 0, n = known ? texts_count(r, 3, &bytes) : 0;

    v = value_new(sizeof(*sender), n, bytes, &array, &room);
    sender = (struct yb_sender_rights *)(void *)v->data;
    if (!known) /* an id is never given again: there is nothing to be told of */
        return v;
    sender->known = v->positive = true;
    yb_db_bytes(r, 0, 0, sender->tenant.v, sizeof(sender->tenant.v));
    sender->rights = array;
    sender->n_rights = n;
    texts_put(&room, r, 3, array);
    yb_cache_depend(c, v, yb_db_str(r, 0, 1), yb_db_str(r, 0, 2));
    yb_cache_depend_tenant(c, v, sender->tenant);
    return v;
}

/* One lookup: the keys are all for one question. */
struct lookup {
    struct yb_cache *cache;
    struct yb_db *db;
    const struct yb_str *keys;
};

static const struct yb_db_statement *
question(struct yb_str key, struct yb_db_params *p)
{
    struct yb_str local, domain;

    if (key.p[0] == YB_KEY_SENDER) {
        yb_db_add_bytes(p, key.p + 1, key.n - 1);
        return &sender_sql;
    }
    yb_key_split(key, &local, &domain);
    yb_db_add_text(p, local);
    yb_db_add_text(p, domain);
    return key.p[0] == YB_KEY_LOGIN ? &login_sql : &resolve_sql;
}

static struct yb_cache_value *
answer(const struct lookup *l, struct yb_str key, const struct yb_db_result *r, struct yb_err *err)
{
    if (key.p[0] == YB_KEY_SENDER)
        return sender_value(l->cache, r);
    if (key.p[0] == YB_KEY_LOGIN)
        return login_value(l->cache, key, r);
    return step_value(l->cache, key, r, err);
}

/* Whatever the database complains about, mail is not refused for it. */
static int
lookup_ask(void *arg, const size_t *which, size_t n, struct yb_cache_value **out,
           struct yb_err *err)
{
    const struct lookup *l = arg;
    struct yb_db_params *params = yb_alloc(n, sizeof(*params));
    struct yb_db_result **results = yb_alloc(n, sizeof(*results));
    const struct yb_db_statement *st = NULL;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        st = question(l->keys[which[i]], &params[i]);
    rc = n == 1 ? yb_db_query(l->db, st, &params[0], &results[0], err)
                : yb_db_query_many(l->db, st, params, n, results, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        out[i] = answer(l, l->keys[which[i]], results[i], err);
        if (out[i] == NULL)
            rc = -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (rc < 0)
            yb_cache_value_drop(&out[i]);
        yb_db_result_free(&results[i]);
    }
    yb_free(params);
    yb_free(results);
    if (rc < 0 && err->class != YB_TEMP)
        err->class = YB_BUG;
    return rc;
}

int
yb_step_get(struct yb_cache *c, struct yb_db *db, const struct yb_str *keys, size_t n,
            struct yb_cache_value **out, struct yb_err *err)
{
    struct lookup l = { c, db, keys };
    struct yb_cache_asker asker = { lookup_ask, &l };

    return yb_cache_get(c, keys, n, &asker, out, err);
}

#ifdef YB_FAULTS
static void
settings_tell(struct yb_settings s, struct yb_str local, struct yb_str domain)
{
    struct yb_log_line l;

    yb_log_begin(&l, YB_LOG_INFO, NULL, "directory.trial");
    yb_log_fmt(&l, "of", "%.*s@%.*s", YB_STR_ARG(local), YB_STR_ARG(domain));
    yb_log_num(&l, "level", yb_settings_number(s, YB_SETTING_TRIAL_LEVEL));
    yb_log_num(&l, "own", yb_settings_number(s, YB_SETTING_TRIAL_OWN));
    yb_log_str(&l, "choice", yb_settings_text(s, YB_SETTING_TRIAL_CHOICE));
    yb_log_str(&l, "list", yb_settings_text(s, YB_SETTING_TRIAL_LIST));
    yb_log_str(&l, "words", yb_settings_text(s, YB_SETTING_TRIAL_WORDS));
    yb_log_num(&l, "size", yb_settings_number(s, YB_SETTING_TRIAL_SIZE));
    yb_log_num(&l, "days", yb_settings_number(s, YB_SETTING_TRIAL_DAYS));
    yb_log_str(&l, "text", yb_settings_text(s, YB_SETTING_TRIAL_TEXT));
    yb_log_end(&l);
}
#else
static void
settings_tell(struct yb_settings s YB_UNUSED, struct yb_str local YB_UNUSED,
              struct yb_str domain YB_UNUSED)
{
}
#endif

struct yb_settings
yb_step_settings(struct yb_settings s, struct yb_str local, struct yb_str domain,
                 struct yb_arena *arena)
{
    settings_tell(s, local, domain);
    if (s.n == 0)
        return s;
    return yb_settings_copy(s, yb_arena_alloc(arena, yb_settings_bytes(s), 1));
}
