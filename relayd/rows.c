#include "relayd/rows.h"

#include "lib/base/buf.h"
#include "lib/base/map.h"

/* Numbers grow with the time they are given, and come nearly in their order. */
struct entry {
    uint64_t m;
    struct relayd_msg *msg; /* NULL: gone */
};

struct relayd_answer {
    size_t refs;
    unsigned code;
    uint16_t status_n, text_n;
    char key[]; /* code in 4 octets, length of the status in one, status, text */
};
#define ANSWER_HEAD 5
#define STATUS_MAX 11
#define TEXT_MAX RELAYD_TEXT_MAX

struct relayd_rows {
    struct entry *v;
    size_t n, room, dead;
    size_t first; /* before it all are gone */
    struct yb_map *tenants, *answers;
};

struct relayd_rows *
relayd_rows_new(void)
{
    struct relayd_rows *r = yb_alloc(1, sizeof(*r));

    r->tenants = yb_map_new();
    r->answers = yb_map_new();
    return r;
}

static struct yb_str
tenant_key(const struct yb_tenant_id *id)
{
    return yb_str((const char *)id->v, sizeof(id->v));
}

static struct relayd_tenant *
tenant_ref(struct relayd_rows *r, struct yb_tenant_id id)
{
    struct relayd_tenant *t = yb_map_get(r->tenants, tenant_key(&id));

    if (t == NULL) {
        t = yb_alloc(1, sizeof(*t));
        t->id = id;
        (void)yb_map_put(r->tenants, tenant_key(&id), t);
    }
    t->refs++;
    return t;
}

static void
tenant_unref(struct relayd_rows *r, struct relayd_tenant *t)
{
    if (--t->refs > 0)
        return;
    (void)yb_map_remove(r->tenants, tenant_key(&t->id));
    yb_free(t);
}

static struct yb_str
answer_key(const struct relayd_answer *a)
{
    return yb_str(a->key, (size_t)ANSWER_HEAD + a->status_n + a->text_n);
}

static struct relayd_answer *
answer_ref(struct relayd_rows *r, unsigned code, struct yb_str status, struct yb_str text)
{
    char key[ANSWER_HEAD + STATUS_MAX + TEXT_MAX];
    struct relayd_answer *a;
    size_t n;

    status = yb_str_head(status, STATUS_MAX);
    text = yb_str_head(text, TEXT_MAX);
    n = ANSWER_HEAD + status.n + text.n;
    for (size_t i = 0; i < 4; i++)
        key[i] = (char)(code >> (8 * i) & 0xff);
    key[4] = (char)status.n;
    if (status.n > 0)
        memcpy(key + ANSWER_HEAD, status.p, status.n);
    if (text.n > 0)
        memcpy(key + ANSWER_HEAD + status.n, text.p, text.n);
    a = yb_map_get(r->answers, yb_str(key, n));
    if (a == NULL) {
        a = yb_alloc(1, sizeof(*a) + n);
        a->code = code;
        a->status_n = (uint16_t)status.n;
        a->text_n = (uint16_t)text.n;
        memcpy(a->key, key, n);
        (void)yb_map_put(r->answers, yb_str(key, n), a);
    }
    a->refs++;
    return a;
}

static void
answer_unref(struct relayd_rows *r, struct relayd_answer *a)
{
    if (a == NULL || --a->refs > 0)
        return;
    (void)yb_map_remove(r->answers, answer_key(a));
    yb_free(a);
}

void
relayd_row_answer(struct relayd_rows *r, struct relayd_row_mem *row, unsigned code,
                  struct yb_str status, struct yb_str text)
{
    struct relayd_answer *old = row->answer;

    row->answer =
        code == 0 && status.n == 0 && text.n == 0 ? NULL : answer_ref(r, code, status, text);
    answer_unref(r, old);
}

static void
msg_free(struct relayd_rows *r, struct relayd_msg *msg)
{
    for (uint32_t i = 0; i < msg->n; i++) {
        answer_unref(r, msg->rows[i].answer);
        tenant_unref(r, msg->rows[i].tenant);
    }
    tenant_unref(r, msg->tenant);
    yb_free(msg);
}

