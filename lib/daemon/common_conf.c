#include "lib/daemon/common_conf.h"

#include "lib/base/io.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const yb_conf_sections[] = { "common", "smtpd", "submitd",   "relayd", "lmtpd",
                                         "imapd",  "pop3d", "admin-api", "logd",   NULL };

#define OPT(...) YB_CONF_OPT(struct yb_common_conf, __VA_ARGS__)
#define OPT_START(...) YB_CONF_OPT_START(struct yb_common_conf, __VA_ARGS__)
#define OPT_CHOICE(...) YB_CONF_OPT_CHOICE(struct yb_common_conf, __VA_ARGS__)
#define OPT_CHOICE_START(...) YB_CONF_OPT_CHOICE_START(struct yb_common_conf, __VA_ARGS__)

/* clang-format off */
static const struct yb_conf_option options[] = {
    OPT(STRING, hostname, "", 0, 253,
        "Name of this machine in greetings and Received fields; empty means what the system says."),
    OPT(STRING, postmaster, "", 0, 254,
        "The operator's address: mail to <postmaster> without a domain goes there."),
    OPT_CHOICE_START(log_level, "info", "debug info warn error",
                     "Least important lines that are logged."),
    OPT_START(PATH, run_dir, "/run/yubin", 1, 80, "Folder of the control and LMTP sockets."),
    OPT_START(PATH, state_dir, "/var/lib/yubin", 1, 200,
              "Each daemon has a folder in it for message buffers and what it must keep."),
    OPT_START(PATH, event_dir, "/var/lib/yubin/events", 1, 200,
              "Each daemon appends its events to segment files in a folder in it."),
    OPT_START(SIZE, event_limit, "1G", 32 << 20, SIZE_MAX,
              "Events of each daemon on disk; over it the oldest are removed, final states last. 1G "
              "holds those of about a million messages: days of a database that is away."),
    OPT_START(PATH, mail_root, "/var/lib/yubin/mail", 1, 200,
              "The Maildirs of this node; made by `yubin store init`."),
    OPT_START(SIZE, mail_reserve, "64M", 0, SIZE_MAX,
              "Space of mail_root's file system that new messages leave free, so that users can "
              "still delete; below it deliveries hear 452."),
    OPT_START(STRING, first_mailboxes,
              "\\Drafts=Drafts, \\Sent=Sent, \\Junk=Junk, \\Trash=Trash, \\Archive=Archive", 0, 1000,
              "Mailboxes that a new account begins with besides INBOX, subscribed, between commas: "
              "names (UTF-8, \"/\" between levels), before each what it is for (RFC 6154), if anything, "
              "so that all mail programs of a user keep to the same ones. Users may rename and delete "
              "them; accounts that there are already get none. Empty means INBOX alone."),
    OPT_CHOICE_START(store_form, "auto", "auto portable linked",
                     "How messages are made to last in mail_root. `linked` needs a file system that "
                     "keeps a new name by one fsync of the file (ext4 with its journal, XFS); "
                     "`portable` needs nothing but fsync of files and folders, and costs more of them; "
                     "`auto` is `linked` where that is known to be enough, else `portable`."),
    OPT_START(PATH, node_id_file, "/etc/yubin/node", 1, 200,
              "This node's id; made by `yubin node init`. The id of the store in mail_root stands "
              "beside it in a file whose name ends in .store; made by `yubin store init`."),
    OPT_START(STRING, control_group, "yubin", 0, 64,
              "Group whose members may use the control sockets."),
    OPT_START(STRING, database, "dbname=yubin", 0, 1000,
              "Where the directory is: a libpq connection string without user and password. Several "
              "hosts may be named; the one that can be written to is used."),
    OPT(FILES, tls_certificates, "", 0, 4096,
        "Certificate chains (PEM). The first is the default; each serves the names in it."),
    OPT(SECRETS, tls_keys, "", 0, 4096, "Their private keys (PEM), in the same order."),
    OPT(SECRETS, tls_ticket_secret, "", 0, 1,
        "File of 32 random bytes or more, the same on all nodes, that session tickets are made from; "
        "empty means that tickets end with the process."),
    OPT_CHOICE(tls_min_version, "1.2", "1.2 1.3", "Oldest TLS version spoken."),
    OPT_START(SECRETS, auth_secret, "", 0, 1,
              "File of 32 random bytes or more (openssl rand -base64 48; mode 0640), the same "
              "on all nodes: the salt that SCRAM shows for "
              "a user who does not exist is made from it, so that every service shows the same one. "
              "Empty means that each process makes its own: nobody can tell from one answer, but who "
              "compares two services, two nodes or a restart sees that only unknown users change."),
    OPT(STRING, separator, "+", 0, 1,
        "Sub-addressing: what follows it in a local part is not looked at; empty means none."),
};
/* clang-format on */

