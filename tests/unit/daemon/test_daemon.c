/*
 * Parent and child as they really run: a small daemon that answers lines, started in a process of
 * its own, killed, reloaded, stopped.
 */
#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/daemon/confine.h"
#include "lib/daemon/control.h"
#include "lib/daemon/daemon.h"
#include "lib/net/sock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 20000

#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* --- the daemon --- */

struct tiny_conf {
    struct yb_daemon_conf daemon;
    struct yb_conf_list listen;
    const char *greeting;
    bool refuse_start;
};

#define OPT(...) YB_CONF_OPT(struct tiny_conf, __VA_ARGS__)
/* clang-format off */
static const struct yb_conf_option options[] = {
    YB_DAEMON_ROWS(struct tiny_conf, "nobody", "yubin_tiny", "2"),
    OPT(ADDRESSES, listen, "", 0, 4, "Where it listens."),
    OPT(STRING, greeting, "hello", 1, 40, "What it says."),
    OPT(BOOL, refuse_start, "no", 0, 1, "Fails in init."),
};
/* clang-format on */
static const struct yb_conf_table tiny_table =
    YB_CONF_TABLE("smtpd", struct tiny_conf, options, "For this test.");

static const struct tiny_conf *
conf_of(struct yb_daemon *d)
{
    return (const struct tiny_conf *)yb_conf_section(yb_daemon_conf_now(d), &tiny_table);
}

static void
opened(struct yb_conn *c)
{
    struct yb_daemon *d = (struct yb_daemon *)yb_conn_listener_arg(c);

    yb_conn_printf(c, "%s\r\n", conf_of(d)->greeting);
}

/* Every octet that the child shares with its parent becomes nonsense. */
static void
spoil_notes(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    uintptr_t from, to;
    char text[400], mode[8];

    while (f != NULL && fgets(text, sizeof(text), f) != NULL)
        if (strstr(text, "/dev/zero") != NULL &&
            sscanf(text, "%" SCNxPTR "-%" SCNxPTR " %7s", &from, &to, mode) == 3 &&
            strcmp(mode, "rw-s") == 0)
            for (uint32_t *p = (uint32_t *)from; p < (uint32_t *)to; p++)
                *p = 2; /* all slots are held, with the same note */
}

static void
do_note(struct yb_conn *c, struct yb_str what, struct yb_str name)
{
    static const char *const verdicts[] = { "clear", "suspect", "condemned" };
    struct yb_notes *notes = yb_daemon_notes((struct yb_daemon *)yb_conn_listener_arg(c));
    struct yb_note note = { 0 };
    int slot;

    memcpy(note.v, name.p, name.n < sizeof(note.v) ? name.n : sizeof(note.v));
    if (yb_str_eq(what, YB_STR("verdict"))) {
        yb_conn_printf(c, "%s\r\n", verdicts[yb_notes_verdict(notes, &note)]);
        return;
    }
    slot = yb_notes_begin(notes, &note);
    if (yb_str_eq(what, YB_STR("spoil")))
        spoil_notes();
    if (!yb_str_eq(what, YB_STR("work")))
        abort();
    yb_notes_end(notes, slot);
    yb_conn_write(c, YB_STR("done\r\n"));
}

/* Much memory in small blocks, all of it freed but a few blocks that stand between and stay. */
static void
burst(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char **pins;
    const size_t n = 300000;
    char **blocks = yb_alloc(n, sizeof(*blocks));

    for (size_t i = 0; i < n; i++) {
        blocks[i] = yb_alloc(1, 200);
        memset(blocks[i], 'x', 200);
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++) {
        if (i % 10000 == 9999) {
            memcpy(blocks[i], &pins, sizeof(pins));
            pins = (char **)(void *)blocks[i];
        } else {
            yb_free(blocks[i]);
        }
    }
    pthread_mutex_unlock(&lock);
    yb_free(blocks);
}

/*
 * "stop N" makes the daemon stop with code N, "burst" uses 60 MB for a moment; "note work NAME" does
 * noted work, "note die NAME" dies of it, "note spoil NAME" after it has spoilt the notes, "note
 * verdict NAME" tells it; everything else is told back.
 */
static void
line(struct yb_conn *c, struct yb_str text, unsigned flags YB_UNUSED)
{
    uint64_t code;

    if (yb_str_starts(text, YB_STR("note "))) {
        struct yb_str rest = yb_str_skip(text, 5), what = yb_str_word(&rest);

        do_note(c, what, rest);
        return;
    }
    if (yb_str_starts(text, YB_STR("stop ")) && yb_str_u64(yb_str_skip(text, 5), 255, &code))
        yb_daemon_stop((struct yb_daemon *)yb_conn_listener_arg(c), (int)code);
    if (yb_str_eq(text, YB_STR("burst")))
        burst();
    yb_conn_write(c, text);
    yb_conn_write(c, YB_STR("\r\n"));
}

