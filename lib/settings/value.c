/* Values: as they are written, and as they are kept. */
#include "lib/settings/registry.h"

#include "lib/base/zone.h"

#include <regex.h>
#include <stdio.h>

#define WRITTEN_MOST 65536 /* octets of any value as it is written */

bool
yb_setting_yes_no(struct yb_str written, bool *out)
{
    static const char *const words[] = { "yes", "on", "true", "no", "off", "false" };

    for (size_t i = 0; i < YB_COUNT(words); i++) {
        if (yb_str_eqi(written, yb_str_from(words[i]))) {
            *out = i < 3;
            return true;
        }
    }
    return false;
}

bool
yb_setting_size(struct yb_str written, uint64_t max, uint64_t *out)
{
    static const char units[] = "KMGT";
    const char *unit = written.n == 0 ? NULL : strchr(units, yb_upper(written.p[written.n - 1]));
    unsigned shift = 0;

    if (unit != NULL && *unit != '\0') {
        shift = 10 * (unsigned)(unit - units + 1);
        written = yb_str_head(written, written.n - 1);
    }
    if (!yb_str_u64(written, max >> shift, out))
        return false;
    *out <<= shift;
    return true;
}

int
yb_setting_zone(struct yb_str name, struct yb_err *err)
{
    struct yb_zone *zone = NULL;
    int rc = yb_zone_open(name, &zone, err);

    yb_zone_free(&zone);
    return rc;
}

bool
yb_setting_number(const struct yb_setting *s, struct yb_str written, int64_t *out)
{
    bool minus = s->min < 0 && written.n > 1 && written.p[0] == '-', yes = false;
    uint64_t n;

    if (s->type == YB_SETTING_BOOL) {
        if (!yb_setting_yes_no(written, &yes))
            return false;
        *out = yes;
        return true;
    }
    if (s->type == YB_SETTING_SIZE ? !yb_setting_size(written, INT64_MAX, &n)
                                   : !yb_str_u64(yb_str_skip(written, minus), INT64_MAX, &n))
        return false;
    *out = minus ? -(int64_t)n : (int64_t)n;
    return *out >= s->min && *out <= s->max;
}

/* UTF-8 without controls. */
static bool
is_plain(struct yb_str v)
{
    for (size_t i = 0; i < v.n; i++) {
        if ((unsigned char)v.p[i] < ' ' || v.p[i] == 127)
            return false;
    }
    return yb_str_utf8(v);
}

static bool
is_choice(struct yb_str v, const char *choices)
{
    struct yb_str left = yb_str_from(choices == NULL ? "" : choices), word;

    while ((word = yb_str_word(&left)).n > 0) {
        if (yb_str_eq(word, v))
            return true;
    }
    return false;
}

