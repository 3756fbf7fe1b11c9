/*
 * yubin event list: what the daemons of this node wrote down about messages, from their segment
 * files. Whoever may read the folders sees it; no database is asked.
 */
#include "ctl/ctl.h"

#include "lib/event/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIST_LIMIT 1000

static const struct ctl_option_row list_options[] = {
    { "--message", "ID", "only of this message (mid= in the log and in its Received field)" },
    { "--address", "ADDRESS", "only from or to this address, as it was written" },
    { "--limit", "N", "the latest so many (1 000)" },
    { NULL, NULL, NULL },
};

struct found {
    int64_t time_us;
    json_t *event;
};

/* The latest `room` of what was found: a ring for each grade of each daemon, read in time's order.
 */
struct list {
    struct yb_str address;
    struct yb_message_id message;
    size_t room, n;
    struct found *v;
};

static bool
wanted(const struct list *l, const struct yb_event *e)
{
    if (!yb_message_id_is_zero(l->message) && !yb_message_id_eq(l->message, e->message))
        return false;
    return l->address.n == 0 || yb_str_eqi(l->address, e->sender) ||
           yb_str_eqi(l->address, e->recipient);
}

static void
put(json_t *o, const char *key, struct yb_str value)
{
    if (value.p != NULL)
        json_object_set_new(o, key, json_stringn(value.p, value.n));
}

static void
put_time(json_t *o, const char *key, int64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    char stamp[40];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    (void)snprintf(stamp + strftime(stamp, 30, "%Y-%m-%dT%H:%M:%S", &tm), 10, ".%06dZ",
                   (int)(us % 1000000));
    put(o, key, yb_str_from(stamp));
}

static json_t *
event_json(const struct yb_event_record *r)
{
    const struct yb_event *e = &r->event;
    char text[YB_ID_TEXT];
    json_t *o = json_object();

    put_time(o, "time", r->time_us);
    put(o, "node", yb_str_from(yb_node_id_text(r->node, text)));
    put(o, "daemon", r->daemon);
    put(o, "event", e->name);
    put(o, "session", yb_str_from(yb_session_id_text(e->session, text)));
    put(o, "message", yb_str_from(yb_message_id_text(e->message, text)));
    if (!yb_delivery_id_is_zero(e->delivery))
        put(o, "delivery", yb_str_from(yb_delivery_id_text(e->delivery, text)));
    if (!yb_tenant_id_is_zero(e->tenant))
        put(o, "tenant", yb_str_from(yb_tenant_id_text(e->tenant, text)));
    if (!yb_account_id_is_zero(e->account))
        put(o, "account", yb_str_from(yb_account_id_text(e->account, text)));
    put(o, "from", e->sender);
    put(o, "to", e->recipient);
    put(o, "client", e->client);
    put(o, "decision", e->decision);
    json_object_set_new(o, "code", json_integer(e->code));
    put(o, "status", e->status);
    put(o, "reason", e->reason);
    if (e->attempt > 0)
        json_object_set_new(o, "attempt", json_integer(e->attempt));
    if (e->next_us > 0)
        put_time(o, "next", e->next_us);
    return o;
}

/* One grade of one daemon into a ring of `room` places at l->v + l->n; they stay, in any order. */
static int
read_grade(struct list *l, const char *folder, enum yb_event_grade grade, struct yb_err *err)
{
    const struct yb_event_position from = { .segment = "" };
    struct yb_arena *arena = yb_arena_new(16384);
    struct yb_event_reader *reader = NULL;
    struct yb_event_record record;
    size_t n = 0;
    int rc = yb_event_reader_open(folder, grade, &from, &reader, err);

    while (rc == 0 && (rc = yb_event_read(reader, arena, &record, err)) == 1) {
        rc = 0;
        if (wanted(l, &record.event)) {
            struct found *place = &l->v[l->n + n++ % l->room];

            json_decref(place->event);
            *place = (struct found){ record.time_us, event_json(&record) };
        }
        yb_arena_reset(arena);
    }
    l->n += n < l->room ? n : l->room;
    yb_event_reader_close(&reader);
    yb_arena_free(&arena);
    return rc;
}

static int
by_time(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return (x->time_us > y->time_us) - (x->time_us < y->time_us);
}

/* All folders of this node; one that is not there belongs to a daemon that never ran here. */
static int
read_folders(struct ctl *c, struct list *l, struct yb_err *err)
{
    const struct yb_common_conf *common;

    if (ctl_common(c, &common, err) < 0)
        return -1;
    for (size_t i = 0; i < YB_ROLES; i++) {
        const struct yb_role *role = &yb_roles[i];
        const char *folder = yb_arena_printf(c->arena, "%s/%s", common->event_dir, role->name).p;
        bool there = role->writes_events && access(folder, F_OK) == 0;

        for (int g = 0; g < YB_EVENT_GRADES && there; g++) {
            if (read_grade(l, folder, (enum yb_event_grade)g, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int
event_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_str message = ctl_option(c, "--message");
    struct list l = { .address = ctl_option(c, "--address") };
    size_t shown;
    int rc;

    if (message.p != NULL && !yb_message_id_parse(message, &l.message))
        return yb_err_set(err, YB_PERM, "5.5.4", "A message's id is 32 hex digits");
    if (ctl_limit(c, LIST_LIMIT, &shown, err) < 0)
        return -1;
    l.room = shown + 1; /* and one by which it is known that there are more */
    l.v = yb_alloc(l.room * YB_ROLES * YB_EVENT_GRADES, sizeof(*l.v));
    rc = read_folders(c, &l, err);
    qsort(l.v, l.n, sizeof(*l.v), by_time);
    if (rc == 0)
        *out = json_array();
    for (size_t i = 0; i < l.n; i++) {
        if (rc == 0 && i + shown >= l.n)
            json_array_append(*out, l.v[i].event);
        json_decref(l.v[i].event);
    }
    if (rc == 0 && l.n > shown)
        ctl_tell_latest(shown);
    yb_free(l.v);
    return rc;
}

/* clang-format off */
const struct ctl_command ctl_event_commands[] = {
    { "event", "list", "", "what the daemons of this node decided about messages, oldest first",
      .options = list_options, .columns = "time daemon event decision status message from to reason",
      .offline = true, .run = event_list },
    { .noun = NULL },
};
/* clang-format on */