static const struct yb_service service = { .name = "tiny", .opened = opened, .line = line };

static int
init(struct yb_daemon *d, void **state, struct yb_err *err)
{
    *state = d;
    return conf_of(d)->refuse_start ? yb_err_inside(err, YB_PERM, "5.3.5", "as configured") : 0;
}

static int
command_who(void *state, struct yb_str rest, struct yb_buf *reply, struct yb_err *err YB_UNUSED)
{
    struct yb_daemon *d = (struct yb_daemon *)state;

    yb_buf_printf(reply, "uid %d gid %d rest %.*s nnp %d db %s state %s", (int)geteuid(),
                  (int)getegid(), YB_STR_ARG(rest), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
                  yb_daemon_database(d), yb_daemon_state_dir(d));
    return 0;
}

static void
put_errno(struct yb_buf *reply, const char *what, long rc)
{
    yb_buf_printf(reply, "%s %s\n", what, rc >= 0 ? "done" : errno == EPERM ? "EPERM" : "other");
}

static void *
nothing(void *arg)
{
    return arg;
}

static int
command_try(void *state YB_UNUSED, struct yb_str rest YB_UNUSED, struct yb_buf *reply,
            struct yb_err *err YB_UNUSED)
{
    char name[] = "true", *argv[] = { name, NULL };
    pthread_t thread;