void
relayd_rows_free(struct relayd_rows **rows)
{
    struct relayd_rows *r = *rows;

    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].msg != NULL)
            msg_free(r, r->v[i].msg);
    }
    yb_map_free(&r->tenants);
    yb_map_free(&r->answers);
    yb_free(r->v);
    yb_free(r);
    *rows = NULL;
}

/* --- by number --- */

/* Where the first stands whose number is at least m. */
static size_t
entry_at(const struct relayd_rows *r, uint64_t m)
{
    size_t from = 0, to = r->n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (r->v[mid].m < m)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

struct relayd_msg *
relayd_rows_find(const struct relayd_rows *r, uint64_t m)
{
    size_t at = entry_at(r, m);

    return at < r->n && r->v[at].m == m ? r->v[at].msg : NULL;
}

struct relayd_msg *
relayd_rows_from(const struct relayd_rows *r, uint64_t m)
{
    size_t at = entry_at(r, m);

    for (at = at < r->first ? r->first : at; at < r->n; at++) {
        if (r->v[at].msg != NULL)
            return r->v[at].msg;
    }
    return NULL;
}

size_t
relayd_rows_count(const struct relayd_rows *r)
{
    return r->n - r->dead;
}

/* Half of them are gone: the others move up. */
static void
close_up(struct relayd_rows *r)
{
    size_t to = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].msg != NULL)
            r->v[to++] = r->v[i];
    }
    r->n = to;
    r->dead = r->first = 0;
    if (r->room > 64 && r->n < r->room / 4) {
        r->room = r->n < 32 ? 64 : 2 * r->n;
        r->v = yb_realloc(r->v, r->room, sizeof(*r->v));
    }
}

static void
entry_put(struct relayd_rows *r, struct relayd_msg *msg)
{
    size_t at = entry_at(r, msg->m);

    r->first = at < r->first ? at : r->first;
    if (at < r->n && r->v[at].m == msg->m) { /* one that is gone: its number comes back */
        r->v[at].msg = msg;
        r->dead--;
        return;
    }
    if (r->n == r->room) {
        r->room = r->room == 0 ? 64 : r->room + r->room / 2;
        r->v = yb_realloc(r->v, r->room, sizeof(*r->v));
    }
    memmove(r->v + at + 1, r->v + at, (r->n - at) * sizeof(*r->v));
    r->v[at] = (struct entry){ msg->m, msg };
    r->n++;
}

/* --- messages --- */

static uint16_t
put_text(struct relayd_msg *msg, uint32_t *end, struct yb_str s, uint32_t *at)
{
    *at = *end;
    if (s.n > 0)
        memcpy((char *)msg + *end, s.p, s.n);
    *end += (uint32_t)s.n;
    return (uint16_t)s.n;
}

static struct yb_str
text_of(const struct relayd_msg *msg, uint32_t at, uint16_t n)
{
    return yb_str((const char *)msg + at, n);
}

static void
take_row(struct relayd_rows *r, struct relayd_msg *msg, uint32_t *end,
         const struct relayd_recipient *from, struct relayd_row_mem *to)
{
    *to = (struct relayd_row_mem){ .delivery = from->delivery,
                                   .account = from->account,
                                   .home = from->home,
                                   .tenant = tenant_ref(r, from->tenant),
                                   .quota = from->quota,
                                   .next_ms = from->next_ms,
                                   .at_ms = from->at_ms,
                                   .n = from->n,
                                   .attempts = from->attempts,
                                   .state = (uint8_t)from->state,
                                   .reason = (uint8_t)from->reason,
                                   .junk = from->junk,
                                   .repeat = from->repeat };
    to->address_n = put_text(msg, end, from->address, &to->address_at);
    relayd_row_answer(r, to, from->code, from->status, from->text);
}

