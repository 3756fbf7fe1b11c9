/* A thing from being found, and locked, to its row in the audit. */
#include "lib/admin/verb.h"

#include <stdlib.h>

#define CHANGED "(changed)"

/* clang-format off */
static const struct yb_db_statement audit = { "audit",
    "SELECT yubin.yb_audit($1::text, $2::text, $3::uuid, $4::uuid, $5::uuid, $6::text, "
    "                      $7::text::jsonb, $8::text::jsonb)" };
/* clang-format on */

/* Members of cards that change by themselves: no change of them is anybody's deed. */
static const char *const figures[] = { "bytes",    "messages", "full_since", "domains",
                                       "accounts", "warnings", "created_at" };

/* --- finding --- */

static struct yb_admin_subject *
subject_new(struct yb_admin_tx *tx, const struct yb_admin_kind *kind)
{
    struct yb_admin_subject *s = yb_arena_alloc(tx->arena, 1, sizeof(*s));

    *s = (struct yb_admin_subject){ .kind = kind };
    *tx->last = s;
    tx->last = &s->next;
    return s;
}

static void
take_id(const struct yb_db_result *r, unsigned column, bool *has, uint8_t id[YB_ID_BYTES])
{
    *has = !yb_db_is_null(r, 0, column);
    yb_db_bytes(r, 0, column, id, YB_ID_BYTES);
}

static int
read_ids(struct yb_admin_tx *tx, struct yb_admin_subject *s, const struct yb_db_statement *ids,
         struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    struct yb_db_result *r = NULL;
    struct yb_err why = { 0 };
    int rc;

    yb_db_add_text(&p, s->key[0]);
    yb_db_add_text(&p, s->key[1]);
    rc = yb_db_run(tx->c, ids, &p, &r, &why);
    if (rc < 0) {
        yb_admin_refuse_statement(tx, &why, err);
    } else if (yb_db_rows(r) == 0) {
        rc = yb_admin_no_such(tx, s->kind->what, err);
    } else {
        take_id(r, 0, &s->has_tenant, s->tenant);
        take_id(r, 1, &s->has_domain, s->domain);
        take_id(r, 2, &s->has_id, s->id);
        s->name = yb_arena_dup(tx->arena, yb_db_str(r, 0, 3));
    }
    yb_db_result_free(&r);
    yb_db_params_free(&p);
    return rc;
}

static int
read_card(struct yb_admin_tx *tx, const struct yb_admin_subject *s, json_t **out,
          struct yb_err *err)
{
    struct yb_db_params q = { 0 };

    yb_db_add_text(&q, s->key[0]);
    yb_db_add_text(&q, s->key[1]);
    return yb_admin_ask(tx, s->kind->card, &q, s->kind->what, out, err);
}

static struct yb_admin_subject *
subject_of(struct yb_admin_tx *tx, const struct yb_admin_kind *kind,
           const struct yb_db_statement *ids, struct yb_str key, struct yb_str key2, bool there,
           struct yb_err *err)
{
    struct yb_admin_subject *s = subject_new(tx, kind);

    s->key[0] = yb_arena_dup(tx->arena, key);
    s->key[1] = yb_arena_dup(tx->arena, key2);
    if (read_ids(tx, s, ids, err) < 0 || (there && read_card(tx, s, &s->before, err) < 0))
        return NULL;
    return s;
}

struct yb_admin_subject *
yb_admin_made(struct yb_admin_tx *tx, const struct yb_admin_kind *kind, struct yb_str key,
              struct yb_str key2, struct yb_err *err)
{
    return subject_of(tx, kind, kind->ids, key, key2, false, err);
}

struct yb_admin_subject *
yb_admin_find(struct yb_admin_tx *tx, const struct yb_admin_kind *kind, struct yb_str key,
              struct yb_str key2, struct yb_err *err)
{
    return subject_of(tx, kind, kind->ids, key, key2, true, err);
}

struct yb_admin_subject *
yb_admin_see(struct yb_admin_tx *tx, const struct yb_admin_kind *kind,
             const struct yb_db_statement *ids, struct yb_str key, struct yb_str key2,
             struct yb_err *err)
{
    return subject_of(tx, kind, ids, key, key2, false, err);
}

struct yb_admin_subject *
yb_admin_find_last(struct yb_admin_tx *tx, const struct yb_admin_kind *kind, struct yb_str key,
                   struct yb_str key2, struct yb_err *err)
{
    return subject_of(tx, kind, kind->ids_gone, key, key2, true, err);
}

struct yb_admin_subject *
yb_admin_find_address(struct yb_admin_tx *tx, const struct yb_admin_kind *kind,
                      struct yb_str address, struct yb_err *err)
{
    struct yb_admin_name n;

    if (yb_admin_take_name(tx, address, "address", &n, err) < 0)
        return NULL;
    return yb_admin_find(tx, kind, n.local, n.domain, err);
}

/* --- changing --- */

int
yb_admin_run(struct yb_admin_tx *tx, const struct yb_admin_subject *s,
             const struct yb_db_statement *st, const struct yb_str *texts, size_t n,
             const char *what, struct yb_err *err)
{
    struct yb_db_params p = { 0 };

    yb_db_add_bytes(&p, s->id, sizeof(s->id));
    yb_db_add_bytes(&p, s->tenant, sizeof(s->tenant));
    for (size_t i = 0; i < n; i++)
        yb_admin_add(&p, texts[i]);
    return yb_admin_change(tx, st, &p, what, err);
}

