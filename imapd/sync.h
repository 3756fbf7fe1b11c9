/* What is new in the selected mailbox, and how a session is told. */
#ifndef IMAPD_SYNC_H
#define IMAPD_SYNC_H

#include "imapd/session.h"

/* Collects it and brings the view up to date. `expunges` where EXPUNGE may be told. */
int imapd_look(struct imapd_cmd *c, bool expunges, struct yb_changes *out,
               struct yb_err *err) YB_MUST_USE;
/* The same; a mailbox that is gone ends the session. */
int imapd_changes(struct imapd_cmd *c, bool expunges, struct yb_changes *out,
                  struct yb_err *err) YB_MUST_USE;
/* Tells it: EXPUNGE, EXISTS, RECENT, FLAGS, FETCH. */
void imapd_tell(struct imapd_cmd *c, const struct yb_changes *changes);
/* Both; an error is logged, and told at the next occasion. True: there is more to tell, which is left
 * for then too. */
bool imapd_sync(struct imapd_cmd *c, bool expunges);
/* `* n FETCH (FLAGS (…))` with UID and MODSEQ where the session wants them. */
void imapd_tell_flags(struct imapd_cmd *c, uint32_t seq, const struct yb_record *r);
/* The keywords of the selected mailbox, looked at once a step; NULL when they cannot be read. */
const struct yb_keywords *imapd_cmd_keywords(struct imapd_cmd *c);
/* The same for who tells flags: before a line that may have a new one FLAGS says it, once. */
const struct yb_keywords *imapd_told_keywords(struct imapd_cmd *c);
/* FLAGS and PERMANENTFLAGS. */
void imapd_tell_keywords(struct imapd_cmd *c);
/* RFC 7162 §3.1: the first command that asks for it enables CONDSTORE. */
void imapd_enable_condstore(struct imapd_cmd *c);

/* A set of sequence numbers or (`uid`) UIDs as sequence numbers of the rows, resolved. A sequence
 * number that is not there is an error. */
int imapd_targets(struct imapd_cmd *c, struct imapd_set *set, bool uid, const struct yb_rows *rows,
                  struct imapd_set *seqs, struct yb_err *err) YB_MUST_USE;
/* The UIDs of a resolved set of sequence numbers, dead messages left out (*gone: there were
 * some). */
uint32_t *imapd_uids(struct imapd_cmd *c, const struct imapd_set *seqs, const struct yb_rows *rows,
                     size_t *n, bool *gone) YB_MUST_USE;

#endif
