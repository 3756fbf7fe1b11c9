/*
 * FETCH, in pieces of about 64 KiB: a step answers messages until so much is written, and the
 * engine calls the next when it is sent. RFC 3501 §6.4.5, §7.4.2; CHANGEDSINCE and MODSEQ of RFC
 * 7162.
 */
#include "imapd/commands.h"
#include "imapd/message.h"

#include "lib/base/io.h"
#include "lib/mime/header.h"
#include "lib/net/file.h"

/* Longer ranges of a file are sent by the engine straight from it. */
#define COPY_MAX 16384
#define MESSAGE_ARENA 32768
/* Messages whose \Seen is set at once, before their bodies are answered. */
#define SEEN_BATCH 64

struct fetch_job {
    struct imapd_fetch args;
    const struct yb_rows *rows;
    struct imapd_set seqs;
    size_t range; /* where the next message is */
    uint32_t seq;
    struct yb_arena *arena; /* for one message */
    bool lost;              /* a message was gone */
    size_t written;         /* in this step */
    /* Flags as text, for the common case of many messages with the same. */
    uint32_t text_flags, text_keywords;
    bool text_recent;
    struct yb_buf *text;
    /* Messages that BODY[] of this command made \Seen, up to this sequence number. */
    uint32_t seen_until;
    struct yb_change *seen;
    size_t n_seen;
};

static void
fetch_end(struct imapd_cmd *c)
{
    struct fetch_job *j = c->job;

    if (j->rows != NULL)
        yb_rows_release(&j->rows);
    if (j->arena != NULL && c->s->mailbox != NULL)
        yb_mailbox_cache_settle(c->s->mailbox);
    yb_buf_free(&j->text);
    yb_arena_free(&j->arena);
}

/* --- items from the index, by hand: this is what a hundred thousand lines cost --- */

static char *
put_str(char *p, struct yb_str s)
{
    memcpy(p, s.p, s.n);
    return p + s.n;
}

static char *
put_number(char *p, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return put_str(p, yb_str(digits + at, sizeof(digits) - at));
}

static struct yb_str
flags_text(struct imapd_cmd *c, struct fetch_job *j, const struct yb_record *r)
{
    bool recent = r->uid >= c->s->view.recent_from;

    if (j->text != NULL && r->flags == j->text_flags && r->keywords == j->text_keywords &&
        recent == j->text_recent)
        return yb_buf_view(j->text);
    if (j->text == NULL)
        j->text = yb_buf_new(8192);
    yb_buf_clear(j->text);
    imapd_put_flags(j->text, r->flags, r->keywords, imapd_keywords(c), recent);
    j->text_flags = r->flags;
    j->text_keywords = r->keywords;
    j->text_recent = recent;
    return yb_buf_view(j->text);
}

/* "* 1 FETCH (UID 7 FLAGS (\Seen) …" */
static void
put_index_items(struct imapd_cmd *c, struct fetch_job *j, uint32_t seq, const struct yb_record *r,
                unsigned items)
{
    struct yb_str flags = (items & IMAPD_FETCH_FLAGS) != 0 ? flags_text(c, j, r) : YB_STR("");
    char *start = yb_buf_room(c->out, 256 + flags.n), *p = start;
    struct yb_str between = YB_STR("");

    if (start == NULL)
        return;
    p = put_str(p, YB_STR("* "));
    p = put_number(p, seq);
    p = put_str(p, YB_STR(" FETCH ("));
    if ((items & IMAPD_FETCH_UID) != 0) {
        p = put_number(put_str(p, YB_STR("UID ")), r->uid);
        between = YB_STR(" ");
    }
    if ((items & IMAPD_FETCH_FLAGS) != 0) {
        p = put_str(put_str(put_str(p, between), YB_STR("FLAGS ")), flags);
        between = YB_STR(" ");
    }
    if ((items & IMAPD_FETCH_MODSEQ) != 0) {
        p = put_number(put_str(put_str(p, between), YB_STR("MODSEQ (")), r->modseq);
        *p++ = ')';
        between = YB_STR(" ");
    }
    if ((items & IMAPD_FETCH_SIZE) != 0)
        p = put_number(put_str(put_str(p, between), YB_STR("RFC822.SIZE ")), r->size);
    yb_buf_wrote(c->out, (size_t)(p - start));
    if ((items & IMAPD_FETCH_DATE) != 0) {
        yb_buf_add(c->out, (items & IMAPD_FETCH_SIZE) != 0 ? YB_STR(" ") : between);
        yb_buf_add(c->out, YB_STR("INTERNALDATE "));
        imapd_put_date(c->out, r->internal_date);
    }
}

/* --- sections --- */

static void
flush(struct imapd_cmd *c, struct fetch_job *j)
{
    j->written += yb_buf_size(c->out);
    yb_conn_write(c->conn, yb_buf_view(c->out));
    yb_buf_clear(c->out);
}