    put_errno(reply, "execve", execve("/bin/true", argv, NULL));
    put_errno(reply, "ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    put_errno(reply, "unshare", unshare(CLONE_NEWUSER));
    put_errno(reply, "clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
    put_errno(reply, "thread", -pthread_create(&thread, NULL, nothing, NULL));
    pthread_join(thread, NULL);
    return 0;
}

static void
metrics(void *state YB_UNUSED, struct yb_metrics *m)
{
    yb_metrics_counter(m, "tiny_total", "A figure.", NULL, 7);
}

static bool has_file(const char *name);

/* What the work noted under a name does when it is tried. */
static int
probe(const struct yb_conf *conf YB_UNUSED, const struct yb_note *note, struct yb_err *err)
{
    const char *name = (const char *)note->v;

    if (strcmp(name, "fatal") == 0)
        abort();
    if (strcmp(name, "endless") == 0)
        for (;;)
            pause();
    if (strcmp(name, "burning") == 0)
        for (volatile unsigned turns = 0;;)
            turns++;
    if (strcmp(name, "lingering") == 0) {
        dprintf(STDERR_FILENO, "lingering %d\n", (int)getpid());
        while (!has_file("here"))
            poll(NULL, 0, 10);
    }
    if (strcmp(name, "elsewhere") == 0 && !has_file("here"))
        return yb_err_inside(err, YB_TEMP, "4.2.0", "not here yet");
    return 0;
}

static const struct yb_daemon_listener listeners[] = { { "listen", &service } };
static const struct yb_daemon_command commands[] = { { "who", command_who },
                                                     { "try", command_try } };
static struct yb_daemon_spec spec = {
    .name = "smtpd",
    .summary = "a test",
    .conf = &tiny_table,
    .listeners = listeners,
    .n_listeners = YB_COUNT(listeners),
    .commands = commands,
    .n_commands = YB_COUNT(commands),
    .init = init,
    .metrics = metrics,
    .probe = probe,
};

/* --- around it --- */

static char folder[64], conf_path[128], listen_path[128], control_path[128], log_path[128];
static pid_t parent;

static void
in_folder(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", folder, name);
}

static void
put(const char *name, struct yb_str text, mode_t mode)
{
    char path[128];
    int fd;

    in_folder(path, sizeof(path), name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(yb_write_all(fd, text), 0);
    close(fd);
}

static bool
has_file(const char *name)
{
    char path[128];

    in_folder(path, sizeof(path), name);
    return access(path, F_OK) == 0;
}

/* The fixed part of the configuration and `more`: first of [smtpd], then of [common]. */
static void
put_conf(const char *more)
{
    char text[4000];

    snprintf(text, sizeof(text),
             "[common]\nrun_dir = %s/run\nstate_dir = %s/state\nevent_dir = %s/events\n"
             "node_id_file = %s/node\n[smtpd]\nsocket_group =\nlisten = unix:%s\n%s\n",
             folder, folder, folder, folder, listen_path, more);
    put("conf", yb_str_from(text), 0644);
    put("node", YB_STR("0123456789abcdef\n"), 0644);
}

static void
set_up(void)
{
    parent = 0;
    spec.probe_ms = 3000;
    snprintf(folder, sizeof(folder), "/tmp/yb-daemon-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    in_folder(conf_path, sizeof(conf_path), "conf");
    in_folder(listen_path, sizeof(listen_path), "run/tiny");
    in_folder(control_path, sizeof(control_path), "run/smtpd.control");
    in_folder(log_path, sizeof(log_path), "log");
    /* Orphans come to us, so that we see them end. */
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    put_conf("");
}

static int
remove_one(const char *path, const struct stat *st YB_UNUSED, int kind YB_UNUSED,
           struct FTW *at YB_UNUSED)
{
    return remove(path);
}

/* Everything we started, orphans too; without a child there is nothing to wait for. */
static bool log_has(const char *what);

static void
tear_down(void)
{
    bool sanitizer;

    if (parent > 0)
        kill(parent, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    sanitizer = log_has("Sanitizer") || log_has("runtime error");
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    ck_assert_msg(!sanitizer, "a sanitizer has complained in the daemon's log");
}

/* Starts the daemon; 0 when it told that it is ready, else how it ended. */
static int
start_with(const char *extra)
{
    int ready[2], status = -1;
    char number[16], got[8] = "";
    struct pollfd p;

    ck_assert_int_eq(pipe(ready), 0);
    snprintf(number, sizeof(number), "%d", ready[1]);
    parent = fork();
    if (parent == 0) {
        char name[] = "yubin-tiny", c[] = "-c", r[] = "--ready-fd", more[32];
        char *argv[] = { name, c, conf_path, r, number, more, NULL };
        int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        snprintf(more, sizeof(more), "%s", extra == NULL ? "" : extra);
        dup2(fd, STDERR_FILENO);
        close(ready[0]);
        yb_leave(yb_daemon_run(&spec, extra == NULL ? 5 : 6, argv));
    }
    close(ready[1]);
    p = (struct pollfd){ .fd = ready[0], .events = POLLIN };
    ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
    if (read(ready[0], got, sizeof(got) - 1) > 0) {
        ck_assert_str_eq(got, "ready\n");
        close(ready[0]);
        return 0;
    }
    close(ready[0]);
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    parent = 0;
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
start(void)
{
    ck_assert_int_eq(start_with(NULL), 0);
}

/* How the parent ended. */
static int
wait_parent(void)
{
    int status;

    alarm(WAIT_MS / 1000);
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    alarm(0);
    parent = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A pause between two looks at something that another process does; the deadline is the test's. */
static void
look_again(struct yb_deadline by)
{
    ck_assert_int_gt(yb_deadline_left(by), 0);
    poll(NULL, 0, 10);
}

static bool
log_has(const char *what)
{
    struct yb_err err = { 0 };
    char *data;
    size_t size;
    bool has;

    if (yb_read_file(log_path, 1u << 20, &data, &size, &err) < 0)
        return false;
    has = strstr(data, what) != NULL;
    yb_free(data);
    return has;
}

static void
wait_log(const char *what)
{
    struct yb_deadline by = yb_deadline_in(WAIT_MS);

    while (!log_has(what))
        look_again(by);
}

static int
control(const char *command, char *out, size_t size)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    struct yb_err err = { 0 };
    int rc =
        yb_control_call(control_path, yb_str_from(command), answer, yb_deadline_in(5000), &err);

    snprintf(out, size, "%.*s", YB_STR_ARG(rc == 0 ? yb_buf_view(answer) : yb_str_from(err.text)));
    yb_buf_free(&answer);
    return rc;
}

/* The child's pid, as it tells itself. */
static pid_t
child_pid(void)
{
    char text[1000];
    const char *p;
    uint64_t pid;

    ck_assert_msg(control("status", text, sizeof(text)) == 0, "%s", text);
    p = strstr(text, "pid ");
    ck_assert_ptr_nonnull(p);
    ck_assert(yb_str_u64(yb_str(p + 4, strcspn(p + 4, "\n")), INT32_MAX, &pid));
    return (pid_t)pid;
}

/* Connects and reads the greeting; sends `say` and leaves the answer in `out`, when given. */
static bool
talk(const char *say, char *out, size_t size)
{
    struct yb_deadline by = yb_deadline_in(5000);
    struct yb_err err = { 0 };
    char where[160];
    struct yb_sock *s;
    struct yb_str got;
    bool ok;

    snprintf(where, sizeof(where), "unix:%s", listen_path);
    s = yb_sock_connect(yb_str_from(where), by, &err);
    ok = s != NULL && yb_sock_line(s, 100, &got, by, &err) == 0;
    if (ok && say != NULL)
        ok = yb_sock_write(s, yb_str_from(say), by, &err) == 0 && yb_sock_flush(s, by, &err) == 0 &&
             yb_sock_line(s, 100, &got, by, &err) == 0;
    if (ok)
        snprintf(out, size, "%.*s", YB_STR_ARG(got));
    yb_sock_close(&s);
    return ok;
}

static void
wait_greeting(const char *want)
{
    struct yb_deadline by = yb_deadline_in(WAIT_MS);
    char got[200] = "";

    while (!talk(NULL, got, sizeof(got)) || strcmp(got, want) != 0)
        look_again(by);
}

/* --- certificates --- */

static void
put_bio(const char *name, BIO *bio, mode_t mode)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);

    put(name, yb_str(p, (size_t)n), mode);
    BIO_free(bio);
}

static void
put_pair(const char *cert_name, const char *key_name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *bio;

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    put_bio(cert_name, bio, 0644);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    put_bio(key_name, bio, 0600);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void
put_tls_conf(const char *cert, const char *key, const char *greeting)
{
    char text[1000];

    snprintf(text, sizeof(text),
             "greeting = %s\n[common]\ntls_certificates = %s/%s\ntls_keys = %s/%s\n", greeting,
             folder, cert, folder, key);
    put_conf(text);
}

/* --- tests --- */

START_TEST(test_serves_and_stops)
{
    char text[4000], want[200];

    start();
    ck_assert(talk("a line\r\n", text, sizeof(text)));
    ck_assert_str_eq(text, "a line");
    ck_assert_int_eq(control("metrics", text, sizeof(text)), 0);
    ck_assert_msg(strstr(text, "yubin_connections_total{daemon=\"smtpd\"} 1\n") != NULL, "%s",
                  text);
    ck_assert_ptr_nonnull(strstr(text, "\nyubin_tiny_total 7\n"));
    ck_assert_int_eq(control("nonsense", text, sizeof(text)), -1);
    ck_assert_str_eq(text, "no such command; smtpd knows: status metrics who try");
    ck_assert_int_eq(control("who am i", text, sizeof(text)), 0);
    snprintf(want, sizeof(want),
             "rest am i nnp 1 db dbname=yubin user='yubin_tiny' "
             "fallback_application_name='smtpd' state %s/state/smtpd",
             folder);
    ck_assert_msg(strstr(text, want) != NULL, "%s", text);
    kill(parent, SIGTERM);
    ck_assert_int_eq(wait_parent(), 0);
    ck_assert_int_eq(access(listen_path, F_OK), -1); /* nothing is left lying about */
    ck_assert_int_eq(access(control_path, F_OK), -1);
}
END_TEST

/* Resident memory that is no file's, in MiB. */
static long
own_memory(pid_t pid)
{
    char path[64], *data;
    struct yb_err err = { 0 };
    long resident, shared;
    size_t size;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    ck_assert_int_eq(yb_read_file(path, 4096, &data, &size, &err), 0);
    ck_assert_int_eq(sscanf(data, "%*d %ld %ld", &resident, &shared), 2);
    yb_free(data);
    return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024) / 1024;
}

static void *
ask_for_burst(void *arg YB_UNUSED)
{
    char text[100];

    ck_assert(talk("burst\r\n", text, sizeof(text)));
    return NULL;
}

/* What bursts on several workers took is given back while nothing happens. The allocators of
 * sanitizers have ways of their own. */
START_TEST(test_memory_goes_back)
{
    struct yb_deadline by;
    pthread_t threads[4];
    long before;
    pid_t child;

    start();
    child = child_pid();
    before = own_memory(child);
    for (size_t n = 0; n < YB_COUNT(threads); n++)
        ck_assert_int_eq(pthread_create(&threads[n], NULL, ask_for_burst, NULL), 0);
    for (size_t n = 0; n < YB_COUNT(threads); n++)
        ck_assert_int_eq(pthread_join(threads[n], NULL), 0);
    printf("memory: %ld MiB at rest, %ld after bursts\n", before, own_memory(child));
    by = yb_deadline_in(2 * WAIT_MS);
    while (!SANITIZED && own_memory(child) > before + 20)
        look_again(by);
}
END_TEST

START_TEST(test_drops_rights)
{
    const struct passwd *nobody = getpwnam("nobody");
    char text[1000], want[60], path[128];
    struct stat st;

    if (geteuid() != 0 || nobody == NULL)
        return; /* only root has rights to drop */
    start();
    ck_assert_int_eq(control("who", text, sizeof(text)), 0);
    snprintf(want, sizeof(want), "uid %d gid %d ", (int)nobody->pw_uid, (int)nobody->pw_gid);
    ck_assert_msg(strncmp(text, want, strlen(want)) == 0, "%s", text);
    in_folder(path, sizeof(path), "state/smtpd");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(st.st_uid == nobody->pw_uid && (st.st_mode & 0777) == 0700);
}
END_TEST

/* A number of /proc/PID/FILE, after `name`. */
static long
proc_number(pid_t pid, const char *file, const char *name)
{
    char path[64], line[200];
    long n = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    while (n < 0 && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            n = strtol(line + strlen(name), NULL, 10);
    fclose(f);
    return n;
}

/* The kernel's table of descriptors never has to grow while threads wait for it. */
START_TEST(test_files)
{
    pid_t child;
    long most;

    start();
    child = child_pid();
    most = proc_number(child, "limits", "Max open files");
    ck_assert_int_gt(most, 256);
    ck_assert_int_ge(proc_number(child, "status", "FDSize:"), most);
}
END_TEST

START_TEST(test_child_killed)
{
    pid_t child, next;
    int64_t begun;

    start();
    child = child_pid();
    begun = yb_clock_ms();
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    wait_greeting("hello"); /* connections queue in the parent's socket meanwhile */
    next = child_pid();
    ck_assert_int_ne(child, next);
    ck_assert_int_ge(yb_clock_ms() - begun, 900); /* backed off */
    ck_assert(log_has("event=daemon.child_died signal=9"));
    kill(parent, SIGTERM);
    ck_assert_int_eq(wait_parent(), 0);
}
END_TEST

/* The child does not outlive its parent, not even one that is stuck. */
START_TEST(test_parent_killed)
{
    pid_t child;
    int status = 0;

    start();
    child = child_pid();
    kill(child, SIGSTOP); /* else it may see the closed socket first, and stop in order */
    kill(parent, SIGKILL);
    ck_assert_int_eq(wait_parent(), -SIGKILL);
    alarm(WAIT_MS / 1000);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    alarm(0);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

START_TEST(test_reload)
{
    pid_t child;

    start();
    child = child_pid();
    put_conf("greeting = new\nworkers = 3");
    kill(parent, SIGHUP);
    wait_greeting("new");
    wait_log("event=conf.reloaded");
    ck_assert(log_has("[smtpd] workers changes when the daemon is restarted"));
    ck_assert_int_eq(child_pid(), child);

    /* Anything wrong: everything is told, nothing changes. */
    put_conf("greeting =\nworkers = many\ngreting = x");
    kill(parent, SIGHUP);
    wait_log("event=conf.kept");
    ck_assert(log_has("[smtpd] greeting: ") && log_has("[smtpd] workers: ") &&
              log_has("is greeting meant?"));
    wait_greeting("new");

    /* A child that dies now begins with what was in force. */
    kill(child, SIGKILL);
    wait_greeting("new");
    ck_assert_int_ne(child_pid(), child);
}
END_TEST

START_TEST(test_reload_certificates)
{
    put_pair("cert", "key");
    put_pair("cert2", "key2");
    put_tls_conf("cert", "key", "one");
    start();
    put_tls_conf("cert2", "key2", "two");
    kill(parent, SIGHUP);
    wait_greeting("two");
    wait_log("event=conf.reloaded");
    put_tls_conf("cert", "key2", "three"); /* do not belong together */
    kill(parent, SIGHUP);
    wait_log("event=conf.kept");
    wait_greeting("two");
}
END_TEST

/* A second reload comes before the child has answered the first: each gets its own answer. */
START_TEST(test_reload_twice)
{
    pid_t child;

    put_pair("cert", "key");
    put_pair("cert2", "key2");
    put_tls_conf("cert", "key", "one");
    start();
    child = child_pid();
    kill(child, SIGSTOP);
    put_tls_conf("cert2", "key2", "two");
    kill(parent, SIGHUP);
    usleep(200000);                        /* two signals, not one */
    put_tls_conf("cert", "key2", "three"); /* do not belong together */
    kill(parent, SIGHUP);
    usleep(200000);
    kill(child, SIGCONT);
    wait_log("event=conf.reloaded");
    wait_log("event=conf.kept");
    wait_greeting("two");
    kill(child, SIGKILL); /* the next one begins with what was in force */
    wait_greeting("two");
    ck_assert_int_ne(child_pid(), child);
}
END_TEST

/* What ends at once, and with which code. */
static const struct {
    const char *conf, *argument;
    int code;
} ends[] = {
    { "workers = many", NULL, 78 },
    { "refuse_start = yes", NULL, 78 },
    { "listen =", NULL, 78 },
    { "", "--nonsense", 64 },
    { "", "--help", 0 },
    { "", "--version", 0 },
    { "", "-n", 0 },
    { "workers = many", "-n", 78 },
    { "listen =", "-n", 78 },
    { "", "word", 64 },
};

START_TEST(test_ends)
{
    int status;

    put_conf(strcmp(ends[_i].conf, "listen =") == 0 ? "" : ends[_i].conf);
    if (strcmp(ends[_i].conf, "listen =") == 0) {
        char text[500];

        snprintf(text, sizeof(text),
                 "[common]\nrun_dir = %s/run\nstate_dir = %s\nevent_dir = %s\n"
                 "node_id_file = %s/node\n",
                 folder, folder, folder, folder);
        put("conf", yb_str_from(text), 0644);
    }
    status = start_with(ends[_i].argument);
    ck_assert_msg(status == ends[_i].code, "%s %s: %d", ends[_i].conf,
                  ends[_i].argument == NULL ? "" : ends[_i].argument, status);
}
END_TEST

/* Two daemons of one configuration: the second does not take the sockets of the first. */
START_TEST(test_twice)
{
    pid_t first;

    start();
    first = parent;
    ck_assert_int_eq(start_with(NULL), 71);
    parent = first;
    wait_greeting("hello");
}
END_TEST

/* yb_daemon_stop(): 0 ends everything; another code gives a fresh child. */
START_TEST(test_stop_codes)
{
    char text[100];
    pid_t child;

    start();
    child = child_pid();
    ck_assert(talk("stop 75\r\n", text, sizeof(text)));
    wait_log("event=daemon.child_died code=75");
    wait_greeting("hello");
    ck_assert_int_ne(child_pid(), child);
    talk("stop 0\r\n", text, sizeof(text));
    ck_assert_int_eq(wait_parent(), 0);
}
END_TEST

/* What a child that was taken over would try: command "try" tells how each ended. */
START_TEST(test_confined)
{
    char text[400];

    if (YB_SANITIZED)
        return;
    start();
    ck_assert_int_eq(control("try", text, sizeof(text)), 0);
    ck_assert_str_eq(text, "execve EPERM\nptrace EPERM\nunshare EPERM\nclone EPERM\n"
                           "thread done\n");
    ck_assert_int_eq(proc_number(child_pid(), "status", "Seccomp:"), 2);
    ck_assert_int_eq(proc_number(parent, "status", "Seccomp:"), 0);
}
END_TEST

/* --- what the child died of --- */

static void
start_noting(void)
{
    put_conf("restart_wait = 10ms");
    start();
}

static void
tell(const char *what, const char *name)
{
    char text[100], got[200];

    snprintf(text, sizeof(text), "note %s %s\r\n", what, name);
    (void)!talk(text, got, sizeof(got));
}

/* The verdict, by a child that serves. */
static void
ask(const char *name, char *out, size_t size)
{
    struct yb_deadline by = yb_deadline_in(WAIT_MS);
    char text[100];

    snprintf(text, sizeof(text), "note verdict %s\r\n", name);
    while (!talk(text, out, size))
        look_again(by);
}

static void
wait_verdict(const char *name, const char *want)
{
    struct yb_deadline by = yb_deadline_in(WAIT_MS);
    char got[200];

    for (ask(name, got, sizeof(got)); strcmp(got, want) != 0; ask(name, got, sizeof(got)))
        look_again(by);
}

static unsigned
log_count(const char *what)
{
    struct yb_err err = { 0 };
    unsigned n = 0;
    size_t size;
    char *data;

    ck_assert_int_eq(yb_read_file(log_path, 1u << 20, &data, &size, &err), 0);
    for (const char *p = data; (p = strstr(p, what)) != NULL; p++)
        n++;
    yb_free(data);
    return n;
}

/* Work that dies alone too is condemned, for this child and those after it. */
START_TEST(test_note_condemned)
{
    struct yb_deadline by = yb_deadline_in(WAIT_MS);
    pid_t child;

    start_noting();
    tell("die", "fatal");
    wait_log("event=daemon.condemned signal=6");
    wait_verdict("fatal", "condemned");
    wait_verdict("other", "clear");
    while (!has_file("state/smtpd/condemned"))
        look_again(by);
    child = child_pid();
    kill(child, SIGKILL);
    wait_verdict("fatal", "condemned");
    ck_assert_int_ne(child_pid(), child);
    kill(parent, SIGTERM);
    ck_assert_int_eq(wait_parent(), 0);
    start(); /* and beyond the parent's life */
    wait_verdict("fatal", "condemned");
    wait_verdict("other", "clear");
    ck_assert_uint_eq(log_count("event=daemon.suspects"), 1);
    ck_assert_uint_eq(log_count("event=daemon.condemned"), 1);
}
END_TEST

/* Work that was only there when another's killed the process is cleared; it may be suspect again. */
START_TEST(test_note_cleared)
{
    start_noting();
    tell("die", "innocent");
    wait_log("event=daemon.cleared");
    wait_verdict("innocent", "clear");
    tell("die", "innocent");
    wait_verdict("innocent", "clear");
    while (log_count("event=daemon.cleared") < 2)
        poll(NULL, 0, 10);
    ck_assert(!log_has("daemon.condemned") && !has_file("state/smtpd/condemned"));
}
END_TEST

/* Work that only waits is ended by the wall clock, which says nothing of it: it is tried again, and
 * cleared at last. While that lasts the next child serves, and sees the suspect. */
START_TEST(test_note_endless)
{
    spec.probe_ms = 100;
    start_noting();
    tell("die", "endless");
    wait_verdict("endless", "suspect");
    wait_log("event=daemon.cleared signal=9");
    wait_verdict("endless", "clear");
    ck_assert_uint_eq(log_count("event=daemon.probe_cut_off signal=9"), 2);
    ck_assert_uint_eq(log_count("event=daemon.child_died"), 1);
    ck_assert(!log_has("daemon.condemned") && !has_file("state/smtpd/condemned"));
}
END_TEST

/* Work that uses processor time without end is condemned for that, also where the daemon was started
 * with a hard limit below what a trial may use, or with the signal ignored. */
START_TEST(test_note_burning)
{
    const struct rlimit low = { 3, 3 };

    spec.probe_ms = _i == 1 ? 100000 : 1000;
    if (_i == 1)
        ck_assert_int_eq(setrlimit(RLIMIT_CPU, &low), 0);
    if (_i == 2)
        signal(SIGXCPU, SIG_IGN);
    start_noting();
    tell("die", "burning");
    wait_log("event=daemon.condemned signal=24");
    wait_verdict("burning", "condemned");
    ck_assert_uint_eq(log_count("event=daemon.child_died"), 1);
}
END_TEST

/* The process of the nth trial of lingering work. */
static pid_t
wait_lingering(unsigned nth)
{
    struct yb_deadline by = yb_deadline_in(WAIT_MS);
    const char mark[] = "lingering ";
    struct yb_err err = { 0 };
    uint64_t pid = 0;
    size_t size;
    char *data;

    while (log_count(mark) < nth)
        look_again(by);
    ck_assert_int_eq(yb_read_file(log_path, 1u << 20, &data, &size, &err), 0);
    for (const char *p = data; (p = strstr(p, mark)) != NULL;) {
        p += strlen(mark);
        ck_assert(yb_str_u64(yb_str(p, strcspn(p, "\n")), INT32_MAX, &pid));
    }
    yb_free(data);
    return (pid_t)pid;
}

/* Somebody, or the machine without memory, kills a trial: that says nothing of the work. */
START_TEST(test_note_killed)
{
    static const int by[] = { SIGKILL, SIGUSR1 };

    start_noting();
    tell("die", "lingering");
    for (unsigned i = 0; i < YB_COUNT(by); i++) {
        char want[60];

        kill(wait_lingering(i + 1), by[i]);
        snprintf(want, sizeof(want), "event=daemon.probe_cut_off signal=%d", by[i]);
        wait_log(want);
        wait_verdict("lingering", "suspect");
    }
    wait_lingering(3);
    put("here", YB_STR(""), 0644);
    wait_log("event=daemon.cleared code=0");
    wait_verdict("lingering", "clear");
    ck_assert(!log_has("daemon.condemned"));
}
END_TEST

/* What stops or reloads the daemon is nothing to a trial. */
START_TEST(test_note_signals)
{
    pid_t pid;

    start_noting();
    tell("die", "lingering");
    pid = wait_lingering(1);
    kill(pid, SIGTERM);
    kill(pid, SIGINT);
    kill(pid, SIGHUP);
    put("here", YB_STR(""), 0644);
    wait_log("event=daemon.cleared code=0");
    ck_assert_uint_eq(log_count("lingering "), 1);
}
END_TEST

/* A condemned one whose writing down is cut off is written down all the same. */
START_TEST(test_condemn_cut_off)
{
    struct yb_deadline by = yb_deadline_in(WAIT_MS);
    char path[128];

    spec.probe_ms = 500;
    start_noting();
    in_folder(path, sizeof(path), "state/smtpd/condemned.new");
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* who opens it waits */
    ck_assert_int_eq(chmod(path, 0666), 0);
    tell("die", "fatal");
    wait_log("event=daemon.probe_cut_off signal=9");
    ck_assert_int_eq(unlink(path), 0);
    while (!has_file("state/smtpd/condemned"))
        look_again(by);
    ck_assert(!log_has("daemon.not_remembered"));
}
END_TEST

START_TEST(test_note_stop)
{
    start_noting();
    tell("die", "endless");
    wait_verdict("endless", "suspect");
    kill(parent, SIGTERM);
    ck_assert_int_eq(wait_parent(), 0);
    ck_assert(!log_has("daemon.condemned") && !has_file("state/smtpd/condemned"));
}
END_TEST

/* What cannot be tried now stays suspect, and is tried again. */
START_TEST(test_note_later)
{
    start_noting();
    tell("die", "elsewhere");
    wait_log("event=daemon.probe_failed");
    wait_verdict("elsewhere", "suspect");
    put("here", YB_STR(""), 0644);
    wait_verdict("elsewhere", "clear");
}
END_TEST

/* Who has done his work is no suspect. */
START_TEST(test_note_ended)
{
    start_noting();
    tell("work", "innocent");
    kill(child_pid(), SIGKILL);
    wait_log("event=daemon.child_died");
    wait_greeting("hello");
    tell("work", "innocent");
    tell("die", "fatal");
    wait_verdict("fatal", "condemned");
    ck_assert_uint_eq(log_count("event=daemon.suspects"), 1);
    ck_assert(log_has("\"1 pieces of work"));
}
END_TEST

/* A child that was taken over writes what it likes: the parent stands, what was known is known, and
 * the next child is as safe as the first. */
START_TEST(test_note_garbage)
{
    start_noting();
    tell("die", "fatal");
    wait_verdict("fatal", "condemned");
    tell("spoil", "fatal");
    wait_log("event=daemon.cleared"); /* the nonsense was tried, once */
    wait_verdict("fatal", "condemned");
    wait_verdict("innocent", "clear");
    ck_assert_uint_eq(log_count("event=daemon.suspects"), 2);
    tell("work", "innocent");
    kill(parent, SIGTERM);
    ck_assert_int_eq(wait_parent(), 0);
}
END_TEST

/* systemd's notification, by its protocol. */
START_TEST(test_notify)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char got[200];
    ssize_t n;
    static const char *const want[] = { "READY=1", "RELOADING=1", "READY=1", "STOPPING=1" };

    in_folder(a.sun_path, sizeof(a.sun_path), "notify");
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    start();
    for (size_t i = 0; i < YB_COUNT(want); i++) {
        ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
        n = recv(fd, got, sizeof(got) - 1, 0);
        ck_assert_int_gt(n, 0);
        got[n] = '\0';
        ck_assert_msg(strncmp(got, want[i], strlen(want[i])) == 0, "%zu: %s", i, got);
        if (i == 0)
            kill(parent, SIGHUP);
        if (i == 2)
            kill(parent, SIGTERM);
    }
    ck_assert_int_eq(wait_parent(), 0);
    close(fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("daemon");
    TCase *tc = tcase_create("processes");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_serves_and_stops);
    tcase_add_test(tc, test_memory_goes_back);
    tcase_add_test(tc, test_drops_rights);
    tcase_add_test(tc, test_files);
    tcase_add_test(tc, test_child_killed);
    tcase_add_test(tc, test_parent_killed);
    tcase_add_test(tc, test_reload);
    tcase_add_test(tc, test_reload_certificates);
    tcase_add_test(tc, test_reload_twice);
    tcase_add_loop_test(tc, test_ends, 0, YB_COUNT(ends));
    tcase_add_test(tc, test_twice);
    tcase_add_test(tc, test_stop_codes);
    tcase_add_test(tc, test_confined);
    tcase_add_test(tc, test_note_condemned);
    tcase_add_test(tc, test_note_cleared);
    tcase_add_test(tc, test_note_endless);
    tcase_add_loop_test(tc, test_note_burning, 0, 3);
    tcase_add_test(tc, test_note_killed);
    tcase_add_test(tc, test_note_signals);
    tcase_add_test(tc, test_condemn_cut_off);
    tcase_add_test(tc, test_note_stop);
    tcase_add_test(tc, test_note_later);
    tcase_add_test(tc, test_note_ended);
    tcase_add_test(tc, test_note_garbage);
    tcase_add_test(tc, test_notify);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
