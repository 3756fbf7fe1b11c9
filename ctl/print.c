/* What a command gave, as JSON or for people: a list is a table, an object a line for each key. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARNINGS "warnings" /* of lib/admin: not part of what is shown */

/* What others wrote must not steer the operator's terminal. */
static struct yb_str
harmless(struct yb_arena *arena, struct yb_str s)
{
    struct yb_str copy = yb_arena_dup(arena, s);
    char *p = (char *)(uintptr_t)copy.p;

    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
            p[i] = '?';
        else if ((unsigned char)p[i] == 0xc2 && i + 1 < s.n && (unsigned char)p[i + 1] < 0xa0)
            p[i] = p[i + 1] = '?'; /* C1 controls in UTF-8 */
    }
    return copy;
}

/* A value as text, in the arena; lists are joined. What is not there (NULL) or empty is "-": no
 * column of a list is blank. */
static struct yb_str
value_text(struct yb_arena *arena, const json_t *v)
{
    struct yb_str all = { "", 0 };
    const char *key;
    json_t *one;
    size_t i;

    if (v == NULL)
        return YB_STR("-");
    switch (json_typeof(v)) {
    case JSON_STRING:
        return json_string_length(v) == 0
                   ? YB_STR("-")
                   : harmless(arena, yb_str(json_string_value(v), json_string_length(v)));
    case JSON_INTEGER:
        return yb_arena_printf(arena, "%lld", (long long)json_integer_value(v));
    case JSON_TRUE:
        return YB_STR("yes");
    case JSON_FALSE:
        return YB_STR("no");
    case JSON_ARRAY:
        json_array_foreach(v, i, one)
        {
            struct yb_str text = value_text(arena, one);

            all = yb_arena_printf(arena, "%.*s%s%.*s", YB_STR_ARG(all), i == 0 ? "" : ", ",
                                  YB_STR_ARG(text));
        }
        return json_array_size(v) == 0 ? YB_STR("-") : all;
    case JSON_REAL:
        return yb_arena_printf(arena, "%g", json_real_value(v));
    case JSON_OBJECT: /* what changed, of the audit */
        json_object_foreach((json_t *)(uintptr_t)v, key, one)
        {
            struct yb_str text = value_text(arena, one);

            all = yb_arena_printf(arena, "%.*s%s%s=%.*s", YB_STR_ARG(all), all.n == 0 ? "" : " ",
                                  key, YB_STR_ARG(text));
        }
        return all.n == 0 ? YB_STR("-") : all;
    case JSON_NULL:
    default:
        return YB_STR("-");
    }
}

static void
print_object(const struct ctl *c, const json_t *o)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        struct yb_str text = value_text(c->arena, v);

        if (v != json_object_get(o, WARNINGS))
            printf("%-17s %.*s\n", key, YB_STR_ARG(text));
    }
}

/* Columns of a character; bytes that go on in UTF-8 take none. */
static size_t
width_of(struct yb_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void
print_row(const struct yb_str *cells, const size_t *widths, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf("%.*s", YB_STR_ARG(cells[i]));
        if (i + 1 < n)
            printf("%*s", (int)(widths[i] - width_of(cells[i]) + 2), "");
    }
    putchar('\n');
}

static void
widen(size_t *width, struct yb_str cell)
{
    size_t w = width_of(cell);

    *width = w > *width ? w : *width;
}

/* Columns are as wide as these rows need, and `widths` says. */
static void
print_list(const struct ctl *c, const json_t *list, bool head, size_t widths[CTL_COLUMNS])
{
    struct yb_str names[CTL_COLUMNS], rest = yb_str_from(c->command->columns), cells[CTL_COLUMNS];
    struct yb_arena *arena = yb_arena_new(4096);
    size_t n = 0;
    json_t *o;
    size_t i;

    while (n < CTL_COLUMNS && yb_str_split(&rest, ' ', &names[n])) {
        names[n] = yb_arena_dup(arena, names[n]);
        widen(&widths[n], names[n]);
        n++;
    }
    json_array_foreach((json_t *)(uintptr_t)list, i, o)
    {
        for (size_t k = 0; k < n; k++)
            widen(&widths[k], value_text(arena, json_object_get(o, names[k].p)));
    }
    if (head)
        print_row(names, widths, n);
    json_array_foreach((json_t *)(uintptr_t)list, i, o)
    {
        for (size_t k = 0; k < n; k++)
            cells[k] = value_text(arena, json_object_get(o, names[k].p));
        print_row(cells, widths, n);
    }
    yb_arena_free(&arena);
}

/* They are for people, wherever the rest goes. */
static void
print_warnings(const struct ctl *c, const json_t *out)
{
    json_t *w;
    size_t i;

    json_array_foreach(json_object_get(out, WARNINGS), i, w)
    {
        struct yb_str text = harmless(c->arena, yb_str_from(json_string_value(w)));

        fprintf(stderr, "yubin: warning: %.*s\n", YB_STR_ARG(text));
    }
}

static void
print_lines(const json_t *out)
{
    json_t *one;
    size_t i;

    if (!json_is_array(out)) {
        json_dumpf(out, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        putchar('\n');
        return;
    }
    json_array_foreach(out, i, one)
    {
        json_dumpf(one, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        putchar('\n');
    }
}

/* In lines of JSON it stands where a program reads; else beside the list, whose shape stays. */
static void
print_next(const struct ctl *c, size_t shown)
{
    if (c->next.n == 0)
        return;
    if (c->lines) {
        printf("{\"next\":\"%.*s\"}\n", YB_STR_ARG(c->next));
    } else {
        fflush(stdout); /* it stands behind the list */
        fprintf(stderr, "yubin: only %zu are shown: go on with --after %.*s, or --all\n", shown,
                YB_STR_ARG(c->next));
    }
}

void
ctl_print(const struct ctl *c, const json_t *out)
{
    size_t widths[CTL_COLUMNS] = { 0 };

    print_warnings(c, out);
    if (c->lines) {
        print_lines(out);
    } else if (c->json || (!json_is_object(out) && !json_is_array(out))) {
        json_dumpf(out, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
        putchar('\n');
    } else if (json_is_array(out)) {
        print_list(c, out, true, widths);
    } else {
        print_object(c, out);
    }
    print_next(c, json_array_size(out));
}

/* Within the brackets of one array, which the pieces have together. */
static void
print_members(const json_t *rows, size_t n)
{
    char *text = json_array_size(rows) == 0 ? NULL : json_dumps(rows, JSON_INDENT(2));
    size_t size = text == NULL ? 0 : strlen(text);

    if (size > 3) /* "[", lines, and a last one that is "]" */
        printf("%c%.*s", n == 0 ? '[' : ',', (int)(size - 3), text + 1);
    free(text); /* Jansson's own */
}

void
ctl_print_piece(struct ctl *c, const json_t *rows, size_t n)
{
    if (c->lines) {
        if (rows != NULL)
            print_lines(rows);
    } else if (c->json) {
        if (rows != NULL)
            print_members(rows, n);
        else
            fputs(n == 0 ? "[]\n" : "\n]\n", stdout);
    } else if (json_array_size(rows) > 0 || !c->begun) {
        print_list(c, rows, !c->begun, c->widths);
    }
    c->begun = true;
    if (rows == NULL)
        print_next(c, n);
}
