/*
 * Accounts from JSON Lines, in one transaction: every line is looked at before anything is changed,
 * then all rows go through COPY into a temporary table and from there into place by three
 * statements.
 */
#include "lib/admin/import.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/cred/cred.h"
#include "lib/mime/terms.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define IMPORT_DEADLINE_MS 600000
#define COPY_PIECE 65536
#define HASH_THREADS 64
#define PROBLEMS_TOLD 1000 /* of those the database finds; it is asked for one more */
/* COPY's text form of a row: a line (import_lines.c) and its words, each octet twice at most. */
#define ROW_MAX 524288

/* clang-format off */
static const char make_table[] =
    "CREATE TEMPORARY TABLE import_rows (line bigint, local text COLLATE \"C\", written text, domain text COLLATE \"C\", "
    "  name text, quota_bytes bigint, keep_copy boolean, verifier text, forwards text[], forward_keys text[], words text[], store text, "
    "  account_id uuid NOT NULL) ON COMMIT DROP";
static const char copy[] =
    "COPY pg_temp.import_rows (line, local, written, domain, name, quota_bytes, keep_copy, verifier, forwards, "
    "  forward_keys, words, store, account_id) FROM STDIN";
/* Compiling these statements takes longer than it saves; sorting 100 000 rows takes 30 MB. */
static const char no_jit[] = "SET LOCAL jit = off";
static const char sort_in_memory[] = "SET LOCAL work_mem = '64MB'";
/* What the statements below join and look for; to look at the rest takes as long as a third of them. */
static const char analyze[] = "ANALYZE pg_temp.import_rows (local, domain, store, account_id)";
/* Where a setting names the store of a domain, as if the line did. */
static const char wanted[] =
    "UPDATE pg_temp.import_rows i SET store = w.store "
    "  FROM (SELECT d.name, yubin.yb_store_wanted(d.domain_id) AS store FROM domains d "
    "         WHERE EXISTS (SELECT FROM settings s WHERE s.key = 'store') "
    "           AND d.name IN (SELECT x.domain FROM pg_temp.import_rows x WHERE x.store IS NULL)) w "
    " WHERE i.domain = w.name AND i.store IS NULL AND w.store IS NOT NULL";
static const struct yb_db_statement problems = { "import_problems",
    "SELECT coalesce(json_agg(p ORDER BY p.line), '[]') FROM (SELECT * FROM ("
    "  SELECT i.line, i.domain || ' is not hosted here' AS text FROM pg_temp.import_rows i "
    "   WHERE NOT EXISTS (SELECT FROM domains d WHERE d.name = i.domain) "
    "  UNION ALL SELECT i.line, i.written || '@' || i.domain || ' is an account already' "
    "    FROM pg_temp.import_rows i JOIN domains d ON d.name = i.domain "
    "    JOIN accounts a ON a.domain_id = d.domain_id AND a.local = i.local "
    "  UNION ALL SELECT i.line, i.written || '@' || i.domain || ' is an alias already' "
    "    FROM pg_temp.import_rows i JOIN domains d ON d.name = i.domain "
    "    JOIN aliases a ON a.domain_id = d.domain_id AND a.local = i.local "
    "  UNION ALL SELECT i.line, CASE WHEN s.state IS NULL THEN 'there is no store ' || i.store "
    "                                ELSE 'the store ' || i.store || ' is ' || s.state END "
    "    FROM pg_temp.import_rows i LEFT JOIN stores s ON s.name = i.store "
    "   WHERE i.store IS NOT NULL AND s.state IS DISTINCT FROM 'live' "
    "  UNION ALL SELECT max(i.line), min(i.written) || '@' || i.domain || ' stands ' || count(*) || ' times' "
    "    FROM pg_temp.import_rows i GROUP BY i.domain, i.local HAVING count(*) > 1"
    ") x ORDER BY line LIMIT 1001) p" };
/* In one order: two imports of the same tenants wait for each other once (schema/0020_counts.sql). */
static const struct yb_db_statement counts = { "import_counts",
    "SELECT count(yb_counts_lock(t.tenant_id)) FROM (SELECT DISTINCT d.tenant_id FROM pg_temp.import_rows i "
    "  JOIN domains d ON d.name = i.domain ORDER BY d.tenant_id) t" };
