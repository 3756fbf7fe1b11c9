#include "imapd/message.h"
#include "imapd/suspect.h"

#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/io.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_READ IMAPD_LINE_BEGIN /* holds most headers, and most messages */
#define WINDOW 65536
#define LINES_A_LOOK 16 /* between two looks at the clock */

struct imapd_source
imapd_source_of(const struct imapd_session *s, const struct yb_log_ctx *log)
{
    return (struct imapd_source){ .server = s->server,
                                  .account = s->account_id,
                                  .uidvalidity = s->view.uidvalidity,
                                  .mailbox = s->mailbox,
                                  .log = log };
}

void
imapd_message_begin(struct imapd_message *m, const struct imapd_source *from,
                    const struct yb_record *record, struct yb_arena *arena)
{
    *m = (struct imapd_message){ .from = *from, .record = record, .arena = arena, .slot = -1 };
}

/* --- whose work ended the process --- */

static void
log_condemned(const struct imapd_message *m)
{
    char account[YB_ID_TEXT];
    struct yb_log_line l;

    yb_log_begin(&l, YB_LOG_WARN, m->from.log, "imap.condemned");
    yb_log_str(&l, "account", yb_str_from(yb_account_id_text(m->from.account, account)));
    yb_log_num(&l, "uidvalidity", m->from.uidvalidity);
    yb_log_num(&l, "uid", m->record->uid);
    yb_log_end(&l);
}

int
imapd_message_work(struct imapd_message *m, int64_t until, struct yb_err *err)
{
    struct imapd_work work = { m->from.account, m->from.uidvalidity, m->record->uid };
    enum yb_verdict verdict;

    m->until = until;
    if (m->from.server == NULL)
        return 0;
    if (!m->judged) {
        verdict = imapd_work_verdict(m->from.server, &work);
        /* For moments; clients keep for good what they are told of it. */
        if (verdict == YB_NOTE_SUSPECT)
            return yb_err_set(err, YB_TEMP, "4.2.0",
                              "A message is being examined; try again in a moment");
        m->judged = true;
        m->condemned = verdict == YB_NOTE_CONDEMNED;
        if (m->condemned)
            log_condemned(m);
    }
    if (!m->condemned)
        m->slot = imapd_work_begin(m->from.server, &work);
    return 0;
}

void
imapd_message_rest(struct imapd_message *m)
{
    if (m->slot >= 0)
        imapd_work_end(m->from.server, m->slot);
    m->slot = -1;
}

/* --- its file --- */

void
imapd_message_pause(struct imapd_message *m)
{
    yb_free(m->window);
    m->window = NULL;
    m->window_n = 0;
    yb_mime_reader_free(&m->reader);
    imapd_making_free(&m->making);
    m->has_tree = m->has_parsed = false;
    yb_arena_reset(m->arena);
}

void
imapd_message_end(struct imapd_message *m)
{
    imapd_message_rest(m);
    yb_free(m->window);
    m->window = NULL;
    yb_mime_reader_free(&m->reader);
    imapd_making_free(&m->making);
    yb_file_unref(&m->file);
}

int
imapd_message_open(struct imapd_message *m, struct yb_err *err)
{
    struct stat st;
    int fd;

    if (m->file != NULL)
        return 0;
    if (m->record->expunged)
        return yb_err_as(err, YB_ERR_GONE, YB_PERM, "5.2.0", "The message is gone");
    if (yb_mailbox_message(m->from.mailbox, m->record, &fd, err) < 0)
        return -1;
    m->file = yb_file_new(fd);
    if (fstat(fd, &st) < 0)
        return yb_err_sys(err, YB_TEMP, "4.2.0", "stat a message");
    m->size = (uint64_t)st.st_size;
    return 0;
}

static bool
slice_is_over(const struct imapd_message *m)
{
    return yb_clock_ms() >= m->until;
}

