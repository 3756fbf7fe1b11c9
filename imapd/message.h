/*
 * One message as FETCH and SEARCH look at it: its file, opened when its octets are needed and read
 * through a window; its parsed form, from the mailbox's cache or made and kept there; the ranges of
 * its sections. However large the message is, no more of it is in memory than the window and what
 * lib/mime keeps of its headers.
 *
 * What may take long is done in slices: such a call returns 1 when the time `until` has come, and
 * goes on where it was when it is called again.
 */
#ifndef IMAPD_MESSAGE_H
#define IMAPD_MESSAGE_H

#include "imapd/parse.h"
#include "imapd/parsed.h"
#include "imapd/session.h"

#include "lib/net/file.h"

/* The lines of [at, end) of the file, in pieces as the window gives them. */
struct imapd_lines {
    uint64_t at, end;
    bool inside; /* of a line whose beginning was given */
};
struct imapd_line {
    struct yb_str text; /* with its line end; none: the lines are over */
    /* A piece that begins a line has at least IMAPD_LINE_BEGIN octets of it, or all. */
    bool begins, ends;
};
#define IMAPD_LINE_BEGIN 16384

/* Where messages come from, and who notes that they are worked on. */
struct imapd_source {
    struct imapd_server *server; /* NULL: nothing is noted, and nothing condemned */
    struct yb_account_id account;
    uint32_t uidvalidity;
    struct yb_mailbox *mailbox;
    const struct yb_log_ctx *log;
};

struct imapd_message {
    struct imapd_source from;
    const struct yb_record *record;
    struct yb_arena *arena; /* for the parsed form */
    int64_t until;          /* by yb_clock_ms(): when the slice is over */
    int slot;               /* of the note that says that we work on it; -1: none */
    bool judged;            /* it is known whether the message is */
    bool condemned;         /* its octets are not looked at: it has no header and no parts */

    struct yb_file *file; /* NULL: not open */
    uint64_t size;        /* of the file */
    char *window;         /* yb_free(); octets of the file from window_at on */
    uint64_t window_at;
    size_t window_n;

    bool has_header;
    uint64_t header_size;
    struct imapd_lines header; /* how far its end was looked for */
    bool has_tree, has_parsed;
    struct yb_mime_reader *reader; /* a message half-read */
    uint64_t fed;
    struct imapd_making *making; /* a parsed form half-made */
    struct imapd_parsed parsed;  /* with has_tree only the tree */
};

/* The selected mailbox of a session. */
struct imapd_source imapd_source_of(const struct imapd_session *s, const struct yb_log_ctx *log);
void imapd_message_begin(struct imapd_message *m, const struct imapd_source *from,
                         const struct yb_record *record, struct yb_arena *arena);
/* A slice of work on the message, until that time; all calls below are made within one. -1 (TEMP): it
 * is suspect of having ended the process, and is tried at this moment. */
int imapd_message_work(struct imapd_message *m, int64_t until, struct yb_err *err) YB_MUST_USE;
void imapd_message_rest(struct imapd_message *m);
/* The client is waited for: nothing of the message is kept in memory but the file is open. What is
 * asked for then is read again. `arena` is reset. */
void imapd_message_pause(struct imapd_message *m);
void imapd_message_end(struct imapd_message *m);

/* Each does what it needs to, once. -1: PERM, YB_ERR_GONE, when the message is gone, TEMP else. Of
 * a condemned message there are the octets as a whole, and what the index knows. */
int imapd_message_open(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;
/* Where the header ends. 1: the slice is over. */
int imapd_message_header(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;
/* Where the parts are, which need not be kept for later. 1: the slice is over. */
int imapd_message_tree(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;
/* All of `parsed`. 1: the slice is over. */
int imapd_message_parsed(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;
/* The same from the octets, whatever is cached; nothing is kept for later. 1: likewise. */
int imapd_message_parse(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;

/* Octets from `at` on, as many as the window has: none only at the end of the file. Valid until the
 * next call. */
int imapd_message_read(struct imapd_message *m, uint64_t at, struct yb_str *out,
                       struct yb_err *err) YB_MUST_USE;

/* The next piece of a line. */
int imapd_message_line(struct imapd_message *m, struct imapd_lines *lines, struct imapd_line *out,
                       struct yb_err *err) YB_MUST_USE;

/* Where a section's octets are, its partial not counted; of HEADER.FIELDS the whole header. *exists
 * false: there is no such section. 1: the slice is over. */
int imapd_message_section(struct imapd_message *m, const struct imapd_section *s, uint64_t *start,
                          uint64_t *end, bool *exists, struct yb_err *err) YB_MUST_USE;

#endif
