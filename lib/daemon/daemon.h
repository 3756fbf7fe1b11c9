/*
 * How a daemon lives. main() hands a description to yb_daemon_run(), which does everything that is
 * the same in all of them:
 *
 *   parent  keeps the rights it was started with and parses nothing from the network: reads the
 *           configuration and the keys, binds the sockets, starts the child and starts it again
 *           when it dies (after restart_wait, doubling; from the beginning after a minute of life),
 *           re-reads everything on SIGHUP and passes it on.
 *   child   becomes the daemon's user, gives up what it need not have, runs the engine (lib/net)
 *           and the program's hooks. It is killed when its parent dies.
 *   probe   of a program that has one: when the child died, what its threads were at by their notes
 *           (notes.h) is tried once more, one after the other, each in a process of its own.
 *
 * Arguments: -c FILE (default /etc/yubin/yubin.conf), -n (check the configuration and end),
 * --ready-fd N (a line "ready" is written there, once), --help, --version. Readiness is also told
 * to systemd (NOTIFY_SOCKET). Exit codes: 0 stopped in order, 64 usage, 71 the system refused
 * something, 75 try again later, 78 bad configuration.
 *
 * Signals: SIGTERM and SIGINT stop in order; SIGHUP reloads. With anything wrong in the new
 * configuration, certificates or keys, the old ones are kept and every error is logged.
 */
#ifndef YB_DAEMON_DAEMON_H
#define YB_DAEMON_DAEMON_H

#include "lib/daemon/common_conf.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/notes.h"
#include "lib/net/net.h"

/* The running child, as its hooks see it. */
struct yb_daemon;

struct yb_daemon_listener {
    const char *option; /* a row of addresses of the daemon's table; its type tells of TLS */
    const struct yb_service *service;
};

struct yb_daemon_command {
    const char *name; /* "cache-flush": what `yubin control <daemon> cache-flush` sends */
    /* On the control thread; `rest` is what followed the name. Writes the answer as text. */
    int (*run)(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err);
};

/*
 * All hooks but `init` may be NULL. They run in the child, one at a time, on its control thread.
 */
struct yb_daemon_spec {
    const char *name;    /* "smtpd": section, control socket, log */
    const char *summary; /* one line for --help */
    /* The program's rows. The struct begins with `struct yb_daemon_conf daemon`. */
    const struct yb_conf_table *conf;
    const struct yb_daemon_listener *listeners;
    size_t n_listeners;
    const struct yb_daemon_command *commands;
    size_t n_commands;
    /* Descriptors the program may hold beside the engine's sockets and what a worker uses for a
     * moment; NULL: none worth counting. */
    size_t (*files)(const struct yb_conf *conf);

    /* After the rights are dropped, before anybody connects: make *state, start threads. YB_PERM
     * ends the daemon with 78 (nothing will change by trying again), YB_TEMP has it tried again. */
    int (*init)(struct yb_daemon *d, void **state, struct yb_err *err);
    /* What yb_conn_listener_arg() gives on connections of listeners[i]; NULL: the state. */
    void *(*listener_arg)(void *state, size_t i);
    /* A new configuration is in force (yb_daemon_conf_now()); certificates are changed already. An
     * error is logged and the rest of the new configuration stays in force. */
    int (*reload)(void *state, struct yb_err *err);
    /* The engine runs still: say farewell to those who wait. */
    void (*drain)(void *state);
    /* The engine has stopped: free everything. */
    void (*stop)(void *state);
    /* Adds the program's figures to those of the engine. */
    void (*metrics)(void *state, struct yb_metrics *m);

    /*
     * Does the noted work once more, in a process of its own with the daemon's user, a single
     * thread, no listeners and small limits, which knows of the child's state nothing but the
     * configuration. The note was written by a child that may have been taken over: it is input
     * like any other. 0 clears the suspect, whatever came of the work; dying of it, or using more
     * than probe_ms of processor time, condemns it; -1 says that it could not be tried, and has
     * it tried again later. When something else ends it (a signal from outside, or that it is not
     * back after several times probe_ms by the wall clock) it is tried again a few times, then
     * cleared. SIGTERM, SIGINT and SIGHUP are ignored. Of its memory (RLIMIT_AS) the soft limit is
     * the hook's to raise.
     */
    int (*probe)(const struct yb_conf *conf, const struct yb_note *note, struct yb_err *err);
    int64_t probe_ms; /* set where `probe` is; of processor time whole seconds, rounded up */
};

/* The whole program: returns the exit code for main(). */
int yb_daemon_run(const struct yb_daemon_spec *spec, int argc, char **argv);

/*
 * The configuration in force; any thread. A reload changes what this returns, but what was returned
 * stays valid until the process ends, so a session may keep what it began with.
 */
const struct yb_conf *yb_daemon_conf_now(const struct yb_daemon *d);
struct yb_net *yb_daemon_net(const struct yb_daemon *d);
/* Where threads note what they are at; NULL when the program has no probe. */
struct yb_notes *yb_daemon_notes(const struct yb_daemon *d);
/* Folders of this daemon, made by its parent, mode 0700 and owned by its user: <run_dir>/<name>
 * (sockets it makes itself), <state_dir>/<name>, <event_dir>/<name>. The folders above them are not
 * its own to write in. */
const char *yb_daemon_run_dir(const struct yb_daemon *d);
const char *yb_daemon_state_dir(const struct yb_daemon *d);
const char *yb_daemon_event_dir(const struct yb_daemon *d);
/* conninfo for this daemon's role: [common] database with its user and password. A secret. */
const char *yb_daemon_database(const struct yb_daemon *d);
/* From any thread: stop in order and exit with `code`; 0 ends the parent as well, with any other it
 * starts a fresh child after a while. */
void yb_daemon_stop(struct yb_daemon *d, int code);

#endif
