/* One event as one line: "<length> <checksum> <logfmt>\n". */
#include "lib/base/logfmt.h"
#include "lib/base/map.h"
#include "lib/event/segment.h"

#include <stdio.h>

#define ADDRESS_MAX 320
#define TEXT_MAX 400

static const char *const grade_names[YB_EVENT_GRADES] = { "debug", "step", "final" };

/* Against torn and zeroed lines, not against people: the key is public. */
static uint32_t
checksum(struct yb_str s)
{
    static const uint64_t key[2] = { 0x79756269, 0x6e };

    return (uint32_t)yb_siphash(key, s);
}

void
yb_event_line_seal(char *line, size_t n)
{
    char seal[32];

    snprintf(seal, sizeof(seal), "%05zu %08x ", n, checksum(yb_str(line + SEAL_SIZE, n)));
    memcpy(line, seal, SEAL_SIZE);
}

struct line {
    char *p;
    size_t n;
};

static void
put_text(struct line *l, const char *key, struct yb_str value, size_t max)
{
    if (value.p != NULL)
        l->n = yb_logfmt_put(l->p, l->n, YB_EVENT_LINE_MAX - 1, key, yb_str_head(value, max));
}

static void
put_id(struct line *l, const char *key, const uint8_t *id, size_t size)
{
    static const uint8_t zero[YB_ID_BYTES];
    char hex[YB_ID_TEXT];

    if (memcmp(id, zero, size) != 0)
        put_text(l, key, yb_str_from(yb_hex(id, size, hex)), sizeof(hex));
}

static void
put_number(struct line *l, const char *key, int64_t value)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    put_text(l, key, yb_str_from(digits), sizeof(digits));
}

size_t
yb_event_line_write(const struct yb_event_record *r, char *out)
{
    const struct yb_event *e = &r->event;
    struct line l = { out, SEAL_SIZE - 1 }; /* the first field brings the space */

    put_number(&l, "ts", r->time_us);
    put_id(&l, "node", r->node.v, sizeof(r->node.v));
    put_text(&l, "daemon", r->daemon, TEXT_MAX);
    put_text(&l, "grade", yb_str_from(grade_names[e->grade]), TEXT_MAX);
    put_text(&l, "event", e->name, TEXT_MAX);
    put_id(&l, "sid", e->session.v, sizeof(e->session.v));
    put_id(&l, "mid", e->message.v, sizeof(e->message.v));
    put_id(&l, "did", e->delivery.v, sizeof(e->delivery.v));
    put_id(&l, "tenant", e->tenant.v, sizeof(e->tenant.v));
    put_id(&l, "account", e->account.v, sizeof(e->account.v));
    put_text(&l, "from", e->sender, ADDRESS_MAX);
    put_text(&l, "to", e->recipient, ADDRESS_MAX);
    put_text(&l, "client", e->client, TEXT_MAX);
    put_text(&l, "decision", e->decision, TEXT_MAX);
    if (e->code != 0)
        put_number(&l, "code", e->code);
    put_text(&l, "status", e->status, TEXT_MAX);
    put_text(&l, "reason", e->reason, TEXT_MAX);
    if (e->attempt != 0)
        put_number(&l, "attempt", e->attempt);
    if (e->next_us != 0)
        put_number(&l, "next", e->next_us);
    yb_event_line_seal(out, l.n - SEAL_SIZE);
    out[l.n++] = '\n';
    return l.n;
}

/* Length and checksum hold. */
static bool
take_payload(struct yb_str line, struct yb_str *payload)
{
    char seal[32];

    if (line.n < SEAL_SIZE || line.n >= YB_EVENT_LINE_MAX)
        return false;
    *payload = yb_str_skip(line, SEAL_SIZE);
    snprintf(seal, sizeof(seal), "%05zu %08x ", payload->n, checksum(*payload));
    return memcmp(seal, line.p, SEAL_SIZE) == 0;
}

static bool
parse_grade(struct yb_str value, enum yb_event_grade *grade)
{
    for (size_t i = 0; i < YB_EVENT_GRADES; i++) {
        if (yb_str_eq(value, yb_str_from(grade_names[i]))) {
            *grade = (enum yb_event_grade)i;
            return true;
        }
    }
    return false;
}

/* Where a field goes: as text, or as an id of so many bytes. */
struct field {
    const char *key;
    struct yb_str *text;
    uint8_t *id;
    size_t id_size;
};

static bool
take_field(const struct field *fields, size_t n, struct yb_str key, struct yb_str value)
{
    for (size_t i = 0; i < n; i++) {
        if (!yb_str_eq(key, yb_str_from(fields[i].key)))
            continue;
        if (fields[i].id != NULL)
            return yb_unhex(value, fields[i].id, fields[i].id_size);
        *fields[i].text = value;
        return true;
    }
    return true; /* a field of a later version */
}

/* One that is not there is 0. */
static bool
take_number(struct yb_str value, uint64_t max, uint64_t *out)
{
    return value.p == NULL || yb_str_u64(value, max, out);
}

bool
yb_event_line_parse(struct yb_str line, struct yb_arena *arena, struct yb_event_record *r)
{
    struct yb_event *e = &r->event;
    struct yb_str ts = { 0 }, grade = { 0 }, code = { 0 }, attempt = { 0 }, next = { 0 };
    struct yb_str key, value;
    const struct field fields[] = {
        { "ts", &ts, NULL, 0 },
        { "node", NULL, r->node.v, sizeof(r->node.v) },
        { "daemon", &r->daemon, NULL, 0 },
        { "grade", &grade, NULL, 0 },
        { "event", &e->name, NULL, 0 },
        { "sid", NULL, e->session.v, sizeof(e->session.v) },
        { "mid", NULL, e->message.v, sizeof(e->message.v) },
        { "did", NULL, e->delivery.v, sizeof(e->delivery.v) },
        { "tenant", NULL, e->tenant.v, sizeof(e->tenant.v) },
        { "account", NULL, e->account.v, sizeof(e->account.v) },
        { "from", &e->sender, NULL, 0 },
        { "to", &e->recipient, NULL, 0 },
        { "client", &e->client, NULL, 0 },
        { "decision", &e->decision, NULL, 0 },
        { "code", &code, NULL, 0 },
        { "status", &e->status, NULL, 0 },
        { "reason", &e->reason, NULL, 0 },
        { "attempt", &attempt, NULL, 0 },
        { "next", &next, NULL, 0 },
    };
    uint64_t number[4] = { 0 };
    int rc;

    *r = (struct yb_event_record){ 0 };
    if (!take_payload(line, &line))
        return false;
    while ((rc = yb_logfmt_next(&line, arena, &key, &value)) == 1) {
        if (!take_field(fields, YB_COUNT(fields), key, value))
            return false;
    }
    if (rc < 0 || e->name.n == 0 || !parse_grade(grade, &e->grade) ||
        !yb_str_u64(ts, INT64_MAX, &number[0]) || !take_number(code, 999, &number[1]) ||
        !take_number(attempt, UINT32_MAX, &number[2]) || !take_number(next, INT64_MAX, &number[3]))
        return false;
    r->time_us = (int64_t)number[0];
    e->code = (unsigned)number[1];
    e->attempt = (uint32_t)number[2];
    e->next_us = (int64_t)number[3];
    return true;
}
