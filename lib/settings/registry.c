/* The rows of settings.def, and what is made of all of them. */
#include "lib/settings/registry.h"

enum { O = 'O', T = 'T', D = 'D', U = 'U', NO = 0 };
enum { ROW = 0, COLUMN = 1 };
enum { NO_LOCK = 1, STEP_UP = 2, TRIAL = 4 };

/* clang-format off */
#define YB_SETTING(id, key, type, standard, min, max, choices, pattern, form, check, p, t, d, u, place, \
                   flags, reader, text)                                                                 \
    { key, YB_SETTING_##type, standard, min, max, choices, pattern, form, check, { p, t, d, u },        \
      (place) == COLUMN, (place) == ROW && ((flags) & NO_LOCK) == 0 && ((p) || (t) || (d)),             \
      ((flags) & STEP_UP) != 0, ((flags) & TRIAL) != 0, reader, text },
static const struct yb_setting rows[] = {
#include "lib/settings/settings.def"
};
#undef YB_SETTING
/* What no row may lack: who reads it, what it does, a level; and a column is an account's. */
#define YB_SETTING(id, key, type, standard, min, max, choices, pattern, form, check, p, t, d, u, place, \
                   flags, reader, text)                                                                 \
    _Static_assert(sizeof(reader "") > 1 && sizeof(text "") > 1, #id " has no reader, or no sentence"); \
    _Static_assert((p) || (t) || (d) || (u), #id " has no level");                                      \
    _Static_assert((place) == ROW || !((p) || (t) || (d)), #id " is a column of accounts");             \
    _Static_assert((min) <= (max), #id " has no value");
#include "lib/settings/settings.def"
#undef YB_SETTING
/* clang-format on */

const struct yb_setting *
yb_setting_row(enum yb_setting_id id)
{
    yb_assert((size_t)id < YB_COUNT(rows));
    return &rows[id];
}

const struct yb_setting *
yb_setting_find(struct yb_str key)
{
    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        if (yb_str_eq(key, yb_str_from(rows[i].key)))
            return &rows[i];
    }
    return NULL;
}

const char *
yb_setting_type_name(enum yb_setting_type type)
{
    static const char *const names[] = { "bool", "int", "size", "days", "choice", "text", "list" };

    return names[type];
}

const char *
yb_level_name(enum yb_setting_level level)
{
    static const char *const names[] = { "platform", "tenant", "domain", "account" };

    return names[level];
}

static json_t *
words_json(const char *words)
{
    struct yb_str left = yb_str_from(words == NULL ? "" : words), word;
    json_t *array;

    if (words == NULL)
        return json_null();
    array = json_array();
    while ((word = yb_str_word(&left)).n > 0)
        json_array_append_new(array, json_stringn(word.p, word.n));
    return array;
}

static json_t *
may_json(const struct yb_setting *s)
{
    json_t *array = json_array();

    for (size_t i = 0; i < YB_LEVELS; i++)
        json_array_append_new(array, s->may[i] == 0 ? json_null() : json_stringn(&s->may[i], 1));
    return array;
}

json_t *
yb_settings_registry(void)
{
    struct yb_arena *arena = yb_arena_new(1024);
    json_t *all = json_array();

    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        const struct yb_setting *s = &rows[i];
        json_t *standard = NULL, *one;
        struct yb_str form = yb_setting_form(s, arena);

        yb_assert(yb_setting_parse(s, yb_str_from(s->standard), &standard, NULL) == 0);
        one = json_pack("{s:s, s:s, s:o, s:b, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:s%, s:s}", "key",
                        s->key, "type", yb_setting_type_name(s->type), "may", may_json(s),
                        "is_column", s->column, "lockable", s->lockable, "step_up", s->step_up,
                        "min", (json_int_t)s->min, "max", (json_int_t)s->max, "choices",
                        words_json(s->choices), "pattern",
                        s->pattern == NULL ? json_null() : json_string(s->pattern), "standard",
                        standard, "form", form.p, form.n, "text", s->text);
        yb_assert(one != NULL);
        json_array_append_new(all, one);
    }
    yb_arena_free(&arena);
    return all;
}

/* "platform O, tenant T": whom it takes where. */
static struct yb_str
levels_text(const struct yb_setting *s, struct yb_arena *arena)
{
    struct yb_str text = YB_STR("");

    for (size_t i = 0; i < YB_LEVELS; i++) {
        if (s->may[i] != 0)
            text = yb_arena_printf(arena, "%.*s%s%s %c", YB_STR_ARG(text), text.n == 0 ? "" : ", ",
                                   yb_level_name((enum yb_setting_level)i), s->may[i]);
    }
    return text;
}

struct yb_str
yb_settings_markdown(struct yb_arena *arena)
{
    struct yb_str all = YB_STR("| setting | default | accepts | set for, and by whom at least | "
                               "may be locked | what it does |\n|---|---|---|---|---|---|\n");

    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        const struct yb_setting *s = &rows[i];
        struct yb_str form = yb_setting_form(s, arena), levels = levels_text(s, arena);

        if (!s->trial)
            all = yb_arena_printf(arena, "%.*s| `%s` | `%s` | %.*s | %.*s | %s | %s |\n",
                                  YB_STR_ARG(all), s->key, s->standard, YB_STR_ARG(form),
                                  YB_STR_ARG(levels), s->lockable ? "yes" : "no", s->text);
    }
    return all;
}
