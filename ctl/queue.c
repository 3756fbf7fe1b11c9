/*
 * yubin queue …: what waits in the queue of this node, why, and what is to become of it. relayd is
 * asked by its control socket; the database only where a name is said, and for the audit.
 */
#include "ctl/ctl.h"

#include "lib/base/clock.h"
#include "lib/daemon/conf_value.h"
#include "lib/daemon/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For one question: relayd looks through a part of the queue, or waits for its disk. One that does not
 * answer by then is stuck. */
#define CONTROL_MS 30000
#define LIST_COLUMNS                                                                               \
    "queue arrived size sender recipient state reason attempts due code status text"

#define FILTER_OPTIONS                                                                             \
    { "--message", "ID", "of this message (mid= in the log), or of this number in the queue" },    \
        { "--delivery", "ID", "this delivery (did= in the log)" },                                 \
        { "--sender", "ADDRESS", "from this address, from @domain, or from <>" },                  \
        { "--recipient", "ADDRESS", "to this address, or to @domain" },                            \
        { "--domain", "NAME", "to addresses of this domain" },                                     \
        { "--tenant", "NAME", "of this tenant, by name or id" },                                   \
        { "--account", "ADDRESS", "to this mailbox, by its account's address or id" },             \
        { "--state", "WORD", "waiting or held" },                                                  \
        { "--reason", "WORD",                                                                      \
          "held for this: operator, account-gone, backend-away, no-body, damaged, refused; or "    \
          "waits for: "                                                                            \
          "lmtpd-away, directory-away" },                                                          \
    {                                                                                              \
        "--older", "TIME", "in the queue for at least so long: 30m, 2h, 1d"                        \
    }

static const struct ctl_option_row list_options[] = { FILTER_OPTIONS,
                                                      CTL_PAGE_OPTIONS,
                                                      { NULL, NULL, NULL } };
