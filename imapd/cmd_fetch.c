/*
 * FETCH, in pieces of about 64 KiB and slices of time: a step answers messages, or a part of one,
 * until so much is written or the slice is over, and the engine calls the next when it is sent. While
 * the client is waited for, no more than a place in the answer is kept. RFC 3501 §6.4.5, §7.4.2;
 * CHANGEDSINCE and MODSEQ of RFC 7162.
 */
#include "imapd/cmd.h"
#include "imapd/fields.h"
#include "imapd/fromindex.h"
#include "imapd/message.h"
#include "imapd/reply.h"
#include "imapd/sync.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"

/* Longer ranges of a file are sent by the engine straight from it. */
#define COPY_MAX 16384
#define MESSAGE_ARENA 16384
/* Messages whose \Seen is set at once, before their bodies are answered. */
#define SEEN_BATCH 64
#define ROWS_A_LOOK 4096 /* messages left out, between two looks at the clock */

/* Where in the answer to a message. */
enum place { AT_START, AT_ITEMS, AT_SECTIONS };

struct fetch_job {
    struct imapd_fetch args;
    const struct yb_rows *rows;
    struct imapd_set seqs;
    size_t range; /* where the next message is */
    uint32_t seq;
    bool lost;       /* a message was gone */
    size_t answered; /* in this step */
    size_t written;  /* in this step, what was sent on already */
    /* The message under way. */
    struct yb_arena *arena;
    bool parses;       /* answers need the parsed form */
    bool busy, spread; /* spread: a part of its answer was sent by an earlier step */
    struct imapd_message message;
    uint32_t at_seq;
    enum place place;
    size_t item;                /* parsed item, or section; prepared, at the start */
    bool begun;                 /* something of it was written */
    uint64_t item_at, item_n;   /* octets of its text written, and all of them */
    struct yb_str between;      /* what parts it from the one before */
    size_t head_at, head_sent;  /* where its answer begins: in the buffer, of `written` */
    struct imapd_fields fields; /* of a section under way */
    struct imapd_fromindex index;
    /* Messages that BODY[] of this command made \Seen, up to this sequence number. */
    uint32_t seen_until;
    struct yb_change *seen;
    size_t n_seen;
};

static void
fetch_end(struct imapd_cmd *c)
{
    struct fetch_job *j = c->job;

    if (j->busy)
        imapd_message_end(&j->message);
    if (j->rows != NULL)
        yb_rows_release(&j->rows);
    if (j->arena != NULL && c->s->mailbox != NULL)
        yb_mailbox_cache_settle(c->s->mailbox);
    imapd_fields_end(&j->fields);
    imapd_fromindex_end(&j->index);
    yb_arena_free(&j->arena);
}

/* --- a message, item by item --- */

static bool
piece_is_full(const struct imapd_cmd *c, const struct fetch_job *j)
{
    return j->written + yb_buf_size(c->out) >= YB_OUT_PIECE;
}

static void
item_done(struct fetch_job *j)
{
    j->item++;
    j->begun = false;
    j->between = YB_STR(" ");
}

