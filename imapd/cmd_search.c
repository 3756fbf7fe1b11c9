/*
 * SEARCH, in slices of time: a step looks at messages for a while and lets others work. Keys that
 * the index answers come first, then those of the parsed form, then headers, then bodies. RFC 3501
 * §6.4.4, ESEARCH of RFC 4731, MODSEQ of RFC 7162 §3.1.5.
 */
#include "imapd/commands.h"
#include "imapd/message.h"
#include "imapd/text.h"

#include "lib/mime/header.h"

#define SLICE_MS 20
#define MESSAGE_ARENA 65536

struct search_job {
    struct imapd_search args;
    const struct yb_rows *rows;
    struct yb_arena *arena; /* for one message */
    size_t next;            /* row to look at */
    uint32_t *hits;         /* sequence numbers or UIDs */
    size_t n_hits, told;
    uint64_t modseq; /* highest of the hits */
};

/* One message under the tree of keys. */
struct looked_at {
    struct imapd_cmd *c;
    const struct yb_record *record;
    uint32_t seq;
    struct imapd_message message;
    struct yb_buf *body; /* its text, decoded and folded; NULL: not yet */
};

static void
search_end(struct imapd_cmd *c)
{
    struct search_job *j = c->job;

    if (j->rows != NULL)
        yb_rows_release(&j->rows);
    if (j->arena != NULL && c->s->mailbox != NULL)
        yb_mailbox_cache_settle(c->s->mailbox);
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

/* The dearest of a key and what is inside it. */
static enum cost
key_cost(const struct imapd_key *k)
{
    enum cost cost = costs[k->kind];

    if (k->kind == IMAPD_KEY_HEADER && imapd_searched_field(k->field) < IMAPD_SEARCHED)
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
keyword_bit(struct imapd_cmd *c, struct yb_str name)
{
    const struct imapd_keywords *names = imapd_keywords(c);

    for (size_t i = 0; i < names->n; i++) {
        if (yb_str_eqi(names->names[i], name))
            return (uint64_t)1 << i;
    }
    return 0;
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
        k->number = keyword_bit(c, k->text);
    } else if (k->text.p != NULL) {
        k->text = imapd_text_needle(k->text, c->arena);
        if (k->kind == IMAPD_KEY_HEADER)
            k->text = imapd_text_squeeze(k->text, c->arena);
    }
    for (struct imapd_key *child = k->child; child != NULL; child = child->next)
        prepare_key(c, j, child);
    sort_children(k);
}

/* --- looking --- */

static bool
contains(struct yb_str text, struct yb_str needle)
{
    return needle.n == 0 || yb_str_find_str(text, needle) < text.n;
}

/* The same in the text of header fields; the needle is squeezed already. */
static bool
header_has(struct looked_at *l, struct yb_str text, struct yb_str needle)
{
    return contains(imapd_text_squeeze(text, l->message.arena), needle);
}

static bool
header_matches(struct looked_at *l, const struct imapd_key *k)
{
    enum imapd_searched which = imapd_searched_field(k->field);
    struct yb_err err = { 0 };
    struct yb_header h;
    struct yb_str left;

    if (which < IMAPD_SEARCHED) {
        if (imapd_message_parsed(&l->message, &err) < 0)
            return false;
        return l->message.parsed.searched[which].p != NULL &&
               header_has(l, l->message.parsed.searched[which], k->text);
    }
    if (imapd_message_header(&l->message, &err) < 0)
        return false;
    left = l->message.header;
    while (yb_header_next(&left, &h)) {
        if (yb_str_eqi(h.name, k->field) &&
            header_has(l, imapd_text_header(h.value, l->message.arena), k->text))
            return true;
    }
    return false;
}

/* Every text inside, headers of parts (names of files) and of messages inside too; kept while keys
 * look at this message. */
static bool
body_contains(struct looked_at *l, struct yb_str needle)
{
    struct yb_err err = { 0 };
    struct yb_mime_tree tree;
    struct yb_str bytes;
    struct yb_buf *b;

    if (needle.n == 0)
        return true;
    if (l->body == NULL) {
        if (imapd_message_bytes(&l->message, &bytes, &err) < 0)
            return false;
        yb_mime_tree(bytes, l->message.arena, &tree);
        l->body = b = yb_buf_new(SIZE_MAX / 4);
        (void)!yb_buf_room(b, bytes.n); /* about so much, at once */
        for (uint32_t i = 0; i < tree.n; i++) {
            const struct yb_mime_part *p = &tree.parts[i];

            if (i > 0)
                imapd_text_add_headers(yb_str(bytes.p + p->header, (size_t)(p->body - p->header)),
                                       b, l->message.arena);
            imapd_text_add_part(bytes, p, b, l->message.arena);
            yb_buf_add_c(b, '\n');
        }
    }
    return contains(yb_buf_view(l->body), needle);
}

static bool
header_contains(struct looked_at *l, struct yb_str needle)
{
    struct yb_err err = { 0 };
    struct yb_buf *b;
    bool found;

    if (imapd_message_header(&l->message, &err) < 0)
        return false;
    b = yb_buf_new(SIZE_MAX / 4);
    imapd_text_add_headers(l->message.header, b, l->message.arena);
    found = header_has(l, yb_buf_view(b), imapd_text_squeeze(needle, l->message.arena));
    yb_buf_free(&b);
    return found;
}

static bool
sent_matches(struct looked_at *l, const struct imapd_key *k)
{
    struct yb_err err = { 0 };
    const struct imapd_parsed *p = &l->message.parsed;

    if (imapd_message_parsed(&l->message, &err) < 0 || !p->has_sent)
        return false;
    if (k->kind == IMAPD_KEY_SENT_BEFORE)
        return p->sent_day < k->day;
    return k->kind == IMAPD_KEY_SENT_ON ? p->sent_day == k->day : p->sent_day >= k->day;
}

static int64_t
internal_day(const struct yb_record *r)
{
    int64_t day = r->internal_date / 86400;

    return r->internal_date % 86400 < 0 ? day - 1 : day;
}

static bool
key_matches(struct looked_at *l, const struct imapd_key *k)
{
    const struct yb_record *r = l->record;
    bool recent = r->uid >= l->c->s->view.recent_from;

    switch (k->kind) {
    case IMAPD_KEY_ALL:
        return true;
    case IMAPD_KEY_FLAG:
        return ((r->flags & k->number) != 0) == k->yes;
    case IMAPD_KEY_KEYWORD:
        return ((r->keywords & k->number) != 0) == k->yes;
    case IMAPD_KEY_RECENT:
        return recent == k->yes;
    case IMAPD_KEY_NEW:
        return recent && (r->flags & YB_FLAG_SEEN) == 0;
    case IMAPD_KEY_SEQ:
        return imapd_set_has(&k->set, l->seq);
    case IMAPD_KEY_UID:
        return imapd_set_has(&k->set, r->uid);
    case IMAPD_KEY_BEFORE:
        return internal_day(r) < k->day;
    case IMAPD_KEY_ON:
        return internal_day(r) == k->day;
    case IMAPD_KEY_SINCE:
        return internal_day(r) >= k->day;
    case IMAPD_KEY_SENT_BEFORE:
    case IMAPD_KEY_SENT_ON:
    case IMAPD_KEY_SENT_SINCE:
        return sent_matches(l, k);
    case IMAPD_KEY_LARGER:
        return r->size > k->number;
    case IMAPD_KEY_SMALLER:
        return r->size < k->number;
    case IMAPD_KEY_MODSEQ:
        return r->modseq >= k->number;
    case IMAPD_KEY_HEADER:
        return header_matches(l, k);
    case IMAPD_KEY_BODY:
        return body_contains(l, k->text);
    case IMAPD_KEY_TEXT:
        return header_contains(l, k->text) || body_contains(l, k->text);
    case IMAPD_KEY_NOT:
        return !key_matches(l, k->child);
    case IMAPD_KEY_OR:
        return key_matches(l, k->child) || key_matches(l, k->child->next);
    case IMAPD_KEY_AND:
        for (const struct imapd_key *child = k->child; child != NULL; child = child->next) {
            if (!key_matches(l, child))
                return false;
        }
        return true;
    }
    return false;
}

static void
look_at(struct imapd_cmd *c, struct search_job *j, uint32_t seq)
{
    const struct yb_record *r = &j->rows->v[seq - 1];
    struct looked_at l = { .c = c, .record = r, .seq = seq };

    if (r->expunged)
        return;
    imapd_message_begin(&l.message, c->s->mailbox, r, j->arena);
    if (key_matches(&l, j->args.root)) {
        j->hits[j->n_hits++] = c->uid ? r->uid : seq;
        j->modseq = r->modseq > j->modseq ? r->modseq : j->modseq;
    }
    yb_buf_free(&l.body);
    imapd_message_end(&l.message);
    yb_arena_reset(j->arena);
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
    if (j->told < j->n_hits)
        return false;
    if (j->args.uses_modseq && j->n_hits > 0) {
        put_number_item(b, YB_STR(" (MODSEQ "), j->modseq);
        yb_buf_add_c(b, ')');
    }
    yb_buf_add(b, YB_STR("\r\n"));
    return true;
}

static int
search_step(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    struct search_job *j = c->job;
    enum cost cost = key_cost(j->args.root);
    int64_t until = yb_clock_ms() + SLICE_MS;

    while (j->next < j->rows->n) {
        look_at(c, j, (uint32_t)++j->next);
        if ((cost > COST_INDEX || j->next % 1024 == 0) && yb_clock_ms() >= until)
            return 1;
    }
    if (j->args.extended)
        put_esearch(c, j);
    else if (!put_search(c, j))
        return 1;
    imapd_ok(c, YB_STR("SEARCH completed"));
    return 0;
}

int
imapd_cmd_search(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    struct search_job *j = yb_arena_alloc(c->arena, 1, sizeof(*j));

    c->job = j;
    c->end = search_end;
    if (!imapd_parse_search(&c->lex, &j->args))
        return imapd_wrong(c, err);
    if (j->args.charset_unknown)
        return yb_err_set(err, YB_PERM, "5.2.0",
                          "[BADCHARSET (US-ASCII UTF-8)] The charset is not known");
    if (j->args.uses_modseq)
        imapd_enable_condstore(c);
    if (yb_view_rows(s->mailbox, &s->view, &j->rows, err) < 0)
        return -1;
    prepare_key(c, j, j->args.root);
    j->hits = yb_arena_alloc(c->arena, j->rows->n + 1, sizeof(*j->hits));
    j->arena = yb_arena_new(MESSAGE_ARENA);
    c->step = search_step;
    return 0;
}
