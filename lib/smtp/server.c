/* The server: what all its sessions share. */
#include "lib/smtp/server.h"

#include "lib/smtp/dispatch.h"

#define MAX_RCPT 100
#define MAX_ERRORS 20
#define MAX_IDLE 100
#define MAX_HOPS 100
#define COMMAND_TIMEOUT_MS 300000
#define DATA_TIMEOUT_MS 300000
#define DATA_TOTAL_MS 7200000

struct yb_smtp_server *
yb_smtp_server_new(const struct yb_smtp_conf *conf, const struct yb_smtp_hooks *hooks, void *arg)
{
    struct yb_smtp_server *srv = yb_alloc(1, sizeof(*srv));
    struct yb_smtp_conf *c = &srv->conf;

    yb_assert(hooks->connect != NULL && hooks->rcpt != NULL && hooks->message != NULL);
    yb_assert((conf->pool != NULL) != (hooks->block != NULL));
    *c = *conf;
    srv->hooks = *hooks;
    srv->arg = arg;
    c->max_rcpt = c->max_rcpt == 0 ? MAX_RCPT : c->max_rcpt;
    c->max_errors = c->max_errors == 0 ? MAX_ERRORS : c->max_errors;
    c->max_idle = c->max_idle == 0 ? MAX_IDLE : c->max_idle;
    c->max_hops = c->max_hops == 0 ? MAX_HOPS : c->max_hops;
    if (c->command_timeout_ms == 0)
        c->command_timeout_ms = COMMAND_TIMEOUT_MS;
    if (c->data_timeout_ms == 0)
        c->data_timeout_ms = DATA_TIMEOUT_MS;
    if (c->data_total_ms == 0)
        c->data_total_ms = DATA_TOTAL_MS;
    srv->table = smtp_commands(c->dialect, &srv->n_table);
    yb_assert(srv->n_table < YB_SMTP_COMMANDS);
    return srv;
}

void
yb_smtp_server_free(struct yb_smtp_server **srv)
{
    yb_free(*srv);
    *srv = NULL;
}

void *
yb_smtp_server_arg(const struct yb_smtp_server *srv)
{
    return srv->arg;
}

const struct yb_smtp_counts *
yb_smtp_server_counts(const struct yb_smtp_server *srv)
{
    return &srv->counts;
}

const char *
yb_smtp_count_name(const struct yb_smtp_server *srv, size_t i)
{
    if (i < srv->n_table)
        return srv->table[i].verb.p;
    return i == srv->n_table ? "unknown" : NULL;
}

void
yb_smtp_server_drain(struct yb_smtp_server *srv)
{
    atomic_store(&srv->draining, true);
}