/* The next piece of an ENVELOPE or structure. */
static int
put_parsed_item(struct imapd_cmd *c, struct fetch_job *j, struct yb_err *err)
{
    static const struct {
        unsigned item;
        struct yb_str name;
        size_t text; /* in struct imapd_parsed */
    } rows[] = {
        { IMAPD_FETCH_ENVELOPE, YB_STR_INIT("ENVELOPE "), offsetof(struct imapd_parsed, envelope) },
        { IMAPD_FETCH_BODY, YB_STR_INIT("BODY "), offsetof(struct imapd_parsed, body) },
        { IMAPD_FETCH_BODYSTRUCTURE, YB_STR_INIT("BODYSTRUCTURE "),
          offsetof(struct imapd_parsed, structure) },
    };
    struct yb_str piece;
    int rc;

    if (j->item == YB_COUNT(rows)) {
        j->place = AT_SECTIONS;
        j->item = 0;
        return 0;
    }
    if ((j->args.items & rows[j->item].item) == 0) {
        j->item++;
        return 0;
    }
    rc = imapd_message_parsed(&j->message, err);
    if (rc != 0)
        return rc;
    memcpy(&piece, (const char *)&j->message.parsed + rows[j->item].text, sizeof(piece));
    if (!j->begun) {
        yb_buf_add(c->out, j->between);
        yb_buf_add(c->out, rows[j->item].name);
        j->begun = true;
        j->item_at = 0;
        j->item_n = piece.n;
    } else if (piece.n != j->item_n) {
        return yb_err_inside(err, YB_TEMP, "4.2.0", "a message changed while it was answered");
    }
    piece = yb_str_head(yb_str_skip(piece, (size_t)j->item_at), YB_OUT_PIECE);
    yb_buf_add(c->out, piece);
    j->item_at += piece.n;
    if (j->item_at == j->item_n)
        item_done(j);
    return 0;
}

static void
flush(struct imapd_cmd *c, struct fetch_job *j)
{
    j->written += yb_buf_size(c->out);
    yb_conn_write(c->conn, yb_buf_view(c->out));
    yb_buf_clear(c->out);
}

/* Octets [start, end) of the message's file as a literal. */
static int
put_range(struct imapd_cmd *c, struct fetch_job *j, uint64_t start, uint64_t end,
          struct yb_err *err)
{
    struct imapd_message *m = &j->message;
    size_t n = (size_t)(end - start);
    char *to;

    imapd_put_literal_head(c->out, n);
    if (n <= COPY_MAX) {
        to = yb_buf_room(c->out, n + 1);
        if (to == NULL || yb_pread_full(yb_file_fd(m->file), to, n, (off_t)start) != (ssize_t)n)
            return yb_err_inside(err, YB_TEMP, "4.2.0", "a message cannot be read");
        yb_buf_wrote(c->out, n);
        return 0;
    }
    flush(c, j);
    yb_conn_write_file(c->conn, m->file, (off_t)start, n);
    j->written += n;
    return 0;
}

/* The next section, or a piece of it. */
static int
put_section(struct imapd_cmd *c, struct fetch_job *j, struct yb_err *err)
{
    const struct imapd_section *s = &j->args.sections[j->item];
    uint64_t start, end;
    bool exists;
    int rc;

    if (j->begun) {
        rc = imapd_fields_step(&j->fields, c, &j->message, j->written, err);
        if (rc == 0)
            item_done(j);
        return rc;
    }
    rc = imapd_message_section(&j->message, s, &start, &end, &exists, err);
    if (rc != 0)
        return rc;
    yb_buf_add(c->out, j->between);
    yb_buf_add(c->out, s->label);
    yb_buf_add_c(c->out, ' ');
    if (exists && (s->text == IMAPD_TEXT_FIELDS || s->text == IMAPD_TEXT_FIELDS_NOT)) {
        imapd_fields_begin(&j->fields, s, start, end);
        j->begun = true;
        return 0;
    }
    if (!exists) {
        yb_buf_add(c->out, YB_STR("NIL"));
    } else {
        if (s->partial) {
            start = start + s->offset < end ? start + s->offset : end;
            end = end - start > s->length ? start + s->length : end;
        }
        rc = put_range(c, j, start, end, err);
    }
    item_done(j);
    return rc;
}

/* --- a message --- */

/* Reads what will be needed before a byte of the answer is written, so that a message that is gone
 * is left out whole. */
static int
prepare(struct fetch_job *j, struct yb_err *err)
{
    struct imapd_message *m = &j->message;
    uint64_t start, end;
    bool exists;
    int rc = 0;

    if (j->args.n_sections > 0 && imapd_message_open(m, err) < 0)
        return -1;
    if ((j->args.items & ~IMAPD_FETCH_FROM_INDEX) != 0)
        rc = imapd_message_parsed(m, err);
    while (rc == 0 && j->item < j->args.n_sections) {
        rc = imapd_message_section(m, &j->args.sections[j->item], &start, &end, &exists, err);
        j->item += rc == 0;
    }
    return rc;
}

