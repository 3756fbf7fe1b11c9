/*
 * The hooks of lmtpd: a hand-over from smtpd, submitd or relayd becomes files in Maildirs. Every
 * recipient's file is written while the message comes; at the dot each is placed (account lock,
 * UID, link, record: L1-L4 of docs/delivery.md) and then all are synced (L5), so that their syncs
 * merge in the file system's journal. Only then is a recipient answered 250. No database is asked.
 */
#ifndef LMTPD_DELIVER_H
#define LMTPD_DELIVER_H

#include "lib/event/event.h"
#include "lib/smtp/peers.h"
#include "lib/smtp/server.h"
#include "lib/store/store.h"

#include <sys/types.h>

struct lmtpd_deliver {
    struct yb_store *store;
    int (*keeps)(void *home, struct yb_err *err); /* yb_home_keeps(); NULL: nobody is asked */
    void *home;
    struct yb_event_writer *events; /* what was stored is told there; NULL: nowhere */
    struct yb_smtp_peers peers;     /* who may hand over, besides root and ourselves */
    _Atomic uint64_t delivered, refused, duplicates; /* recipients */
};

extern const struct yb_smtp_hooks lmtpd_hooks; /* arg of the server: struct lmtpd_deliver */

#endif