static const struct ctl_option_row show_options[] = {
    { "--body", NULL, "the message itself, as it will be delivered" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row order_options[] = {
    FILTER_OPTIONS,
    { "--all", NULL, "all that is in the queue" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row delete_options[] = {
    FILTER_OPTIONS,
    { "--all", NULL, "all that is in the queue" },
    { "--yes", NULL, "it is meant: what is deleted is nowhere any more" },
    { NULL, NULL, NULL },
};

/* --- asking relayd --- */

/* errno where nobody could be connected to: what was asked was not done then. */
static bool
was_reached(const struct yb_err *err)
{
    return err->sys != ENOENT && err->sys != ECONNREFUSED;
}

static int
ask(struct ctl *c, struct yb_str command, struct yb_buf *answer, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_str path;
    int sys;

    if (ctl_common(c, &common, err) < 0)
        return -1;
    path = yb_arena_printf(c->arena, "%s/" YB_ROLE_NAME(RELAYD) YB_ROLE_CONTROL, common->run_dir);
    if (access(path.p, W_OK) < 0 && errno == EACCES)
        return yb_err_sys(err, YB_PERM, "5.7.1", "use %s", path.p);
    yb_buf_clear(answer);
    if (yb_control_call(path.p, command, answer, yb_deadline_in(CONTROL_MS), err) == 0)
        return 0;
    if (was_reached(err))
        return -1;
    sys = err->sys;
    yb_err_set(err, YB_TEMP, "4.4.1",
               "yubin-relayd does not run on this node: start it (systemctl start yubin-relayd); "
               "if it does not stay, its log says why. What is in its queue stays there");
    err->sys = sys;
    return -1;
}

/* The same of what answers JSON: *out is new. */
static int
ask_json(struct ctl *c, struct yb_str command, json_t **out, struct yb_err *err)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    int rc = ask(c, command, answer, err);

    *out = NULL;
    if (rc == 0) {
        *out = json_loadb(yb_buf_view(answer).p, yb_buf_size(answer), 0, NULL);
        if (!json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
            rc = yb_err_set(err, YB_TEMP, "4.5.0", "relayd sent no answer that can be read");
        }
    }
    yb_buf_free(&answer);
    return rc;
}

/* `word` and a filter. */
static struct yb_str
command_of(struct ctl *c, const char *word, const json_t *filter)
{
    char *text = json_dumps(filter, JSON_COMPACT);
    struct yb_str command = yb_arena_printf(c->arena, "%s %s", word, text);

    free(text); /* Jansson's own */
    return command;
}

/* --- which of the queue --- */

/* Options that relayd itself judges. */
static const struct {
    const char *option, *member;
} texts[] = {
    { "--message", "message" },     { "--delivery", "delivery" }, { "--sender", "sender" },
    { "--recipient", "recipient" }, { "--domain", "domain" },     { "--state", "state" },
    { "--reason", "reason" },
};

static int
older_take(struct ctl *c, json_t *filter, struct yb_err *err)
{
    static const struct yb_conf_option how = { .name = "older",
                                               .type = YB_CONF_DURATION,
                                               .max = INT64_MAX };
    struct yb_str said = ctl_option(c, "--older");
    struct yb_err why = { 0 };
    int64_t ms = 0;

    if (said.p == NULL)
        return 0;
    if (yb_conf_value_parse(&how, said, c->arena, &ms, &why) < 0)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "--older: %s", why.text);
    json_object_set_new(filter, "older", json_integer(ms / 1000));
    return 0;
}

/* An id, or the one in the card of what has this name. */
static int
name_take(struct ctl *c, const char *option, const char *member, json_t *filter,
          int (*show)(struct yb_admin_tx *, struct yb_str, json_t **, struct yb_err *),
          struct yb_err *err)
{
    struct yb_str said = ctl_option(c, option);
    uint8_t id[YB_ID_BYTES];
    json_t *card = NULL;
    char key[20];
    int rc = 0;

    if (said.p == NULL)
        return 0;
    if (yb_unhex(said, id, sizeof(id))) {
        json_object_set_new(filter, member, json_string(said.p));
        return 0;
    }
    if (ctl_begin(c, err) < 0 || show(c->tx, said, &card, err) < 0)
        return -1;
    (void)snprintf(key, sizeof(key), "%s_id", member);
    if (json_object_set(filter, member, json_object_get(card, key)) < 0)
        rc = yb_err_inside(err, YB_BUG, "4.3.0", "no %s in the card", key);
    json_decref(card);
    return rc;
}

/* The options as relayd wants them. *out is new. */
static int
filter_take(struct ctl *c, json_t **out, struct yb_err *err)
{
    *out = json_object();
    for (size_t i = 0; i < YB_COUNT(texts); i++) {
        struct yb_str said = ctl_option(c, texts[i].option);

        if (said.p != NULL)
            json_object_set_new(*out, texts[i].member, json_string(said.p));
    }
    if (older_take(c, *out, err) == 0 &&
        name_take(c, "--tenant", "tenant", *out, yb_admin_tenant_show, err) == 0 &&
        name_take(c, "--account", "account", *out, yb_admin_account_show, err) == 0)
        return 0;
    json_decref(*out);
    *out = NULL;
    return -1;
}

/* --- list --- */

/* At most `left` rows behind *at, which is where they end then; empty: at the end. */
static int
take_rows(struct ctl *c, json_t *filter, size_t left, struct yb_str *at, json_t *rows,
          struct yb_err *err)
{
    json_t *answer;

    if (at->n > 0)
        json_object_set_new(filter, "after", json_stringn(at->p, at->n));
    json_object_set_new(filter, "limit", json_integer((json_int_t)left));
    if (ask_json(c, command_of(c, "queue-list", filter), &answer, err) < 0)
        return -1;
    json_array_extend(rows, json_object_get(answer, "rows"));
    *at = yb_arena_dup(c->arena, yb_str_from(json_string_value(json_object_get(answer, "next"))));
    json_decref(answer);
    return 0;
}

/* As many rows as were asked for: an answer of relayd is bounded in octets and in what it looks at. */
static int
queue_page(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    size_t limit = page->limit == 0 ? YB_ADMIN_PAGE : page->limit;
    json_t *filter = json_copy(c->asked);
    int rc;

    *out = json_array();
    page->next = page->after;
    do {
        rc = take_rows(c, filter, limit - json_array_size(*out), &page->next, *out, err);
    } while (rc == 0 && page->next.n > 0 && json_array_size(*out) < limit);
    json_decref(filter);
    if (rc < 0) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

static int
queue_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    int rc = filter_take(c, &c->asked, err);

    if (rc == 0)
        rc = ctl_list(c, out, err);
    json_decref(c->asked);
    c->asked = NULL;
    return rc;
}

/* --- show --- */

/* All recipients that are left of a message join what is known of it. */
static int
join_recipients(struct ctl *c, json_t *message, struct yb_err *err)
{
    json_t *rows = json_array(), *filter;
    struct yb_str at = YB_STR("");
    int rc;

    json_object_set_new(message, "recipients", rows);
    filter = json_pack(
        "{s:o}", "message",
        json_sprintf("%lld", (long long)json_integer_value(json_object_get(message, "queue"))));
    do {
        rc = take_rows(c, filter, YB_ADMIN_PAGE, &at, rows, err);
    } while (rc == 0 && at.n > 0);
    json_decref(filter);
    return rc;
}

/* Whose message an operator looked at is known before he sees it: a row for each mailbox. */
static int
note_reader(struct ctl *c, const json_t *message, struct yb_err *err)
{
    struct yb_str id = yb_str_from(json_string_value(json_object_get(message, "message")));
    json_t *r;
    size_t i;

    if (ctl_begin(c, err) < 0)
        return -1;
    json_array_foreach(json_object_get(message, "recipients"), i, r)
    {
        struct yb_account_id account;
        struct yb_str text = yb_str_from(json_string_value(json_object_get(r, "account_id")));
        bool known = text.p != NULL && yb_account_id_parse(text, &account);

        yb_admin_deed_outside(
            c->tx, &(struct yb_admin_outside){
                       .action = "queue.body",
                       .object = id,
                       .account = known ? &account : NULL,
                       .read = true,
                       .after = json_pack("{s:O}", "recipient", json_object_get(r, "recipient")) });
    }
    return ctl_commit(c, err);
}

/* What others wrote must not steer the operator's terminal; a file or a program gets the octets. */
static void
put_octets(struct yb_str s, char *before)
{
    if (!isatty(STDOUT_FILENO)) {
        fwrite(s.p, 1, s.n, stdout);
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned char o = (unsigned char)s.p[i];
        bool control = (o < ' ' && o != '\n' && o != '\t') || o == 0x7f ||
                       (*before == (char)0xc2 && o >= 0x80 && o < 0xa0);

        if (o != '\r')
            putchar(control ? '?' : (char)o);
        *before = (char)o;
    }
}

static int
show_body(struct ctl *c, const json_t *message, struct yb_err *err)
{
    json_int_t number = json_integer_value(json_object_get(message, "queue"));
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    unsigned long long at = 0;
    char before = '\0';
    int rc = note_reader(c, message, err);

    while (rc == 0) {
        rc = ask(c, yb_arena_printf(c->arena, "queue-body %lld %llu", (long long)number, at),
                 answer, err);
        if (rc == 0 && yb_buf_size(answer) == 0)
            break;
        if (rc == 0)
            put_octets(yb_buf_view(answer), &before);
        at += yb_buf_size(answer);
    }
    yb_buf_free(&answer);
    return rc;
}

/* For people: the message, and its recipients as a table. */
static void
show_text(struct ctl *c, json_t *message)
{
    static const struct ctl_command table = {
        .columns = "n recipient state reason attempts due code status text delivery"
    };
    const struct ctl_command *own = c->command;
    json_t *recipients = json_incref(json_object_get(message, "recipients"));

    json_object_del(message, "recipients");
    ctl_print(c, message);
    putchar('\n');
    c->command = &table;
    ctl_print(c, recipients);
    c->command = own;
    json_decref(recipients);
}

static int
queue_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    bool body = ctl_has(c, "--body"), json = c->json || c->lines;
    json_t *message;
    int rc = 0;

    if (body && json)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                         "--body goes without --json: the octets of a message are none");
    if (ask_json(c, yb_arena_printf(c->arena, "queue-show %s", c->words[0]), &message, err) < 0)
        return -1;
    rc = join_recipients(c, message, err);
    if (rc == 0 && body)
        rc = show_body(c, message, err);
    else if (rc == 0 && json)
        *out = json_incref(message);
    else if (rc == 0)
        show_text(c, message);
    json_decref(message);
    return rc;
}

