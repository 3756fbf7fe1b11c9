/*
 * What each operation on the queue does to the database and to what is known of delivery ids, within
 * a transaction, and what follows for the rest once that is committed. The writer's thread.
 */
#ifndef RELAYD_APPLY_H
#define RELAYD_APPLY_H

#include "relayd/known.h"
#include "relayd/queue_sql.h"
#include "relayd/room.h"

/* A message on its way into the queue. */
struct relayd_put {
    const struct relayd_message *message;
    struct yb_str head, octets; /* octets: empty when the body is a file */
    bool *drop;                 /* for each recipient: it is known already; written */
    size_t dropped;             /* how many are; written */
};

/* What follows from a transaction: room to be given back, bodies to be removed. Zeroed: nothing. */
struct relayd_effects {
    struct relayd_share *shares;
    size_t n_shares, room_shares;
    struct relayd_file {
        struct yb_message_id mid;
        uint64_t m;
    } * files;
    size_t n_files, room_files;
};
void relayd_effects_free(struct relayd_effects *e);

/* Anything but OK: the whole transaction is to be undone, with relayd_known_undo(). */
enum relayd_fate relayd_apply_put(struct relayd_db *db, struct relayd_known *known,
                                  struct relayd_put *put, struct yb_err *err) YB_MUST_USE;
enum relayd_fate relayd_apply_op(struct relayd_db *db, struct relayd_known *known,
                                 const struct relayd_op *op, struct relayd_effects *e,
                                 struct yb_err *err) YB_MUST_USE;

/* A copy with all that it points to, for relayd_op_free(). */
void relayd_op_copy(const struct relayd_op *op, struct relayd_op *copy);
void relayd_op_free(struct relayd_op *op);

#endif