struct relayd_msg *
relayd_rows_add(struct relayd_rows *r, const struct relayd_message *m)
{
    size_t size = sizeof(struct relayd_msg) + m->n * sizeof(struct relayd_row_mem);
    uint32_t end = (uint32_t)size;
    struct relayd_msg *msg;

    if (relayd_rows_find(r, m->m) != NULL)
        return NULL;
    size += m->sender.n;
    for (size_t i = 0; i < m->n; i++)
        size += m->r[i].address.n;
    yb_assert(size < UINT32_MAX);
    msg = yb_alloc(1, size);
    msg->m = m->m;
    msg->size = m->size;
    msg->arrived_ms = m->arrived_ms;
    msg->mid = m->mid;
    msg->sid = m->sid;
    msg->tenant = tenant_ref(r, m->tenant);
    msg->origin = (uint8_t)m->origin;
    msg->body_8bit = m->body_8bit;
    msg->utf8 = m->utf8;
    msg->file = m->file;
    msg->n = (uint32_t)m->n;
    msg->sender_n = put_text(msg, &end, m->sender, &msg->sender_at);
    for (uint32_t i = 0; i < msg->n; i++)
        take_row(r, msg, &end, &m->r[i], &msg->rows[i]);
    entry_put(r, msg);
    return msg;
}

struct relayd_row_mem *
relayd_row_find(struct relayd_msg *msg, uint32_t n)
{
    uint32_t from = 0, to = msg->n;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;

        if (msg->rows[mid].n < n)
            from = mid + 1;
        else
            to = mid;
    }
    return from < msg->n && msg->rows[from].n == n ? &msg->rows[from] : NULL;
}

void
relayd_row_drop(struct relayd_rows *r, struct relayd_msg *msg, struct relayd_row_mem *row)
{
    size_t behind = (size_t)(msg->rows + msg->n - (row + 1));

    answer_unref(r, row->answer);
    tenant_unref(r, row->tenant);
    memmove(row, row + 1, behind * sizeof(*row));
    msg->n--;
}

void
relayd_rows_drop(struct relayd_rows *r, struct relayd_msg *msg)
{
    size_t at = entry_at(r, msg->m);

    yb_assert(msg->n == 0 && at < r->n && r->v[at].msg == msg);
    r->v[at].msg = NULL;
    r->dead++;
    while (r->first < r->n && r->v[r->first].msg == NULL)
        r->first++;
    msg_free(r, msg);
    if (r->dead > 32 && r->dead > r->n / 2)
        close_up(r);
}

/* --- as others see them --- */

void
relayd_msg_view(const struct relayd_msg *msg, struct relayd_message *out)
{
    *out = (struct relayd_message){ .m = msg->m,
                                    .mid = msg->mid,
                                    .sid = msg->sid,
                                    .tenant = msg->tenant->id,
                                    .origin = (enum yb_lmtp_origin)msg->origin,
                                    .sender = text_of(msg, msg->sender_at, msg->sender_n),
                                    .body_8bit = msg->body_8bit,
                                    .utf8 = msg->utf8,
                                    .size = msg->size,
                                    .arrived_ms = msg->arrived_ms,
                                    .file = msg->file };
}

void
relayd_row_view(const struct relayd_msg *msg, const struct relayd_row_mem *row,
                struct relayd_recipient *out)
{
    const struct relayd_answer *a = row->answer;

    *out = (struct relayd_recipient){ .n = row->n,
                                      .delivery = row->delivery,
                                      .tenant = row->tenant->id,
                                      .account = row->account,
                                      .home = row->home,
                                      .address = text_of(msg, row->address_at, row->address_n),
                                      .quota = row->quota,
                                      .junk = row->junk,
                                      .repeat = row->repeat,
                                      .state = (enum relayd_state)row->state,
                                      .reason = (enum relayd_reason)row->reason,
                                      .attempts = row->attempts,
                                      .at_ms = row->at_ms };
    if (a == NULL)
        return;
    out->code = a->code;
    out->status = yb_str(a->key + ANSWER_HEAD, a->status_n);
    out->text = yb_str(a->key + ANSWER_HEAD + a->status_n, a->text_n);
}
