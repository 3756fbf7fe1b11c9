/* What a client says, up to whole commands. */
#ifndef IMAPD_INPUT_H
#define IMAPD_INPUT_H

#include "imapd/session.h"

/* A line: of a command, of an AUTHENTICATE exchange, or the end of IDLE. */
void imapd_input_line(struct yb_conn *conn, struct imapd_session *s, struct yb_str line,
                      unsigned flags);
/* Octets of a literal. */
void imapd_input_data(struct yb_conn *conn, struct imapd_session *s, struct yb_str block, bool last,
                      unsigned flags);
/* Forgets a command that is not whole. */
void imapd_input_free(struct imapd_session *s);

#endif
