/* What can be set of each sort of thing: how it is written, looked at, and put into the database. */
#include "lib/admin/verb.h"

#include "lib/base/buf.h"
#include "lib/settings/registry.h"

#include <stdio.h>

/* clang-format off */
const struct yb_admin_fields yb_admin_tenant_fields = { 4, {
    { "contact",      "contact",      "contact",      YB_ADMIN_ADDRESS, "",  NULL, "ADDRESS", "whom to write to (none)" },
    { "max_domains",  "max_domains",  "max-domains",  YB_ADMIN_COUNT,   "",  NULL, "N",       "domains it may have (none: no limit)" },
    { "max_accounts", "max_accounts", "max-accounts", YB_ADMIN_COUNT,   "",  NULL, "N",       "accounts it may have (none: no limit)" },
    { "max_bytes",    "max_bytes",    "max-bytes",    YB_ADMIN_SIZE,    "",  NULL, "SIZE",    "all mailboxes together (none: no limit)" },
} };
const struct yb_admin_fields yb_admin_domain_fields = { 7, {
    { "contact",      "contact",      "contact",      YB_ADMIN_ADDRESS, "",   NULL, "ADDRESS", "gets postmaster@, abuse@, hostmaster@ (none: the operator)" },
    { "catch_all",    "catch_all",    "catch-all",    YB_ADMIN_ADDRESS, "",   NULL, "ADDRESS", "gets what no other address takes (none)" },
    { "separator",    "separator",    "separator",    YB_ADMIN_CHOICE,  "",   "+ - = _ . # ~ /", "C", "of sub-addresses, user+detail (+; none)" },
    { "subdomains",   "subdomains",   "subdomains",   YB_ADMIN_CHOICE,  NULL, "none one any", "WORD", "user@x.domain too: none, one (level), any (none)" },
    { "full_days",    "full_days",    "full-days",    YB_ADMIN_COUNT,   NULL, NULL, "N",       "days a full mailbox answers 452 before 552 (3)" },
    { "max_accounts", "max_accounts", "max-accounts", YB_ADMIN_COUNT,   "",   NULL, "N",       "accounts it may have (none: no limit)" },
    { "max_bytes",    "max_bytes",    "max-bytes",    YB_ADMIN_SIZE,    "",   NULL, "SIZE",    "all mailboxes together (none: no limit)" },
} };
const struct yb_admin_fields yb_admin_account_fields = { 6, {
    { "name",         "display_name", "name",         YB_ADMIN_TEXT,    "",   NULL, "TEXT",    "display name (none)" },
    { "quota_bytes",  "quota_bytes",  "quota",        YB_ADMIN_SIZE,    "0",  NULL, "SIZE",    "of the mailbox (none: no limit)" },
    { "keep_copy",    "keep_copy",    "keep-copy",    YB_ADMIN_YES_NO,  NULL, NULL, "YES|NO",  "keep what is forwarded (yes)" },
    { "imap",         "imap",         "imap",         YB_ADMIN_YES_NO,  NULL, NULL, "YES|NO",  "may log in by IMAP (yes)" },
    { "pop3",         "pop3",         "pop3",         YB_ADMIN_YES_NO,  NULL, NULL, "YES|NO",  "may log in by POP3 (yes)" },
    { "submission",   "submission",   "submission",   YB_ADMIN_YES_NO,  NULL, NULL, "YES|NO",  "may send (yes)" },
} };
const struct yb_admin_fields yb_admin_alias_fields = { 3, {
    { "enabled",      "enabled",      "enabled",      YB_ADMIN_YES_NO,  NULL, NULL, "YES|NO",  "no: it answers 550, and nothing else takes its mail (yes)" },
    { "expires_at",   "expires_at",   "until",        YB_ADMIN_TIME,    "",   NULL, "TIME",    "ends by itself, 2027-01-31 (none)" },
    { "note",         "note",         "note",         YB_ADMIN_TEXT,    "",   NULL, "TEXT",    "for whoever looks at it next (none)" },
} };
const struct yb_admin_fields yb_admin_store_fields = { 3, {
    { "name",         "name",         "name",         YB_ADMIN_TEXT,    NULL, NULL, "NAME",    "what it is called" },
    { "state",        "state",        "state",        YB_ADMIN_CHOICE,  NULL, "live full gone", "WORD", "live, full (gets no new accounts), gone (has none)" },
    { "weight",       "weight",       "weight",       YB_ADMIN_COUNT,   NULL, NULL, "N",       "its share of new accounts is room times weight (100)" },
} };
/* clang-format on */

static const struct yb_admin_kind *const kinds[YB_ADMIN_SETS] = {
    &yb_admin_tenant_kind, &yb_admin_domain_kind, &yb_admin_account_kind, &yb_admin_alias_kind,
    &yb_admin_store_kind
};

/* --- statements --- */