static const struct yb_db_statement accounts = { "import_accounts",
    /* With store and node, so that no trigger places each: MATERIALIZED throws the dice once for a row. */
    "WITH choice AS MATERIALIZED (SELECT * FROM yubin.yb_store_choice()), "
    "placed AS MATERIALIZED (SELECT i.*, coalesce(s.store_id, c.ids[width_bucket(random(), c.los)]) AS store_id "
    "  FROM choice c, pg_temp.import_rows i LEFT JOIN stores s ON s.name = i.store) "
    "INSERT INTO accounts (tenant_id, domain_id, account_id, local, written, display_name, store_id, home_node, quota_bytes, keep_copy, "
    "  domain_name, address_key, words) "
    "SELECT d.tenant_id, d.domain_id, i.account_id, i.local, i.written, i.name, i.store_id, h.node_id, i.quota_bytes, i.keep_copy, "
    "  d.name, i.local || '@' || d.name, i.words "
    "  FROM placed i JOIN domains d ON d.name = i.domain "
    "  LEFT JOIN stores s ON s.store_id = i.store_id LEFT JOIN copies h ON h.copy_id = s.home ORDER BY i.account_id" };
static const struct yb_db_statement credentials = { "import_credentials",
    "INSERT INTO credentials (tenant_id, account_id, kind, verifier) "
    "SELECT d.tenant_id, i.account_id, 'primary', i.verifier "
    "  FROM pg_temp.import_rows i JOIN domains d ON d.name = i.domain WHERE i.verifier IS NOT NULL "
    " ORDER BY i.account_id" };
static const struct yb_db_statement forwards = { "import_forwards",
    "INSERT INTO forwards (tenant_id, account_id, target, target_key) "
    "SELECT d.tenant_id, i.account_id, f.target, f.target_key "
    "  FROM pg_temp.import_rows i JOIN domains d ON d.name = i.domain, unnest(i.forwards, i.forward_keys) AS f (target, target_key) "
    "ON CONFLICT DO NOTHING" };
/* A row of the audit for each. */
static const struct yb_db_statement each = { "import_audit",
    "SELECT yubin.yb_audit_accounts('account.add', array_agg(account_id)) FROM pg_temp.import_rows" };
/* clang-format on */

/* --- order --- */

static int
id_order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct yb_account_id));
}

static int
address_order(const void *a, const void *b)
{
    const struct yb_import_row *const *x = a, *const *y = b;
    int order = yb_str_cmp((*x)->name.domain, (*y)->name.domain);

    return order != 0 ? order : yb_str_cmp((*x)->name.local, (*y)->name.local);
}

/*
 * By address, with ids that rise with them: a row's place in each index of accounts is then near the
 * one before it, which is still at hand. The ids are no less random.
 */
static void
arrange(struct yb_import_rows *rows)
{
    struct yb_account_id *ids = yb_alloc(rows->n, sizeof(*ids));

    yb_random(ids, rows->n * sizeof(*ids));
    qsort(ids, rows->n, sizeof(*ids), id_order);
    rows->by_address = yb_arena_alloc(rows->arena, rows->n, sizeof(*rows->by_address));
    for (size_t i = 0; i < rows->n; i++)
        rows->by_address[i] = &rows->v[i];
    qsort(rows->by_address, rows->n, sizeof(*rows->by_address), address_order);
    for (size_t i = 0; i < rows->n; i++)
        rows->by_address[i]->account = ids[i];
    yb_free(ids);
}

/* --- passwords: milliseconds each, so on all cores --- */

static void *
hash_rows(void *arg)
{
    struct yb_import_rows *rows = arg;
    size_t i;

    while ((i = atomic_fetch_add(&rows->next, 1)) < rows->n) {
        struct yb_import_row *r = &rows->v[i];
        char verifier[YB_CRED_VERIFIER];
        struct yb_err err = { 0 };

        if (r->password.p == NULL)
            continue;
        if (yb_cred_make(r->password, 0, verifier, &err) == 0)
            r->verifier = yb_str_from(yb_dup(verifier, strlen(verifier)));
        explicit_bzero((char *)(uintptr_t)r->password.p, r->password.n);
        atomic_fetch_add(&rows->hashed, 1);
    }
    return NULL;
}

static size_t
count_passwords(const struct yb_import_rows *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++)
        n += rows->v[i].password.p != NULL;
    return n;
}

static void
hash_passwords(struct yb_import_rows *rows)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n_threads = cores < 1 ? 1 : cores > HASH_THREADS ? HASH_THREADS : (size_t)cores, n = 0;
    size_t all = count_passwords(rows);
    pthread_t threads[HASH_THREADS];

    if (all == 0)
        return;
    while (n + 1 < n_threads && pthread_create(&threads[n], NULL, hash_rows, rows) == 0)
        n++;
    while (rows->import->progress != NULL && atomic_load(&rows->hashed) < all && n > 0) {
        rows->import->progress(rows->import->arg, "passwords hashed", atomic_load(&rows->hashed),
                               all);
        yb_clock_rest_us(200000);
    }
    hash_rows(rows);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->v[i].password.p != NULL && rows->v[i].verifier.p == NULL)
            yb_import_problem(rows, rows->v[i].line,
                              "this password cannot be used: it is empty, too long, or not UTF-8");
    }
}

