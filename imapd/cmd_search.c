/*
 * SEARCH, in slices of time: a step looks at messages, or at a part of one, for a while and lets
 * others work. Keys that the index answers come first, then those of the parsed form, then headers,
 * then bodies; what those two need is found out once a message for all keys (seek.h). RFC 3501
 * §6.4.4, ESEARCH of RFC 4731, MODSEQ of RFC 7162 §3.1.5.
 */
#include "imapd/cmd.h"
#include "imapd/message.h"
#include "imapd/reply.h"
#include "imapd/seek.h"
#include "imapd/sync.h"
#include "imapd/text.h"

#include "lib/base/clock.h"

#define MESSAGE_ARENA 16384
/* Between two looks at the clock: keys looked at, octets compared. */
#define KEYS_A_LOOK 4096
#define COMPARED_A_LOOK ((size_t)1 << 20)

/* A text looked for in one of those that are kept of each message. */
struct parsed_needle {
    enum imapd_searched which;
    struct yb_str text; /* folded and squeezed */
    bool found;         /* in the message under way */
};

struct search_job {
    struct imapd_search args;
    const struct yb_rows *rows;
    struct yb_arena *arena;     /* for one message */
    size_t next;                /* row to look at */
    const struct yb_zone *zone; /* whose days are meant, those that INTERNALDATE tells */
    uint32_t *hits;             /* sequence numbers or UIDs */
    size_t n_hits, told;
    uint64_t modseq; /* highest of the hits */

    /* The texts that keys look for, in the parsed form and in the messages themselves; a key's
     * `number` is the index of its own. */
    struct parsed_needle *parsed;
    size_t n_parsed;
    struct imapd_needle *needles;
    size_t n_needles;
    struct imapd_seek *seek; /* NULL: there are none */

    /* The message under way. */
    bool looking;
    const struct yb_record *record;
    uint32_t seq;
    struct imapd_message message;
    size_t parsed_done; /* of `parsed` */
    unsigned keys;      /* looked at since the last look at the clock */
};

static void
search_end(struct imapd_cmd *c)
{
    struct search_job *j = c->job;

    if (j->looking)
        imapd_message_end(&j->message);
    if (j->rows != NULL)
        yb_rows_release(&j->rows);
    if (j->arena != NULL && c->s->mailbox != NULL)
        yb_mailbox_cache_settle(c->s->mailbox);
    imapd_seek_free(&j->seek);
    yb_arena_free(&j->arena);
}

/* --- preparing --- */

enum cost { COST_INDEX, COST_PARSED, COST_HEADER, COST_BODY };

/* clang-format off */
static const enum cost costs[] = { /* those not named are answered by the index */
    [IMAPD_KEY_SENT_BEFORE] = COST_PARSED,
    [IMAPD_KEY_SENT_ON]     = COST_PARSED,
    [IMAPD_KEY_SENT_SINCE]  = COST_PARSED,
    [IMAPD_KEY_HEADER]      = COST_HEADER,
    [IMAPD_KEY_BODY]        = COST_BODY,
    [IMAPD_KEY_TEXT]        = COST_BODY,
    [IMAPD_KEY_AND]         = COST_INDEX,
};
/* clang-format on */

/* Is it a header field whose text is in the parsed form? */
static bool
is_parsed_field(const struct imapd_key *k)
{
    return k->kind == IMAPD_KEY_HEADER && imapd_searched_field(k->field) < IMAPD_SEARCHED;
}

/* The dearest of a key and what is inside it. */
static enum cost
key_cost(const struct imapd_key *k)
{
    enum cost cost = costs[k->kind];

    if (is_parsed_field(k))
        return COST_PARSED;
    for (const struct imapd_key *child = k->child; child != NULL; child = child->next) {
        enum cost of_child = key_cost(child);

        cost = of_child > cost ? of_child : cost;
    }
    return cost;
}

