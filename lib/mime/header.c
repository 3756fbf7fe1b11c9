#include "lib/mime/header.h"

/* Length of the first line with its line end. */
static size_t
line_size(struct yb_str s)
{
    size_t at = yb_str_find(s, '\n');

    return at < s.n ? at + 1 : s.n;
}

static struct yb_str
without_line_end(struct yb_str s)
{
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* A name is printable ASCII (§3.6.8); spaces before the colon are obsolete. */
struct yb_str
yb_header_name(struct yb_str line)
{
    size_t colon = yb_str_find(line, ':'), n = 0;

    while (n < colon && line.p[n] > ' ' && line.p[n] < 127)
        n++;
    for (size_t i = n; i < colon; i++) {
        if (!is_space(line.p[i]))
            return yb_str("", 0);
    }
    return yb_str_head(line, colon == line.n ? 0 : n);
}

static void
field_split(struct yb_header *h)
{
    struct yb_str field = without_line_end(h->raw), name = yb_header_name(field);
    size_t colon = yb_str_find(field, ':');

    h->space_before_colon = name.n < colon && name.n > 0;
    if (name.n == 0)
        return;
    h->name = name;
    h->value = yb_str_skip(field, colon + 1);
}

bool
yb_header_next(struct yb_str *left, struct yb_header *h)
{
    struct yb_str rest = *left;
    size_t size = line_size(rest);

    *h = (struct yb_header){ 0 };
    if (rest.n == 0)
        return false;
    if (without_line_end(yb_str_head(rest, size)).n == 0) {
        *left = yb_str_skip(rest, size);
        return false;
    }
    while (size < rest.n && is_space(rest.p[size]))
        size += line_size(yb_str_skip(rest, size));
    h->raw = yb_str_head(rest, size);
    *left = yb_str_skip(rest, size);
    field_split(h);
    return true;
}

bool
yb_header_find(struct yb_str header, struct yb_str name, struct yb_str *value)
{
    struct yb_header h;

    while (yb_header_next(&header, &h)) {
        if (h.name.n > 0 && yb_str_eqi(h.name, name)) {
            *value = h.value;
            return true;
        }
    }
    return false;
}

bool
yb_header_begins(struct yb_str message)
{
    struct yb_str line = without_line_end(yb_str_head(message, line_size(message)));

    while (line.n > 1 && line.p[0] == '>') /* as mailbox files quote it */
        line = yb_str_skip(line, 1);
    return line.n == 0 || yb_str_starts(line, YB_STR("From ")) ||
           (!is_space(line.p[0]) && yb_header_name(line).n > 0);
}

size_t
yb_header_size(struct yb_str message)
{
    struct yb_str left = message;
    struct yb_header h;

    while (yb_header_next(&left, &h))
        continue;
    return message.n - left.n;
}

struct yb_str
yb_header_unfold(struct yb_str value, struct yb_arena *arena)
{
    char *p;
    size_t n = 0;

    if (yb_str_find(value, '\n') == value.n && yb_str_find(value, '\r') == value.n)
        return yb_str_trim(value);
    p = yb_arena_alloc(arena, value.n + 1, 1);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] != '\n' && value.p[i] != '\r')
            p[n++] = value.p[i];
    }
    return yb_str_trim(yb_str(p, n));
}
