/* yubin session …: who is logged in to the daemons of this node. */
#include "ctl/ctl.h"

#include "lib/auth/online.h"
#include "lib/base/clock.h"
#include "lib/daemon/control.h"

#include <errno.h>
#include <unistd.h>

/* A daemon that does not answer its control socket by then is stuck. */
#define CONTROL_MS 10000

static const char *const daemons[] = { "imapd", "pop3d", "submitd" };

/* Longer names are nobody's, and a blank would make two words of one. */
static int
who(struct ctl *c, struct yb_str *out, struct yb_err *err)
{
    *out = c->n_words > 0 ? ctl_word(c, 0) : yb_str("", 0);
    for (size_t i = 0; i < out->n; i++) {
        if ((unsigned char)out->p[i] <= ' ')
            return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.1.3",
                             "an address, a domain or a session's id is one word");
    }
    if (out->n > 0 && out->p[out->n - 1] == '.')
        out->n--;
    if (out->n >= YB_AUTH_ADDRESS)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.1.3", "that is too long for an address");
    return 0;
}

/*
 * Asks one daemon. 1: answered; 0: it does not run here, and so has no sessions; -1: *err.
 */
static int
ask(struct ctl *c, const char *name, struct yb_str command, struct yb_buf *answer,
    struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_str path;

    if (ctl_common(c, &common, err) < 0)
        return -1;
    path = yb_arena_printf(c->arena, "%s/%s" YB_ROLE_CONTROL, common->run_dir, name);
    if (access(path.p, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (access(path.p, W_OK) < 0)
        return yb_err_sys(err, YB_PERM, "5.7.1", "use %s", path.p);
    yb_buf_clear(answer);
    return yb_control_call(path.p, command, answer, yb_deadline_in(CONTROL_MS), err) < 0 ? -1 : 1;
}

static int
none_runs(struct yb_err *err)
{
    return yb_err_set(err, YB_TEMP, "4.3.2", "none of imapd, pop3d and submitd runs here");
}

/* One line of the answer; false when it is none. */
static bool
add_session(json_t *list, const char *name, struct yb_str line, uint64_t *number)
{
    struct yb_str field[6];
    char text[YB_CLOCK_UTC];
    uint64_t since;

    for (size_t i = 0; i < YB_COUNT(field); i++) {
        if (!yb_str_split(&line, '\t', &field[i]))
            return false;
    }
    if (!yb_str_u64(field[0], UINT64_MAX, number) || !yb_str_u64(field[5], INT64_MAX, &since))
        return false;
    if (yb_clock_utc((int64_t)since, text) == NULL)
        return false;
    json_array_append_new(list, json_pack("{s:s, s:s%, s:s%, s:s%, s:s%, s:s}", "daemon", name,
                                          "session", field[1].p, field[1].n, "address", field[2].p,
                                          field[2].n, "tenant_id", field[3].p, field[3].n, "client",
                                          field[4].p, field[4].n, "since", text));
    return true;
}

/* Page by page: a daemon's answer is bounded. */
static int
list_daemon(struct ctl *c, const char *name, struct yb_str of, json_t *list, struct yb_buf *answer,
            struct yb_err *err)
{
    uint64_t number = 0;
    size_t n = YB_ONLINE_MOST;
    int rc = 1;

    while (rc > 0 && n == YB_ONLINE_MOST) {
        struct yb_str left, line;

        rc = ask(c, name,
                 yb_arena_printf(c->arena, "sessions %llu %d %.*s", (unsigned long long)number,
                                 YB_ONLINE_MOST, YB_STR_ARG(of)),
                 answer, err);
        left = yb_buf_view(answer);
        for (n = 0; rc > 0 && left.n > 0 && yb_str_split(&left, '\n', &line) && line.n > 0; n++) {
            if (!add_session(list, name, line, &number))
                return yb_err_set(err, YB_TEMP, "4.5.0", "%s sent no list of sessions", name);
        }
    }
    return rc;
}

static int
session_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    bool runs = false;
    struct yb_str of;
    int rc = who(c, &of, err);

    *out = json_array();
    for (size_t i = 0; rc >= 0 && i < YB_COUNT(daemons); i++) {
        rc = list_daemon(c, daemons[i], of, *out, answer, err);
        runs = runs || rc > 0;
    }
    yb_buf_free(&answer);
    if (rc >= 0 && runs)
        return 0;
    json_decref(*out);
    *out = NULL;
    return rc < 0 ? -1 : none_runs(err);
}

/* What was done is in the audit, or it is an error: without the database nobody is kicked. */
static int
session_kick(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    bool runs = false;
    uint64_t all = 0;
    struct yb_str of;
    int rc = who(c, &of, err);

    for (size_t i = 0; rc >= 0 && i < YB_COUNT(daemons); i++) {
        struct yb_str left, line;
        uint64_t n = 0;

        rc =
            ask(c, daemons[i], yb_arena_printf(c->arena, "kick %.*s", YB_STR_ARG(of)), answer, err);
        left = yb_buf_view(answer);
        if (rc > 0 && (!yb_str_split(&left, '\n', &line) || !yb_str_u64(line, UINT64_MAX, &n)))
            rc = yb_err_set(err, YB_TEMP, "4.5.0", "%s did not say what it ended", daemons[i]);
        runs = runs || rc > 0;
        all += n;
    }
    yb_buf_free(&answer);
    if (rc < 0 || !runs)
        return rc < 0 ? -1 : none_runs(err);
    if (all == 0)
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.1.1", "%.*s has no session here",
                         YB_STR_ARG(of));
    yb_admin_deed(c->tx, "session.kick", of);
    *out = json_pack("{s:I}", "ended", (json_int_t)all);
    return 0;
}

/* clang-format off */
const struct ctl_command ctl_session_commands[] = {
    { "session", "list", "[WHO]", "who is logged in to this node's daemons (an address, a domain; all)",
      .columns = "daemon session address client since", .offline = true, .run = session_list },
    { "session", "kick", "WHO", "ends the sessions of an address, of a domain, or one by its id",
      .run = session_kick },
    { .noun = NULL },
};
/* clang-format on */
