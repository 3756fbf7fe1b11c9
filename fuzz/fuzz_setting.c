/*
 * Values of settings: what is taken is a value of its type within its bounds, and as it is written again
 * means the same. What counts for somebody, from any tail of an answer: values within bounds, and a copy
 * that says the same. The first octet says which.
 */
#include "lib/settings/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct yb_setting rows[] = {
    { .key = "flag", .type = YB_SETTING_BOOL },
    { .key = "n", .type = YB_SETTING_INT, .min = -500, .max = 500 },
    { .key = "any", .type = YB_SETTING_INT, .min = INT64_MIN, .max = INT64_MAX },
    { .key = "size", .type = YB_SETTING_SIZE, .min = 0, .max = INT64_MAX },
    { .key = "word", .type = YB_SETTING_CHOICE, .choices = "mild hot" },
    { .key = "text", .type = YB_SETTING_TEXT, .max = 32 },
    { .key = "zone", .type = YB_SETTING_TEXT, .max = 64, .check = yb_setting_zone },
    { .key = "list", .type = YB_SETTING_LIST, .max = 16, .pattern = "^[a-z0-9]+$", .form = "x" },
    { .key = "some", .type = YB_SETTING_LIST, .max = 3, .choices = "red green blue" },
};

static void
value_is_sound(const struct yb_setting *s, const json_t *v)
{
    switch (s->type) {
    case YB_SETTING_BOOL:
        yb_assert(json_is_boolean(v));
        break;
    case YB_SETTING_INT:
    case YB_SETTING_SIZE:
    case YB_SETTING_DAYS:
        yb_assert(json_is_integer(v) && json_integer_value(v) >= s->min &&
                  json_integer_value(v) <= s->max);
        break;
    case YB_SETTING_CHOICE:
        yb_assert(json_is_string(v));
        break;
    case YB_SETTING_TEXT:
        yb_assert(json_is_string(v) && json_string_length(v) <= (size_t)s->max);
        break;
    case YB_SETTING_LIST:
        yb_assert(json_is_array(v) && json_array_size(v) <= (size_t)s->max);
        break;
    }
}

static void
value(const struct yb_setting *s, struct yb_str written, struct yb_arena *arena)
{
    struct yb_err err = { 0 };
    json_t *first, *second;
    struct yb_str again;

    if (yb_setting_parse(s, written, &first, &err) < 0) {
        yb_assert(first == NULL && err.class == YB_PERM && err.kind == YB_ERR_SYNTAX);
        return;
    }
    value_is_sound(s, first);
    again = yb_setting_write(s, first, arena);
    yb_assert(yb_setting_parse(s, again, &second, &err) == 0 && json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

static void
tail(struct yb_str more, struct yb_arena *arena)
{
    struct yb_settings s = yb_settings_read(more, arena), copy;

    copy = yb_settings_copy(s, yb_arena_alloc(arena, yb_settings_bytes(s) + 1, 1));
    for (size_t i = 0; i < YB_SETTINGS; i++) {
        enum yb_setting_id id = (enum yb_setting_id)i;
        const struct yb_setting *row = yb_setting_row(id);

        if (row->type > YB_SETTING_DAYS)
            yb_assert(yb_str_eq(yb_settings_text(s, id), yb_settings_text(copy, id)));
        else
            yb_assert(yb_settings_number(s, id) == yb_settings_number(copy, id));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_arena *arena = yb_arena_new(4096);
    struct yb_str rest = yb_str_skip(yb_str((const char *)data, size), 1);

    if (size > 0 && data[0] % 16 < YB_COUNT(rows))
        value(&rows[data[0] % 16], rest, arena);
    else if (size > 0)
        tail(rest, arena);
    yb_arena_free(&arena);
    return 0;
}
