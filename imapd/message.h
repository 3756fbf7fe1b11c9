/*
 * One message as FETCH and SEARCH look at it: its file, opened when its bytes are needed; its
 * parsed form, from the mailbox's cache or made and kept there; the ranges of its sections.
 */
#ifndef IMAPD_MESSAGE_H
#define IMAPD_MESSAGE_H

#include "imapd/parse.h"
#include "imapd/parsed.h"
#include "imapd/session.h"

struct imapd_message {
    struct yb_mailbox *mailbox;
    const struct yb_record *record;
    struct yb_arena *arena; /* for everything below but the file */
    int fd;                 /* -1: not open */
    struct yb_file *file;   /* owns fd from the first range that was queued on; else NULL */
    uint64_t size;          /* of the file */
    struct yb_str header;   /* p == NULL: not read */
    bool has_parsed;
    struct imapd_parsed parsed;
    char *bytes; /* the whole file, yb_free(); NULL: not read */
};

void imapd_message_begin(struct imapd_message *m, struct yb_mailbox *mailbox,
                         const struct yb_record *record, struct yb_arena *arena);
void imapd_message_end(struct imapd_message *m);

/* Each reads what it needs, once. -1: PERM "[EXPUNGEISSUED]" when the message is gone, TEMP else.
 */
int imapd_message_open(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;
int imapd_message_header(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;
int imapd_message_parsed(struct imapd_message *m, struct yb_err *err) YB_MUST_USE;
/* All bytes in memory. */
int imapd_message_bytes(struct imapd_message *m, struct yb_str *bytes,
                        struct yb_err *err) YB_MUST_USE;

/* Where a section's bytes are, its partial not counted; of HEADER.FIELDS the whole header. *exists
 * false: there is no such section. */
int imapd_message_section(struct imapd_message *m, const struct imapd_section *s, uint64_t *start,
                          uint64_t *end, bool *exists, struct yb_err *err) YB_MUST_USE;

#endif
