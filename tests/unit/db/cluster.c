#include "tests/unit/db/cluster.h"

#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/db/migrate.h"
#include "lib/settings/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 60000

struct cluster {
    char dir[64], data[80], bin[256];
    uid_t uid;
    gid_t gid;
    pid_t pid; /* the postmaster */
    char conninfo[256];
    char answer[1024];
};

_Noreturn static void
fail(const char *what, const char *detail)
{
    fprintf(stderr, "cluster: %s: %s\n", what, detail);
    abort();
}

const char *
cluster_source(void)
{
    const char *dir = getenv("srcdir"); /* automake's, in make check */

    if (dir != NULL)
        return dir;
    return access("schema", F_OK) == 0 ? "." : "..";
}

/* The newest server installed. */
static void
bin_find(char *out, size_t size)
{
    const char *given = getenv("YUBIN_PG_BIN");
    glob_t found = { 0 };

    if (given != NULL) {
        snprintf(out, size, "%s", given);
        return;
    }
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0 || found.gl_pathc == 0)
        fail("no PostgreSQL server programs", "/usr/lib/postgresql/*/bin");
    snprintf(out, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

/* Runs a program of the server as its user; it dies with the test. */
static pid_t
spawn(const struct cluster *c, const char *program, char *argv[])
{
    char path[320];
    pid_t parent = getpid(), pid;
    int log;

    snprintf(path, sizeof(path), "%s/%s", c->bin, program);
    pid = fork();
    if (pid < 0)
        fail("fork", strerror(errno));
    if (pid > 0)
        return pid;
    log = open("/dev/null", O_RDWR);
    if (chdir("/") < 0 || (c->gid != getgid() && setgid(c->gid) < 0) ||
        (c->uid != getuid() && setuid(c->uid) < 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(126);
    dup2(log, 0);
    dup2(log, 1);
    dup2(log, 2);
    argv[0] = path; /* initdb looks for its server beside itself */
    execv(path, argv);
    _exit(127);
}

static void
server_start(struct cluster *c)
{
    char program[] = "postgres", d[] = "-D", k[] = "-k", h[] = "-h", f[] = "-F", n[] = "-N";
    char none[] = "", connections[] = "60";
    char *argv[] = { program, d, c->data, k, c->dir, h, none, f, n, connections, NULL };
    struct yb_deadline by = yb_deadline_in(START_MS);

    c->pid = spawn(c, "postgres", argv);
    while (PQping(cluster_conninfo(c, "postgres")) != PQPING_OK) {
        if (yb_deadline_left(by) == 0 || waitpid(c->pid, NULL, WNOHANG) != 0)
            fail("the server does not start", c->dir);
        poll(NULL, 0, 20);
    }
}

struct cluster *
cluster_start(void)
{
    struct cluster *c = yb_alloc(1, sizeof(*c));
    char program[] = "initdb", d[] = "-D", utf8[] = "-EUTF8", locale[] = "--locale=C",
         trust[] = "-Atrust", sync[] = "--no-sync", user[] = "-Upostgres";
    char *argv[] = { program, d, c->data, utf8, locale, trust, sync, user, NULL };
    const struct passwd *pw;
    int status;

    bin_find(c->bin, sizeof(c->bin));
    c->uid = getuid();
    c->gid = getgid();
    snprintf(c->dir, sizeof(c->dir), "/tmp/yubin-pg-XXXXXX");
    if (mkdtemp(c->dir) == NULL)
        fail(c->dir, strerror(errno));
    snprintf(c->data, sizeof(c->data), "%s/data", c->dir);
    if (c->uid == 0) {
        pw = getpwnam("postgres");
        if (pw == NULL)
            fail("as root the server runs as", "postgres, who is not a user here");
        c->uid = pw->pw_uid;
        c->gid = pw->pw_gid;
        if (chown(c->dir, c->uid, c->gid) < 0)
            fail("chown", strerror(errno));
    }
    if (waitpid(spawn(c, "initdb", argv), &status, 0) < 0 || status != 0)
        fail("initdb failed in", c->dir);
    server_start(c);
    snprintf(c->conninfo, sizeof(c->conninfo), "host=%s user=postgres dbname=template1", c->dir);
    cluster_ask(c, NULL, "CREATE DATABASE yubin");
    return c;
}

const char *
cluster_conninfo(struct cluster *c, const char *user)
{
    if (user != NULL)
        snprintf(c->conninfo, sizeof(c->conninfo), "host=%s user=%s dbname=yubin", c->dir, user);
    return c->conninfo;
}

const char *
cluster_ask(struct cluster *c, const char *user, const char *sql)
{
    PGconn *pg = PQconnectdb(cluster_conninfo(c, user));
    PGresult *r;

    if (PQstatus(pg) != CONNECTION_OK)
        fail("connect", PQerrorMessage(pg));
    r = PQexec(pg, sql);
    if (PQresultStatus(r) == PGRES_FATAL_ERROR)
        snprintf(c->answer, sizeof(c->answer), "%s", PQresultErrorField(r, PG_DIAG_SQLSTATE));
    else
        snprintf(c->answer, sizeof(c->answer), "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(pg);
    return c->answer;
}

const char *
cluster_scoped(struct cluster *c, const char *role, const char *scope, const char *sql)
{
    char full[4096];

    snprintf(full, sizeof(full),
             "BEGIN; SET LOCAL search_path = yubin, pg_temp;"
             " SELECT set_config('yubin.scope', yb_scope_sign(%s), true);"
             " SET LOCAL SESSION AUTHORIZATION %s; SET LOCAL ROLE %s; %s",
             scope, strcmp(role, "yubin_operator") == 0 ? role : "yubin_api", role, sql);
    return cluster_ask(c, "postgres", full);
}

static const char *
sql_must(struct cluster *c, const char *sql)
{
    PGconn *pg = PQconnectdb(cluster_conninfo(c, "postgres"));
    PGresult *r;

    if (PQstatus(pg) != CONNECTION_OK)
        fail("connect", PQerrorMessage(pg));
    PQclear(PQexec(pg, "SET search_path = yubin, fixtures, pg_temp"));
    r = PQexec(pg, sql);
    if (PQresultStatus(r) == PGRES_FATAL_ERROR)
        fail(sql, PQerrorMessage(pg));
    snprintf(c->answer, sizeof(c->answer), "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(pg);
    return c->answer;
}

const char *
cluster_sql(struct cluster *c, const char *fmt, ...)
{
    char sql[2048];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof(sql), fmt, args);
    va_end(args);
    return sql_must(c, sql);
}

void
cluster_migrate(struct cluster *c)
{
    struct yb_migrate_report report;
    struct yb_err err = { 0 };
    char path[512], *sql, *keys;
    json_t *registry;
    size_t size;

    snprintf(path, sizeof(path), "%s/schema", cluster_source());
    if (yb_db_migrate(cluster_conninfo(c, "postgres"), path, NULL, NULL, &report, &err) < 0)
        fail("migrate", err.text);
    registry = yb_settings_registry();
    keys = json_dumps(registry, 0);
    json_decref(registry);
    if (yb_db_setting_keys(cluster_conninfo(c, "postgres"), keys, &err) < 0)
        fail("setting keys", err.text);
    free(keys);
    snprintf(path, sizeof(path), "%s/tests/fixtures.sql", cluster_source());
    if (yb_read_file(path, 1 << 20, &sql, &size, &err) < 0)
        fail("fixtures", err.text);
    sql_must(c, sql);
    yb_free(sql);
}

void
cluster_migrate_until(struct cluster *c, int last)
{
    struct yb_migrate_report report;
    struct yb_err err = { 0 };
    char dir[] = "/tmp/yubin-before-XXXXXX", source[512], from[800], to[800], *top;
    const struct dirent *e;
    DIR *d;

    top = realpath(cluster_source(), NULL);
    if (top == NULL || mkdtemp(dir) == NULL)
        fail("a folder for migrations", strerror(errno));
    snprintf(source, sizeof(source), "%.480s/schema", top);
    free(top);
    d = opendir(source);
    while (d != NULL && (e = readdir(d)) != NULL) {
        snprintf(from, sizeof(from), "%s/%.250s", source, e->d_name);
        snprintf(to, sizeof(to), "%s/%.250s", dir, e->d_name);
        if (strtol(e->d_name, NULL, 10) > 0 && strtol(e->d_name, NULL, 10) <= last &&
            symlink(from, to) < 0)
            fail(to, strerror(errno));
    }
    if (yb_db_migrate(cluster_conninfo(c, "postgres"), dir, NULL, NULL, &report, &err) < 0)
        fail("migrate", err.text);
    rewinddir(d);
    while ((e = readdir(d)) != NULL) {
        snprintf(to, sizeof(to), "%s/%.250s", dir, e->d_name);
        (void)unlink(to);
    }
    closedir(d);
    (void)rmdir(dir);
}

void
cluster_crash(struct cluster *c)
{
    kill(c->pid, SIGQUIT);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
}

void
cluster_resume(struct cluster *c)
{
    server_start(c);
}

/* The server's processes: the postmaster, and those whose parent it is (each its own session). */
void
cluster_freeze(struct cluster *c, bool frozen)
{
    char path[64], text[512];
    glob_t all = { 0 };

    kill(c->pid, frozen ? SIGSTOP : SIGCONT);
    if (glob("/proc/[0-9]*/stat", 0, NULL, &all) != 0)
        return;
    for (size_t i = 0; i < all.gl_pathc; i++) {
        int fd = open(all.gl_pathv[i], O_RDONLY), parent = 0, pid = 0;
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (fd >= 0)
            close(fd);
        if (n <= 0)
            continue;
        text[n] = '\0';
        snprintf(path, sizeof(path), "%s", strrchr(text, ')') == NULL ? "" : strrchr(text, ')'));
        if (sscanf(text, "%d", &pid) == 1 && sscanf(path, ") %*c %d", &parent) == 1 &&
            parent == c->pid)
            kill(pid, frozen ? SIGSTOP : SIGCONT);
    }
    globfree(&all);
}

static int
remove_one(const char *path, const struct stat *st YB_UNUSED, int flag YB_UNUSED,
           struct FTW *ftw YB_UNUSED)
{
    return remove(path);
}

void
cluster_free(struct cluster **c)
{
    if ((*c)->pid > 0)
        cluster_crash(*c);
    nftw((*c)->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    yb_free(*c);
    *c = NULL;
}