/* The column's type, of a text that may be empty; NULL: it stays one. */
static const char *
cast_of(enum yb_admin_type type)
{
    switch (type) {
    case YB_ADMIN_COUNT:
        return "integer";
    case YB_ADMIN_SIZE:
        return "bigint";
    case YB_ADMIN_YES_NO:
        return "boolean";
    case YB_ADMIN_TIME:
        return "timestamptz";
    case YB_ADMIN_ADDRESS:
    case YB_ADMIN_CHOICE:
        return "text";
    case YB_ADMIN_TEXT:
        break;
    }
    return NULL;
}

void
yb_admin_sets_make(struct yb_admin *a)
{
    for (size_t k = 0; k < YB_ADMIN_SETS; k++) {
        const struct yb_admin_fields *f = kinds[k]->fields;
        struct yb_buf *b = yb_buf_new(4096), *name = yb_buf_new(64);

        yb_buf_printf(b, "UPDATE %s x SET ", kinds[k]->table);
        for (size_t i = 0; i < f->n; i++) {
            const char *cast = cast_of(f->v[i].type), *column = f->v[i].column;
            int p = (int)i + 2;

            yb_buf_printf(b, "%s%s = CASE WHEN $%d::text IS NULL THEN x.%s ELSE ",
                          i == 0 ? "" : ", ", column, p, column);
            if (cast == NULL)
                yb_buf_printf(b, "$%d END", p);
            else
                yb_buf_printf(b, "nullif($%d, '')::%s END", p, cast);
        }
        yb_buf_printf(b, " WHERE x.%s = $1::uuid", kinds[k]->key);
        yb_buf_printf(name, "set_%s", kinds[k]->table);
        yb_assert(!yb_buf_overflowed(b) && !yb_buf_overflowed(name));
        a->sets[k] = (struct yb_db_statement){
            .name = yb_dup(yb_buf_view(name).p, yb_buf_size(name)),
            .sql = yb_dup(yb_buf_view(b).p, yb_buf_size(b)),
        };
        yb_buf_free(&b);
        yb_buf_free(&name);
    }
}

void
yb_admin_sets_free(struct yb_admin *a)
{
    for (size_t k = 0; k < YB_ADMIN_SETS; k++) {
        yb_free((char *)(uintptr_t)a->sets[k].name);
        yb_free((char *)(uintptr_t)a->sets[k].sql);
    }
}

static const struct yb_db_statement *
set_of(const struct yb_admin *a, const struct yb_admin_kind *kind)
{
    size_t k = 0;

    while (kinds[k]->fields != kind->fields) /* settings of an account are its fields, too */
        k++;
    return &a->sets[k];
}

/* --- values: what is written, as the database takes it --- */

#define TEXT_MOST 1000 /* octets of a text: it is shown in lists, and kept in the audit */
#define PLACE_MOST 200 /* of a store's or a node's name */

/* Where a store is named, these say that it is none, or any. */
static const char *const reserved[] = { "none", "any", "all", "default" };

static bool
text_take(struct yb_str v)
{
    if (v.n > TEXT_MOST)
        return false;
    for (size_t i = 0; i < v.n; i++) {
        if ((unsigned char)v.p[i] < ' ' || v.p[i] == 127)
            return false;
    }
    return yb_str_utf8(v);
}

static bool
size_take(struct yb_str v, struct yb_arena *arena, struct yb_str *out)
{
    uint64_t n;

    if (!yb_setting_size(v, INT64_MAX, &n))
        return false;
    *out = yb_arena_printf(arena, "%llu", (unsigned long long)n);
    return true;
}

static bool
yes_no_take(struct yb_str v, struct yb_str *out)
{
    bool yes;

    if (!yb_setting_yes_no(v, &yes))
        return false;
    *out = yes ? YB_STR("true") : YB_STR("false");
    return true;
}

static bool
choice_take(struct yb_str v, const char *choices)
{
    struct yb_str left = yb_str_from(choices), word;

    while ((word = yb_str_word(&left)).n > 0) {
        if (yb_str_eq(word, v))
            return true;
    }
    return false;
}

/* The database reads it; it has the zones. 0: it is one; 1: it is none, or no moment. */
static int
time_read(struct yb_admin_tx *tx, struct yb_str v, struct yb_err *err)
{
    static const struct yb_db_statement st = { "is_time",
                                               "SELECT isfinite($1::text::timestamptz)" };
    struct yb_db_result *r = NULL;
    struct yb_db_params p = { 0 };
    struct yb_err why = { 0 };
    int rc;

    yb_db_add_text(&p, v);
    rc = yb_db_run(tx->c, &st, &p, &r, &why);
    if (rc == 0)
        rc = yb_db_bool(r, 0, 0) ? 0 : 1;
    else if (why.kind == YB_ERR_VALUE)
        rc = 1;
    else if (err != NULL)
        *err = why;
    yb_db_result_free(&r);
    return rc;
}

int
yb_admin_time(struct yb_admin_tx *tx, struct yb_str v, const char *field, struct yb_str *out,
              struct yb_err *err)
{
    int rc;

