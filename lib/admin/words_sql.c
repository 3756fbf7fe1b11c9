/* The words that accounts and aliases are found by: made when what they are made of changes. */
#include "lib/admin/words.h"

#include "lib/mime/terms.h"

#include <string.h>

#define DEADLINE_MS 60000 /* of a batch */

/* clang-format off */
static const struct yb_db_statement account_lacks = { "account_lacks_words",
    "SELECT local::text, display_name FROM accounts WHERE account_id = $1::uuid AND tenant_id = $2::uuid AND words IS NULL" };
static const struct yb_db_statement alias_lacks = { "alias_lacks_words",
    "SELECT local::text, '' FROM aliases WHERE alias_id = $1::uuid AND tenant_id = $2::uuid AND words IS NULL" };
static const struct yb_db_statement account_put = { "account_words",
    "UPDATE accounts SET words = $3::text[] WHERE account_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement alias_put = { "alias_words",
    "UPDATE aliases SET words = $3::text[] WHERE alias_id = $1::uuid AND tenant_id = $2::uuid" };
static const struct yb_db_statement missing = { "words_missing",
    "SELECT id, local, name FROM yubin.yb_words_missing($1::boolean, $2::uuid)" };
static const struct yb_db_statement put_all = { "words_put",
    "SELECT yubin.yb_words_put($1::boolean, $2::uuid[], $3::text[])" };
/* clang-format on */

/* An address is found by how it begins, so the first part of its local part needs no row. */
void
yb_admin_words_of(struct yb_terms *t, struct yb_str local, struct yb_str name,
                  struct yb_arena *arena)
{
    t->n = 0;
    yb_terms_add(t, local, arena);
    if (t->n > 0) {
        memmove(t->v, t->v + 1, (t->n - 1) * sizeof(*t->v));
        t->n--;
    }
    yb_terms_add(t, name, arena);
}

int
yb_admin_words(struct yb_admin_tx *tx, const struct yb_admin_subject *s, struct yb_err *err)
{
    bool alias = s->kind == &yb_admin_alias_kind;
    struct yb_db_params p = { 0 };
    struct yb_db_result *r = NULL;
    struct yb_terms t;
    int rc;

    yb_db_add_bytes(&p, s->id, sizeof(s->id));
    yb_db_add_bytes(&p, s->tenant, sizeof(s->tenant));
    rc = yb_db_run(tx->c, alias ? &alias_lacks : &account_lacks, &p, &r, err);
    if (rc == 0 && yb_db_rows(r) == 1) {
        yb_admin_words_of(&t, yb_db_str(r, 0, 0), yb_db_str(r, 0, 1), tx->arena);
        yb_db_add_texts(&p, t.v, t.n);
        rc = yb_admin_change(tx, alias ? &alias_put : &account_put, &p, s->kind->what, err);
    }
    yb_db_params_free(&p);
    yb_db_result_free(&r);
    return rc;
}

/* --- those that have none --- */

/* A batch, behind the id in `after`, which goes on. *n: rows. */
static int
fill_batch(struct yb_db *db, bool aliases, uint8_t after[YB_ID_BYTES], size_t *n,
           struct yb_err *err)
{
    struct yb_db_how how = { .deadline_ms = DEADLINE_MS };
    struct yb_db_params p = { 0 }, q = { 0 };
    struct yb_db_result *r = NULL;
    struct yb_db_conn *c = NULL;
    struct yb_arena *arena = yb_arena_new(1 << 20);
    struct yb_str *words = NULL;
    uint8_t(*ids)[YB_ID_BYTES] = NULL, id[YB_ID_BYTES];
    size_t k = 0;
    int rc = yb_db_begin_as(db, &how, &c, NULL, err);

    yb_db_add_bool(&p, aliases);
    yb_db_add_bytes(&p, after, YB_ID_BYTES);
    if (rc == 0)
        rc = yb_db_run(c, &missing, &p, &r, err);
    *n = rc == 0 ? yb_db_rows(r) : 0;
    if (*n > 0) {
        ids = yb_alloc(*n * (YB_TERMS_MOST + 1), sizeof(*ids));
        words = yb_alloc(*n * (YB_TERMS_MOST + 1), sizeof(*words));
    }
    for (size_t i = 0; i < *n; i++) {
        struct yb_terms t;

        yb_db_bytes(r, i, 0, id, YB_ID_BYTES);
        yb_admin_words_of(&t, yb_db_str(r, i, 1), yb_db_str(r, i, 2), arena);
        for (size_t j = 0; j < t.n || j == 0; j++, k++) {
            memcpy(ids[k], id, YB_ID_BYTES);
            words[k] = t.n == 0 ? yb_str(NULL, 0) : t.v[j];
        }
    }
    yb_db_add_bool(&q, aliases);
    yb_db_add_uuids(&q, ids, k);
    yb_db_add_texts(&q, words, k);
    if (rc == 0 && *n > 0)
        rc = yb_db_run(c, &put_all, &q, NULL, err);
    if (rc == 0)
        rc = yb_db_commit(&c, err);
    else if (c != NULL)
        yb_db_rollback(&c);
    if (rc == 0 && *n > 0) /* not before: one that failed is done again */
        memcpy(after, id, YB_ID_BYTES);
    yb_db_params_free(&p);
    yb_db_params_free(&q);
    yb_db_result_free(&r);
    yb_free(ids);
    yb_free(words);
    yb_arena_free(&arena);
    return rc;
}

int
yb_admin_fill_words(const char *conninfo, void (*told)(void *arg, const char *what, uint64_t rows),
                    void *arg, struct yb_err *err)
{
    const struct yb_db_conf conf = { .conninfo = conninfo,
                                     .application = "yubin schema migrate",
                                     .connections = 1 };
    struct yb_db *db = yb_db_new(&conf);
    int rc = 0;

    for (int aliases = 0; aliases <= 1 && rc == 0; aliases++) {
        uint8_t after[YB_ID_BYTES] = { 0 };
        uint64_t all = 0;
        size_t n;

        do {
            unsigned times = 0;

            do /* somebody holds what it wants, and wants what it holds */
                rc = fill_batch(db, aliases == 1, after, &n, err);
            while (rc < 0 && err->kind == YB_ERR_CONFLICT && times++ < 10);
            all += n;
            if (rc == 0 && n > 0)
                told(arg, aliases == 1 ? "words of aliases" : "words of accounts", all);
        } while (rc == 0 && n > 0);
    }
    yb_db_free(&db);
    return rc;
}
