/*
 * Which daemons there are and what each is outside itself: the system user it runs as and the
 * groups of that user, its role in the database, whom it talks to, which folders are its own. The
 * rows below are the only place that says so. From them come the daemons' own names and defaults
 * (YB_ROLE_ROWS()), what `yubin` knows of them, and `yubin config roles`, which the trial platform
 * of the tests reads and tools/roles holds against the systemd files and docs/architecture.md; a
 * test of the schema holds the database's roles against them.
 */
#ifndef YB_DAEMON_ROLES_H
#define YB_DAEMON_ROLES_H

#include "lib/base/str.h"

/* Its members may connect to the LMTP sockets of this node. */
#define YB_ROLE_LMTP_GROUP "yubin-lmtp"

/*
 * Literals, so that option tables can be made of them. `groups`: of the user, beside its own.
 * `hands over`: it passes messages on to lmtpd.
 */
/* clang-format off */
/*                            daemon     what it does                                      user            groups              database role    hands over, writes events */
#define YB_ROLE_SMTPD(GIVE)   GIVE("smtpd",   "receives mail from strangers",                   "yubin-smtp",   YB_ROLE_LMTP_GROUP, "yubin_smtpd",   true,  true)
#define YB_ROLE_SUBMITD(GIVE) GIVE("submitd", "takes mail from authenticated users",            "yubin-submit", YB_ROLE_LMTP_GROUP, "yubin_submitd", true,  true)
#define YB_ROLE_RELAYD(GIVE)  GIVE("relayd",  "keeps the queue of mail that waits",            "yubin-relay",  YB_ROLE_LMTP_GROUP, "yubin_relayd",  true,  true)
#define YB_ROLE_LMTPD(GIVE)   GIVE("lmtpd",   "stores messages into the Maildirs of this node", "yubin-mail",   YB_ROLE_LMTP_GROUP, "yubin_lmtpd",   false, true)
#define YB_ROLE_IMAPD(GIVE)   GIVE("imapd",   "serves mailboxes by IMAP",                       "yubin-mail",   YB_ROLE_LMTP_GROUP, "yubin_imapd",   false, false)
#define YB_ROLE_POP3D(GIVE)   GIVE("pop3d",   "serves mailboxes of this node to POP3 programs", "yubin-mail",   YB_ROLE_LMTP_GROUP, "yubin_pop3d",   false, false)
/* clang-format on */

struct yb_role {
    const char *name; /* section, folders, control socket, log; the program is yubin-<name> */
    const char *summary;
    const char *user;
    const char *groups; /* words between spaces; "": none */
    const char *database;
    bool hands_over;
    bool writes_events;
};

/* Every row, in the order of the manual. */
#define YB_ROLES 6
extern const struct yb_role yb_roles[YB_ROLES];
/* The row of a daemon; NULL: there is none of that name. */
const struct yb_role *yb_role_find(struct yb_str name);

/* Its control socket is <run_dir>/<name> with this behind. */
#define YB_ROLE_CONTROL ".control"

/* One cell of a row as a literal: YB_ROLE_USER(SMTPD) is "yubin-smtp". */
#define YB_ROLE_NAME(DAEMON) YB_ROLE_##DAEMON(YB_ROLE_GIVE_NAME)
#define YB_ROLE_SUMMARY(DAEMON) YB_ROLE_##DAEMON(YB_ROLE_GIVE_SUMMARY)
#define YB_ROLE_USER(DAEMON) YB_ROLE_##DAEMON(YB_ROLE_GIVE_USER)
#define YB_ROLE_DATABASE(DAEMON) YB_ROLE_##DAEMON(YB_ROLE_GIVE_DATABASE)
#define YB_ROLE_GIVE_NAME(name, summary, user, groups, database, hands, events) name
#define YB_ROLE_GIVE_SUMMARY(name, summary, user, groups, database, hands, events) summary
#define YB_ROLE_GIVE_USER(name, summary, user, groups, database, hands, events) user
#define YB_ROLE_GIVE_DATABASE(name, summary, user, groups, database, hands, events) database

/* YB_DAEMON_ROWS() (common_conf.h) with the defaults of a row. */
#define YB_ROLE_ROWS(STRUCT, DAEMON, worker_count)                                                 \
    YB_DAEMON_ROWS(STRUCT, YB_ROLE_USER(DAEMON), YB_ROLE_DATABASE(DAEMON), worker_count)

#endif
