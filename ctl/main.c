/*
 * yubin: the operator's command. See ctl.h for its shape and yubin(1) for its manual.
 *
 * It reads [common] of the configuration, talks to the database as the role yubin_operator and to
 * the daemons of this node by their control sockets. Passwords come from standard input, never from
 * arguments. Exit codes: 0 done, 1 refused, 2 usage, 75 try later.
 */
#include "ctl/ctl.h"

#include "lib/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Each thing that was wrong, by the option that it was said with. */
static void
tell(const struct ctl *c, const struct yb_err *err)
{
    const struct yb_admin_fields *f = c->command->fields;
    const struct yb_admin_refusal *v = NULL;
    size_t n = 0;

    if (c->tx != NULL)
        v = yb_admin_refusals(c->tx, &n);
    if (n == 0)
        fprintf(stderr, "yubin: %s\n", err->text);
    for (size_t i = 0; i < n; i++) {
        const char *option = NULL;

        for (size_t k = 0; v[i].field != NULL && f != NULL && k < f->n; k++) {
            if (strcmp(f->v[k].name, v[i].field) == 0)
                option = f->v[k].option;
        }
        fprintf(stderr, "yubin: %s%s%s%.*s\n", option == NULL ? "" : "--",
                option == NULL ? "" : option, option == NULL ? "" : ": ",
                YB_STR_ARG(v[i].sentence));
    }
}

/* Whether it is worth while to come again. */
static enum ctl_exit
exit_of(const struct yb_err *err)
{
    if (err->kind == YB_ERR_SYNTAX)
        return CTL_USAGE;
    return err->class == YB_PERM || err->kind == YB_ERR_CONFIG ? CTL_REFUSED : CTL_LATER;
}

/* As a document. Its reason is the one on standard error: who runs this may read it. */
static json_t *
problem_of(const struct ctl *c, const struct yb_err *err)
{
    json_t *problem = yb_admin_problem(c->tx, err), *reason = json_string(err->text);

    if (reason != NULL)
        json_object_set_new(problem, "detail", reason);
    return problem;
}

static int
run(struct ctl *c, json_t **out, struct yb_err *err)
{
    if (!c->command->offline &&
        (ctl_admin(c, err) < 0 || (!c->command->late && ctl_begin(c, err) < 0)))
        return -1;
    if (c->command->run(c, out, err) < 0)
        return -1;
    if (ctl_commit(c, err) == 0)
        return 0;
    json_decref(*out); /* it shows what was not done */
    *out = NULL;
    return -1;
}

int
main(int argc, char **argv)
{
    struct ctl c = { .conf_path = YB_SYSCONF, .arena = yb_arena_new(4096) };
    struct yb_err err = { 0 };
    json_t *out = NULL;
    int rc = ctl_arguments(&c, argc, argv);

    yb_log_init("yubin", YB_LOG_WARN);
    if (rc < 0) {
        rc = run(&c, &out, &err) == 0 ? CTL_DONE : (int)exit_of(&err);
        if (rc != CTL_DONE) {
            tell(&c, &err);
            if (c.admin !=
                NULL) { /* it shows what was not done; checks that need no database do tell */
                json_decref(out);
                out = NULL;
            }
            if ((c.lines || (c.json && !c.begun)) && out == NULL) /* not inside another document */
                out = problem_of(&c, &err);
        }
    }
    if (out != NULL)
        ctl_print(&c, out);
    json_decref(out);
    yb_admin_rollback(&c.tx);
    yb_admin_free(&c.admin);
    yb_conf_free(&c.conf);
    yb_conf_source_free(&c.source);
    yb_arena_free(&c.arena);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "yubin: what was to be shown could not be written: %s\n", strerror(errno));
        rc = CTL_LATER;
    }
    return rc;
}
