#include "relayd/filter.h"

#include "lib/mime/address.h"

#include <jansson.h>

#define BY_MOST 64 /* octets of who orders, as YB_ADMIN_ACTOR */

/* clang-format off */
static const char *const state_words[] = {
    [RELAYD_WAITING] = "waiting",
    [RELAYD_HELD] = "held",
};
static const char *const reason_words[RELAYD_REASONS] = {
    [RELAYD_OPERATOR] = "operator",
    [RELAYD_ACCOUNT_GONE] = "account-gone",
    [RELAYD_BACKEND_AWAY] = "backend-away",
    [RELAYD_NO_BODY] = "no-body",
    [RELAYD_DAMAGED] = "damaged",
    [RELAYD_REFUSED] = "refused",
};
static const char *const away_words[] = {
    [RELAYD_SITE_LMTPD] = "lmtpd-away",
    [RELAYD_SITE_DIRECTORY] = "directory-away",
};
/* clang-format on */

const char *
relayd_state_word(enum relayd_state state)
{
    yb_assert((size_t)state < YB_COUNT(state_words) && state_words[state] != NULL);
    return state_words[state];
}

const char *
relayd_why_word(const struct relayd_row *row)
{
    yb_assert((size_t)row->r->reason < YB_COUNT(reason_words) &&
              (size_t)row->away < YB_COUNT(away_words));
    return row->r->state == RELAYD_HELD ? reason_words[row->r->reason] : away_words[row->away];
}

/* --- reading --- */

static int
bad(struct yb_err *err, const char *member, const char *want)
{
    return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "%s: write %s", member, want);
}

/* The place of a word among `words`, from 1 on; 0: it is none. */
static size_t
word_take(struct yb_str v, const char *const *words, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (words[i] != NULL && yb_str_eq(v, yb_str_from(words[i])))
            return i;
    }
    return 0;
}

static int
message_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
             struct yb_err *err)
{
    f->by_message = yb_message_id_parse(v, &f->message);
    f->by_number = !f->by_message && yb_str_u64(v, INT64_MAX, &f->number);
    return f->by_message || f->by_number
               ? 0
               : bad(err, "message", "its number in the queue, or 32 hex digits");
}

static int
delivery_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
              struct yb_err *err)
{
    f->by_delivery = yb_delivery_id_parse(v, &f->delivery);
    return f->by_delivery ? 0 : bad(err, "delivery", "32 hex digits");
}

/* "a@b" or "@b". Addresses elsewhere may be as they are. */
static bool
address_take(struct yb_str v, enum yb_path_kind kind, struct yb_arena *arena,
             struct relayd_filter_address *to)
{
    struct yb_address a;
    struct yb_str rest, path;
    struct yb_err ignored = { 0 };

    to->set = true;
    if (v.n > 1 && v.p[0] == '@')
        return yb_domain_normal(yb_str_skip(v, 1), arena, &to->domain, &ignored) == 0;
    path = yb_arena_printf(arena, "<%.*s>", YB_STR_ARG(v));
    if (yb_path_parse(path, kind, true, arena, &a, &rest, &ignored) < 0 || rest.n > 0 || a.null ||
        a.no_domain || a.routed)
        return false;
    to->local = yb_address_fold(a.local, arena);
    to->domain = a.domain;
    return true;
}

static int
sender_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena, struct yb_err *err)
{
    f->sender.null = yb_str_eq(v, YB_STR("<>"));
    f->sender.set = f->sender.null;
    return f->sender.null || address_take(v, YB_PATH_REVERSE_FOREIGN, arena, &f->sender)
               ? 0
               : bad(err, "sender", "local@domain, @domain or <>");
}

static int
recipient_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena, struct yb_err *err)
{
    return address_take(v, YB_PATH_FORWARD_FOREIGN, arena, &f->recipient)
               ? 0
               : bad(err, "recipient", "local@domain or @domain");
}