/* What BODY[] made of the message, when this command set its \Seen. */
static const struct yb_record *
seen_record(const struct fetch_job *j, uint32_t seq)
{
    for (size_t i = 0; i < j->n_seen; i++) {
        if (j->seen[i].seq == seq)
            return &j->seen[i].record;
    }
    return NULL;
}

static void
put_head(struct imapd_cmd *c, struct fetch_job *j)
{
    const struct yb_record *changed = seen_record(j, j->at_seq);
    unsigned items = j->args.items;

    if (changed != NULL)
        items |= IMAPD_FETCH_FLAGS | (c->s->condstore ? IMAPD_FETCH_MODSEQ : 0u);
    if ((items & IMAPD_FETCH_FLAGS) != 0)
        (void)imapd_told_keywords(c); /* a line of its own, whatever becomes of this one */
    j->head_at = yb_buf_size(c->out);
    j->head_sent = j->written;
    imapd_fromindex_put(&j->index, c, j->at_seq, changed != NULL ? changed : j->message.record,
                        items);
    j->between = (items & IMAPD_FETCH_FROM_INDEX) == 0 ? YB_STR("") : YB_STR(" ");
    j->place = AT_ITEMS;
    j->item = 0;
}

/* Goes on with the answer: 0 at its end, 1 when the slice is over or the piece is full. */
static int
put_message(struct imapd_cmd *c, struct fetch_job *j, struct yb_err *err)
{
    for (;;) {
        int rc = 0;

        if (j->place == AT_START) {
            rc = prepare(j, err);
            if (rc == 0)
                put_head(c, j);
        } else if (j->place == AT_ITEMS) {
            rc = put_parsed_item(c, j, err);
        } else if (j->item < j->args.n_sections) {
            rc = put_section(c, j, err);
        } else {
            yb_buf_add(c->out, YB_STR(")\r\n"));
            return 0;
        }
        if (rc != 0)
            return rc;
        if (piece_is_full(c, j) || yb_clock_ms() >= c->until)
            return 1;
    }
}

/* A message that is gone: its answer is left out, or only has what the index knows. */
static void
put_lost(struct imapd_cmd *c, struct fetch_job *j, uint32_t seq, const struct yb_record *r)
{
    j->lost = true;
    if ((j->args.items & IMAPD_FETCH_FROM_INDEX & ~(unsigned)IMAPD_FETCH_UID) == 0)
        return;
    imapd_fromindex_put(&j->index, c, seq, r, j->args.items);
    yb_buf_add(c->out, YB_STR(")\r\n"));
}

static void
message_begin(struct imapd_cmd *c, struct fetch_job *j, uint32_t seq)
{
    struct imapd_source from = imapd_source_of(c->s, yb_conn_log(c->conn));

    imapd_message_begin(&j->message, &from, &j->rows->v[seq - 1], j->arena);
    j->at_seq = seq;
    j->place = AT_START;
    j->item = 0;
    j->begun = j->spread = false;
    j->busy = true;
}

static void
message_end(struct fetch_job *j)
{
    imapd_message_end(&j->message);
    yb_arena_reset(j->arena);
    j->busy = false;
}

/* What was let go while the client was waited for is read again. The answer has a slice of its own
 * behind that, or it would be read for every few octets of it. */
static int
have_again(struct imapd_cmd *c, struct fetch_job *j, struct yb_err *err)
{
    int rc = 0;

    if (j->place == AT_START || !j->parses || j->message.has_parsed)
        return 0;
    rc = imapd_message_parsed(&j->message, err);
    c->until = yb_clock_ms() + c->s->server->slice_ms;
    j->message.until = c->until;
    return rc;
}