/* --- retry, hold, release, delete --- */

struct task {
    const char *command, *action;
    json_t *filter;
    json_int_t matched, changed, underway;
    bool unknown; /* the last part of it may have been done, or not */
};

/* What the audit calls it: the narrowest thing that was named. */
static struct yb_str
object_of(const struct ctl *c)
{
    static const char *const names[] = { "--delivery", "--message", "--recipient", "--account",
                                         "--sender",   "--domain",  "--tenant" };

    for (size_t i = 0; i < YB_COUNT(names); i++) {
        if (ctl_has(c, names[i]))
            return ctl_option(c, names[i]);
    }
    return YB_STR("queue");
}

/* Of an account its tenant is known to the database. */
static void
note_order(struct ctl *c, const struct task *o)
{
    struct yb_str of = yb_str_from(json_string_value(json_object_get(o->filter, "account")));
    struct yb_admin_outside deed = { .action = o->action, .object = object_of(c) };
    struct yb_account_id account;
    struct yb_tenant_id tenant;

    if (of.p != NULL) {
        deed.account = yb_account_id_parse(of, &account) ? &account : NULL;
    } else {
        of = yb_str_from(json_string_value(json_object_get(o->filter, "tenant")));
        deed.tenant = of.p != NULL && yb_tenant_id_parse(of, &tenant) ? &tenant : NULL;
    }
    deed.after = json_pack("{s:O, s:I, s:I, s:I}", "filter", o->filter, "matched", o->matched,
                           "changed", o->changed, "underway", o->underway);
    if (o->unknown)
        json_object_set_new(deed.after, "outcome", json_string("unknown"));
    yb_admin_deed_outside(c->tx, &deed);
}

