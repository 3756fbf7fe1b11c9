/*
 * The [common] section, and the rows that every daemon has in its own section. Every program is
 * given both; `yubin` reads [common] alone.
 */
#ifndef YB_DAEMON_COMMON_CONF_H
#define YB_DAEMON_COMMON_CONF_H

#include "lib/base/id.h"
#include "lib/daemon/conf.h"
#include "lib/daemon/roles.h"

struct yb_common_conf {
    const char *hostname; /* this node's name in greetings and Received; never empty after build */
    const char *postmaster; /* the operator's address, where <postmaster> goes; "" = nowhere */
    unsigned log_level;     /* enum yb_log_level */

    const char *run_dir; /* control and LMTP sockets */
    const char *
        state_dir; /* <state_dir>/<daemon>/ belongs to the daemon's user: spool, secrets it makes */
    const char *event_dir;       /* <event_dir>/<daemon>/ likewise */
    uint64_t event_limit;        /* bytes in each of these */
    const char *mail_root;       /* the Maildirs of this node */
    const char *first_mailboxes; /* of a new account, as lib/store reads them */
    uint64_t mail_reserve;       /* bytes of its file system that new messages leave free */
    unsigned store_form;         /* enum yb_store_form: index of "auto portable linked" */
    const char *node_id_file;
    const char *control_group; /* may use the control sockets besides root and the daemon's user */

    const char *database; /* libpq conninfo without user and password */

    struct yb_conf_files tls_certificates, tls_keys; /* pairs in order, the first is the default */
    struct yb_conf_files tls_ticket_secret;          /* 0 or 1 file */
    unsigned tls_min_version;                        /* index of "1.2 1.3" */

    struct yb_conf_files auth_secret; /* 0 or 1 file: see yb_common_auth_secret() */

    const char *separator; /* sub-addressing: "+"; "" = none */
};

extern const struct yb_conf_table yb_common_conf_table;

static inline const struct yb_common_conf *
yb_conf_common(const struct yb_conf *c)
{
    return (const struct yb_common_conf *)yb_conf_section(c, &yb_common_conf_table);
}

/* What unknown users are shown is made from this; p NULL where none is set. */
static inline struct yb_str
yb_common_auth_secret(const struct yb_common_conf *c)
{
    return c->auth_secret.n > 0 ? c->auth_secret.v[0].bytes : yb_str(NULL, 0);
}

/* Every section a file may have, in the order of the manual; NULL at the end. */
extern const char *const yb_conf_sections[];

/* What every daemon is told. The first member, `daemon`, of each program's struct. */
struct yb_daemon_conf {
    const char *user, *group; /* "" for group: the user's own */
    const char *database_user;
    struct yb_conf_files database_password; /* 0 or 1 file */
    unsigned workers, loops;
    unsigned max_connections, max_connections_per_network;
    uint64_t max_input;
    int64_t handshake_timeout, keepalive, stop_timeout;
    int64_t restart_wait, restart_wait_max;
    struct yb_conf_list proxy_from;
    const char *socket_group; /* of unix sockets it listens on */
    unsigned socket_mode;
};

#define YB_DAEMON_ROW(STRUCT, TYPE, start, field, def, min, max, prose)                            \
    YB_CONF_ROW(STRUCT, TYPE, start, daemon.field, #field, def, min, max, NULL, prose)
/* The rows for those; the daemon's own defaults: its user, its database role, its workers. */
#define YB_DAEMON_ROWS(STRUCT, user_name, database_role, worker_count)                             \
    YB_DAEMON_ROW(STRUCT, STRING, true, user, user_name, 1, 64,                                    \
                  "System user the daemon runs as when it is started by root."),                   \
        YB_DAEMON_ROW(STRUCT, STRING, true, group, "", 0, 64,                                      \
                      "Its group; empty means the user's own."),                                   \
        YB_DAEMON_ROW(STRUCT, STRING, true, database_user, database_role, 0, 63,                   \
                      "Role it connects to the database as."),                                     \
        YB_DAEMON_ROW(STRUCT, SECRETS, true, database_password, "", 0, 1,                          \
                      "File with that role's password; empty where PostgreSQL asks for none."),    \
        YB_DAEMON_ROW(STRUCT, UINT, true, workers, worker_count, 2, 1024,                          \
                      "Threads that serve connections; a connection without work holds none."),    \
        YB_DAEMON_ROW(STRUCT, UINT, true, loops, "0", 0, 64,                                       \
                      "Event loops; 0 means one for each core."),                                  \
        YB_DAEMON_ROW(STRUCT, UINT, true, max_connections, "10000", 16, 1000000,                   \
                      "Connections at once; more are told to come back later."),                   \
        YB_DAEMON_ROW(STRUCT, UINT, true, max_connections_per_network, "100", 1, 1000000,          \
                      "Connections at once from one client network (IPv4 /24, IPv6 /64)."),        \
        YB_DAEMON_ROW(                                                                             \
            STRUCT, SIZE, true, max_input, "64M", 65536, SIZE_MAX,                                 \
            "Bytes of unfinished lines held for all connections together; over it, those "         \
            "waiting longest are closed."),                                                        \
        YB_DAEMON_ROW(STRUCT, DURATION, true, handshake_timeout, "30s", 1000, 600000,              \
                      "A TLS handshake must be over by then."),                                    \
        YB_DAEMON_ROW(                                                                             \
            STRUCT, DURATION, true, keepalive, "2m", 0, 7200000,                                   \
            "A client that is silent for so long is asked by TCP whether it is there: NAT boxes "  \
            "on the way, many of which forget a quiet flow after 5 minutes, keep it, and one "     \
            "that is gone is noticed a minute later. 0 means never."),                             \
        YB_DAEMON_ROW(STRUCT, DURATION, true, stop_timeout, "10s", 100, 600000,                    \
                      "How long an orderly stop waits for commands that are being answered."),     \
        YB_DAEMON_ROW(                                                                             \
            STRUCT, DURATION, true, restart_wait, "1s", 10, 600000,                                \
            "A daemon that died is started again after this, and after twice as long each "        \
            "further time, until it has lived for a minute."),                                     \
        YB_DAEMON_ROW(STRUCT, DURATION, true, restart_wait_max, "30s", 10, 3600000,                \
                      "The longest such wait."),                                                   \
        YB_DAEMON_ROW(STRUCT, LIST, true, proxy_from, "", 0, 64,                                   \
                      "Networks (CIDR) whose connections begin with a PROXY v2 header."),          \
        YB_DAEMON_ROW(STRUCT, STRING, true, socket_group, YB_ROLE_LMTP_GROUP, 0, 64,               \
                      "Group of the unix sockets it listens on; the users of the daemons that "    \
                      "connect are members. Empty means the daemon's own."),                       \
        YB_DAEMON_ROW(STRUCT, MODE, true, socket_mode, "0660", 0, 0777,                            \
                      "Permissions of the unix sockets it listens on.")

/* The node's id: 16 hex digits on one line. _create() writes a new one, and fails (YB_PERM) when
 * the file is there already. */
int yb_node_id_read(const char *path, struct yb_node_id *id, struct yb_err *err) YB_MUST_USE;
int yb_node_id_create(const char *path, struct yb_node_id *id, struct yb_err *err) YB_MUST_USE;

#endif