/* --- rows into the database --- */

/* COPY's text form. */
static void
put_field(struct yb_buf *b, struct yb_str s)
{
    if (s.p == NULL) {
        yb_buf_add(b, YB_STR("\\N"));
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '\\' || c == '\t' || c == '\n' || c == '\r')
            yb_buf_add_c(b, '\\');
        yb_buf_add_c(b, c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c);
    }
}

/* An array's text form, {"a","b"}, inside a field of COPY: backslashes once for each. */
static void
put_array(struct yb_buf *b, const struct yb_str *v, size_t n)
{
    yb_buf_add_c(b, '{');
    for (size_t i = 0; i < n; i++) {
        yb_buf_add(b, i == 0 ? YB_STR("\"") : YB_STR(",\""));
        for (size_t k = 0; k < v[i].n; k++) {
            if (v[i].p[k] == '"' || v[i].p[k] == '\\')
                yb_buf_add(b, YB_STR("\\\\"));
            put_field(b, yb_str(v[i].p + k, 1));
        }
        yb_buf_add_c(b, '"');
    }
    yb_buf_add_c(b, '}');
}

static void
put_row(struct yb_buf *b, const struct yb_import_row *r, struct yb_arena *arena)
{
    struct yb_terms words;
    char id[YB_ID_TEXT];

    yb_admin_words_of(&words, r->name.local, r->display.p == NULL ? YB_STR("") : r->display, arena);
    yb_buf_add_u64(b, r->line);
    yb_buf_add_c(b, '\t');
    put_field(b, r->name.local);
    yb_buf_add_c(b, '\t');
    put_field(b, r->name.written);
    yb_buf_add_c(b, '\t');
    put_field(b, r->name.domain);
    yb_buf_add_c(b, '\t');
    put_field(b, r->display.p == NULL ? YB_STR("") : r->display);
    yb_buf_add_c(b, '\t');
    yb_buf_add_u64(b, r->quota);
    yb_buf_add(b, r->keep_copy ? YB_STR("\tt\t") : YB_STR("\tf\t"));
    put_field(b, r->verifier);
    yb_buf_add_c(b, '\t');
    put_array(b, r->targets, r->n_targets);
    yb_buf_add_c(b, '\t');
    put_array(b, r->keys, r->n_targets);
    yb_buf_add_c(b, '\t');
    put_array(b, words.v, words.n);
    yb_buf_add_c(b, '\t');
    put_field(b, r->store);
    yb_buf_add_c(b, '\t');
    yb_buf_add(b, yb_str_from(yb_account_id_text(r->account, id)));
    yb_buf_add_c(b, '\n');
    yb_arena_reset(arena);
}

static int
copy_rows(const struct yb_import_rows *rows, struct yb_db_conn *c, struct yb_err *err)
{
    struct yb_buf *b = yb_buf_new(COPY_PIECE + ROW_MAX);
    struct yb_arena *arena = yb_arena_new(4096);
    int rc = yb_db_copy_begin(c, copy, err);

    for (size_t i = 0; i < rows->n && rc == 0; i++) {
        put_row(b, rows->by_address[i], arena);
        if (yb_buf_size(b) >= COPY_PIECE || i + 1 == rows->n) {
            yb_assert(!yb_buf_overflowed(b));
            rc = yb_db_copy_data(c, yb_buf_view(b), err);
            yb_buf_clear(b);
        }
    }
    if (rc == 0)
        rc = yb_db_copy_end(c, err);
    yb_arena_free(&arena);
    yb_buf_free(&b);
    return rc;
}

/* Lines that the database's rows make impossible. */
static int
find_problems(struct yb_import_rows *rows, struct yb_admin_tx *tx, struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    json_t *list = NULL, *o;
    size_t i;

    if (yb_admin_ask(tx, &problems, &q, "import", &list, err) < 0)
        return -1;
    rows->more = json_array_size(list) > PROBLEMS_TOLD;
    json_array_foreach(list, i, o)
    {
        if (i == PROBLEMS_TOLD)
            break;
        yb_import_problem(rows, (size_t)json_integer_value(json_object_get(o, "line")),
                          json_string_value(json_object_get(o, "text")));
    }
    json_decref(list);
    return 0;
}

