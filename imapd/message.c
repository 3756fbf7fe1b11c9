#include "imapd/message.h"

#include "lib/base/io.h"
#include "lib/mime/header.h"
#include "lib/net/file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_READ 16384 /* holds most headers */

void
imapd_message_begin(struct imapd_message *m, struct yb_mailbox *mailbox,
                    const struct yb_record *record, struct yb_arena *arena)
{
    *m = (struct imapd_message){ .mailbox = mailbox, .record = record, .arena = arena, .fd = -1 };
}

void
imapd_message_end(struct imapd_message *m)
{
    if (m->file != NULL)
        yb_file_unref(&m->file);
    else if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
    yb_free(m->bytes);
    m->bytes = NULL;
}

int
imapd_message_open(struct imapd_message *m, struct yb_err *err)
{
    struct stat st;

    if (m->fd >= 0)
        return 0;
    if (m->record->expunged)
        return yb_err_set(err, YB_PERM, "5.2.0", "[EXPUNGEISSUED] The message is gone");
    if (yb_mailbox_message(m->mailbox, m->record, &m->fd, err) < 0)
        return -1;
    if (fstat(m->fd, &st) < 0)
        return yb_err_sys(err, YB_TEMP, "4.2.0", "stat a message");
    m->size = (uint64_t)st.st_size;
    return 0;
}

static int
read_at(const struct imapd_message *m, char *to, uint64_t at, size_t n, struct yb_err *err)
{
    ssize_t got = yb_pread_full(m->fd, to, n, (off_t)at);

    if (got < 0)
        return yb_err_sys(err, YB_TEMP, "4.2.0", "read a message");
    if ((size_t)got < n)
        return yb_err_inside(err, YB_TEMP, "4.2.0", "a message is shorter than it was");
    return 0;
}

/* Reads twice as much each time, until the header's end is in it. */
int
imapd_message_header(struct imapd_message *m, struct yb_err *err)
{
    size_t n = FIRST_READ, header;
    char *to;

    if (m->header.p != NULL)
        return 0;
    if (imapd_message_open(m, err) < 0)
        return -1;
    for (;; n *= 2) {
        if (n > m->size)
            n = (size_t)m->size;
        to = yb_arena_alloc(m->arena, n + 1, 1);
        if (read_at(m, to, 0, n, err) < 0)
            return -1;
        header = yb_header_size(yb_str(to, n));
        if (header < n || n == m->size)
            break;
    }
    m->header = yb_str(to, header);
    return 0;
}

int
imapd_message_bytes(struct imapd_message *m, struct yb_str *bytes, struct yb_err *err)
{
    if (imapd_message_open(m, err) < 0)
        return -1;
    if (m->bytes == NULL) {
        m->bytes = yb_realloc(NULL, (size_t)m->size + 1, 1); /* not cleared */
        if (read_at(m, m->bytes, 0, (size_t)m->size, err) < 0) {
            yb_free(m->bytes);
            m->bytes = NULL;
            return -1;
        }
    }
    *bytes = yb_str(m->bytes, (size_t)m->size);
    return 0;
}

int
imapd_message_parsed(struct imapd_message *m, struct yb_err *err)
{
    struct yb_str bytes;

    if (m->has_parsed)
        return 0;
    if (!yb_mailbox_cache_get(m->mailbox, m->record, m->arena, &bytes) ||
        !imapd_parsed_decode(bytes, m->arena, &m->parsed)) {
        if (imapd_message_bytes(m, &bytes, err) < 0)
            return -1;
        imapd_parsed_make(bytes, m->arena, &m->parsed);
        yb_mailbox_cache_put(m->mailbox, m->record, imapd_parsed_encode(&m->parsed, m->arena));
    }
    m->has_parsed = true;
    return 0;
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
    *exists = true;
    if (imapd_message_open(m, err) < 0)
        return -1;
    *start = 0;
    *end = m->size;
    if (s->n_part == 0) {
        if (s->text == IMAPD_TEXT_ALL)
            return 0;
        if (imapd_message_header(m, err) < 0)
            return -1;
        if (s->text == IMAPD_TEXT_TEXT)
            *start = m->header.n;
        else
            *end = m->header.n;
        return 0;
    }
    if (imapd_message_parsed(m, err) < 0)
        return -1;
    *exists =
        yb_mime_section(&m->parsed.tree, s->part, s->n_part, mime_section(s->text), start, end);
    /* A cache of a file that was another one: what lies outside is not there. */
    if (*exists && (*end > m->size || *start > *end))
        *exists = false;
    return 0;
}