static void
put_literal_head(struct yb_buf *b, uint64_t n)
{
    yb_buf_add_c(b, '{');
    yb_buf_add_u64(b, n);
    yb_buf_add(b, YB_STR("}\r\n"));
}

/* Bytes [start, end) of the message's file as a literal. */
static int
put_range(struct imapd_cmd *c, struct fetch_job *j, struct imapd_message *m, uint64_t start,
          uint64_t end, struct yb_err *err)
{
    size_t n = (size_t)(end - start);
    char *to;

    put_literal_head(c->out, n);
    if (n <= COPY_MAX && yb_buf_size(c->out) < YB_OUT_PIECE) {
        to = yb_buf_room(c->out, n + 1);
        if (to == NULL || yb_pread_full(m->fd, to, n, (off_t)start) != (ssize_t)n)
            return yb_err_inside(err, YB_TEMP, "4.2.0", "a message cannot be read");
        yb_buf_wrote(c->out, n);
        return 0;
    }
    if (m->file == NULL)
        m->file = yb_file_new(m->fd);
    flush(c, j);
    yb_conn_write_file(c->conn, m->file, (off_t)start, n);
    j->written += n;
    return 0;
}

static bool
is_named(const struct imapd_section *s, struct yb_str name)
{
    for (size_t i = 0; i < s->n_fields; i++) {
        if (yb_str_eqi(s->fields[i], name))
            return true;
    }
    return false;
}

/* HEADER.FIELDS and its opposite: whole fields, and the empty line. */
static int
put_fields(struct imapd_cmd *c, struct imapd_message *m, const struct imapd_section *s,
           uint64_t start, uint64_t end, struct yb_err *err)
{
    size_t n = (size_t)(end - start);
    struct yb_str header = m->header, left;
    struct yb_header h;
    struct yb_buf *b;

    if (s->n_part > 0) {
        char *to = yb_arena_alloc(m->arena, n + 1, 1);

        if (yb_pread_full(m->fd, to, n, (off_t)start) != (ssize_t)n)
            return yb_err_inside(err, YB_TEMP, "4.2.0", "a message cannot be read");
        header = yb_str(to, n);
    }
    b = yb_buf_new(n + 2);
    left = header;
    while (yb_header_next(&left, &h)) {
        if (h.name.n > 0 && is_named(s, h.name) == (s->text == IMAPD_TEXT_FIELDS))
            yb_buf_add(b, h.raw);
    }
    yb_buf_add(b, YB_STR("\r\n"));
    left = yb_buf_view(b);
    if (s->partial)
        left = yb_str_head(yb_str_skip(left, s->offset), s->length);
    put_literal_head(c->out, left.n);
    yb_buf_add(c->out, left);
    yb_buf_free(&b);
    return 0;
}

static int
put_section(struct imapd_cmd *c, struct fetch_job *j, struct imapd_message *m,
            const struct imapd_section *s, struct yb_err *err)
{
    uint64_t start, end;
    bool exists;

    yb_buf_add(c->out, s->label);
    yb_buf_add_c(c->out, ' ');
    if (imapd_message_section(m, s, &start, &end, &exists, err) < 0)
        return -1;
    if (!exists) {
        yb_buf_add(c->out, YB_STR("NIL"));
        return 0;
    }
    if (s->text == IMAPD_TEXT_FIELDS || s->text == IMAPD_TEXT_FIELDS_NOT)
        return put_fields(c, m, s, start, end, err);
    if (s->partial) {
        start = start + s->offset < end ? start + s->offset : end;
        end = end - start > s->length ? start + s->length : end;
    }
    return put_range(c, j, m, start, end, err);
}

static void
put_parsed_items(struct imapd_cmd *c, const struct imapd_parsed *p, unsigned items,
                 struct yb_str *between)
{
    const struct {
        unsigned item;
        struct yb_str name, text;
    } rows[] = {
        { IMAPD_FETCH_ENVELOPE, YB_STR_INIT("ENVELOPE "), p->envelope },
        { IMAPD_FETCH_BODY, YB_STR_INIT("BODY "), p->body },
        { IMAPD_FETCH_BODYSTRUCTURE, YB_STR_INIT("BODYSTRUCTURE "), p->structure },
    };

    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        if ((items & rows[i].item) == 0)
            continue;
        yb_buf_add(c->out, *between);
        yb_buf_add(c->out, rows[i].name);
        yb_buf_add(c->out, rows[i].text);
        *between = YB_STR(" ");
    }
}

/* Reads what will be needed before a byte of the answer is written, so that a message that is gone
 * is left out whole. */