static int
refuse_bad(const struct yb_import_rows *rows, struct yb_err *err)
{
    if (rows->bad == 0)
        return 0;
    return yb_err_set(err, YB_PERM, "5.5.4", "%zu line%s%s cannot be taken; nothing was changed",
                      rows->bad, rows->bad == 1 ? "" : "s", rows->more ? " and more" : "");
}

/* All rows beside the database's own; -1 with every line told that does not go with them. */
static int
compare_rows(struct yb_import_rows *rows, struct yb_admin_tx *tx, struct yb_err *err)
{
    struct yb_db_conn *c = tx->c;

    yb_db_set_deadline(c, IMPORT_DEADLINE_MS);
    if (yb_db_run_sql(c, no_jit, err) < 0 || yb_db_run_sql(c, sort_in_memory, err) < 0 ||
        yb_db_run_sql(c, make_table, err) < 0 || copy_rows(rows, c, err) < 0 ||
        yb_db_run_sql(c, analyze, err) < 0 || yb_db_run_sql(c, wanted, err) < 0 ||
        find_problems(rows, tx, err) < 0)
        return -1;
    return refuse_bad(rows, err);
}

static size_t
count_without_scram(const struct yb_import_rows *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++)
        n += rows->v[i].verifier.p != NULL &&
             yb_cred_scheme_of(rows->v[i].verifier) != YB_CRED_SCRAM_SHA256;
    return n;
}

static int
insert_rows(struct yb_import_rows *rows, struct yb_admin_tx *tx, struct yb_err *err)
{
    const struct yb_db_statement *const steps[] = { &counts, &accounts, &credentials, &forwards,
                                                    &each };
    struct yb_db_params p = { 0 };

    if (compare_rows(rows, tx, err) < 0)
        return -1;
    for (size_t i = 0; i < YB_COUNT(steps); i++) {
        if (yb_admin_change(tx, steps[i], &p, NULL, err) < 0)
            return -1;
    }
    yb_admin_note(tx, "account.import",
                  json_pack("{s:I, s:I}", "accounts", (json_int_t)rows->n, "without_scram",
                            (json_int_t)count_without_scram(rows)));
    return 0;
}

/*
 * Hashing a hundred thousand passwords takes minutes: what is wrong besides is told before, not
 * after. The rows are compared again when they are inserted.
 */
static int
hash_rows_that_fit(struct yb_admin *a, const struct yb_admin_actor *actor,
                   struct yb_import_rows *rows, struct yb_err *err)
{
    struct yb_admin_tx *tx = NULL;
    int rc;

    if (count_passwords(rows) == 0)
        return 0;
    rc = yb_admin_begin(a, actor, &tx, err);
    if (rc == 0)
        rc = compare_rows(rows, tx, err);
    yb_admin_rollback(&tx);
    if (rc < 0)
        return -1;
    hash_passwords(rows);
    return refuse_bad(rows, err);
}

static int
import_rows(struct yb_admin *a, const struct yb_admin_actor *actor, struct yb_import_rows *rows,
            struct yb_err *err)
{
    struct yb_admin_tx *tx = NULL;

    if (yb_admin_begin(a, actor, &tx, err) < 0)
        return -1;
    if (insert_rows(rows, tx, err) == 0)
        return yb_admin_commit(&tx, err);
    yb_admin_rollback(&tx);
    return -1;
}

int
yb_admin_account_import(struct yb_admin *a, const struct yb_admin_actor *actor, int fd,
                        struct yb_admin_import *import, struct yb_err *err)
{
    struct yb_import_rows rows = { .import = import, .arena = yb_arena_new(1 << 20) };
    int rc = yb_import_read(&rows, fd, err);

    if (rc == 0)
        rc = refuse_bad(&rows, err);
    if (rc == 0 && rows.n > 0)
        arrange(&rows);
    if (rc == 0)
        rc = hash_rows_that_fit(a, actor, &rows, err);
    if (rc == 0 && rows.n > 0)
        rc = import_rows(a, actor, &rows, err);
    import->accounts = rc == 0 ? rows.n : 0;
    import->without_scram = rc == 0 ? count_without_scram(&rows) : 0;
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.v[i].password.p != NULL) {
            explicit_bzero((char *)(uintptr_t)rows.v[i].password.p, rows.v[i].password.n);
            yb_free((char *)(uintptr_t)rows.v[i].verifier.p); /* made by hash_rows() */
        }
    }
    yb_free(rows.v);
    yb_arena_free(&rows.arena);
    return rc;
}
