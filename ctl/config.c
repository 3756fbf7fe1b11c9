/* yubin config check|show|docs|roles: from the tables of all programs, the only truth about options. */
#include "ctl/ctl.h"

#include "lib/daemon/check.h"
#include "lib/settings/registry.h"
#include "lib/store/first.h"

#include <stdio.h>
#include <string.h>

/* Each program's table lives in its own conf.c, which yubin links; their structs stay theirs. */
extern const struct yb_conf_table smtpd_conf_table, submitd_conf_table, lmtpd_conf_table,
    relayd_conf_table, imapd_conf_table, pop3d_conf_table;

static const struct yb_conf_table *const tables[] = {
    &yb_common_conf_table, &smtpd_conf_table, &submitd_conf_table, &relayd_conf_table,
    &lmtpd_conf_table,     &imapd_conf_table, &pop3d_conf_table,
};

static const struct ctl_option_row show_options[] = {
    { "--set-only", NULL, "leave out what stands at its default" },
    { NULL, NULL, NULL },
};

static void
print_text(struct yb_buf *text)
{
    struct yb_str s = yb_buf_view(text);

    fwrite(s.p, 1, s.n, stdout);
}

static void
print_errors(const struct yb_conf_errors *e)
{
    struct yb_str s = yb_buf_view(e->text);

    fwrite(s.p, 1, s.n, stderr);
}

static int
cannot_be_used(const struct ctl *c, struct yb_err *err)
{
    return yb_err_set(err, YB_PERM, "5.3.5", "%s cannot be used as it is", c->conf_path);
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
        print_errors(&e);
        cannot_be_used(c, err);
        yb_conf_free(&conf);
    }
    yb_conf_errors_free(&e);
    return conf;
}

/* Which lib/daemon, below the store, cannot read. */
static void
check_first_mailboxes(const struct yb_conf *conf, struct yb_conf_errors *errors)
{
    struct yb_err err = { 0 };
    struct yb_first *first = yb_first_parse(yb_conf_common(conf)->first_mailboxes, &err);

    if (first == NULL)
        yb_conf_errors_add(errors, "%s", err.text);
    yb_first_free(&first);
}

static int
config_check(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_conf_source *source = NULL;
    struct yb_conf *conf = build(c, YB_CONF_WITH_FILES, &source, err);
    struct yb_conf_errors errors, warnings;
    int rc = -1;

    yb_conf_errors_init(&errors);
    yb_conf_errors_init(&warnings);
    if (conf != NULL) {
        yb_check(c->conf_path, conf, tables, YB_COUNT(tables), &errors, &warnings);
        check_first_mailboxes(conf, &errors);
        print_errors(&warnings);
        print_errors(&errors);
        rc = errors.n > 0 ? cannot_be_used(c, err) : 0;
    }
    if (rc == 0 && c->json)
        *out = json_pack("{s:b}", "ok", 1);
    else if (rc == 0)
        printf("%s: OK\n", c->conf_path);
    yb_conf_errors_free(&errors);
    yb_conf_errors_free(&warnings);
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
    else if (strcmp(c->words[0], "settings") == 0)
        yb_buf_add(text, yb_settings_markdown(c->arena));
    else
        rc = yb_err_set(err, YB_PERM, "5.5.4",
                        "config docs gives markdown, man, sample or settings");
    print_text(text);
    yb_buf_free(&text);
    return rc;
}

/* The default of an option. */
static const char *
default_of(const struct yb_conf_table *t, const char *option)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->options[i].name, option) == 0)
            return t->options[i].def;
    yb_assert(false);
    return NULL;
}

/* What lies below a folder of [common] by default: the daemon's own. */
static json_t *
below(const struct ctl *c, const char *option, const char *name, const char *suffix)
{
    struct yb_str path = yb_arena_printf(c->arena, "%s/%s%s",
                                         default_of(&yb_common_conf_table, option), name, suffix);

    return json_stringn(path.p, path.n);
}

/* Words between commas and spaces. */
static json_t *
words(const char *text)
{
    struct yb_str rest = yb_str_from(text), part, word;
    json_t *list = json_array();

    while (yb_str_split(&rest, ',', &part)) {
        part = yb_str_trim(part);
        while ((word = yb_str_word(&part)).n > 0)
            json_array_append_new(list, json_stringn(word.p, word.n));
    }
    return list;
}

/* Where it listens by default, for each option that says so; and the names of all its options. */
static void
put_options(json_t *o, const struct yb_role *role)
{
    json_t *listen = json_object(), *options = json_array();

    for (size_t t = 0; t < YB_COUNT(tables); t++) {
        for (size_t i = 0; i < tables[t]->n && strcmp(tables[t]->section, role->name) == 0; i++) {
            const struct yb_conf_option *option = &tables[t]->options[i];

            json_array_append_new(options, json_string(option->name));
            if (yb_conf_has_addresses(option))
                json_object_set_new(listen, option->name, words(option->def));
        }
    }
    yb_assert(json_array_size(options) > 0); /* every daemon has a table here */
    json_object_set_new(o, "listen", listen);
    json_object_set_new(o, "options", options);
}

static int
config_roles(struct ctl *c, json_t **out, struct yb_err *err YB_UNUSED)
{
    *out = json_array();
    for (size_t i = 0; i < YB_ROLES; i++) {
        const struct yb_role *r = &yb_roles[i];
        json_t *o = json_object();

        json_object_set_new(o, "daemon", json_string(r->name));
        json_object_set_new(o, "summary", json_string(r->summary));
        json_object_set_new(o, "user", json_string(r->user));
        json_object_set_new(o, "groups", words(r->groups));
        json_object_set_new(o, "database_role", json_string(r->database));
        json_object_set_new(o, "hands_over", json_boolean(r->hands_over));
        json_object_set_new(o, "writes_events", json_boolean(r->writes_events));
        json_object_set_new(o, "run_dir", below(c, "run_dir", r->name, ""));
        json_object_set_new(o, "state_dir", below(c, "state_dir", r->name, ""));
        json_object_set_new(o, "event_dir", below(c, "event_dir", r->name, ""));
        json_object_set_new(o, "control", below(c, "run_dir", r->name, YB_ROLE_CONTROL));
        put_options(o, r);
        json_array_append_new(*out, o);
    }
    return 0;
}

/* clang-format off */
const struct ctl_command ctl_config_commands[] = {
    { "config", "check", "", "reads everything as the daemons would and tells what is wrong",
      .offline = true, .run = config_check },
    { "config", "show", "", "the values in force, defaults too",
      .options = show_options, .offline = true, .run = config_show },
    { "config", "docs", "FORM", "the reference of all options: markdown, man or sample; of all settings: settings",
      .offline = true, .run = config_docs },
    { "config", "roles", "", "the daemons: system user, groups, role in the database, by default",
      .columns = "daemon user groups database_role hands_over writes_events summary",
      .offline = true, .run = config_roles },
    { .noun = NULL },
};
/* clang-format on */