/* `v` is plain, so it holds no NUL. */
static bool
matches(const char *pattern, struct yb_str v)
{
    char *text = yb_dup(v.p, v.n);
    regex_t re;
    bool right;

    yb_assert(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    right = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    yb_free(text);
    return right;
}

static bool
text_take(const struct yb_setting *s, struct yb_str v, json_t **out)
{
    if (s->type == YB_SETTING_TEXT && s->min == 0 && yb_str_eqi(v, YB_STR("none")))
        v = YB_STR("");
    if (s->type == YB_SETTING_CHOICE ? !is_choice(v, s->choices)
                                     : v.n < (size_t)s->min || v.n > (size_t)s->max)
        return false;
    if (!is_plain(v) || (s->pattern != NULL && !matches(s->pattern, v)))
        return false;
    *out = json_stringn(v.p, v.n);
    return *out != NULL;
}

/* What stands for an empty list, unless it is one of the choices. */
static bool
is_none(const struct yb_setting *s, struct yb_str v)
{
    return yb_str_eqi(v, YB_STR("none")) && !is_choice(v, s->choices);
}

static bool
word_take(const struct yb_setting *s, struct yb_str word, json_t *list)
{
    const json_t *other;
    size_t i;

    for (i = 0; i < word.n; i++) {
        if (word.p[i] <= ' ' || (unsigned char)word.p[i] >= 127)
            return false;
    }
    if (s->choices != NULL ? !is_choice(word, s->choices)
                           : is_none(s, word) || !matches(s->pattern, word))
        return false;
    json_array_foreach(list, i, other)
    {
        if (yb_str_eq(word, yb_str(json_string_value(other), json_string_length(other))))
            return false;
    }
    return json_array_append_new(list, json_stringn(word.p, word.n)) == 0;
}

static bool
list_take(const struct yb_setting *s, struct yb_str v, json_t **out)
{
    json_t *list = json_array();
    struct yb_str part, word;
    bool right = true;

    if (s->min == 0 && is_none(s, v))
        v.n = 0;
    while (right && v.n > 0 && yb_str_split(&v, ',', &part)) {
        part = yb_str_trim(part);
        while (right && (word = yb_str_word(&part)).n > 0)
            right = word_take(s, word, list) && json_array_size(list) <= (size_t)s->max;
    }
    if (right && json_array_size(list) >= (size_t)s->min) {
        *out = list;
        return true;
    }
    json_decref(list);
    return false;
}

struct yb_str
yb_setting_form(const struct yb_setting *s, struct yb_arena *arena)
{
    long long min = (long long)s->min, max = (long long)s->max;

    switch (s->type) {
    case YB_SETTING_BOOL:
        break;
    case YB_SETTING_INT:
        return yb_arena_printf(arena, "a number from %lld to %lld", min, max);
    case YB_SETTING_DAYS:
        return yb_arena_printf(arena, "a number of days from %lld to %lld", min, max);
    case YB_SETTING_SIZE:
        return yb_arena_printf(arena, "a size (1048576, 512M, 2G) from %lld to %lld octets", min,
                               max);
    case YB_SETTING_CHOICE:
        return yb_arena_printf(arena, "one of %s", s->choices);
    case YB_SETTING_TEXT:
        if (s->form != NULL)
            return yb_str_from(s->form);
        return yb_arena_printf(arena, "%sUTF-8 without controls, %s%lld octets",
                               min == 0 ? "none, or " : "", min == 0 ? "up to " : "at most ", max);
    case YB_SETTING_LIST:
        return yb_arena_printf(arena, "%s%lld different words with blanks or commas between: %s",
                               min == 0 ? "none, or up to " : "up to ", max,
                               s->choices != NULL ? s->choices : s->form);
    }
    return YB_STR("yes or no");
}

/* Refuses with the form. */
static int
not_that(const struct yb_setting *s, struct yb_str written, struct yb_err *err)
{
    struct yb_arena *arena = yb_arena_new(256);
    struct yb_str form = yb_setting_form(s, arena);

    yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "%.*s is not %.*s",
              (int)(written.n > 64 ? 64 : written.n), written.p, YB_STR_ARG(form));
    yb_arena_free(&arena);
    return -1;
}

int
yb_setting_parse(const struct yb_setting *s, struct yb_str written, json_t **value,
                 struct yb_err *err)
{
    struct yb_err why = { 0 };
    bool right = written.n <= WRITTEN_MOST;
    int64_t n;

    *value = NULL;
    switch (s->type) {
    case YB_SETTING_BOOL:
        right = right && yb_setting_number(s, written, &n);
        if (right)
            *value = json_boolean(n);
        break;
    case YB_SETTING_INT:
    case YB_SETTING_SIZE:
    case YB_SETTING_DAYS:
        right = right && yb_setting_number(s, written, &n);
        if (right)
            *value = json_integer(n);
        break;
    case YB_SETTING_CHOICE:
    case YB_SETTING_TEXT:
        right = right && text_take(s, written, value);
        break;
    case YB_SETTING_LIST:
        right = right && list_take(s, written, value);
        break;
    }
    if (!right)
        return not_that(s, written, err);
    if (s->check == NULL || s->check(written, &why) == 0)
        return 0;
    json_decref(*value);
    *value = NULL;
    return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4", "%s", yb_err_public(&why));
}

struct yb_str
yb_setting_write(const struct yb_setting *s, const json_t *value, struct yb_arena *arena)
{
    struct yb_str out = YB_STR("");
    const json_t *word;
    char *text;
    size_t i;

    if (s != NULL && s->type == YB_SETTING_BOOL && json_is_boolean(value))
        return json_is_true(value) ? YB_STR("yes") : YB_STR("no");
    if (json_is_string(value))
        return yb_arena_dup(arena, yb_str(json_string_value(value), json_string_length(value)));
    if (s != NULL && s->type == YB_SETTING_LIST && json_is_array(value)) {
        json_array_foreach((json_t *)(uintptr_t)value, i, word)
        {
            if (json_is_string(word))
                out = yb_arena_printf(arena, "%.*s%s%s", YB_STR_ARG(out), i == 0 ? "" : " ",
                                      json_string_value(word));
        }
        return out;
    }
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    out = yb_arena_dup(arena, yb_str_from(text == NULL ? "" : text));
    free(text); /* Jansson's own */
    return out;
}
