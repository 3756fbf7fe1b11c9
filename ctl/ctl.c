/* Words, options, configuration and connection of one run. */
#include "ctl/ctl.h"

#include "lib/cred/cred.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct yb_str
ctl_word(const struct ctl *c, size_t i)
{
    return i < c->n_words ? yb_str_from(c->words[i]) : yb_str(NULL, 0);
}

struct yb_str
ctl_option(const struct ctl *c, const char *name)
{
    for (size_t i = c->n_options; i > 0; i--) { /* the last one said counts */
        if (strcmp(c->options[i - 1].name, name) == 0)
            return yb_str_from(c->options[i - 1].value);
    }
    return yb_str(NULL, 0);
}

bool
ctl_has(const struct ctl *c, const char *name)
{
    return ctl_option(c, name).p != NULL;
}

struct yb_admin_values
ctl_values(const struct ctl *c)
{
    const struct yb_admin_fields *f = c->command->fields;
    struct yb_admin_values v = { { { NULL, 0 } } };

    for (size_t k = 0; k < c->n_options; k++) { /* the last one said counts */
        for (size_t i = 0; i < f->n; i++) {
            if (strcmp(c->options[k].name + 2, f->v[i].option) == 0)
                v.v[i] = yb_str_from(c->options[k].value);
        }
    }
    return v;
}

int
ctl_limit(const struct ctl *c, size_t usual, size_t *limit, struct yb_err *err)
{
    struct yb_str said = ctl_option(c, "--limit");
    uint64_t n = 0;

    if (said.p != NULL && !yb_str_u64(said, 1000000, &n))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "--limit is a number up to 1000000");
    *limit = n == 0 ? usual : (size_t)n;
    return 0;
}

void
ctl_tell_latest(size_t shown)
{
    fprintf(stderr, "yubin: only the latest %zu are shown: --limit N shows more\n", shown);
}

/* One line of standard input without its end; a terminal does not show it. */
static int
read_secret(const char *prompt, char *to, size_t size, struct yb_err *err)
{
    struct termios old, quiet;
    bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
    size_t n = 0;
    int c;

    if (tty) {
        quiet = old;
        quiet.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        fprintf(stderr, "%s: ", prompt); /* what is typed before it may be lost, nothing after it */
    }
    while ((c = getchar()) != EOF && c != '\n' && n < size)
        to[n++] = (char)c;
    if (tty) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (n == 0 && c == EOF)
        return yb_err_set(err, YB_PERM, "5.5.4", "No password on standard input");
    if (n > 0 && n < size && to[n - 1] == '\r')
        n--;
    if (n == size)
        return yb_err_set(err, YB_PERM, "5.7.8", "The password is longer than %d bytes",
                          YB_CRED_PASSWORD);
    to[n] = '\0';
    /* Half a password is another password. */
    if (memchr(to, '\0', n) != NULL)
        return yb_err_set(err, YB_PERM, "5.7.8", "The password holds a NUL byte");
    return 0;
}

int
ctl_password(struct ctl *c, struct yb_str *verifier, struct yb_err *err)
{
    char first[YB_CRED_PASSWORD + 3], again[YB_CRED_PASSWORD + 3], made[YB_CRED_VERIFIER];
    int rc = read_secret("Password", first, sizeof(first), err);

    if (rc == 0 && isatty(STDIN_FILENO)) {
        rc = read_secret("Once more", again, sizeof(again), err);
        if (rc == 0 && strcmp(first, again) != 0)
            rc = yb_err_set(err, YB_PERM, "5.7.8", "The two passwords differ");
    }
    if (rc == 0)
        rc = yb_cred_make(yb_str_from(first), 0, made, err);
    if (rc == 0)
        *verifier = yb_arena_dup(c->arena, yb_str_from(made));
    explicit_bzero(first, sizeof(first));
    explicit_bzero(again, sizeof(again));
    return rc;
}

int
ctl_common(struct ctl *c, const struct yb_common_conf **common, struct yb_err *err)
{
    static const struct yb_conf_table *const tables[] = { &yb_common_conf_table };
    struct yb_conf_errors e;

    if (c->conf == NULL) {
        yb_conf_errors_init(&e);
        c->source = yb_conf_source_read(c->conf_path, tables, 1, YB_CONF_WITHOUT_FILES, &e);
        if (c->source != NULL)
            c->conf = yb_conf_build(c->source, tables, 1, &e);
        if (c->conf == NULL) {
            struct yb_str text = yb_buf_view(e.text);

            fwrite(text.p, 1, text.n, stderr);
            yb_err_set(err, YB_PERM, "5.3.5", "the configuration cannot be used");
        }
        yb_conf_errors_free(&e);
        if (c->conf == NULL)
            return -1;
    }
    *common = yb_conf_common(c->conf);
    return 0;
}

/* Whatever else stands in the variable is not told to the database. */
static bool
is_address(struct yb_str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr a;

    return yb_str_copy(s, text, sizeof(text)) &&
           (inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1);
}

static struct yb_admin_actor
actor_of(struct ctl *c)
{
    const struct passwd *pw = getpwuid(getuid());
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL, *ssh = getenv("SSH_CLIENT");
    struct yb_str from = ssh == NULL ? YB_STR("") : yb_str_from(ssh);
    struct yb_admin_actor actor = { .client = yb_str_word(&from) };

    actor.name = pw == NULL ? yb_arena_printf(c->arena, "%u", (unsigned)getuid())
                            : yb_arena_dup(c->arena, yb_str_from(pw->pw_name));
    if (sudo != NULL)
        actor.name = yb_arena_printf(c->arena, "%.*s:%s", YB_STR_ARG(actor.name), sudo);
    if (actor.client.n > 0 && !is_address(actor.client))
        actor.client = YB_STR("");
    return actor;
}

int
ctl_admin(struct ctl *c, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_admin_conf conf = { .application = "yubin" };

    if (ctl_common(c, &common, err) < 0)
        return -1;
    conf.conninfo = yb_arena_printf(c->arena, "%s user=yubin_operator", common->database).p;
    c->admin = yb_admin_new(&conf);
    c->actor = actor_of(c);
    return 0;
}

int
ctl_begin(struct ctl *c, struct yb_err *err)
{
    return c->tx != NULL ? 0 : yb_admin_begin(c->admin, &c->actor, &c->tx, err);
}

int
ctl_commit(struct ctl *c, struct yb_err *err)
{
    return c->tx == NULL ? 0 : yb_admin_commit(&c->tx, err);
}