static int
domain_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena, struct yb_err *err)
{
    struct yb_err ignored = { 0 };

    f->domain.set = true;
    return yb_domain_normal(v, arena, &f->domain.domain, &ignored) == 0
               ? 0
               : bad(err, "domain", "the name of a domain");
}

static int
tenant_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
            struct yb_err *err)
{
    f->by_tenant = yb_tenant_id_parse(v, &f->tenant);
    return f->by_tenant ? 0 : bad(err, "tenant", "32 hex digits");
}

static int
account_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
             struct yb_err *err)
{
    f->by_account = yb_account_id_parse(v, &f->account);
    return f->by_account ? 0 : bad(err, "account", "32 hex digits");
}

static int
state_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
           struct yb_err *err)
{
    f->state = (enum relayd_state)word_take(v, state_words, YB_COUNT(state_words));
    f->by_state = f->state != 0;
    return f->by_state ? 0 : bad(err, "state", "waiting or held");
}

static int
reason_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
            struct yb_err *err)
{
    f->reason = (enum relayd_reason)word_take(v, reason_words, YB_COUNT(reason_words));
    f->away = (enum relayd_site)word_take(v, away_words, YB_COUNT(away_words));
    f->by_reason = f->reason != RELAYD_NO_REASON || f->away != RELAYD_NO_SITE;
    return f->by_reason ? 0
                        : bad(err, "reason",
                              "operator, account-gone, backend-away, no-body, damaged, refused, "
                              "lmtpd-away or directory-away");
}

static int
after_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
           struct yb_err *err)
{
    size_t dot = yb_str_find(v, '.');
    uint64_t n;

    if (!yb_str_u64(yb_str_head(v, dot), INT64_MAX, &f->after.m) ||
        !yb_str_u64(yb_str_skip(v, dot + 1), UINT32_MAX, &n))
        return bad(err, "after", "what a list ended with, such as 12.0");
    f->after.n = (uint32_t)n;
    return 0;
}

/* It stands in events and logs. */
static int
by_take(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena YB_UNUSED,
        struct yb_err *err)
{
    for (size_t i = 0; i < v.n; i++) {
        if ((unsigned char)v.p[i] < ' ' || v.p[i] == 0x7f)
            return bad(err, "by", "a name without controls");
    }
    if (v.n == 0 || v.n > BY_MOST)
        return bad(err, "by", "a name of 1 to 64 octets");
    f->by = v;
    return 0;
}

static const struct {
    const char *name;
    int (*take)(struct relayd_filter *f, struct yb_str v, struct yb_arena *arena,
                struct yb_err *err);
} members[] = {
    { "message", message_take },
    { "delivery", delivery_take },
    { "sender", sender_take },
    { "domain", domain_take },
    { "recipient", recipient_take },
    { "tenant", tenant_take },
    { "account", account_take },
    { "state", state_take },
    { "reason", reason_take },
    { "after", after_take },
    { "by", by_take },
};

static int
number_take(struct relayd_filter *f, const char *name, json_int_t v, struct yb_err *err)
{
    if (strcmp(name, "limit") == 0) {
        if (v < 1)
            return bad(err, name, "a number from 1 on");
        f->limit = v > RELAYD_FILTER_ROWS_MAX ? RELAYD_FILTER_ROWS_MAX : (size_t)v;
        return 0;
    }
    if (v < 0 || v > INT64_MAX / 1000)
        return bad(err, name, "seconds, from 0 on");
    f->by_age = true;
    f->older_ms = v * 1000;
    return 0;
}

