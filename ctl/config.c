/* yubin config check|show|docs: from the tables of all programs, the only truth about options. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

/* Each program's table lives in its own conf.c, which yubin links; their structs stay theirs. */
extern const struct yb_conf_table smtpd_conf_table, submitd_conf_table, lmtpd_conf_table,
    imapd_conf_table, pop3d_conf_table;

static const struct yb_conf_table *const tables[] = {
    &yb_common_conf_table, &smtpd_conf_table, &submitd_conf_table,
    &lmtpd_conf_table,     &imapd_conf_table, &pop3d_conf_table,
};

static const struct ctl_option show_options[] = {
    { "--set-only", NULL, "leave out what stands at its default" },
    { NULL, NULL, NULL },
};

static void
print_text(struct yb_buf *text)
{
    struct yb_str s = yb_buf_view(text);

    fwrite(s.p, 1, s.n, stdout);
}

/* Builds everything; on -1 all errors are on standard error. Keys are read where we may. */
static struct yb_conf *
build(struct ctl *c, enum yb_conf_read how, struct yb_conf_source **source, struct yb_err *err)
{
    struct yb_conf_errors e;
    struct yb_conf *conf = NULL;

    yb_conf_errors_init(&e);
    *source = yb_conf_source_read(c->conf_path, tables, YB_COUNT(tables), how, &e);
    if (*source != NULL)
        conf = yb_conf_build(*source, tables, YB_COUNT(tables), &e);
    if (conf == NULL || e.n > 0) {
        struct yb_str text = yb_buf_view(e.text);

        fwrite(text.p, 1, text.n, stderr);
        yb_err_set(err, YB_PERM, "5.3.5", "%s cannot be used as it is", c->conf_path);
        yb_conf_free(&conf);
    }
    yb_conf_errors_free(&e);
    return conf;
}

static int
config_check(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    struct yb_conf_source *source = NULL;
    struct yb_conf *conf = build(c, YB_CONF_WITH_FILES, &source, err);
    int rc = conf == NULL ? -1 : 0;

    yb_conf_free(&conf);
    yb_conf_source_free(&source);
    return rc;
}

static int
config_show(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    struct yb_conf_source *source = NULL;
    struct yb_conf *conf = build(c, YB_CONF_WITHOUT_FILES, &source, err);
    struct yb_buf *text = yb_buf_new(SIZE_MAX / 2);

    if (conf != NULL) {
        yb_conf_show(conf, ctl_has(c, "--set-only"), text);
        print_text(text);
    }
    yb_buf_free(&text);
    yb_conf_source_free(&source);
    if (conf == NULL)
        return -1;
    yb_conf_free(&conf);
    return 0;
}

static int
config_docs(struct ctl *c, json_t **out YB_UNUSED, struct yb_err *err)
{
    struct yb_buf *text = yb_buf_new(SIZE_MAX / 2);
    int rc = 0;

    if (strcmp(c->words[0], "markdown") == 0)
        yb_conf_docs_markdown(tables, YB_COUNT(tables), text);
    else if (strcmp(c->words[0], "man") == 0)
        yb_conf_docs_man(tables, YB_COUNT(tables), text);
    else if (strcmp(c->words[0], "sample") == 0)
        yb_conf_docs_sample(tables, YB_COUNT(tables), text);
    else
        rc = yb_err_set(err, YB_PERM, "5.5.4", "config docs gives markdown, man or sample");
    print_text(text);
    yb_buf_free(&text);
    return rc;
}

/* clang-format off */
const struct ctl_command ctl_config_commands[] = {
    { "config", "check", "", 0, 0, "reads everything as the daemons would and tells what is wrong", NULL, NULL, true, config_check },
    { "config", "show",  "", 0, 0, "the values in force, defaults too", show_options, NULL, true, config_show },
    { "config", "docs",  "FORM", 1, 1, "the reference of all options: markdown, man or sample", NULL, NULL, true, config_docs },
    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, false, NULL },
};
/* clang-format on */
