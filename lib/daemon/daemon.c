#include "lib/daemon/daemon.h"

#include "lib/base/log.h"
#include "lib/daemon/check.h"
#include "lib/daemon/listen.h"
#include "lib/daemon/process.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTHING_TO_LISTEN_ON "nothing to listen on: set an address in [%s]"

struct arguments {
    const char *conf_path;
    int ready_fd;
    bool check;
};

static void
usage(const struct yb_daemon_spec *spec, FILE *to)
{
    fprintf(to,
            "usage: yubin-%s [-c FILE] [-n] [--ready-fd N]\n\n%s\n\n"
            "  -c, --config FILE  configuration (default " YB_SYSCONF ")\n"
            "  -n, --check        check the configuration, certificates and keys, and end\n"
            "      --ready-fd N   write \"ready\" to descriptor N once connections are served\n"
            "      --help         this text\n"
            "      --version      the version\n\n"
            "SIGHUP reloads the configuration, SIGTERM stops. See yubin.conf(5).\n",
            spec->name, spec->summary);
}

/* Returns -1 to go on, or the exit code. */
static int
parse_arguments(const struct yb_daemon_spec *spec, int argc, char **argv, struct arguments *a)
{
    static const struct option longs[] = {
        { "config", required_argument, NULL, 'c' },   { "check", no_argument, NULL, 'n' },
        { "ready-fd", required_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },        { NULL, 0, NULL, 0 },
    };
    uint64_t fd;
    int c;

    *a = (struct arguments){ .conf_path = YB_SYSCONF, .ready_fd = -1 };
    while ((c = getopt_long(argc, argv, "c:n", longs, NULL)) != -1) {
        if (c == 'c') {
            a->conf_path = optarg;
        } else if (c == 'n') {
            a->check = true;
        } else if (c == 'r' && yb_str_u64(yb_str_from(optarg), 1023, &fd)) {
            a->ready_fd = (int)fd;
        } else if (c == 'h') {
            usage(spec, stdout);
            return YB_EXIT_OK;
        } else if (c == 'v') {
            printf("yubin-%s %s\n", spec->name, PACKAGE_VERSION);
            return YB_EXIT_OK;
        } else {
            usage(spec, stderr);
            return YB_EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    usage(spec, stderr);
    return YB_EXIT_USAGE;
}

/* The configuration and all it names; every error goes to stderr, one a line. */
static int
read_conf(struct yb_process *p)
{
    struct yb_conf_errors errors;

    yb_conf_errors_init(&errors);
    p->source = yb_conf_source_read(p->conf_path, p->tables, YB_COUNT(p->tables),
                                    YB_CONF_WITH_FILES, &errors);
    if (p->source != NULL)
        p->conf = yb_conf_build(p->source, p->tables, YB_COUNT(p->tables), &errors);
    if (errors.n > 0)
        fprintf(stderr, "%.*s", YB_STR_ARG(yb_buf_view(errors.text)));
    yb_conf_errors_free(&errors);
    return p->conf == NULL ? -1 : 0;
}

static char *
join(const char *a, const char *b, const char *suffix)
{
    size_t size = strlen(a) + strlen(b) + strlen(suffix) + 2;
    char *s = (char *)yb_alloc(size, 1);

    snprintf(s, size, "%s/%s%s", a, b, suffix);
    return s;
}

/* User, folders. */
static int
prepare_user(struct yb_process *p, struct yb_err *err)
{
    const struct yb_common_conf *common = yb_conf_common(p->conf);
    const struct yb_daemon_conf *own = yb_process_daemon_conf(p);

    if (yb_privs_find(own->user, own->group, &p->privs, err) < 0)
        return -1;
    p->control_group = yb_privs_group(common->control_group);
    p->state_dir = join(common->state_dir, p->spec->name, "");
    p->event_dir = join(common->event_dir, p->spec->name, "");
    p->run_dir = join(common->run_dir, p->spec->name, "");
    p->control_path = join(common->run_dir, p->spec->name, YB_ROLE_CONTROL);
    if (yb_privs_folder(&p->privs, common->run_dir, p->run_dir, err) < 0 ||
        yb_privs_folder(&p->privs, common->state_dir, p->state_dir, err) < 0)
        return -1;
    return yb_privs_folder(&p->privs, common->event_dir, p->event_dir, err);
}

static int
bind_control(struct yb_process *p, struct yb_err *err)
{
    struct yb_listen_owner owner = { p->privs.uid, p->control_group, p->privs.drop, 0660 };
    char address[120];

    if (owner.gid == (gid_t)-1)
        owner.gid = p->privs.gid;
    snprintf(address, sizeof(address), "unix:%s", p->control_path);
    p->control_fd = yb_listen_bind(address, &owner, err);
    return p->control_fd < 0 ? -1 : 0;
}

/* The row of a listener. */
static const struct yb_conf_option *
row_of(const struct yb_conf_table *t, const struct yb_daemon_listener *l)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->options[i].name, l->option) == 0)
            return &t->options[i];
    yb_assert(false);
    return NULL;
}

