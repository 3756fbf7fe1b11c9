/*
 * submitd's own part of a session: who is it (auth.c), whose addresses may he use (sender.c), and
 * what is added to his message (data.c). Everything of the protocol is lib/smtp's.
 */
#ifndef SUBMITD_SUBMITD_H
#define SUBMITD_SUBMITD_H

#include "lib/auth/auth.h"
#include "lib/auth/online.h"
#include "lib/receive/handover.h"

struct submitd {
    struct yb_handover handover;
    struct yb_auth *auth;
    struct yb_online *online; /* who is logged in; NULL: nobody keeps a list */
    unsigned max_per_account; /* connections at once */
};

/* s->data. Before the login only the exchange may be there. */
struct submitd_session {
    struct yb_auth_session *exchange;
    struct yb_auth_user user;
    time_t since;                  /* his login */
    struct yb_online_entry online; /* in the table from then on */
};

extern const struct yb_smtp_hooks submitd_hooks; /* arg of the server: struct submitd */

static inline struct submitd *
submitd_of(const struct yb_smtp_session *s)
{
    return (struct submitd *)yb_smtp_server_arg(s->server);
}

/* auth.c */
struct yb_str submitd_mechanisms(struct yb_smtp_session *s);
enum yb_smtp_auth submitd_auth_begin(struct yb_smtp_session *s, struct yb_str mechanism,
                                     const struct yb_str *initial, struct yb_str *challenge,
                                     struct yb_err *err);
enum yb_smtp_auth submitd_auth_step(struct yb_smtp_session *s, struct yb_str line,
                                    struct yb_str *challenge, struct yb_err *err);

/* sender.c: PERM 5.7.1 when the address is not the user's, 5.7.13 when he may not submit any more,
 * TEMP when it cannot be known now whose the address is. */
int submitd_check_envelope(struct yb_smtp_session *s, struct yb_err *err) YB_MUST_USE;
/* Every address of From, Sender, Resent-From and Resent-Sender in a whole header. */
int submitd_check_header(struct yb_smtp_session *s, struct yb_str header,
                         struct yb_err *err) YB_MUST_USE;

/* data.c */
int submitd_message(struct yb_smtp_session *s, struct yb_str *answer,
                    struct yb_err *err) YB_MUST_USE;
/* Date and Message-ID, each with its line end, where the header has none (RFC 6409 §8.2, §8.3). */
struct yb_str submitd_missing_fields(struct yb_str header, time_t now, struct yb_message_id id,
                                     struct yb_str domain, struct yb_arena *arena) YB_MUST_USE;

#endif