/* Cheap keys first: the dear ones are asked of what is left. */
static void
sort_children(struct imapd_key *k)
{
    struct imapd_key *sorted = NULL, **last = &sorted;

    for (enum cost cost = COST_INDEX; cost <= COST_BODY; cost++) {
        for (struct imapd_key **at = &k->child; *at != NULL;) {
            struct imapd_key *child = *at;

            if (key_cost(child) != cost) {
                at = &child->next;
                continue;
            }
            *at = child->next;
            *last = child;
            last = &child->next;
            child->next = NULL;
        }
    }
    k->child = sorted;
}

static uint64_t
keyword_number(struct imapd_cmd *c, struct yb_str name)
{
    const struct yb_keywords *k = imapd_cmd_keywords(c);

    return k == NULL ? YB_KEYWORD_NONE : yb_keywords_find(k, name);
}

/* By the keywords that prepare_key() had read. */
static bool
has_keyword(const struct imapd_cmd *c, const struct yb_record *r, uint64_t number)
{
    const struct yb_keywords *k = c->s->keywords;

    return k != NULL && yb_keywords_has(k, r, number);
}

/* A text that is looked for. */
static void
add_needle(struct imapd_cmd *c, struct search_job *j, struct imapd_key *k)
{
    struct imapd_needle *needle = &j->needles[j->n_needles];

    if (is_parsed_field(k)) {
        j->parsed[j->n_parsed] =
            (struct parsed_needle){ .which = imapd_searched_field(k->field),
                                    .text = imapd_text_squeeze(k->text, c->arena) };
        k->number = j->n_parsed++;
        return;
    }
    needle->where = k->kind == IMAPD_KEY_HEADER ? IMAPD_SEEK_FIELD
                    : k->kind == IMAPD_KEY_TEXT ? IMAPD_SEEK_TEXT
                                                : IMAPD_SEEK_BODY;
    needle->field = k->field;
    needle->text = k->text;
    needle->squeezed = imapd_text_squeeze(k->text, c->arena);
    k->number = j->n_needles++;
}

/* Resolves what a key and those inside it name, against the mailbox as it is now. A number that no
 * message has is no error here: it matches nothing. */
static void
prepare_key(struct imapd_cmd *c, struct search_job *j, struct imapd_key *k)
{
    uint32_t n = (uint32_t)j->rows->n;

    if (k->kind == IMAPD_KEY_SEQ) {
        imapd_set_resolve(&k->set, n);
    } else if (k->kind == IMAPD_KEY_UID) {
        imapd_set_resolve(&k->set, n > 0 ? j->rows->v[n - 1].uid : 1);
    } else if (k->kind == IMAPD_KEY_KEYWORD) {
        k->number = keyword_number(c, k->text);
    } else if (k->text.p != NULL) {
        k->text = imapd_text_needle(k->text, c->arena);
        add_needle(c, j, k);
    }
    for (struct imapd_key *child = k->child; child != NULL; child = child->next)
        prepare_key(c, j, child);
    sort_children(k);
}

/* --- looking --- */

/* Whether a message has what a key asks for, as far as that is known: what is not has to be found
 * out first. */
enum answer { NO, YES, ASK_PARSED, ASK_HEADER, ASK_BODY };

static enum answer
yes(bool is)
{
    return is ? YES : NO;
}

static enum answer
sought_matches(const struct search_job *j, const struct imapd_key *k)
{
    const struct imapd_needle *needle = &j->needles[k->number];

    if (needle->found || imapd_seek_stage_of(j->seek) == IMAPD_SOUGHT_ALL)
        return yes(needle->found);
    if (imapd_seek_stage_of(j->seek) == IMAPD_SOUGHT_NOTHING && needle->where != IMAPD_SEEK_BODY)
        return ASK_HEADER;
    return needle->where == IMAPD_SEEK_FIELD ? NO : ASK_BODY;
}