static int
member_take(struct relayd_filter *f, const char *name, const json_t *v, struct yb_arena *arena,
            struct yb_err *err)
{
    if (strcmp(name, "older") == 0 || strcmp(name, "limit") == 0)
        return json_is_integer(v) ? number_take(f, name, json_integer_value(v), err)
                                  : bad(err, name, "a number");
    for (size_t i = 0; i < YB_COUNT(members); i++) {
        if (strcmp(members[i].name, name) != 0)
            continue;
        if (!json_is_string(v))
            return bad(err, name, "a text");
        return members[i].take(
            f, yb_arena_dup(arena, yb_str(json_string_value(v), json_string_length(v))), arena,
            err);
    }
    return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "%s: nothing is chosen by that", name);
}

int
relayd_filter_parse(struct yb_str json, struct yb_arena *arena, struct yb_arena *scratch,
                    struct relayd_filter *f, struct yb_err *err)
{
    json_t *o = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL), *v;
    const char *name;
    int rc = 0;

    *f = (struct relayd_filter){ .limit = RELAYD_FILTER_ROWS, .scratch = scratch };
    if (!json_is_object(o))
        rc = yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                       "what is meant is said as one JSON object, each member once");
    else
        json_object_foreach(o, name, v)
        {
            if (rc == 0)
                rc = member_take(f, name, v, arena, err);
        }
    json_decref(o);
    return rc;
}

/* --- fitting --- */

/* Without quotes and backslashes. */
static struct yb_str
unquoted(struct yb_str local, struct yb_arena *arena)
{
    char *to = yb_arena_alloc(arena, local.n, 1);
    size_t n = 0;

    for (size_t i = 1; i + 1 < local.n; i++) {
        i += local.p[i] == '\\' && i + 2 < local.n;
        to[n++] = local.p[i];
    }
    return yb_str(to, n);
}

/* Letters of either case are one, quotes only a way to write; what is more than ASCII takes memory. */
static bool
local_fits(const struct relayd_filter *f, struct yb_str want, struct yb_str have)
{
    bool quoted = have.n > 1 && have.p[0] == '"', fits = yb_str_eqi(want, have);

    if (fits || (!quoted && yb_str_ascii(have)))
        return fits;
    if (quoted)
        have = unquoted(have, f->scratch);
    fits = yb_str_eq(want, yb_address_fold(have, f->scratch));
    yb_arena_reset(f->scratch);
    return fits;
}

static bool
address_fits(const struct relayd_filter *f, const struct relayd_filter_address *want,
             struct yb_str have)
{
    size_t at = yb_str_rfind(have, '@');

    if (!want->set)
        return true;
    if (want->null)
        return have.n == 0;
    return yb_str_eqi(want->domain, yb_str_skip(have, at + 1)) &&
           (want->local.n == 0 || local_fits(f, want->local, yb_str_head(have, at)));
}

static bool
message_fits(const struct relayd_filter *f, const struct relayd_message *m, int64_t now_ms)
{
    return (!f->by_number || f->number == m->m) &&
           (!f->by_message || yb_message_id_eq(f->message, m->mid)) &&
           (!f->by_age || m->arrived_ms <= now_ms - f->older_ms) &&
           address_fits(f, &f->sender, m->sender);
}

static bool
reason_fits(const struct relayd_filter *f, const struct relayd_row *row)
{
    if (!f->by_reason)
        return true;
    return f->away != RELAYD_NO_SITE ? row->r->state == RELAYD_WAITING && row->away == f->away
                                     : row->r->state == RELAYD_HELD && row->r->reason == f->reason;
}

bool
relayd_filter_fits(const struct relayd_filter *f, const struct relayd_row *row, int64_t now_ms)
{
    const struct relayd_recipient *r = row->r;

    return (!f->by_state || f->state == r->state) && reason_fits(f, row) &&
           (!f->by_delivery || yb_delivery_id_eq(f->delivery, r->delivery)) &&
           (!f->by_tenant || yb_tenant_id_eq(f->tenant, r->tenant)) &&
           (!f->by_account || yb_account_id_eq(f->account, r->account)) &&
           message_fits(f, row->m, now_ms) && address_fits(f, &f->domain, r->address) &&
           address_fits(f, &f->recipient, r->address);
}