/* Fills the window from `at` on: little at first, for most messages are small. */
static int
window_fill(struct imapd_message *m, uint64_t at, struct yb_err *err)
{
    size_t n = at == 0 && m->window == NULL ? FIRST_READ : WINDOW;
    ssize_t got;

    if (n > m->size - at)
        n = (size_t)(m->size - at);
    m->window_n = 0;
    m->window = yb_realloc(m->window, n, 1); /* not cleared */
    got = yb_pread_full(yb_file_fd(m->file), m->window, n, (off_t)at);
    if (got < 0)
        return yb_err_sys(err, YB_TEMP, "4.2.0", "read a message");
    if ((size_t)got < n)
        return yb_err_inside(err, YB_TEMP, "4.2.0", "a message is shorter than it was");
    m->window_at = at;
    m->window_n = n;
    return 0;
}

static struct yb_str
window_from(const struct imapd_message *m, uint64_t at)
{
    if (m->window_n == 0 || at < m->window_at || at - m->window_at >= m->window_n)
        return yb_str("", 0);
    return yb_str_skip(yb_str(m->window, m->window_n), (size_t)(at - m->window_at));
}

int
imapd_message_read(struct imapd_message *m, uint64_t at, struct yb_str *out, struct yb_err *err)
{
    if (imapd_message_open(m, err) < 0)
        return -1;
    *out = window_from(m, at);
    if (out->n > 0 || at >= m->size)
        return 0;
    if (window_fill(m, at, err) < 0)
        return -1;
    *out = window_from(m, at);
    return 0;
}

int
imapd_message_line(struct imapd_message *m, struct imapd_lines *lines, struct imapd_line *out,
                   struct yb_err *err)
{
    struct yb_str have;
    size_t n;

    *out = (struct imapd_line){ .begins = !lines->inside };
    if (lines->at >= lines->end)
        return 0;
    if (imapd_message_read(m, lines->at, &have, err) < 0)
        return -1;
    have = yb_str_head(have, lines->end - lines->at);
    n = yb_str_find(have, '\n');
    /* A beginning that the window's end cut off is read anew, from there on. */
    if (n == have.n && out->begins && have.n < IMAPD_LINE_BEGIN &&
        have.n < lines->end - lines->at) {
        if (window_fill(m, lines->at, err) < 0)
            return -1;
        have = yb_str_head(window_from(m, lines->at), lines->end - lines->at);
        n = yb_str_find(have, '\n');
    }
    out->ends = n < have.n || have.n == lines->end - lines->at;
    out->text = yb_str_head(have, n + (n < have.n));
    lines->at += out->text.n;
    lines->inside = !out->ends;
    return 0;
}

static bool
is_empty_line(const struct imapd_line *line)
{
    return line->begins &&
           (yb_str_eq(line->text, YB_STR("\n")) || yb_str_eq(line->text, YB_STR("\r\n")));
}

/* Up to and with the first empty line, as lib/mime's reader has it. */
int
imapd_message_header(struct imapd_message *m, struct yb_err *err)
{
    struct imapd_line line = { 0 };

    if (m->has_header)
        return 0;
    if (imapd_message_open(m, err) < 0)
        return -1;
    m->header.end = m->condemned ? 0 : m->size;
    for (unsigned k = 1; !m->has_header; k++) {
        if (k % LINES_A_LOOK == 0 && slice_is_over(m))
            return 1;
        if (imapd_message_line(m, &m->header, &line, err) < 0)
            return -1;
        m->has_header = line.text.n == 0 || is_empty_line(&line);
    }
    m->header_size = m->header.at;
    return 0;
}

static void
has_tree(struct imapd_message *m)
{
    m->has_tree = m->has_header = true;
    m->header_size = m->parsed.tree.parts[0].body;
}

/* The tree, from the octets. */
static int
read_tree(struct imapd_message *m, struct yb_err *err)
{
    struct yb_str bytes;

    if (m->reader == NULL) {
        m->reader = yb_mime_reader_new(m->arena);
        m->fed = 0;
    }
    for (;;) {
        if (imapd_message_read(m, m->fed, &bytes, err) < 0)
            return -1;
        if (bytes.n == 0)
            break;
        yb_fault_marked("imapd.parse", bytes);
        yb_mime_reader_feed(m->reader, bytes);
        m->fed += bytes.n;
        if (m->fed < m->size && slice_is_over(m))
            return 1;
    }
    yb_mime_reader_end(&m->reader, &m->parsed.tree);
    has_tree(m);
    return 0;
}

