/* The figures of a server and of its message buffers, for the metrics hook of a daemon. */
#ifndef YB_SMTP_FIGURES_H
#define YB_SMTP_FIGURES_H

#include "lib/daemon/metrics.h"
#include "lib/smtp/server.h"

/* Commands, messages, octets. */
void yb_smtp_figures(const struct yb_smtp_server *srv, struct yb_metrics *m);
/* What message buffers hold now. */
void yb_msgbuf_figures(const struct yb_msgbuf_pool *p, struct yb_metrics *m);

#endif
