/*
 * What a daemon finds when it starts with a configuration, found without starting: certificates and
 * keys as pairs, its user and folders, sockets that cannot be bound beside each other. Behind
 * `yubin config check` and the daemons' -n. Nothing is made, bound or connected.
 */
#ifndef YB_DAEMON_CHECK_H
#define YB_DAEMON_CHECK_H

#include "lib/daemon/common_conf.h"
#include "lib/daemon/listen.h"
#include "lib/daemon/privs.h"

/*
 * tables[0] is that of [common], the others are daemons'; one whose addresses are all empty does
 * not run on this node and is not looked at. `errors`: with these a daemon does not start.
 * `warnings`: with these it does, and somebody should know.
 */
void yb_check(const char *path, const struct yb_conf *conf,
              const struct yb_conf_table *const *tables, size_t n, struct yb_conf_errors *errors,
              struct yb_conf_errors *warnings);
/* The daemon of that table has an address to listen on. */
bool yb_check_listens(const struct yb_conf *conf, const struct yb_conf_table *t);
/* Who owns the unix sockets among a daemon's addresses; a group is needed only where there is one. */
int yb_check_socket_owner(const struct yb_daemon_conf *own, const struct yb_conf_list *addresses,
                          const struct yb_privs *privs, struct yb_listen_owner *owner,
                          struct yb_err *err) YB_MUST_USE;

#endif