static enum answer
parsed_matches(const struct search_job *j, const struct imapd_key *k)
{
    const struct imapd_parsed *p = &j->message.parsed;

    if (!j->message.has_parsed)
        return ASK_PARSED;
    if (k->kind == IMAPD_KEY_HEADER)
        return k->number < j->parsed_done ? yes(j->parsed[k->number].found) : ASK_PARSED;
    if (!p->has_sent)
        return NO;
    if (k->kind == IMAPD_KEY_SENT_BEFORE)
        return yes(p->sent_day < k->day);
    return yes(k->kind == IMAPD_KEY_SENT_ON ? p->sent_day == k->day : p->sent_day >= k->day);
}

static enum answer
index_matches(const struct imapd_cmd *c, const struct search_job *j, const struct imapd_key *k)
{
    const struct yb_record *r = j->record;
    bool recent = yb_view_is_recent(&c->s->view, r->uid);
    const struct yb_zone *zone = j->zone;

    switch ((unsigned)k->kind) {
    case IMAPD_KEY_FLAG:
        return yes(((r->flags & k->number) != 0) == k->yes);
    case IMAPD_KEY_KEYWORD:
        return yes(has_keyword(c, r, k->number) == k->yes);
    case IMAPD_KEY_RECENT:
        return yes(recent == k->yes);
    case IMAPD_KEY_NEW:
        return yes(recent && (r->flags & YB_FLAG_SEEN) == 0);
    case IMAPD_KEY_SEQ:
        return yes(imapd_set_has(&k->set, j->seq));
    case IMAPD_KEY_UID:
        return yes(imapd_set_has(&k->set, r->uid));
    case IMAPD_KEY_BEFORE:
        return yes(yb_zone_day(zone, r->internal_date) < k->day);
    case IMAPD_KEY_ON:
        return yes(yb_zone_day(zone, r->internal_date) == k->day);
    case IMAPD_KEY_SINCE:
        return yes(yb_zone_day(zone, r->internal_date) >= k->day);
    case IMAPD_KEY_LARGER:
        return yes(r->size > k->number);
    case IMAPD_KEY_SMALLER:
        return yes(r->size < k->number);
    case IMAPD_KEY_MODSEQ:
        return yes(r->modseq >= k->number);
    default:
        return YES; /* ALL */
    }
}

static enum answer
key_matches(const struct imapd_cmd *c, struct search_job *j, const struct imapd_key *k)
{
    enum answer answer;

    j->keys++;
    switch ((unsigned)k->kind) {
    case IMAPD_KEY_SENT_BEFORE:
    case IMAPD_KEY_SENT_ON:
    case IMAPD_KEY_SENT_SINCE:
        return parsed_matches(j, k);
    case IMAPD_KEY_HEADER:
        return is_parsed_field(k) ? parsed_matches(j, k) : sought_matches(j, k);
    case IMAPD_KEY_BODY:
    case IMAPD_KEY_TEXT:
        return sought_matches(j, k);
    case IMAPD_KEY_NOT:
        answer = key_matches(c, j, k->child);
        return answer > YES ? answer : yes(answer == NO);
    case IMAPD_KEY_OR:
        answer = key_matches(c, j, k->child);
        return answer != NO ? answer : key_matches(c, j, k->child->next);
    case IMAPD_KEY_AND:
        for (const struct imapd_key *child = k->child; child != NULL; child = child->next) {
            answer = key_matches(c, j, child);
            if (answer != YES)
                return answer;
        }
        return YES;
    default:
        return index_matches(c, j, k);
    }
}

/* All texts that are looked for in the parsed form. 1: the slice is over. */
static int
compare_parsed(struct search_job *j)
{
    size_t compared = 0;

    while (j->parsed_done < j->n_parsed) {
        struct parsed_needle *needle = &j->parsed[j->parsed_done++];
        struct yb_str text = j->message.parsed.searched[needle->which];

        needle->found =
            text.p != NULL && (needle->text.n == 0 || yb_str_find_str(text, needle->text) < text.n);
        compared += text.n + 64;
        if (compared < COMPARED_A_LOOK)
            continue;
        compared = 0;
        if (yb_clock_ms() >= j->message.until)
            return 1;
    }
    return 0;
}

