/* Where addresses lead, looked at when they are set or go: warnings, and loops. */
#include "lib/admin/verb.h"

/* Enough to act on; more is told as a number. */
#define TOLD 20

/* clang-format off */
static const struct yb_db_statement trouble = { "find_trouble",
    "SELECT coalesce(json_agg(json_build_array(address, trouble)), '[]') "
    "  FROM yubin.yb_find_trouble($1::text, $2::text[])" };
static const struct yb_db_statement led = { "leads_here",
    "SELECT coalesce(json_agg(json_build_array(address, how)), '[]') "
    "  FROM yubin.yb_leads_here($1::text, $2::text)" };
/* clang-format on */

/* What the two functions say, with %.*s for the address; TROUBLE "loop" is refused. */
static const struct {
    const char *word, *sentence;
} sentences[] = {
    { "unknown", "%.*s: there is no such address (yet)" },
    { "disabled", "%.*s is disabled and takes no mail" },
    { "moved", "%.*s is retired and takes no mail" },
    { "suspended", "%.*s is suspended and takes no mail now" },
    { "elsewhere", "%.*s is not hosted here" },
    { "alias", "the alias %.*s still leads to it" },
    { "forward", "the account %.*s still forwards to it" },
    { "retired", "the retired address %.*s still leads to it" },
    { "contact", "it is still the contact of %.*s (postmaster@, abuse@: now the operator's)" },
    { "catch_all", "it is still the catch-all of %.*s" },
};

static json_t *
sentence(const json_t *row, struct yb_arena *arena)
{
    struct yb_str address = yb_str_from(json_string_value(json_array_get(row, 0)));
    const char *word = json_string_value(json_array_get(row, 1));
    struct yb_str s;

    for (size_t i = 0; i < YB_COUNT(sentences); i++) {
        const char *rest = strstr(sentences[i].sentence, "%.*s");

        if (strcmp(sentences[i].word, word) != 0)
            continue;
        s = yb_arena_printf(arena, "%.*s%.*s%s", (int)(rest - sentences[i].sentence),
                            sentences[i].sentence, YB_STR_ARG(address), rest + 4);
        return json_stringn(s.p, s.n);
    }
    return NULL;
}

static bool
is_loop(const json_t *row)
{
    return strcmp(json_string_value(json_array_get(row, 1)), "loop") == 0;
}

/* Adds sentences to the member `warnings` of *out, which is made when there is something to say. */
static void
warn(const json_t *rows, json_t **out)
{
    struct yb_arena *arena = yb_arena_new(1024);
    json_t *list, *row;
    size_t i;

    if (*out == NULL && json_array_size(rows) > 0)
        *out = json_object();
    list = json_object_get(*out, "warnings");
    if (list == NULL && json_array_size(rows) > 0) {
        list = json_array();
        json_object_set_new(*out, "warnings", list);
    }
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        struct yb_str more;

        if (i < TOLD) {
            json_array_append_new(list, sentence(row, arena));
            continue;
        }
        more = yb_arena_printf(arena, "and %zu more", json_array_size(rows) - TOLD);
        json_array_append_new(list, json_stringn(more.p, more.n));
        break;
    }
    yb_arena_free(&arena);
}

/* What is refused shows nothing. */
static void
drop(json_t **out)
{
    json_decref(*out);
    *out = NULL;
}

int
yb_admin_look(struct yb_admin_tx *tx, struct yb_str from, const struct yb_str *keys, size_t n,
              const char *field, json_t **out, struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    json_t *rows = NULL, *row;
    size_t i;
    int rc;

    yb_admin_add(&q, from);
    yb_db_add_texts(&q, keys, n);
    rc = yb_admin_ask(tx, &trouble, &q, "address", &rows, err);
    json_array_foreach(rows, i, row)
    {
        if (rc == 0 && is_loop(row))
            rc = yb_admin_refuse(tx, YB_ERR_CANNOT, field, err,
                                 "%s would lead back to itself and nowhere else",
                                 json_string_value(json_array_get(row, 0)));
    }
    if (rc == 0)
        warn(rows, out);
    else
        drop(out);
    json_decref(rows);
    return rc;
}

int
yb_admin_led(struct yb_admin_tx *tx, const struct yb_admin_subject *s, json_t **out,
             struct yb_err *err)
{
    struct yb_db_params q = { 0 };
    json_t *rows = NULL;
    int rc;

    yb_db_add_text(&q, s->key[0]);
    yb_db_add_text(&q, s->key[1]);
    rc = yb_admin_ask(tx, &led, &q, "address", &rows, err);
    if (rc == 0)
        warn(rows, out);
    else
        drop(out);
    json_decref(rows);
    return rc;
}
