/* From a whole command to its handler, and on with it while it answers piece by piece. */
#ifndef IMAPD_DISPATCH_H
#define IMAPD_DISPATCH_H

#include "imapd/session.h"

/*
 * Runs a whole command (its lines and literals as lex.h wants them, without the last line end).
 * Everything wrong is answered.
 */
void imapd_dispatch(struct yb_conn *conn, struct imapd_session *s, struct yb_str text);
/* Gives up the running command, when the connection is gone. */
void imapd_abandon(struct imapd_session *s);

#endif