/* A file of random bytes is not a short one; one that was not read says nothing. */
static int
check_random(const struct yb_conf_files *file, const char *option, struct yb_err *err)
{
    size_t n = file->n == 0 ? 0 : file->v[0].bytes.n;

    if (n == 0 || n >= 32)
        return 0;
    return yb_err_set(err, YB_PERM, "5.3.5",
                      "%s holds only %zu bytes: make it with `head -c 48 /dev/urandom | base64`",
                      option, n);
}

/* The name of the machine where none is set; a key for each certificate. */
static int
check(void *values, struct yb_arena *a, struct yb_err *err)
{
    struct yb_common_conf *c = (struct yb_common_conf *)values;
    char name[HOST_NAME_MAX + 1] = "";

    if (c->tls_certificates.n != c->tls_keys.n)
        return yb_err_set(
            err, YB_PERM, "5.3.5",
            "%zu tls_certificates but %zu tls_keys: name one key for each certificate",
            c->tls_certificates.n, c->tls_keys.n);
    if (check_random(&c->tls_ticket_secret, "tls_ticket_secret", err) < 0 ||
        check_random(&c->auth_secret, "auth_secret", err) < 0)
        return -1;
    if (*c->hostname == '\0') {
        if (gethostname(name, sizeof(name) - 1) < 0 || *name == '\0')
            return yb_err_set(err, YB_PERM, "5.3.5", "the system has no name: set hostname");
        c->hostname = yb_arena_dup(a, yb_str_from(name)).p;
    }
    return 0;
}

const struct yb_conf_table yb_common_conf_table = {
    .section = "common",
    .title = "What all programs of this node share.",
    .options = options,
    .n = YB_COUNT(options),
    .size = sizeof(struct yb_common_conf),
    .check = check,
};

int
yb_node_id_read(const char *path, struct yb_node_id *id, struct yb_err *err)
{
    char *text;
    size_t size;
    struct yb_str s;
    int rc = 0;

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return yb_err_inside(err, YB_PERM, "5.3.5", "there is no %s: run `yubin node init`", path);
    if (yb_read_file(path, 64, &text, &size, err) < 0)
        return -1;
    s = yb_str(text, size);
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (!yb_node_id_parse(s, id))
        rc = yb_err_inside(err, YB_PERM, "5.3.5", "%s does not hold a node id", path);
    yb_free(text);
    return rc;
}

int
yb_node_id_create(const char *path, struct yb_node_id *id, struct yb_err *err)
{
    char text[YB_NODE_ID_TEXT];
    int rc = 0, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0)
        return yb_err_sys(err, errno == EEXIST ? YB_PERM : YB_TEMP, "4.3.0", "create %s", path);
    *id = yb_node_id_new();
    yb_node_id_text(*id, text);
    text[YB_NODE_ID_TEXT - 1] = '\n';
    /* The daemons' users read it, whatever the umask of who runs the command. */
    if (fchmod(fd, 0644) < 0 || yb_write_all(fd, yb_str(text, YB_NODE_ID_TEXT)) < 0 ||
        fsync(fd) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write %s", path);
        unlink(path);
    }
    close(fd);
    return rc;
}