void
yb_admin_secret(struct yb_admin_subject *s, const char *member)
{
    if (s->secrets == NULL)
        s->secrets = json_object();
    json_object_set_new(s->secrets, member, json_string(CHANGED));
}

int
yb_admin_done(struct yb_admin_tx *tx, struct yb_admin_subject *s, const char *action, json_t **out,
              struct yb_err *err)
{
    if (read_card(tx, s, &s->after, err) < 0)
        return -1;
    s->action = action;
    if (out != NULL)
        *out = json_deep_copy(s->after);
    return 0;
}

void
yb_admin_gone(struct yb_admin_subject *s, const char *action)
{
    s->action = action;
}

static void
note_id(const uint8_t *id, bool *has, uint8_t to[YB_ID_BYTES])
{
    *has = id != NULL;
    if (id != NULL)
        memcpy(to, id, YB_ID_BYTES);
}

void
yb_admin_deed_outside(struct yb_admin_tx *tx, const struct yb_admin_outside *deed)
{
    struct yb_admin_subject *s = subject_new(tx, NULL);

    s->action = deed->action;
    s->name = yb_arena_dup(tx->arena, deed->object);
    note_id(deed->tenant == NULL ? NULL : deed->tenant->v, &s->has_tenant, s->tenant);
    note_id(deed->account == NULL ? NULL : deed->account->v, &s->has_id, s->id);
    s->read = deed->read;
    s->after = deed->after;
}

void
yb_admin_note(struct yb_admin_tx *tx, const char *action, json_t *after)
{
    yb_admin_deed_outside(
        tx, &(struct yb_admin_outside){ action, YB_STR_INIT(""), NULL, NULL, false, after });
}

void
yb_admin_deed(struct yb_admin_tx *tx, const char *action, struct yb_str object)
{
    yb_admin_deed_outside(tx, &(struct yb_admin_outside){ .action = action, .object = object });
}

/* --- the audit --- */

static bool
is_figure(const char *key)
{
    for (size_t i = 0; i < YB_COUNT(figures); i++) {
        if (strcmp(figures[i], key) == 0)
            return true;
    }
    return false;
}

/* Of one of the two cards what is otherwise in the other; all of it where there is no other. */
static json_t *
changed_members(const json_t *card, const json_t *other, const json_t *secrets)
{
    json_t *found, *value;
    const char *key;

    if (card == NULL)
        return NULL;
    found = json_object();
    json_object_foreach((json_t *)(uintptr_t)card, key, value)
    {
        if (other == NULL ? !json_is_null(value) && !is_figure(key)
                          : !is_figure(key) && !json_equal(value, json_object_get(other, key)))
            json_object_set(found, key, value);
    }
    if (secrets != NULL)
        json_object_update(found, (json_t *)(uintptr_t)secrets);
    return found;
}

/* Takes v over. */
static void
add_json(struct yb_db_params *p, json_t *v, struct yb_arena *arena)
{
    char *text = v == NULL ? NULL : json_dumps(v, JSON_COMPACT);

    if (text == NULL)
        yb_db_add_null(p);
    else
        yb_db_add_text(p, yb_arena_dup(arena, yb_str_from(text)));
    free(text); /* Jansson's own */
    json_decref(v);
}

static int
write_one(struct yb_admin_tx *tx, const struct yb_admin_subject *s, struct yb_err *err)
{
    struct yb_db_params p = { 0 };
    bool is_account = s->kind == NULL || s->kind->account;

    yb_db_add_text(&p, yb_str_from(s->action));
    yb_db_add_text(&p, s->read ? YB_STR("read") : YB_STR("change"));
    yb_admin_add_id(&p, s->has_tenant, s->tenant);
    yb_admin_add_id(&p, s->has_domain, s->domain);
    yb_admin_add_id(&p, s->has_id && is_account, s->id);
    yb_db_add_text(&p, s->name);
    add_json(&p, changed_members(s->before, s->after, NULL), tx->arena);
    add_json(&p,
             s->kind == NULL ? json_incref(s->after)
                             : changed_members(s->after, s->before, s->secrets),
             tx->arena);
    if (yb_admin_change(tx, &audit, &p, NULL, err) == 0)
        return 0;
    if (err->class == YB_PERM) /* nobody asked for anything wrong */
        yb_err_inside(err, YB_BUG, "4.3.0", "the audit: %s", err->text);
    return -1;
}

/* Of what was there, and is there, nothing is otherwise: it was set to what it was. */
static bool
is_unchanged(const struct yb_admin_subject *s)
{
    json_t *was, *is;
    bool same;

    if (s->before == NULL || s->after == NULL || s->secrets != NULL)
        return false;
    was = changed_members(s->before, s->after, NULL);
    is = changed_members(s->after, s->before, NULL);
    same = json_object_size(was) == 0 && json_object_size(is) == 0;
    json_decref(was);
    json_decref(is);
    return same;
}

int
yb_admin_audit_write(struct yb_admin_tx *tx, struct yb_err *err)
{
    for (const struct yb_admin_subject *s = tx->subjects; s != NULL; s = s->next) {
        if (s->action != NULL && !is_unchanged(s) && write_one(tx, s, err) < 0)
            return -1;
    }
    return 0;
}
