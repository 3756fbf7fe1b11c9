#include "lib/smtp/session.h"

/* Memory of a transaction: what a usual one needs, so that it takes one block. */
#define TX_BLOCK 4000

void
smtp_tx_begin(struct yb_smtp_session *s)
{
    struct yb_arena *arena = yb_arena_new(TX_BLOCK);

    yb_assert(s->tx == NULL);
    s->tx = yb_arena_alloc(arena, 1, sizeof(*s->tx));
    s->tx->arena = arena;
}

/* The one place where a transaction ends, however it went. */
void
smtp_tx_reset(struct yb_smtp_session *s)
{
    struct yb_arena *arena;

    if ((s->engine->state & (ST_GREETED | ST_AUTH)) == 0)
        s->engine->state = ST_READY;
    memset(&s->engine->in, 0, sizeof(s->engine->in));
    if (s->tx == NULL)
        return;
    yb_conn_set_deadline(s->conn, 0); /* of its message, begun or whole */
    if (s->server->hooks.reset != NULL)
        s->server->hooks.reset(s);
    yb_msgbuf_free(&s->tx->message);
    yb_log_ctx_cut(yb_conn_log(s->conn), s->engine->log_n);
    arena = s->tx->arena;
    s->tx = NULL; /* it lies in the arena */
    s->engine->last_rcpt = NULL;
    yb_arena_free(&arena);
}
