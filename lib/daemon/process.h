/* What parent, child and probe of a daemon share. No program includes it. */
#ifndef YB_DAEMON_PROCESS_H
#define YB_DAEMON_PROCESS_H

#include "lib/daemon/daemon.h"
#include "lib/daemon/notes.h"
#include "lib/daemon/privs.h"

/* Exit codes, as in <sysexits.h>. */
enum {
    YB_EXIT_OK = 0,
    YB_EXIT_USAGE = 64,
    YB_EXIT_OSERR = 71,
    YB_EXIT_TEMP = 75,
    YB_EXIT_CONFIG = 78
};

/* Frames on the socketpair. */
enum {
    YB_FRAME_READY = 0x101, /* child: everything runs */
    YB_FRAME_RELOAD,        /* parent: an encoded configuration source */
    YB_FRAME_RELOADED,      /* child: it is in force */
    YB_FRAME_REFUSED        /* child: it is not, the body says why */
};

struct yb_bound {
    int fd;
    size_t listener; /* index in the spec */
    bool tls;        /* TLS from the first octet */
    char *address;
};

/* What the parent prepared; the child has it by fork. */
struct yb_process {
    const struct yb_daemon_spec *spec;
    const char *conf_path;
    const struct yb_conf_table *tables[2]; /* [common] and the program's */
    struct yb_conf_source *source;
    struct yb_conf *conf;
    struct yb_privs privs;
    gid_t control_group;
    struct yb_bound *bound;
    size_t n_bound;
    int control_fd;
    char *control_path, *run_dir, *state_dir, *event_dir;
    int ready_fd;           /* -1: nobody waits */
    struct yb_notes *notes; /* NULL: the program has no probe */
};

static inline const struct yb_daemon_conf *
yb_process_daemon_conf(const struct yb_process *p)
{
    return (const struct yb_daemon_conf *)yb_conf_section(p->conf, p->spec->conf);
}

/* The parent's life: returns the exit code. */
int yb_parent_run(struct yb_process *p);
/* The child's, with its end of the socketpair: returns the exit code. */
int yb_child_run(struct yb_process *p, int parent_fd, pid_t parent);
/* That of the one that tries a suspect, or has a condemned one remembered: YB_EXIT_TEMP when that
 * could not be done. */
int yb_probe_run(struct yb_process *p, enum yb_note_task task, const struct yb_note *note,
                 pid_t parent);

#endif