    *out = yb_str_trim(v);
    if (v.p == NULL)
        return 0;
    if (out->n == 0 || yb_str_eqi(*out, YB_STR("none")) || yb_str_eqi(*out, YB_STR("infinity"))) {
        *out = YB_STR(""); /* "infinity" is how PostgreSQL writes never */
        return 0;
    }
    rc = time_read(tx, *out, err);
    if (rc > 0)
        yb_admin_refuse(tx, YB_ERR_SYNTAX, field, err,
                        "%.*s is not a time (2027-01-31, 2027-01-31 18:00+09, none)",
                        YB_STR_ARG(v));
    return rc;
}

/* Puts into *out what the column gets. 0; 1: it was refused; -1. */
static int
value_take(struct yb_admin_tx *tx, const struct yb_admin_field *f, struct yb_str v,
           struct yb_str *out, struct yb_err *err)
{
    struct yb_str key;
    uint64_t n;

    *out = v;
    if (f->none != NULL && (v.n == 0 || yb_str_eqi(v, YB_STR("none")))) {
        *out = yb_str_from(f->none);
        return 0;
    }
    switch (f->type) {
    case YB_ADMIN_TEXT:
        return yb_admin_text(tx, v, f->name, err) < 0 ? 1 : 0;
    case YB_ADMIN_COUNT:
        if (yb_str_u64(v, INT32_MAX, &n))
            return 0;
        yb_admin_refuse(tx, YB_ERR_SYNTAX, f->name, err, "%.*s is not a number from 0 to %d%s",
                        YB_STR_ARG(v), INT32_MAX, f->none != NULL ? ", or none" : "");
        return 1;
    case YB_ADMIN_SIZE:
        if (size_take(v, tx->arena, out))
            return 0;
        yb_admin_refuse(tx, YB_ERR_SYNTAX, f->name, err,
                        "%.*s is not a size (1048576, 512M, 2G, none)", YB_STR_ARG(v));
        return 1;
    case YB_ADMIN_YES_NO:
        if (yes_no_take(v, out))
            return 0;
        yb_admin_refuse(tx, YB_ERR_SYNTAX, f->name, err, "%.*s is not yes or no", YB_STR_ARG(v));
        return 1;
    case YB_ADMIN_ADDRESS:
        return yb_admin_target(tx, v, f->name, out, &key, err) < 0 ? 1 : 0;
    case YB_ADMIN_CHOICE:
        if (choice_take(v, f->choices))
            return 0;
        yb_admin_refuse(tx, YB_ERR_SYNTAX, f->name, err, "%.*s is not one of %s%s", YB_STR_ARG(v),
                        f->choices, f->none != NULL ? ", or none" : "");
        return 1;
    case YB_ADMIN_TIME:
        return yb_admin_time(tx, v, f->name, out, err);
    }
    return 0;
}

int
yb_admin_text(struct yb_admin_tx *tx, struct yb_str v, const char *field, struct yb_err *err)
{
    if (text_take(v))
        return 0;
    return yb_admin_refuse(tx, YB_ERR_SYNTAX, field, err,
                           "A text here is UTF-8 without controls, of at most %d octets",
                           TEXT_MOST);
}

int
yb_admin_place(struct yb_admin_tx *tx, struct yb_str v, const char *what, struct yb_err *err)
{
    char first = v.n == 0 ? '\0' : v.p[0];

    if (v.n == 0 || v.n > PLACE_MOST || !text_take(v))
        return yb_admin_refuse(tx, YB_ERR_VALUE, "name", err,
                               "A %s's name has 1 to %d octets of UTF-8 without controls", what,
                               PLACE_MOST);
    if (!yb_is_alpha(first) && !yb_is_digit(first) && (first & 0x80) == 0)
        return yb_admin_refuse(tx, YB_ERR_VALUE, "name", err,
                               "A %s's name begins with a letter or a digit", what);
    for (size_t i = 0; i < YB_COUNT(reserved); i++) {
        if (yb_str_eqi(v, yb_str_from(reserved[i])))
            return yb_admin_refuse(tx, YB_ERR_VALUE, "name", err,
                                   "%s is no name for a %s: it stands for other than one",
                                   reserved[i], what);
    }
    return 0;
}

int
yb_admin_set(struct yb_admin_tx *tx, const struct yb_admin_subject *s,
             const struct yb_admin_values *v, struct yb_err *err)
{
    const struct yb_admin_fields *f = s->kind->fields;
    struct yb_db_params p = { 0 };
    size_t given = 0;
    bool bad = false;

    yb_db_add_bytes(&p, s->id, sizeof(s->id));
    for (size_t i = 0; i < f->n; i++) {
        struct yb_str to = { NULL, 0 };
        int rc = v->v[i].p == NULL ? 0 : value_take(tx, &f->v[i], v->v[i], &to, err);

        if (rc < 0) {
            yb_db_params_free(&p);
            return -1;
        }
        bad = bad || rc > 0;
        given += to.p != NULL;
        yb_admin_add(&p, to);
    }
    if (!bad && given > 0)
        return yb_admin_change(tx, set_of(tx->a, s->kind), &p, s->kind->what, err);
    yb_db_params_free(&p);
    return bad ? -1 : 0;
}