/* Part by part, since relayd does other things too. */
static int
carry_out(struct ctl *c, struct task *o, struct yb_err *err)
{
    const struct yb_str by = yb_str_head(c->actor.name, YB_ADMIN_ACTOR);
    json_t *part = json_copy(o->filter), *answer;
    const char *next;
    bool more;
    int rc;

    json_object_set_new(part, "by", json_stringn(by.p, by.n));
    do {
        rc = ask_json(c, command_of(c, o->command, part), &answer, err);
        if (rc < 0)
            break;
        o->matched += json_integer_value(json_object_get(answer, "matched"));
        o->changed += json_integer_value(json_object_get(answer, "changed"));
        o->underway += json_integer_value(json_object_get(answer, "underway"));
        next = json_string_value(json_object_get(answer, "next"));
        more = next != NULL;
        if (more)
            json_object_set_new(part, "after", json_string(next));
        json_decref(answer);
    } while (more);
    o->unknown = rc < 0 && err->class != YB_PERM && was_reached(err);
    json_decref(part);
    return rc;
}

/* The database is asked first: without it nothing is done, since nobody would know. What was done is
 * written down, whatever became of the rest. */
static int
run_order(struct ctl *c, struct task *o, json_t **out, struct yb_err *err)
{
    struct yb_err later = { 0 };
    bool done;
    int rc;

    if (ctl_begin(c, err) < 0)
        return -1;
    rc = carry_out(c, o, err);
    done = o->changed > 0 || o->underway > 0 || o->unknown;
    if (done)
        note_order(c, o);
    if (rc < 0 && done) {
        if (ctl_commit(c, &later) < 0)
            fprintf(stderr, "yubin: the audit does not have it: %s\n", later.text);
        later = *err;
        return yb_err_as(err, later.kind, later.class, later.status,
                         "%s (%lld were changed before; the rest %s)", later.text,
                         (long long)o->changed, o->unknown ? "may be" : "is as it was");
    }
    if (rc < 0)
        return -1;
    if (o->matched == 0 && (ctl_has(c, "--message") || ctl_has(c, "--delivery")))
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1",
                         "That is not in the queue: yubin event list says what became of it");
    *out = json_pack("{s:I, s:I, s:I}", "matched", o->matched, "changed", o->changed, "underway",
                     o->underway);
    return 0;
}

static int
order(struct ctl *c, const char *command, const char *action, json_t **out, struct yb_err *err)
{
    struct task o = { .command = command, .action = action };
    bool all = ctl_has(c, "--all");
    int rc = filter_take(c, &o.filter, err);

    if (rc == 0 && all && json_object_size(o.filter) > 0)
        rc = yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                       "--all goes without options that choose some");
    else if (rc == 0 && !all && json_object_size(o.filter) == 0)
        rc = yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                       "Which? Say it by an option, or --all; yubin queue list takes the same and "
                       "shows which they are");
    else if (rc == 0 && ctl_has(c, "--yes") != (c->command->options == delete_options))
        rc = yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                       "What is deleted is nowhere any more: look with yubin queue list and the "
                       "same options, then say --yes");
    if (rc == 0)
        rc = run_order(c, &o, out, err);
    json_decref(o.filter);
    return rc;
}

static int
queue_retry(struct ctl *c, json_t **out, struct yb_err *err)
{
    return order(c, "queue-retry", "queue.retry", out, err);
}

static int
queue_hold(struct ctl *c, json_t **out, struct yb_err *err)
{
    return order(c, "queue-hold", "queue.hold", out, err);
}

static int
queue_release(struct ctl *c, json_t **out, struct yb_err *err)
{
    return order(c, "queue-release", "queue.release", out, err);
}

static int
queue_delete(struct ctl *c, json_t **out, struct yb_err *err)
{
    return order(c, "queue-delete", "queue.delete", out, err);
}

/* clang-format off */
const struct ctl_command ctl_queue_commands[] = {
    { "queue", "list", "", "mail that waits in this node's queue, oldest first",
      .options = list_options, .columns = LIST_COLUMNS, .late = true, .run = queue_list, .list = queue_page },
    { "queue", "show", "MESSAGE", "one message that waits, by its number in the queue or its id",
      .options = show_options, .late = true, .run = queue_show },
    { "queue", "retry", "", "has it tried at once, whenever it is due",
      .options = order_options, .late = true, .run = queue_retry },
    { "queue", "hold", "", "keeps it in the queue, untried, until it is released",
      .options = order_options, .late = true, .run = queue_hold },
    { "queue", "release", "", "ends a hold, whatever it is for: it is tried at once",
      .options = order_options, .late = true, .run = queue_release },
    { "queue", "delete", "", "throws it away; its sender is not told",
      .options = delete_options, .late = true, .run = queue_delete },
    { .noun = NULL },
};
/* clang-format on */
