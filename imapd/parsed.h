/*
 * What imapd keeps of a message it has read: ENVELOPE, BODY and BODYSTRUCTURE as they are answered,
 * the offsets of its parts, and the header texts that searches ask for most, decoded, folded, and
 * with one space for several. It lies in the mailbox's cache in an encoding of our own; bytes that
 * are not of this version, or not whole, are as if there were none. Pure functions.
 */
#ifndef IMAPD_PARSED_H
#define IMAPD_PARSED_H

#include "lib/base/arena.h"
#include "lib/mime/tree.h"

/* The fields whose texts are kept. */
enum imapd_searched {
    IMAPD_SEARCHED_FROM,
    IMAPD_SEARCHED_TO,
    IMAPD_SEARCHED_CC,
    IMAPD_SEARCHED_BCC,
    IMAPD_SEARCHED_SUBJECT,
    IMAPD_SEARCHED
};

struct imapd_parsed {
    struct yb_str envelope, body, structure;
    struct yb_str searched[IMAPD_SEARCHED]; /* all fields of the name; p == NULL: there is none */
    bool has_sent;
    int64_t sent_day;         /* of the Date field, as written: days since 1970 */
    struct yb_mime_tree tree; /* offsets and kinds only */
};

/* Which of the kept texts is this field's; IMAPD_SEARCHED when none is. */
enum imapd_searched imapd_searched_field(struct yb_str name);
/*
 * Making it from the tree of a message's bytes (not one that was decoded), in steps: each makes one
 * of the answers, or looks at one header field. Results live in the arena. The last step tells so by
 * false, and *making is gone then.
 */
struct imapd_making;
struct imapd_making *imapd_making_new(const struct yb_mime_tree *tree,
                                      struct yb_arena *arena) YB_MUST_USE;
bool imapd_making_step(struct imapd_making **making, struct imapd_parsed *out) YB_MUST_USE;
/* Gives up. NULL is fine. */
void imapd_making_free(struct imapd_making **making);
/* All at once. */
void imapd_parsed_make(const struct yb_mime_tree *tree, struct yb_arena *arena,
                       struct imapd_parsed *out);

/* Longer header fields are searched up to here. */
#define IMAPD_SEARCHED_MAX ((size_t)64 << 10)

struct yb_str imapd_parsed_encode(const struct imapd_parsed *p, struct yb_arena *arena) YB_MUST_USE;
/* Texts point into `bytes`. */
bool imapd_parsed_decode(struct yb_str bytes, struct yb_arena *arena,
                         struct imapd_parsed *out) YB_MUST_USE;

#endif
