/*
 * struct yb_err: why something failed, in the form every protocol can answer from. Set once where
 * it happens, logged once where it is handled; only the protocol's own mapper (lib/smtp/reply.c,
 * pop3d/reply.c, imapd/reply.c) turns it into an answer, and a peer's answer into it.
 */
#ifndef YB_BASE_ERR_H
#define YB_BASE_ERR_H

#include "lib/base/base.h"

enum yb_err_class {
    YB_OK = 0,
    YB_TEMP, /* try again later: 4xx, [UNAVAILABLE], [SYS/TEMP], exit 75 */
    YB_PERM, /* do not try again like this: 5xx, NO, BAD, exit 1 */
    YB_BUG   /* our own mistake: answered like YB_TEMP, logged loudly */
};

/*
 * What it is, for code that decides by it and for the mappers: a text is for people, a status for
 * the wire, and neither is ever compared. Whoever wants to know more than the class (come again or
 * not) reads this, and whoever sees a kind that he has no rule for goes by the class.
 */
enum yb_err_kind {
    YB_ERR_OTHER = 0, /* no more than the class is known */

    /* What the peer said. It was not carried out, not in part either. */
    YB_ERR_SYNTAX,      /* not the protocol's form: a careful peer does not send this */
    YB_ERR_SEQUENCE,    /* not at this moment of the dialogue */
    YB_ERR_TOO_LONG,    /* the command itself, not what it carries, is over the limit */
    YB_ERR_UNSUPPORTED, /* of right form, but not among what is offered here */
    YB_ERR_CANCELLED,   /* the peer took it back */

    /* Who asks. */
    YB_ERR_CREDENTIALS, /* name or password is wrong, nobody learns which; asking again may help */
    YB_ERR_BLOCKED,     /* too many wrong passwords: none is looked at for a while */
    YB_ERR_DISABLED,    /* known, proven even, but the account or this service is switched off */
    YB_ERR_NEED_TLS,    /* the same over TLS would be looked at */
    YB_ERR_DENIED,      /* he is who he says and may not do this */

    /* What is asked for. */
    YB_ERR_NOT_FOUND,  /* there is no such mailbox, account or address */
    YB_ERR_TRY_CREATE, /* NOT_FOUND for the target of messages: they fit once it is created */
    YB_ERR_EXISTS,     /* the name is taken; nothing was changed */
    YB_ERR_GONE,       /* a message that was there: an expunge was faster */
    YB_ERR_READ_ONLY,  /* opened for reading; opened anew for writing it may work */
    YB_ERR_IN_USE,     /* another session has it, for as long as that lasts */
    YB_ERR_FULL,       /* no room in this mailbox (its quota): others may have room */
    YB_ERR_LIMIT,      /* over a number or size that is set here: less of it works */
    YB_ERR_TOO_BIG,    /* one message over the limit, wherever it goes */
    YB_ERR_CANNOT,     /* can never be done with this name or thing */
    YB_ERR_CONTENT,    /* what the message holds is not taken */
    YB_ERR_USE,        /* can be done, but not for the use that is asked for: nothing was done */
    YB_ERR_CHARSET,    /* text in a charset that is not known here */
    YB_ERR_DOMAIN,     /* not a domain name: nobody can host it */
    YB_ERR_VALUE,      /* not a value that the database takes; the text is its own sentence */
    YB_ERR_REFERENCE,  /* names a thing that is not there, or is named by one that stays: who asked
                          knows which of the two, and may say NOT_FOUND or IN_USE instead */

    /* Where it would be done. */
    YB_ERR_CONFLICT, /* another transaction was in the way: the same again may work at once */
    YB_ERR_AWAY,   /* what decides or keeps it is out of reach; nothing is known of the question */
    YB_ERR_CONFIG, /* what keeps it is there, but not for us as we are set up: till somebody changes
                      that, of which nobody but he needs to know, asking again does not help */
    YB_ERR_MOVING, /* the mailbox is on its way to another place, and is served again then */
    YB_ERR_HELD,   /* nothing stands against this part, but the whole was not carried out */

    YB_ERR_KINDS /* how many there are */
};

struct yb_err {
    enum yb_err_class class;
    enum yb_err_kind kind;
    bool internal;   /* the text names our own things: log it, tell the peer a general sentence */
    int sys;         /* errno where a system call failed, else 0 */
    char status[10]; /* enhanced status code (RFC 3463), "4.3.0" */
    char text[240];  /* one line, no CR or LF */
};

/* Each sets *err (unless err is NULL) and returns -1. CR, LF and controls in the text become '?'.
 * The kind is YB_ERR_OTHER. */
int yb_err_set(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt,
               ...) YB_PRINTF(4, 5);
/* The same for what has a kind. */
int yb_err_as(struct yb_err *err, enum yb_err_kind kind, enum yb_err_class class,
              const char *status, const char *fmt, ...) YB_PRINTF(5, 6);
/* For a failed system call: appends strerror(errno); internal. ENOSPC and EDQUOT, of octets and of
 * inodes, are told by err->sys, and by the status 4.3.1 when the class is TEMP. errno is kept. */
int yb_err_sys(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt,
               ...) YB_PRINTF(4, 5);
/* What went wrong inside and is nobody else's business: internal, class as given. */
int yb_err_inside(struct yb_err *err, enum yb_err_class class, const char *status, const char *fmt,
                  ...) YB_PRINTF(4, 5);
/* The sentence a stranger may read: the text, or for internal errors a general one. */
const char *yb_err_public(const struct yb_err *err);

#endif
