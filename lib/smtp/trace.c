/* Trace fields. */
#include "lib/smtp/trace.h"

#include "lib/mime/date.h"
#include "lib/smtp/params.h"
#include "lib/smtp/session.h"

struct yb_str
yb_smtp_with_keyword(const struct yb_smtp_session *s)
{
    /* [UTF8][TLS][authenticated] */
    static const struct yb_str words[2][2][2] = {
        { { YB_STR_INIT("ESMTP"), YB_STR_INIT("ESMTPA") },
          { YB_STR_INIT("ESMTPS"), YB_STR_INIT("ESMTPSA") } },
        { { YB_STR_INIT("UTF8SMTP"), YB_STR_INIT("UTF8SMTPA") },
          { YB_STR_INIT("UTF8SMTPS"), YB_STR_INIT("UTF8SMTPSA") } },
    };
    bool utf8 = s->tx != NULL && s->tx->utf8;

    if (s->server->conf.dialect == YB_SMTP_LMTP)
        return utf8 ? YB_STR("UTF8LMTP") : YB_STR("LMTP");
    if (!s->engine->esmtp)
        return YB_STR("SMTP");
    return words[utf8][yb_conn_is_tls(s->conn)][s->engine->authenticated];
}

/* An address literal of RFC 5321 §4.1.3 around the peer's address. */
static struct yb_str
peer_literal(const struct yb_smtp_session *s, struct yb_arena *arena)
{
    char text[YB_IP_LITERAL];

    return yb_arena_dup(arena, yb_str_from(yb_ip_literal(yb_ip_of(yb_conn_peer(s->conn)), text)));
}

/* A header is ASCII unless the message is an SMTPUTF8 one (RFC 6532). */
static struct yb_str
helo_text(const struct yb_smtp_session *s, struct yb_arena *arena)
{
    return yb_smtp_helo_text(yb_str_from(s->engine->helo), s->tx->utf8, arena);
}

struct yb_str
yb_smtp_received(const struct yb_smtp_session *s, bool hide_client, time_t now,
                 struct yb_arena *arena)
{
    const struct yb_smtp_tx *tx = s->tx;
    struct yb_str from = { "", 0 }, to = { "", 0 }, tls = { "", 0 };
    char id[YB_ID_TEXT], date[YB_DATE_TEXT];

    if (!hide_client)
        from = yb_arena_printf(arena, "from %.*s (%.*s)\r\n\t", YB_STR_ARG(helo_text(s, arena)),
                               YB_STR_ARG(peer_literal(s, arena)));
    if (tx->n_rcpts == 1)
        to = yb_arena_printf(arena, "\r\n\tfor <%.*s>", YB_STR_ARG(tx->rcpts->text));
    if (yb_conn_is_tls(s->conn)) /* the clause of RFC 8314 §4.3 */
        tls = yb_arena_printf(arena, "\r\n\ttls %s", yb_conn_tls_cipher(s->conn));
    yb_date_format((struct yb_date){ .utc = now }, date);
    return yb_arena_printf(arena, "Received: %.*sby %s with %.*s\r\n\tid %s%.*s%.*s; %s\r\n",
                           YB_STR_ARG(from), s->server->conf.hostname,
                           YB_STR_ARG(yb_smtp_with_keyword(s)), yb_message_id_text(tx->id, id),
                           YB_STR_ARG(to), YB_STR_ARG(tls), date);
}