static int
find_out(struct search_job *j, enum answer what, struct yb_err *err)
{
    if (what == ASK_PARSED) {
        int rc = imapd_message_parsed(&j->message, err);

        return rc == 0 ? compare_parsed(j) : rc;
    }
    return imapd_seek_run(j->seek, what == ASK_HEADER ? IMAPD_SOUGHT_HEADER : IMAPD_SOUGHT_ALL,
                          err);
}

static void
look_begin(struct imapd_cmd *c, struct search_job *j, uint32_t seq)
{
    struct imapd_source from = imapd_source_of(c->s, yb_conn_log(c->conn));

    j->looking = true;
    j->parsed_done = 0;
    j->seq = seq;
    j->record = &j->rows->v[seq - 1];
    imapd_message_begin(&j->message, &from, j->record, j->arena);
    if (j->seek != NULL)
        imapd_seek_begin(j->seek, &j->message);
}

static void
look_end(struct search_job *j)
{
    imapd_message_end(&j->message);
    yb_arena_reset(j->arena);
    j->looking = false;
}

/* One message, or a slice of it (1); *read: it took more than a look at the index. One that is gone is
 * no hit, whatever is asked. */
static int
look_at(struct imapd_cmd *c, struct search_job *j, bool *read, struct yb_err *err)
{
    enum answer answer = NO;
    int rc = imapd_message_work(&j->message, c->until, err);

    while (rc == 0 && (answer = key_matches(c, j, j->args.root)) > YES)
        rc = find_out(j, answer, err);
    imapd_message_rest(&j->message);
    *read = j->message.file != NULL || j->message.has_parsed;
    if (rc == 1)
        return 1;
    if (rc == 0 && answer == YES) {
        j->hits[j->n_hits++] = c->uid ? j->record->uid : j->seq;
        j->modseq = j->record->modseq > j->modseq ? j->record->modseq : j->modseq;
    }
    look_end(j);
    return rc < 0 && err->class == YB_PERM ? 0 : rc;
}

/* --- answering --- */

static void
put_number_item(struct yb_buf *b, struct yb_str name, uint64_t v)
{
    yb_buf_add(b, name);
    yb_buf_add_u64(b, v);
}

/* RFC 4731 §3.2: of MIN and MAX alone, the MODSEQ is that of the messages named. */
static uint64_t
returned_modseq(const struct imapd_cmd *c, const struct search_job *j)
{
    uint32_t named[2] = { j->hits[0], j->hits[j->n_hits - 1] };
    uint64_t highest = 0;

    if ((j->args.returns & ~(unsigned)(IMAPD_RETURN_MIN | IMAPD_RETURN_MAX)) != 0)
        return j->modseq;
    for (unsigned i = 0; i < 2; i++) {
        size_t row = c->uid ? yb_rows_find(j->rows, named[i]) : named[i] - 1;

        if ((j->args.returns & (i == 0 ? IMAPD_RETURN_MIN : IMAPD_RETURN_MAX)) != 0 &&
            j->rows->v[row].modseq > highest)
            highest = j->rows->v[row].modseq;
    }
    return highest;
}

static void
put_esearch(struct imapd_cmd *c, const struct search_job *j)
{
    struct imapd_set_writer w = { .out = c->out };
    struct yb_buf *b = c->out;

    yb_buf_add(b, YB_STR("* ESEARCH (TAG "));
    imapd_put_string(b, c->tag);
    yb_buf_add_c(b, ')');
    if (c->uid)
        yb_buf_add(b, YB_STR(" UID"));
    if (j->n_hits > 0) {
        if ((j->args.returns & IMAPD_RETURN_MIN) != 0)
            put_number_item(b, YB_STR(" MIN "), j->hits[0]);
        if ((j->args.returns & IMAPD_RETURN_MAX) != 0)
            put_number_item(b, YB_STR(" MAX "), j->hits[j->n_hits - 1]);
        if ((j->args.returns & IMAPD_RETURN_ALL) != 0) {
            yb_buf_add(b, YB_STR(" ALL "));
            for (size_t i = 0; i < j->n_hits; i++)
                imapd_set_add(&w, j->hits[i]);
            imapd_set_end(&w);
        }
    }
    if ((j->args.returns & IMAPD_RETURN_COUNT) != 0)
        put_number_item(b, YB_STR(" COUNT "), j->n_hits);
    if (j->args.uses_modseq && j->n_hits > 0)
        put_number_item(b, YB_STR(" MODSEQ "), returned_modseq(c, j));
    yb_buf_add(b, YB_STR("\r\n"));
}

