/* From a line of the client to its command. */
#ifndef POP3D_DISPATCH_H
#define POP3D_DISPATCH_H

#include "pop3d/session.h"

/* A line of the client: what is no line of POP3 is refused, the rest is a command or belongs to an
 * AUTH exchange. */
void pop3d_dispatch(struct yb_conn *c, struct pop3d_session *s, struct yb_str line, unsigned flags);

#endif
