#include "lib/smtp/figures.h"

#include <stdio.h>

void
yb_smtp_figures(const struct yb_smtp_server *srv, struct yb_metrics *m)
{
    const struct yb_smtp_counts *c = yb_smtp_server_counts(srv);
    const char *verb;
    char label[40];

    for (size_t i = 0; (verb = yb_smtp_count_name(srv, i)) != NULL; i++) {
        (void)snprintf(label, sizeof(label), "verb=\"%s\"", verb);
        yb_metrics_counter(m, "smtp_commands_total", "Commands received.", label,
                           atomic_load(&c->commands[i]));
    }
    yb_metrics_counter(m, "smtp_messages_total", "Messages answered.", "result=\"accepted\"",
                       atomic_load(&c->accepted));
    yb_metrics_counter(m, "smtp_messages_total", "Messages answered.", "result=\"refused\"",
                       atomic_load(&c->refused));
    yb_metrics_counter(m, "smtp_recipients_refused_total", "Recipients refused at RCPT.", NULL,
                       atomic_load(&c->rcpt_refused));
    yb_metrics_counter(m, "smtp_message_bytes_total", "Octets of messages received.", NULL,
                       atomic_load(&c->bytes));
}

void
yb_msgbuf_figures(const struct yb_msgbuf_pool *p, struct yb_metrics *m)
{
    yb_metrics_gauge(m, "message_buffer_bytes", "Messages being received.", "in=\"memory\"",
                     yb_msgbuf_pool_memory(p));
    yb_metrics_gauge(m, "message_buffer_bytes", "Messages being received.", "in=\"files\"",
                     yb_msgbuf_pool_disk(p));
}
