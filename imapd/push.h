/*
 * Who has which mailbox selected, and who of them waits in IDLE. The store's notices name an account
 * and a mailbox; the connections that idle there are woken, and each looks for itself what is new.
 * Thread safe; the waker never blocks but for the table's own short lock.
 */
#ifndef IMAPD_PUSH_H
#define IMAPD_PUSH_H

#include "lib/base/id.h"
#include "lib/net/net.h"

struct imapd_push;

/* Part of the session; the table only links it. */
struct imapd_push_entry {
    struct imapd_push_entry *next, **link; /* link NULL: not in the table */
    struct yb_conn_ref conn;
    struct yb_account_id account;
    uint32_t uidvalidity;
    bool idling;
};

/* `wake` is yb_net_wake(); a test may watch instead. */
struct imapd_push *imapd_push_new(struct yb_net *net,
                                  void (*wake)(struct yb_net *, struct yb_conn_ref)) YB_MUST_USE;
void imapd_push_free(struct imapd_push **p);
/* The mailbox is selected. */
void imapd_push_add(struct imapd_push *p, struct imapd_push_entry *e);
/* It is not any more; true when nobody else has it selected. */
bool imapd_push_remove(struct imapd_push *p, struct imapd_push_entry *e);
/* Whether the connection is woken from here on; nothing when it is not in the table. Whoever begins
 * to idle looks for changes afterwards, so that nothing is lost in between. */
void imapd_push_idle(struct imapd_push *p, struct imapd_push_entry *e, bool idling);
/* A session that idles has more to tell than it told: it is woken once more. */
void imapd_push_again(struct imapd_push *p, const struct imapd_push_entry *e);
/* For yb_store_on_change(): arg is the table. uidvalidity 0: every mailbox of the account; account
 * zero: everybody. */
void imapd_push_changed(void *arg, struct yb_account_id account, uint32_t uidvalidity);
/* How many idle, and how often somebody was woken. */
void imapd_push_stats(struct imapd_push *p, uint64_t *waiting, uint64_t *woken);

#endif
