/* The commands, as the rows of dispatch.c name them, and what goes on with one after its line. */
#ifndef POP3D_CMD_H
#define POP3D_CMD_H

#include "pop3d/session.h"

typedef void pop3d_command(struct yb_conn *c, struct pop3d_session *s, struct yb_str arg);
pop3d_command pop3d_capa, pop3d_stls, pop3d_user, pop3d_pass, pop3d_auth;
pop3d_command pop3d_stat, pop3d_list, pop3d_uidl, pop3d_retr, pop3d_top_command, pop3d_dele;
pop3d_command pop3d_noop, pop3d_rset, pop3d_quit;

/* The next line of an AUTH exchange. */
void pop3d_auth_line(struct yb_conn *c, struct pop3d_session *s, struct yb_str line);

#endif
