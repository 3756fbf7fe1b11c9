/*
 * What the programs that keep mailboxes of their node share (lmtpd, imapd, pop3d, and `yubin store`):
 * the store as [common] describes it, and the report of mailbox sizes to the directory, so that RCPT
 * can answer for quota on every node. Store and directory know nothing of each other; this room
 * stands above both.
 */
#ifndef YB_HOME_HOME_H
#define YB_HOME_HOME_H

#include "lib/daemon/common_conf.h"
#include "lib/directory/directory.h"
#include "lib/net/net.h"
#include "lib/store/store.h"

/*
 * The id of the store in mail_root, kept in <node_id_file>.store, so that another disk mounted there is
 * noticed without asking the database. `yubin store init` writes it: open() while it has the rights to,
 * write() (closes fd) when there is a store. The file is as good as absent while it is empty.
 */
int yb_home_store_id_open(const struct yb_common_conf *common, struct yb_err *err) YB_MUST_USE;
/* "" where nobody has written one. */
int yb_home_store_id_read(const struct yb_common_conf *common, char id[YB_ID_TEXT],
                          struct yb_err *err) YB_MUST_USE;
int yb_home_store_id_write(int fd, const char id[YB_ID_TEXT], struct yb_err *err) YB_MUST_USE;

/* Opens this node's store; *node is the id it has. A root with another store than the one above, or
 * none, is refused at every use (YB_TEMP) until the right one is back. Errors are those of
 * yb_node_id_read() and yb_store_root_open(). */
int yb_home_open(const struct yb_common_conf *common, int64_t lock_timeout_ms,
                 unsigned open_accounts, struct yb_node_id *node, struct yb_store **store,
                 struct yb_err *err) YB_MUST_USE;

/*
 * What is served here. By the directory: a store's mailboxes are used only where the map says that it is
 * at home, and only if it is the one that lies in mail_root. serves(): for a login, in the store that the
 * directory named; what is not known is refused. keeps(): for a hand-over, which names none; nothing is
 * asked, and only what the map does say stands against it, so that mail is stored while the database is
 * away. Both -1 with YB_TEMP, kind YB_ERR_AWAY when it is another node's. `usage` is the struct below.
 */
int yb_home_serves(void *usage, struct yb_store_id store, struct yb_err *err) YB_MUST_USE;
int yb_home_keeps(void *usage, struct yb_err *err) YB_MUST_USE;

/*
 * Tells the directory every interval_ms how large the mailboxes are that this process changed. What
 * the database did not take is told again next time, before anything newer. Runs on a worker of
 * `net` from begin to yb_net_stop(); the fields must not change meanwhile.
 */
struct yb_home_usage {
    struct yb_net *net;
    struct yb_store *store;
    struct yb_directory *directory;
    int64_t interval_ms;
    int64_t round_ms; /* from the end of a round over all mailboxes to the next; 0: none */
    bool tells_room;  /* and how much room the store has */
    struct yb_store_round *round; /* round.c's own */
    struct yb_usage_report *kept; /* the module's own: taken from the store and not told yet */
    size_t n_kept;
    struct yb_account_id *unknown; /* settle.c's own */
    size_t n_unknown;
};
void yb_home_usage_begin(struct yb_home_usage *u);
/* A size as it is reported. */
struct yb_usage_report yb_home_report(struct yb_account_id id, const struct yb_usage *usage);
/* Part of it: asks the directory for accounts whose lock file cannot say where they are at home, within
 * seconds of somebody's coming, and again while the database is away. */
void yb_home_settle_begin(struct yb_home_usage *u);
/* Part of it, too: the rounds, where round_ms says so. */
void yb_home_round_begin(struct yb_home_usage *u);
/* Part of it, too: the room, where tells_room says so. */
void yb_home_room_begin(struct yb_home_usage *u);
/* The last report, at an orderly stop, and the end of it. */
void yb_home_usage_end(struct yb_home_usage *u);

#endif
