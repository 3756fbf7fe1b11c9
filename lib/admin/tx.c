/* Transactions: who asks, and the audit at the end. */
#include "lib/admin/verb.h"

#include "lib/base/id.h"

#define DEADLINE_MS 30000
#define LOCK_MS 10000 /* somebody else changes the same thing: an import may take so long */

/* clang-format off */
static const struct yb_db_statement enter = { "enter_cli",
    "SELECT yubin.yb_enter_cli($1::text, nullif($2::text, '')::inet, $3::text)" };
/* clang-format on */

struct yb_admin *
yb_admin_new(const struct yb_admin_conf *conf)
{
    struct yb_admin *a = yb_alloc(1, sizeof(*a));

    a->deadline_ms = conf->deadline_ms == 0 ? DEADLINE_MS : conf->deadline_ms;
    a->db = yb_db_new(&(struct yb_db_conf){
        .conninfo = conf->conninfo, .application = conf->application, .connections = 4 });
    yb_admin_sets_make(a);
    return a;
}

void
yb_admin_free(struct yb_admin **a)
{
    if (*a == NULL)
        return;
    yb_db_free(&(*a)->db);
    yb_admin_sets_free(*a);
    yb_free(*a);
    *a = NULL;
}

/* What stands in the scope must not end a field of it, nor begin a line of a log. */
static struct yb_str
actor_name(const struct yb_admin_actor *actor, struct yb_arena *arena)
{
    struct yb_str name = yb_arena_dup(arena, yb_str_head(actor->name, YB_ADMIN_ACTOR));
    char *p = (char *)(uintptr_t)name.p;

    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)p[i] <= ' ' || p[i] == 127 || p[i] == '|' || (p[i] & 0x80) != 0)
            p[i] = '?';
    }
    return name;
}

int
yb_admin_begin(struct yb_admin *a, const struct yb_admin_actor *actor, struct yb_admin_tx **tx,
               struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_message_id request = yb_message_id_new();
    struct yb_db_params p = { 0 };
    struct yb_db_how how = {
        .deadline_ms = a->deadline_ms, .lock_ms = LOCK_MS, .enter = &enter, .params = &p
    };
    struct yb_db_conn *c = NULL;
    char id[YB_ID_TEXT];
    int rc;

    yb_db_add_text(&p, actor_name(actor, arena));
    yb_db_add_text(&p, actor->client.p == NULL ? YB_STR("") : actor->client);
    yb_db_add_text(&p, yb_str_from(yb_message_id_text(request, id)));
    rc = yb_db_begin_as(a->db, &how, &c, NULL, err);
    yb_db_params_free(&p);
    *tx = NULL;
    if (rc < 0) {
        yb_arena_free(&arena);
        return -1;
    }
    *tx = yb_arena_alloc(arena, 1, sizeof(**tx));
    **tx = (struct yb_admin_tx){ .a = a, .c = c, .arena = arena };
    (*tx)->last = &(*tx)->subjects;
    return 0;
}

static void
tx_free(struct yb_admin_tx **tx)
{
    struct yb_arena *arena = (*tx)->arena; /* *tx lies in it */

    for (struct yb_admin_subject *s = (*tx)->subjects; s != NULL; s = s->next) {
        json_decref(s->before);
        json_decref(s->after);
        json_decref(s->secrets);
    }
    *tx = NULL;
    yb_arena_free(&arena);
}

int
yb_admin_commit(struct yb_admin_tx **tx, struct yb_err *err)
{
    int rc = yb_admin_audit_write(*tx, err);

    if (rc == 0)
        rc = yb_db_commit(&(*tx)->c, err);
    else
        yb_db_rollback(&(*tx)->c);
    tx_free(tx);
    return rc;
}

void
yb_admin_rollback(struct yb_admin_tx **tx)
{
    if (*tx == NULL)
        return;
    if ((*tx)->c != NULL)
        yb_db_rollback(&(*tx)->c);
    tx_free(tx);
}