/* 0: the message is answered; 1: a part of it. */
static int
message_step(struct imapd_cmd *c, struct fetch_job *j, struct yb_err *err)
{
    int rc;

    rc = imapd_message_work(&j->message, c->until, err);
    if (rc == 0)
        rc = have_again(c, j, err);
    if (rc == 0)
        rc = put_message(c, j, err);
    imapd_message_rest(&j->message);
    if (rc == 1)
        return 1;
    if (rc < 0 && j->place == AT_START && err->class == YB_PERM) {
        put_lost(c, j, j->at_seq, j->message.record);
        rc = 0;
    } else if (rc < 0 && j->place != AT_START && !j->spread && j->written == j->head_sent) {
        yb_buf_truncate(c->out, j->head_at);
    } else if (rc < 0 && j->place != AT_START) {
        /* Half an answer is sent: only the end of the connection makes that clear. */
        yb_log_err(YB_LOG_ERROR, yb_conn_log(c->conn), "imap.error", err);
        c->s->closing = true;
        yb_conn_abort(c->conn);
    }
    message_end(j);
    return rc;
}

/* --- which messages --- */

/* The next sequence number, or 0 at the end. */
static uint32_t
next_seq(const struct fetch_job *j, size_t *range, uint32_t seq)
{
    while (*range < j->seqs.n) {
        if (seq < j->seqs.v[*range].lo)
            seq = j->seqs.v[*range].lo;
        if (seq <= j->seqs.v[*range].hi)
            return seq;
        (*range)++;
    }
    return 0;
}

static bool
is_wanted(const struct fetch_job *j, const struct yb_record *r)
{
    return !j->args.has_changed_since || r->modseq > j->args.changed_since;
}

/* The UIDs of the next messages that are not \Seen yet: about one piece of the answer. */
static size_t
seen_candidates(struct fetch_job *j, uint32_t from, uint32_t uids[SEEN_BATCH])
{
    size_t n = 0, range = j->range;
    uint64_t bytes = 0;

    for (uint32_t seq = from;
         (seq = next_seq(j, &range, seq)) != 0 && n < SEEN_BATCH && bytes < YB_OUT_PIECE; seq++) {
        const struct yb_record *r = &j->rows->v[seq - 1];

        j->seen_until = seq;
        if (!is_wanted(j, r))
            continue;
        bytes += r->size;
        if ((r->flags & YB_FLAG_SEEN) == 0 && !r->expunged)
            uids[n++] = r->uid;
    }
    return n;
}

/*
 * BODY[] without PEEK: \Seen is set for the messages of the next piece together, and what the store
 * made of them is told in their answers. Changes by others are told at once, and the answers to come
 * say no older: the rows are taken anew, under the same numbers, for no expunge was told.
 */
static int
set_seen(struct imapd_cmd *c, struct fetch_job *j, uint32_t from, struct yb_err *err)
{
    struct yb_store_flags op = { .op = YB_FLAGS_ADD, .flags = YB_FLAG_SEEN };
    uint32_t uids[SEEN_BATCH];
    struct yb_changes changes;
    size_t n = seen_candidates(j, from, uids), others = 0;

    j->n_seen = 0;
    if (n == 0)
        return 0;
    if (j->seen == NULL)
        j->seen = yb_arena_alloc(c->arena, SEEN_BATCH, sizeof(*j->seen));
    if (yb_mailbox_store(c->s->mailbox, uids, n, &op, err) < 0 ||
        imapd_changes(c, false, &changes, err) < 0)
        return -1;
    for (size_t i = 0; i < changes.n_flags; i++) {
        bool ours = false;

        for (size_t k = 0; k < n && !ours; k++)
            ours = uids[k] == changes.flags[i].record.uid;
        if (ours && j->n_seen < SEEN_BATCH)
            j->seen[j->n_seen++] = changes.flags[i];
        else
            changes.flags[others++] = changes.flags[i];
    }
    changes.n_flags = others;
    imapd_tell(c, &changes);
    if (changes.invalid)
        return 0;
    yb_rows_release(&j->rows);
    return yb_view_rows(c->s->mailbox, &c->s->view, &j->rows, err);
}