/* A piece of "* SEARCH 1 2 3 (MODSEQ 9)". True when that was the last. */
static bool
put_search(struct imapd_cmd *c, struct search_job *j)
{
    struct yb_buf *b = c->out;

    if (j->told == 0)
        yb_buf_add(b, YB_STR("* SEARCH"));
    while (j->told < j->n_hits && yb_buf_size(b) < YB_OUT_PIECE) {
        yb_buf_add_c(b, ' ');
        yb_buf_add_u64(b, j->hits[j->told++]);
    }
    c->answering = j->told < j->n_hits;
    if (c->answering)
        return false;
    if (j->args.uses_modseq && j->n_hits > 0) {
        put_number_item(b, YB_STR(" (MODSEQ "), j->modseq);
        yb_buf_add_c(b, ')');
    }
    yb_buf_add(b, YB_STR("\r\n"));
    return true;
}

static int
search_step(struct imapd_cmd *c, struct yb_err *err)
{
    struct search_job *j = c->job;
    bool read;
    int rc;

    while (j->looking || j->next < j->rows->n) {
        if (!j->looking && j->rows->v[j->next].expunged) {
            j->next++;
            continue;
        }
        if (!j->looking)
            look_begin(c, j, (uint32_t)++j->next);
        rc = look_at(c, j, &read, err);
        if (rc != 0)
            return rc;
        if (j->keys < KEYS_A_LOOK && !read)
            continue;
        j->keys = 0;
        if (yb_clock_ms() >= c->until)
            return 1;
    }
    if (j->args.extended)
        put_esearch(c, j);
    else if (!put_search(c, j))
        return 1;
    /* What is new comes first, and with it whether there are expunges that may not be told now. */
    imapd_sync(c, !c->no_expunge);
    imapd_ok(c,
             c->untold ? YB_STR("[EXPUNGEISSUED] SEARCH completed") : YB_STR("SEARCH completed"));
    return 0;
}

int
imapd_cmd_search(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    struct search_job *j = yb_arena_alloc(c->arena, 1, sizeof(*j));

    c->job = j;
    j->zone = atomic_load(&s->zone);
    c->end = search_end;
    if (!imapd_parse_search(&c->lex, &j->args))
        return imapd_wrong(c, err);
    if (j->args.charset_unknown)
        return yb_err_as(err, YB_ERR_CHARSET, YB_PERM, "5.2.0", "The charset is not known");
    if (j->args.uses_modseq)
        imapd_enable_condstore(c);
    if (yb_view_rows(s->mailbox, &s->view, &j->rows, err) < 0)
        return -1;
    j->parsed = yb_arena_alloc(c->arena, j->args.n_keys + 1, sizeof(*j->parsed));
    j->needles = yb_arena_alloc(c->arena, j->args.n_keys + 1, sizeof(*j->needles));
    prepare_key(c, j, j->args.root);
    if (j->n_needles > 0)
        j->seek = imapd_seek_new(j->needles, j->n_needles, c->budget);
    j->hits = yb_arena_alloc(c->arena, j->rows->n + 1, sizeof(*j->hits));
    j->arena = yb_arena_new_charged(MESSAGE_ARENA, c->budget);
    c->step = search_step;
    return 0;
}
