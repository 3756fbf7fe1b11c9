/* From an accepted socket to a connection: limits, and what comes first. */
#include "lib/net/engine.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_LINE 2048
#define DEFAULT_TIMEOUT_MS 300000

static void
refuse(const struct yb_listener *l, int fd, const union yb_addr *peer, const char *why)
{
    yb_conn_say_busy(l, fd, peer, why);
    close(fd);
}

/* What must come before the first call of a handler, and by when. */
static void
begin(struct yb_conn *c, bool proxied)
{
    const struct yb_listener *l = c->listener;

    c->state = proxied ? YB_CONN_PROXY : l->spec.tls ? YB_CONN_HANDSHAKE : YB_CONN_NEW;
    yb_slot_publish(c);
    if (c->state != YB_CONN_NEW) {
        struct yb_slot *slot = c->slot;

        /* The peer speaks first: no worker, and no TLS state, until it does. */
        c->engine_at = yb_clock_ms() + c->net->conf.handshake_timeout_ms;
        yb_conn_set_timer(c);
        yb_conn_arm(c);
        if (yb_slot_park(slot))
            return;
    }
    yb_pool_push(c->net->pool, &c->job);
}

void
yb_conn_accept(const struct yb_listener *l, int fd, const union yb_addr *peer)
{
    struct yb_net *n = l->net;
    bool proxied = yb_cidr_has(l->proxy_from, l->n_proxy_from, peer);
    struct yb_net_count count = { .n = 0 };
    struct yb_conn *c;
    socklen_t size = sizeof(c->local);

    if (!proxied && !l->is_unix && !yb_net_admit(n, peer, &count)) {
        refuse(l, fd, peer, "network limit");
        return;
    }
    c = yb_alloc(1, sizeof(*c));
    c->net = n;
    c->listener = l;
    c->fd = fd;
    if (!yb_slot_get(n, c)) {
        yb_net_dismiss(n, &count);
        refuse(l, fd, peer, "connection limit");
        yb_free(c);
        return;
    }
    atomic_fetch_add(&n->accepted, 1);
    c->loop = &n->loops[c->self.slot % n->n_loops];
    c->counted = count;
    c->job.run = yb_conn_run;
    c->timer.fire = yb_conn_fire;
    atomic_init(&c->due, YB_NEVER);
    atomic_init(&c->timer_at, YB_NEVER);
    c->timeout_ms = DEFAULT_TIMEOUT_MS;
    c->sid = yb_session_id_new();
    yb_input_init(&c->input, DEFAULT_LINE);
    c->input.pieces = l->spec.service->line_pieces;
    yb_conn_set_peer(c, peer);
    if (getsockname(fd, &c->local.any, &size) < 0)
        c->local.any.sa_family = AF_UNSPEC;
    begin(c, proxied);
}