static int
fetch_answer(struct imapd_cmd *c, const struct fetch_job *j, struct yb_err *err)
{
    if (j->lost && !c->uid) /* UIDs of what is gone are no error (§6.4.8) */
        return yb_err_as(err, YB_ERR_GONE, YB_PERM, "5.2.0",
                         "Some of the messages no longer exist");
    imapd_ok(c, YB_STR("FETCH completed"));
    return 0;
}

enum { NO_MESSAGE = 1, SLICE_OVER };

/* Begins with the next message, or answers it from the index alone. */
static int
next_message(struct imapd_cmd *c, struct fetch_job *j, struct yb_err *err)
{
    bool from_index = j->args.n_sections == 0 && (j->args.items & ~IMAPD_FETCH_FROM_INDEX) == 0;
    bool sets_seen = j->args.sets_seen && !c->s->view.read_only;
    uint32_t seq;

    for (unsigned k = 1; (seq = next_seq(j, &j->range, j->seq)) != 0; k++) {
        const struct yb_record *r = &j->rows->v[seq - 1];

        if (k % ROWS_A_LOOK == 0 && yb_clock_ms() >= c->until)
            return SLICE_OVER;
        j->seq = seq + 1;
        if (!is_wanted(j, r))
            continue;
        j->answered++;
        if (from_index) {
            imapd_fromindex_put(&j->index, c, seq, r, j->args.items);
            yb_buf_add(c->out, YB_STR(")\r\n"));
            return 0;
        }
        if (sets_seen && seq > j->seen_until && set_seen(c, j, seq, err) < 0)
            return -1;
        message_begin(c, j, seq);
        return 0;
    }
    return NO_MESSAGE;
}

static int
fetch_step(struct imapd_cmd *c, struct yb_err *err)
{
    struct fetch_job *j = c->job;
    int rc = 0;

    j->written = j->answered = 0;
    while (rc == 0 && !piece_is_full(c, j) && !c->s->closing) {
        if (!j->busy)
            rc = next_message(c, j, err);
        if (rc == 0 && j->busy) {
            rc = message_step(c, j, err);
            if (rc == 1 || (rc == 0 && yb_clock_ms() >= c->until))
                rc = SLICE_OVER;
        }
    }
    imapd_count(c->s->server, IMAPD_COUNT_FETCHED, j->answered);
    if (rc < 0)
        return -1;
    c->answering = j->spread = j->busy && j->place != AT_START;
    return rc == NO_MESSAGE ? fetch_answer(c, j, err) : 1;
}

static void
fetch_pause(struct imapd_cmd *c)
{
    struct fetch_job *j = c->job;

    if (j->busy)
        imapd_message_pause(&j->message);
}

int
imapd_cmd_fetch(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_session *s = c->s;
    struct fetch_job *j = yb_arena_alloc(c->arena, 1, sizeof(*j));

    c->job = j;
    c->end = fetch_end;
    if (!imapd_parse_fetch(&c->lex, &j->args))
        return imapd_wrong(c, err);
    if (c->uid)
        j->args.items |= IMAPD_FETCH_UID;
    if ((j->args.items & IMAPD_FETCH_MODSEQ) != 0)
        imapd_enable_condstore(c);
    if (yb_view_rows(s->mailbox, &s->view, &j->rows, err) < 0 ||
        imapd_targets(c, &j->args.set, c->uid, j->rows, &j->seqs, err) < 0)
        return -1;
    j->seq = 1;
    j->parses = (j->args.items & ~IMAPD_FETCH_FROM_INDEX) != 0;
    for (size_t i = 0; i < j->args.n_sections; i++)
        j->parses |= j->args.sections[i].n_part > 0;
    if (j->args.n_sections > 0 || j->parses)
        j->arena = yb_arena_new_charged(MESSAGE_ARENA, c->budget);
    c->step = fetch_step;
    c->pause = fetch_pause;
    return 0;
}
