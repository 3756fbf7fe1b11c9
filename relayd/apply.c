#include "relayd/apply.h"

#include "lib/base/clock.h"

static void
note_share(struct relayd_effects *e, struct yb_tenant_id tenant, uint64_t recipients,
           uint64_t bytes)
{
    if (e->n_shares == e->room_shares) {
        e->room_shares = e->room_shares == 0 ? 64 : 2 * e->room_shares;
        e->shares = yb_realloc(e->shares, e->room_shares, sizeof(*e->shares));
    }
    e->shares[e->n_shares++] = (struct relayd_share){ tenant, recipients, bytes };
}

static void
note_file(struct relayd_effects *e, struct yb_message_id mid, uint64_t m)
{
    if (e->n_files == e->room_files) {
        e->room_files = e->room_files == 0 ? 16 : 2 * e->room_files;
        e->files = yb_realloc(e->files, e->room_files, sizeof(*e->files));
    }
    e->files[e->n_files++] = (struct relayd_file){ mid, m };
}

enum relayd_fate
relayd_apply_put(struct relayd_db *db, struct relayd_known *known, struct relayd_put *put,
                 struct yb_err *err)
{
    const struct relayd_message *m = put->message;
    enum relayd_fate fate;
    uint32_t n = 0;

    put->dropped = 0;
    for (size_t i = 0; i < m->n; i++) {
        put->drop[i] = relayd_known_has(known, m->r[i].delivery);
        if (put->drop[i])
            put->dropped++;
        else /* so that the same id twice in one message is one */
            relayd_known_queued(known, m->r[i].delivery);
    }
    if (put->dropped == m->n)
        return RELAYD_FATE_OK;
    fate = relayd_db_message(db, m, put->head, put->octets, err);
    for (size_t i = 0; fate == RELAYD_FATE_OK && i < m->n; i++) {
        if (!put->drop[i])
            fate = relayd_db_recipient(db, m->m, n++, &m->r[i], err);
    }
    return fate;
}

static enum relayd_fate
do_remove(struct relayd_db *db, struct relayd_known *known, uint64_t m, uint32_t n,
          struct relayd_effects *e, struct yb_err *err)
{
    struct relayd_removed removed;
    enum relayd_fate fate = relayd_db_remove(db, m, n, &removed, err);
    uint64_t s = relayd_known_next(known);

    if (fate != RELAYD_FATE_OK || !removed.found)
        return fate;
    note_share(e, removed.tenant, 1, 0);
    if (!removed.named)
        return fate;
    relayd_known_done(known, removed.delivery, s, yb_clock_ms());
    return relayd_db_done(db, s, removed.delivery, err);
}

static enum relayd_fate
do_removes(struct relayd_db *db, struct relayd_known *known, const struct relayd_op *op,
           struct relayd_effects *e, struct yb_err *err)
{
    enum relayd_fate fate = RELAYD_FATE_OK;
    struct relayd_ended ended = { 0 };

    for (size_t i = 0; fate == RELAYD_FATE_OK && i < op->n; i++)
        fate = do_remove(db, known, op->m, op->r[i].n, e, err);
    if (fate == RELAYD_FATE_OK)
        fate = relayd_db_end(db, op->m, &ended, err);
    if (fate == RELAYD_FATE_OK && ended.gone) {
        note_share(e, ended.tenant, 0, ended.size);
        if (ended.file)
            note_file(e, ended.mid, op->m);
    }
    return fate;
}

static enum relayd_fate
do_changes(struct relayd_db *db, const struct relayd_op *op, enum relayd_state state,
           struct yb_err *err)
{
    enum relayd_fate fate = RELAYD_FATE_OK;

    for (size_t i = 0; fate == RELAYD_FATE_OK && i < op->n; i++) {
        struct relayd_recipient r = op->r[i];

        r.state = state;
        fate = relayd_db_change(db, op->m, r.n, &r, err);
    }
    return fate;
}

enum relayd_fate
relayd_apply_op(struct relayd_db *db, struct relayd_known *known, const struct relayd_op *op,
                struct relayd_effects *e, struct yb_err *err)
{
    switch (op->kind) {
    case RELAYD_OP_DONE:
    case RELAYD_OP_DELETE:
        return do_removes(db, known, op, e, err);
    case RELAYD_OP_HOLD:
        return do_changes(db, op, RELAYD_HELD, err);
    case RELAYD_OP_LATER:
    case RELAYD_OP_RELEASE:
        break;
    }
    return do_changes(db, op, RELAYD_WAITING, err);
}

void
relayd_effects_free(struct relayd_effects *e)
{
    yb_free(e->shares);
    yb_free(e->files);
    *e = (struct relayd_effects){ 0 };
}

void
relayd_op_copy(const struct relayd_op *op, struct relayd_op *copy)
{
    *copy = *op;
    copy->r = yb_alloc(op->n, sizeof(*copy->r));
    for (size_t i = 0; i < op->n; i++) {
        struct relayd_recipient *r = &copy->r[i];

        *r = op->r[i];
        r->text = yb_str_head(r->text, RELAYD_TEXT_MAX);
        r->address.p = yb_dup(r->address.p, r->address.n);
        r->status.p = yb_dup(r->status.p, r->status.n);
        r->text.p = yb_dup(r->text.p, r->text.n);
    }
}

void
relayd_op_free(struct relayd_op *op)
{
    for (size_t i = 0; i < op->n; i++) {
        yb_free((char *)(uintptr_t)op->r[i].address.p);
        yb_free((char *)(uintptr_t)op->r[i].status.p);
        yb_free((char *)(uintptr_t)op->r[i].text.p);
    }
    yb_free(op->r);
    op->r = NULL;
    op->n = 0;
}
