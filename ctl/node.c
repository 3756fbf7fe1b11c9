/* yubin schema …, node …, control … */
#include "ctl/ctl.h"

#include "lib/base/clock.h"
#include "lib/daemon/control.h"
#include "lib/db/migrate.h"
#include "lib/home/home.h"
#include "lib/settings/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A daemon that does not answer its control socket by then is stuck. */
#define CONTROL_MS 10000
#define ROWS_TOLD 100000 /* a few seconds each */
#define WORDS_SINCE 26   /* the migration that brought them */

static const struct ctl_option_row migrate_options[] = {
    { "--user", "ROLE", "connect as this superuser (as whom you are)" },
    { "--files", "FOLDER", "where the migrations are (" YB_SCHEMA_DIR ")" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row node_options[] = {
    { "--name", "NAME", "of the node (the host's name)" },
    { "--host", "NAME", "how other nodes reach it" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row node_set_options[] = {
    { "--host", "NAME", "how other nodes reach it" },
    { "--state", "WORD", "live, leaving or gone" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row page_options[] = { CTL_PAGE_OPTIONS, { NULL, NULL, NULL } };

/* --- schema --- */

/* Of a file that is done in batches a line each so many rows; *arg is when the next is due. */
static void
told(void *arg, const char *file, uint64_t rows)
{
    uint64_t *due = arg;

    if (rows == 0)
        fprintf(stderr, "%s\n", file);
    else if (rows >= *due)
        fprintf(stderr, "%s: %llu rows\n", file, (unsigned long long)rows);
    if (rows == 0 || rows >= *due)
        *due = rows + ROWS_TOLD;
}

/* The settings that this version has, for the database to judge by. */
static int
registry_put(const char *conninfo, struct yb_err *err)
{
    json_t *registry = yb_settings_registry();
    char *text = json_dumps(registry, JSON_COMPACT);
    int rc = yb_db_setting_keys(conninfo, text, err);

    json_decref(registry);
    free(text); /* Jansson's own */
    return rc;
}

/* A right that who connects has not, a file that is no SQL: it fails the next time as well. */
static int
stays_so(struct yb_err *err)
{
    if (err->class == YB_BUG)
        err->class = YB_PERM;
    return -1;
}

static int
schema_migrate(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_migrate_report report = { 0 };
    uint64_t due = 0;
    struct yb_str user = ctl_option(c, "--user"), files = ctl_option(c, "--files"), conninfo;

    if (ctl_common(c, &common, err) < 0)
        return -1;
    conninfo = yb_arena_printf(c->arena, "%s%s%.*s", common->database, user.n > 0 ? " user=" : "",
                               YB_STR_ARG(user));
    if (yb_db_migrate(conninfo.p, files.n > 0 ? files.p : YB_SCHEMA_DIR, told, &due, &report, err) <
        0)
        return stays_so(err);
    due = 0;
    if (registry_put(conninfo.p, err) < 0 ||
        (report.last >= WORDS_SINCE && yb_admin_fill_words(conninfo.p, told, &due, err) < 0))
        return stays_so(err);
    *out = json_pack("{s:i, s:i, s:i}", "applied", (int)report.applied, "already",
                     (int)report.already, "version", report.last);
    return 0;
}

/* --- nodes --- */

static int
node_init(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_node_id id;
    struct yb_str name = ctl_option(c, "--name");
    char host[256] = "", store[YB_ID_TEXT];

    if (ctl_common(c, &common, err) < 0)
        return -1;
    gethostname(host, sizeof(host) - 1);
    if (name.n == 0)
        name = yb_str_from(host);
    /* An id that is there is kept: its row may have been lost with a database. */
    if (access(common->node_id_file, F_OK) == 0
            ? yb_node_id_read(common->node_id_file, &id, err) < 0
            : yb_node_id_create(common->node_id_file, &id, err) < 0)
        return -1;
    /* Likewise its store's. */
    if (yb_home_store_id_read(common, store, err) < 0)
        return -1;
    return yb_admin_node_add(c->tx, id, name, ctl_option(c, "--host"), yb_str_from(store), out,
                             err);
}

static int
node_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_node_set(c->tx, ctl_word(c, 0), ctl_option(c, "--host"),
                             ctl_option(c, "--state"), out, err);
}

static int
node_show(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_node_show(c->tx, ctl_word(c, 0), out, err);
}

static int
node_list(struct ctl *c, struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    return yb_admin_node_list(c->tx, page, out, err);
}

/* --- daemons --- */

static int
control(struct ctl *c, const char *command, struct yb_buf *answer, struct yb_err *err)
{
    const struct yb_common_conf *common;
    struct yb_str path;

    /* "Try later" is the answer for one that is away, not for a name that none will ever have. */
    if (yb_role_find(ctl_word(c, 0)) == NULL)
        return yb_err_set(err, YB_PERM, "5.5.4", "there is no daemon %s (see yubin config roles)",
                          c->words[0]);
    if (ctl_common(c, &common, err) < 0)
        return -1;
    path = yb_arena_printf(c->arena, "%s/%s" YB_ROLE_CONTROL, common->run_dir, c->words[0]);
    return yb_control_call(path.p, yb_str_from(command), answer, yb_deadline_in(CONTROL_MS), err);
}

/* Each line of the answer is a name and what it says; numbers are told as numbers. */
static int
control_status(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    int rc = control(c, "status", answer, err);
    struct yb_str text = yb_buf_view(answer), line;

    if (rc == 0)
        *out = json_object();
    while (rc == 0 && yb_str_split(&text, '\n', &line)) {
        struct yb_str name = yb_str_word(&line);
        uint64_t n;

        if (name.n > 0)
            json_object_set_new(*out, yb_arena_dup(c->arena, name).p,
                                yb_str_u64(line, INT64_MAX, &n) ? json_integer((json_int_t)n)
                                                                : json_stringn(line.p, line.n));
    }
    yb_buf_free(&answer);
    return rc;
}

static int
control_metrics(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    struct yb_buf *answer = yb_buf_new(YB_CONTROL_ANSWER);
    int rc = control(c, "metrics", answer, err);
    struct yb_str text = yb_buf_view(answer);

    if (rc == 0)
        fwrite(text.p, 1, text.n, stdout);
    yb_buf_free(&answer);
    return rc;
}

/* clang-format off */
const struct ctl_command ctl_node_commands[] = {
    { "schema", "migrate", "", "makes or updates the database's tables",
      .options = migrate_options, .offline = true, .run = schema_migrate },
    { "node", "init", "", "makes this machine a node",
      .options = node_options, .run = node_init },
    { "node", "list", "", "all nodes",
      .options = page_options, .columns = "name node_id host state accounts store_id", .run = ctl_list, .list = node_list },
    { "node", "show", "NAME", "one node",
      .run = node_show },
    { "node", "set", "NAME", "changes what the options say",
      .options = node_set_options, .run = node_set },
    { "control", "status", "DAEMON", "what a daemon of this node says of itself",
      .offline = true, .run = control_status },
    { "control", "metrics", "DAEMON", "its figures, as Prometheus reads them",
      .offline = true, .run = control_metrics },
    { .noun = NULL },
};
/* clang-format on */