static int
bind_listener(struct yb_process *p, size_t i, struct yb_err *err)
{
    const struct yb_conf_option *row = row_of(p->spec->conf, &p->spec->listeners[i]);
    const struct yb_conf_list *list = yb_conf_addresses(p->conf, p->spec->conf, row);
    struct yb_listen_owner owner;

    if (yb_check_socket_owner(yb_process_daemon_conf(p), list, &p->privs, &owner, err) < 0)
        return -1;
    for (size_t k = 0; k < list->n; k++) {
        int fd = yb_listen_bind(list->v[k], &owner, err);

        if (fd < 0)
            return -1;
        p->bound = (struct yb_bound *)yb_realloc(p->bound, p->n_bound + 1, sizeof(*p->bound));
        p->bound[p->n_bound++] = (struct yb_bound){
            .fd = fd,
            .listener = i,
            .tls = row->type == YB_CONF_ADDRESSES_TLS,
            .address = yb_dup(list->v[k], strlen(list->v[k])),
        };
    }
    return 0;
}

static int
prepare(struct yb_process *p, struct yb_err *err)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of the write */
    if (prepare_user(p, err) < 0 || bind_control(p, err) < 0)
        return -1;
    for (size_t i = 0; i < p->spec->n_listeners; i++)
        if (bind_listener(p, i, err) < 0)
            return -1;
    if (p->n_bound == 0 && p->spec->n_listeners > 0)
        return yb_err_inside(err, YB_PERM, "5.3.5", NOTHING_TO_LISTEN_ON, p->spec->name);
    return 0;
}

static void
cleanup(struct yb_process *p)
{
    for (size_t i = 0; i < p->n_bound; i++) {
        yb_listen_unlink(p->bound[i].address);
        close(p->bound[i].fd);
        yb_free(p->bound[i].address);
    }
    if (p->control_fd >= 0) {
        unlink(p->control_path);
        close(p->control_fd);
    }
    yb_free(p->bound);
    yb_free(p->control_path);
    yb_free(p->run_dir);
    yb_free(p->state_dir);
    yb_free(p->event_dir);
    yb_notes_free(&p->notes);
    yb_conf_source_free(&p->source);
    yb_conf_free(&p->conf);
}

static int
check_only(const struct yb_process *p)
{
    struct yb_conf_errors errors, warnings;
    int rc;

    yb_conf_errors_init(&errors);
    yb_conf_errors_init(&warnings);
    if (!yb_check_listens(p->conf, p->spec->conf))
        yb_conf_errors_add(&errors, "%s: " NOTHING_TO_LISTEN_ON, p->conf_path, p->spec->name);
    yb_check(p->conf_path, p->conf, p->tables, YB_COUNT(p->tables), &errors, &warnings);
    fprintf(stderr, "%.*s%.*s", YB_STR_ARG(yb_buf_view(errors.text)),
            YB_STR_ARG(yb_buf_view(warnings.text)));
    rc = errors.n > 0 ? YB_EXIT_CONFIG : YB_EXIT_OK;
    yb_conf_errors_free(&errors);
    yb_conf_errors_free(&warnings);
    return rc;
}

int
yb_daemon_run(const struct yb_daemon_spec *spec, int argc, char **argv)
{
    struct yb_process p = { .spec = spec,
                            .tables = { &yb_common_conf_table, spec->conf },
                            .control_fd = -1 };
    struct yb_err err = { 0 };
    struct arguments args;
    int rc = parse_arguments(spec, argc, argv, &args);

    if (rc >= 0)
        return rc;
    p.conf_path = args.conf_path;
    p.ready_fd = args.ready_fd;
    yb_log_init(spec->name, YB_LOG_INFO);
    if (read_conf(&p) < 0) {
        rc = YB_EXIT_CONFIG;
    } else if (args.check) {
        rc = check_only(&p);
    } else if (prepare(&p, &err) < 0) {
        yb_log_err(YB_LOG_ERROR, NULL, "daemon.start_failed", &err);
        rc = err.class == YB_PERM ? YB_EXIT_CONFIG : YB_EXIT_OSERR;
    } else {
        yb_log_init(spec->name, (enum yb_log_level)yb_conf_common(p.conf)->log_level);
        rc = yb_parent_run(&p);
    }
    cleanup(&p);
    return rc;
}
