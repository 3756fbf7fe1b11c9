/*
 * Is a server a relay? The forms of recipients by which servers once were, and a check that asks a
 * running one for each of them, as several senders. No message is sent: after each answer comes
 * RSET. Used by `yubin relay check`; the tests of smtpd take the same forms.
 */
#ifndef YB_SMTP_RELAYCHECK_H
#define YB_SMTP_RELAYCHECK_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

/* What the forms are made of: an address that has a mailbox on the server, and the server's own IPv4
 * address ("192.0.2.25"). */
struct yb_relay_names {
    struct yb_str local, domain, address;
};

size_t yb_relay_forms(void);
/* The i-th form as it follows RCPT TO:, with its angle brackets if it has any. */
struct yb_str yb_relay_form(size_t i, const struct yb_relay_names *names, struct yb_arena *arena);

struct yb_relay_check {
    const char *where;    /* "192.0.2.25:25", as for yb_sock_connect() */
    const char *hostname; /* to greet with */
    struct yb_relay_names names;
    int64_t answer_ms; /* the server may take so long for an answer; 0: 30 s */
    /* Called for every recipient that was not refused for good: `reply` is its whole line. */
    void (*found)(void *arg, const char *sender, struct yb_str recipient, struct yb_str reply);
    void *arg;
    /* Results. */
    size_t asked, accepted, undecided; /* RCPT commands; of these answered 2xx, 4xx */
};
/* -1, TEMP: the server could not be reached or hung up; what was found until then was told. */
int yb_relay_check_run(struct yb_relay_check *c, struct yb_err *err) YB_MUST_USE;

#endif
