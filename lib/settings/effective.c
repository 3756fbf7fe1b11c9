/* What counts for somebody, from the database's answers to those who ask. */
#include "lib/settings/registry.h"

/* The words of a list with one blank between. */
static bool
list_read(const json_t *v, struct yb_arena *arena, struct yb_str *out)
{
    const json_t *word;
    size_t i, n = 0;
    char *p;

    json_array_foreach((json_t *)(uintptr_t)v, i, word)
    {
        if (!json_is_string(word))
            return false;
        n += json_string_length(word) + 1;
    }
    p = yb_arena_alloc(arena, n + 1, 1);
    *out = yb_str(p, n == 0 ? 0 : n - 1);
    json_array_foreach((json_t *)(uintptr_t)v, i, word)
    {
        memcpy(p, json_string_value(word), json_string_length(word));
        p += json_string_length(word);
        *p++ = ' ';
    }
    return true;
}

/* false: no value of the setting. The database has looked at it; another version may have set it. */
static bool
value_read(const struct yb_setting *s, const json_t *v, struct yb_arena *arena,
           struct yb_setting_value *out)
{
    switch (s->type) {
    case YB_SETTING_BOOL:
        out->number = json_is_true(v);
        return json_is_boolean(v);
    case YB_SETTING_INT:
    case YB_SETTING_SIZE:
    case YB_SETTING_DAYS:
        out->number = json_integer_value(v);
        return json_is_integer(v) && out->number >= s->min && out->number <= s->max;
    case YB_SETTING_CHOICE:
    case YB_SETTING_TEXT:
        out->text = yb_arena_dup(arena, yb_str(json_string_value(v), json_string_length(v)));
        return json_is_string(v);
    case YB_SETTING_LIST:
        return json_is_array(v) && list_read(v, arena, &out->text);
    }
    return false;
}

struct yb_settings
yb_settings_read(struct yb_str more, struct yb_arena *arena)
{
    json_t *root = more.n == 0 ? NULL : json_loadb(more.p, more.n, 0, NULL);
    const json_t *all = json_object_get(root, "settings");
    struct yb_setting_value *v = NULL;
    struct yb_settings s = { NULL, 0 };

    if (json_object_size(all) > 0) {
        v = yb_arena_alloc(arena, YB_SETTINGS, sizeof(*v));
        s.v = v;
    }
    for (size_t i = 0; i < YB_SETTINGS && v != NULL; i++) {
        const struct yb_setting *row = yb_setting_row((enum yb_setting_id)i);
        const json_t *one = json_object_get(all, row->key);

        v[s.n].id = (enum yb_setting_id)i;
        if (one != NULL && !row->column && value_read(row, one, arena, &v[s.n]))
            s.n++;
    }
    json_decref(root);
    return s;
}

size_t
yb_settings_bytes(struct yb_settings s)
{
    size_t n = s.n * sizeof(*s.v);

    for (size_t i = 0; i < s.n; i++)
        n += s.v[i].text.n;
    return n;
}

struct yb_settings
yb_settings_copy(struct yb_settings s, void *room)
{
    struct yb_setting_value *v = room;
    char *p = (char *)room + s.n * sizeof(*v);

    for (size_t i = 0; i < s.n; i++) {
        v[i] = s.v[i];
        v[i].text.p = p;
        if (s.v[i].text.n > 0)
            memcpy(p, s.v[i].text.p, s.v[i].text.n);
        p += s.v[i].text.n;
    }
    return (struct yb_settings){ v, s.n };
}

static const struct yb_setting_value *
value_of(struct yb_settings s, enum yb_setting_id id)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.v[i].id == id)
            return &s.v[i];
    }
    return NULL;
}

int64_t
yb_settings_number(struct yb_settings s, enum yb_setting_id id)
{
    const struct yb_setting *row = yb_setting_row(id);
    const struct yb_setting_value *v = value_of(s, id);
    int64_t n = 0;

    yb_assert(row->type <= YB_SETTING_DAYS);
    if (v != NULL)
        return v->number;
    yb_assert(yb_setting_number(row, yb_str_from(row->standard), &n));
    return n;
}

struct yb_str
yb_settings_text(struct yb_settings s, enum yb_setting_id id)
{
    const struct yb_setting *row = yb_setting_row(id);
    const struct yb_setting_value *v = value_of(s, id);

    yb_assert(row->type > YB_SETTING_DAYS);
    return v != NULL ? v->text : yb_str_from(row->standard);
}
