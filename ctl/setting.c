/* yubin setting … */
#include "ctl/ctl.h"

#include "lib/settings/registry.h"

#include <stdio.h>
#include <string.h>

#define OF_OPTIONS                                                                                 \
    { "--tenant", "NAME", "a tenant's (the platform's)" }, { "--domain", "NAME", "a domain's" },   \
    {                                                                                              \
        "--account", "ADDRESS", "an account's"                                                     \
    }

static const struct ctl_option_row list_options[] = {
    OF_OPTIONS,
    { "--effective", NULL, "all that counts there, and which level it is from" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row set_options[] = {
    OF_OPTIONS,
    { "--lock", NULL, "counts before whatever lower levels set" },
    { "--unlock", NULL, "no longer; without either a lock stays as it is" },
    { NULL, NULL, NULL },
};
static const struct ctl_option_row unset_options[] = { OF_OPTIONS, { NULL, NULL, NULL } };

static struct yb_admin_settings_of
settings_of(const struct ctl *c)
{
    return (struct yb_admin_settings_of){ .tenant = ctl_option(c, "--tenant"),
                                          .domain = ctl_option(c, "--domain"),
                                          .account = ctl_option(c, "--account") };
}

/* "platform:O tenant:T": the least role that may set it there. */
static json_t *
levels_json(const struct yb_setting *s)
{
    json_t *levels = json_object();

    for (size_t i = 0; i < YB_LEVELS; i++) {
        if (s->may[i] != 0)
            json_object_set_new(levels, yb_level_name((enum yb_setting_level)i),
                                json_stringn(&s->may[i], 1));
    }
    return levels;
}

static int
setting_keys(struct ctl *c, json_t **out, struct yb_err *err YB_UNUSED)
{
    *out = json_array();
    for (size_t i = 0; i < YB_SETTINGS; i++) {
        const struct yb_setting *s = yb_setting_row((enum yb_setting_id)i);
        struct yb_str form = yb_setting_form(s, c->arena);

        json_array_append_new(*out,
                              json_pack("{s:s, s:s, s:s, s:o, s:b, s:s%, s:s}", "key", s->key,
                                        "type", yb_setting_type_name(s->type), "default",
                                        s->standard, "levels", levels_json(s), "lockable",
                                        s->lockable, "accepts", form.p, form.n, "text", s->text));
    }
    return 0;
}

static int
setting_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_settings_of of = settings_of(c);

    return yb_admin_setting_list(c->tx, &of, ctl_has(c, "--effective"), out, err);
}

/* What was set, and a higher level's counts all the same. */
static void
tell_locked(const struct yb_admin_settings_of *of, const json_t *rows)
{
    const char *own = yb_level_name(of->account.p != NULL  ? YB_LEVEL_ACCOUNT
                                    : of->domain.p != NULL ? YB_LEVEL_DOMAIN
                                    : of->tenant.p != NULL ? YB_LEVEL_TENANT
                                                           : YB_LEVEL_PLATFORM);
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const char *from = json_string_value(json_object_get(row, "from"));

        if (json_is_true(json_object_get(row, "locked")) && from != NULL && strcmp(from, own) != 0)
            fprintf(stderr, "yubin: %s is locked, what counts is set for the %s\n",
                    json_string_value(json_object_get(row, "key")), from);
    }
}

static int
setting_set(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_settings_of of = settings_of(c);
    struct yb_admin_setting *v = yb_arena_alloc(c->arena, c->n_words, sizeof(*v));
    bool lock = ctl_has(c, "--lock"), unlock = ctl_has(c, "--unlock");

    if (c->n_words % 2 != 0)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "each KEY is followed by its VALUE");
    if (lock && unlock)
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "either --lock or --unlock");
    for (size_t i = 0; i < c->n_words; i += 2)
        v[i / 2] = (struct yb_admin_setting){ ctl_word(c, i), ctl_word(c, i + 1) };
    if (yb_admin_setting_set(c->tx, &of, v, c->n_words / 2, lock || unlock ? &lock : NULL, out,
                             err) < 0)
        return -1;
    tell_locked(&of, *out);
    return 0;
}

static int
setting_unset(struct ctl *c, json_t **out, struct yb_err *err)
{
    const struct yb_admin_settings_of of = settings_of(c);
    struct yb_str *keys = yb_arena_alloc(c->arena, c->n_words, sizeof(*keys));

    for (size_t i = 0; i < c->n_words; i++)
        keys[i] = ctl_word(c, i);
    return yb_admin_setting_unset(c->tx, &of, keys, c->n_words, out, err);
}

static int
setting_explain(struct ctl *c, json_t **out, struct yb_err *err)
{
    return yb_admin_setting_explain(c->tx, ctl_word(c, 0), ctl_word(c, 1), out, err);
}

/* clang-format off */
const struct ctl_command ctl_setting_commands[] = {
    { "setting", "keys", "", "which settings there are, what they take, who may set them where",
      .offline = true, .columns = "key type default levels lockable text", .run = setting_keys },
    { "setting", "list", "", "what is set for the platform, a tenant, a domain or an account, and whether it counts",
      .options = list_options, .columns = "key value from locked counts", .run = setting_list },
    { "setting", "set", "KEY VALUE [...]", "sets them, and shows what counts there then",
      .options = set_options, .columns = "key value from locked", .run = setting_set },
    { "setting", "unset", "KEY...", "what counts is the next higher level's again, else the default",
      .options = unset_options, .columns = "key value from locked", .run = setting_unset },
    { "setting", "explain", "KEY ADDRESS", "what each level says of it, which one counts for an account, and why",
      .columns = "level of value locked why", .run = setting_explain },
    { .noun = NULL },
};
/* clang-format on */
