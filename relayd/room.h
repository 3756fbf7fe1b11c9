/*
 * How much is queued, of everybody and of each tenant, and whether more may come: one tenant has at
 * most half, the last tenth is for what somebody was answered 250 for. Memory only; any thread.
 */
#ifndef RELAYD_ROOM_H
#define RELAYD_ROOM_H

#include "lib/base/err.h"
#include "lib/base/id.h"

struct relayd_room;

/* One part of what a message takes: recipients of a tenant; the octets are the message's tenant's. */
struct relayd_share {
    struct yb_tenant_id tenant;
    uint64_t recipients, bytes;
};

/* Nothing is queued. */
struct relayd_room *relayd_room_new(uint64_t max_recipients, uint64_t max_bytes) YB_MUST_USE;
void relayd_room_free(struct relayd_room **r);
/* Takes all shares or none; -1: YB_TEMP, YB_ERR_FULL 4.3.1. */
int relayd_room_take(struct relayd_room *r, const struct relayd_share *shares, size_t n,
                     bool accepted, struct yb_err *err) YB_MUST_USE;
/* The same without taking: would this one share fit now? */
int relayd_room_look(struct relayd_room *r, const struct relayd_share *share, bool accepted,
                     struct yb_err *err) YB_MUST_USE;
/* What is in the queue already counts, whatever the bounds say. */
void relayd_room_add(struct relayd_room *r, const struct relayd_share *share);
void relayd_room_give_back(struct relayd_room *r, const struct relayd_share *share);
/* Totals of now. */
void relayd_room_read(struct relayd_room *r, uint64_t *recipients, uint64_t *bytes);

#endif
