/* The handlers for the engine; a listener's arg is the struct pop3d. */
#ifndef POP3D_SERVICE_H
#define POP3D_SERVICE_H

#include "lib/net/conn.h"

extern const struct yb_service pop3d_service;

#endif
