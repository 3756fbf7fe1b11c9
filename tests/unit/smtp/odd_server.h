/*
 * A server that does exactly what a script says, however odd: for tests of the client. It listens
 * on a unix socket in a folder of its own and runs in a thread.
 *
 * A script is a list of steps between '|':
 *   <text     sends the text; "~" stands for CRLF
 *   /n        from here on sends n octets at a time, with a pause the peer can see (0: at once)
 *   >         reads one line into the log
 *   >n        reads n lines
 *   =n        reads n octets into the log
 *   .         reads up to the line with the final dot
 *   !         closes the connection and waits for the next one
 *   ?         says nothing until the peer goes away
 */
#ifndef TESTS_SMTP_ODD_SERVER_H
#define TESTS_SMTP_ODD_SERVER_H

#include "lib/base/buf.h"

#include <pthread.h>

struct odd_server {
    char folder[64], where[128];
    int listen_fd;
    const char *script;
    struct yb_buf *log; /* everything read, after odd_server_stop() */
    unsigned connections;
    pthread_t thread;
};

void odd_server_start(struct odd_server *s, const char *script);
/* Waits for the end of the script. */
void odd_server_stop(struct odd_server *s);

#endif
