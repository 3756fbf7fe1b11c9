/*
 * Messages that ended the process, or may have (lib/daemon/notes.h). Whoever works on a message's
 * bytes says so before and after; a condemned message is answered from the index alone, and a
 * suspect one when its trial is over.
 */
#ifndef IMAPD_SUSPECT_H
#define IMAPD_SUSPECT_H

#include "imapd/parsed.h"
#include "imapd/session.h"

/* Which message, for all time. */
struct imapd_work {
    struct yb_account_id account;
    uint32_t uidvalidity, uid;
};

/* Around work on its bytes, on any thread; the result is for _end(). Costs an atomic exchange. */
int imapd_work_begin(struct imapd_server *server, const struct imapd_work *work);
void imapd_work_end(struct imapd_server *server, int slot);
enum yb_verdict imapd_work_verdict(const struct imapd_server *server,
                                   const struct imapd_work *work);

void imapd_work_encode(const struct imapd_work *work, struct yb_note *note);
/* Octets of a child that may have been taken over: whatever they are, they name a message, which
 * need not exist. */
void imapd_work_decode(const struct yb_note *note, struct imapd_work *work);

/* What is answered for a condemned message of `size` octets: an envelope that says nothing, one part
 * of unknown content. */
void imapd_parsed_condemned(uint64_t size, struct yb_arena *arena, struct imapd_parsed *out);

/*
 * The hook of struct yb_daemon_spec (probe.c): finds the message as the child did, and reads it as
 * FETCH and SEARCH would. A message that is gone is as good as one that does no harm.
 */
int imapd_probe(const struct yb_conf *conf, const struct yb_note *note,
                struct yb_err *err) YB_MUST_USE;
/* Of processor time. The slowest good messages seen, 50 MB of letters beyond ASCII, take 10 s; a slow machine may take
 * several times that. */
#define IMAPD_PROBE_MS 60000

#endif