int
imapd_message_tree(struct imapd_message *m, struct yb_err *err)
{
    struct yb_str bytes;
    bool cached;

    if (m->has_tree)
        return 0;
    if (m->condemned) {
        imapd_parsed_condemned(m->record->size, m->arena, &m->parsed);
        m->has_parsed = true;
        has_tree(m);
        return 0;
    }
    if (m->reader == NULL) {
        cached = yb_mailbox_cache_get(m->from.mailbox, m->record, m->arena, &bytes);
        if (cached && imapd_parsed_decode(bytes, m->arena, &m->parsed)) {
            m->has_parsed = true;
            has_tree(m);
            return 0;
        }
        if (cached)
            yb_mailbox_cache_forget(m->from.mailbox, m->record);
    }
    return read_tree(m, err);
}

/* The rest, from a tree that was read. */
static int
make_rest(struct imapd_message *m)
{
    if (m->making == NULL)
        m->making = imapd_making_new(&m->parsed.tree, m->arena);
    for (unsigned k = 1; imapd_making_step(&m->making, &m->parsed); k++) {
        if ((k < 4 || k % LINES_A_LOOK == 0) && slice_is_over(m))
            return 1;
    }
    m->has_parsed = true;
    return 0;
}

int
imapd_message_parsed(struct imapd_message *m, struct yb_err *err)
{
    int rc;

    if (m->has_parsed)
        return 0;
    rc = imapd_message_tree(m, err);
    if (rc != 0 || m->has_parsed)
        return rc;
    if (make_rest(m) != 0)
        return 1;
    if (m->parsed.tree.dropped)
        yb_log(YB_LOG_INFO, m->from.log, "imap.fields_dropped",
               "uid %u: header fields beyond %zu octets are as if absent", m->record->uid,
               YB_MIME_FIELDS_MAX);
    yb_mailbox_cache_put(m->from.mailbox, m->record, imapd_parsed_encode(&m->parsed, m->arena));
    return 0;
}

int
imapd_message_parse(struct imapd_message *m, struct yb_err *err)
{
    int rc = read_tree(m, err);

    return rc == 0 ? make_rest(m) : rc;
}

static enum yb_mime_section
mime_section(enum imapd_text text)
{
    switch (text) {
    case IMAPD_TEXT_ALL:
        return YB_MIME_SECTION_BODY;
    case IMAPD_TEXT_HEADER:
    case IMAPD_TEXT_FIELDS:
    case IMAPD_TEXT_FIELDS_NOT:
        return YB_MIME_SECTION_HEADER;
    case IMAPD_TEXT_TEXT:
        return YB_MIME_SECTION_TEXT;
    case IMAPD_TEXT_MIME:
        return YB_MIME_SECTION_MIME;
    }
    return YB_MIME_SECTION_BODY;
}

int
imapd_message_section(struct imapd_message *m, const struct imapd_section *s, uint64_t *start,
                      uint64_t *end, bool *exists, struct yb_err *err)
{
    int rc;

    *exists = true;
    if (imapd_message_open(m, err) < 0)
        return -1;
    *start = 0;
    *end = m->size;
    if (s->n_part == 0 && s->text == IMAPD_TEXT_ALL)
        return 0;
    if (m->condemned) {
        *exists = false;
        return 0;
    }
    if (s->n_part == 0) {
        rc = imapd_message_header(m, err);
        if (rc == 0 && s->text == IMAPD_TEXT_TEXT)
            *start = m->header_size;
        else if (rc == 0)
            *end = m->header_size;
    } else {
        rc = imapd_message_parsed(m, err);
        if (rc == 0)
            *exists = yb_mime_section_find(&m->parsed.tree, s->part, s->n_part,
                                           mime_section(s->text), start, end);
    }
    /* A cache of a file that was another one: what lies outside is not there. */
    if (rc == 0 && *exists && (*end > m->size || *start > *end))
        *exists = false;
    return rc;
}