static int
prepare(const struct fetch_job *j, struct imapd_message *m, struct yb_err *err)
{
    unsigned parsed = j->args.items & ~IMAPD_FETCH_FROM_INDEX;
    uint64_t start, end;
    bool exists;

    if (j->args.n_sections > 0 && imapd_message_open(m, err) < 0)
        return -1;
    if (parsed != 0 && imapd_message_parsed(m, err) < 0)
        return -1;
    for (size_t i = 0; i < j->args.n_sections; i++) {
        if (imapd_message_section(m, &j->args.sections[i], &start, &end, &exists, err) < 0)
            return -1;
    }
    return 0;
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

static int
put_message(struct imapd_cmd *c, struct fetch_job *j, uint32_t seq, struct imapd_message *m,
            struct yb_err *err)
{
    const struct yb_record *changed = seen_record(j, seq), *r = m->record;
    unsigned items = j->args.items;
    struct yb_str between = YB_STR(" ");

    if (changed != NULL) {
        r = changed;
        items |= IMAPD_FETCH_FLAGS | (c->s->condstore ? IMAPD_FETCH_MODSEQ : 0u);
    }
    put_index_items(c, j, seq, r, items);
    if ((items & IMAPD_FETCH_FROM_INDEX) == 0)
        between = YB_STR("");
    put_parsed_items(c, &m->parsed, items, &between);
    for (size_t i = 0; i < j->args.n_sections; i++) {
        yb_buf_add(c->out, between);
        if (put_section(c, j, m, &j->args.sections[i], err) < 0)
            return -1;
        between = YB_STR(" ");
    }
    yb_buf_add(c->out, YB_STR(")\r\n"));
    return 0;
}

/* A message that is gone: its answer is left out, or only has what the index knows. */
static void
put_lost(struct imapd_cmd *c, struct fetch_job *j, uint32_t seq, const struct yb_record *r)
{
    j->lost = true;
    if ((j->args.items & IMAPD_FETCH_FROM_INDEX & ~(unsigned)IMAPD_FETCH_UID) == 0)
        return;
    put_index_items(c, j, seq, r, j->args.items);
    yb_buf_add(c->out, YB_STR(")\r\n"));
}

static int
fetch_from_file(struct imapd_cmd *c, struct fetch_job *j, uint32_t seq, const struct yb_record *r,
                struct yb_err *err)
{
    struct yb_err why = { 0 };
    struct imapd_message m;
    int rc = 0;

    imapd_message_begin(&m, c->s->mailbox, r, j->arena);
    if (prepare(j, &m, &why) == 0) {
        size_t before = yb_buf_size(c->out), sent = j->written;

        rc = put_message(c, j, seq, &m, err);
        if (rc < 0 && j->written == sent) {
            yb_buf_truncate(c->out, before);
        } else if (rc < 0) {
            /* Half an answer is sent: only the end of the connection makes that clear. */
            yb_log_err(YB_LOG_ERROR, yb_conn_log(c->conn), "imap.error", err);
            c->s->closing = true;
            yb_conn_abort(c->conn);
        }
    } else if (why.class == YB_PERM) {
        put_lost(c, j, seq, r);
    } else {
        *err = why;
        rc = -1;
    }
    imapd_message_end(&m);
    yb_arena_reset(j->arena);
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
    if (j->lost)
        return yb_err_set(err, YB_PERM, "5.2.0",
                          "[EXPUNGEISSUED] Some of the messages no longer exist");
    imapd_ok(c, YB_STR("FETCH completed"));
    return 0;
}

static int
fetch_step(struct imapd_cmd *c, struct yb_err *err)
{
    struct fetch_job *j = c->job;
    bool from_index = j->args.n_sections == 0 && (j->args.items & ~IMAPD_FETCH_FROM_INDEX) == 0;
    bool sets_seen = j->args.sets_seen && !c->s->view.read_only;
    uint64_t answers = 0;
    int rc = 0;

    j->written = 0;
    while (rc == 0 && j->written + yb_buf_size(c->out) < YB_OUT_PIECE && !c->s->closing) {
        uint32_t seq = next_seq(j, &j->range, j->seq);
        const struct yb_record *r;

        if (seq == 0)
            break;
        r = &j->rows->v[seq - 1];
        j->seq = seq + 1;
        if (!is_wanted(j, r))
            continue;
        answers++;
        if (from_index) {
            put_index_items(c, j, seq, r, j->args.items);
            yb_buf_add(c->out, YB_STR(")\r\n"));
            continue;
        }
        if (sets_seen && seq > j->seen_until)
            rc = set_seen(c, j, seq, err);
        if (rc == 0)
            rc = fetch_from_file(c, j, seq, &j->rows->v[seq - 1], err);
    }
    imapd_count(c->s->server, IMAPD_COUNT_FETCHED, answers);
    if (rc < 0)
        return -1;
    return next_seq(j, &j->range, j->seq) != 0 ? 1 : fetch_answer(c, j, err);
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
    if (j->args.n_sections > 0 || (j->args.items & ~IMAPD_FETCH_FROM_INDEX) != 0)
        j->arena = yb_arena_new(MESSAGE_ARENA);
    c->step = fetch_step;
    return 0;
}
