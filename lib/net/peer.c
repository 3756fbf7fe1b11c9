/* Who the other side of a connection is, and the word to one that is too many. */
#include "lib/net/engine.h"

#include <sys/socket.h>

void
yb_conn_set_peer(struct yb_conn *c, const union yb_addr *peer)
{
    char sid[YB_NODE_ID_TEXT], key[sizeof(c->self)];

    c->peer = *peer;
    yb_ip_text(yb_ip_of(&peer->any), c->peer_text);
    yb_log_ctx_cut(&c->log, 0);
    yb_log_ctx_add(&c->log, "sid", yb_str_from(yb_session_id_text(c->sid, sid)));
    yb_log_ctx_add(&c->log, "peer", yb_str_from(c->peer_text));
    /* Peers on a unix socket are our own daemons: each connection counts for itself. */
    memcpy(key, &c->self, sizeof(key));
    c->job.key = c->listener->is_unix ? yb_siphash(c->net->hash_key, yb_str(key, sizeof(key)))
                                      : yb_net_key(c->net, peer);
}

void
yb_conn_say_busy(const struct yb_listener *l, int fd, const union yb_addr *peer, const char *why)
{
    const char *text = l->spec.service->busy_text;
    struct yb_log_line line;
    char ip[YB_IP_TEXT];

    atomic_fetch_add(&l->net->refused, 1);
    yb_log_begin(&line, YB_LOG_INFO, NULL, "net.accept.refused");
    yb_log_str(&line, "service", yb_str_from(l->spec.service->name));
    yb_log_str(&line, "peer", yb_str_from(yb_ip_text(yb_ip_of(&peer->any), ip)));
    yb_log_str(&line, "reason", yb_str_from(why));
    yb_log_end(&line);
    if (text == NULL || l->spec.tls) /* without a handshake there is nothing to say it in */
        return;
    /* A new socket takes a line at once; one that does not is not worth waiting for. */
    if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_MORE) >= 0)
        send(fd, "\r\n", 2, MSG_NOSIGNAL);
}
