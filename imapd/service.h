/* The handlers for the engine; a listener's arg is the struct imapd_server. */
#ifndef IMAPD_SERVICE_H
#define IMAPD_SERVICE_H

#include "lib/net/conn.h"

extern const struct yb_service imapd_service;

#endif
