/*
 * What relayd answers as an LMTP server: daemons of this node hand over what has to wait. All recipients
 * of a message are taken or none; 250 says that it is on disk. Runs on workers of the daemon's engine,
 * which never deliver.
 */
#ifndef RELAYD_INTAKE_H
#define RELAYD_INTAKE_H

#include "lib/smtp/peers.h"
#include "lib/smtp/server.h"
#include "relayd/run.h"

struct relayd_intake {
    struct relayd_run *run;
    struct relayd_queue *queue;
    struct yb_event_writer *events;
    struct yb_smtp_peers peers;
};

/* For an LMTP server with a pool of buffers whose arg is a struct relayd_intake. */
extern const struct yb_smtp_hooks relayd_intake_hooks;

#endif
