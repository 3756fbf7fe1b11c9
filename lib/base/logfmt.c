#include "lib/base/logfmt.h"

#include "lib/base/id.h"

static bool
is_plain(char byte)
{
    unsigned char c = (unsigned char)byte;

    return c > ' ' && c < 127 && c != '"' && c != '=' && c != '\\';
}

static bool
needs_quotes(struct yb_str v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (!is_plain(v.p[i]))
            return true;
    }
    return v.n == 0;
}

/* One byte as it stands inside quotes; out has room for 5 bytes. Returns how many. */
static size_t
escape(char byte, char *out)
{
    uint8_t c = (uint8_t)byte;

    if (c >= ' ' && c < 127 && c != '"' && c != '\\') {
        out[0] = byte;
        return 1;
    }
    out[0] = '\\';
    if (c == '"' || c == '\\') {
        out[1] = byte;
        return 2;
    }
    out[1] = 'x';
    yb_hex(&c, 1, out + 2);
    return 4;
}

size_t
yb_logfmt_put(char *to, size_t n, size_t size, const char *key, struct yb_str value)
{
    size_t k = strlen(key);
    bool quotes = needs_quotes(value);

    if (n > size || size - n < k + 4) /* space, key, '=' and two quotes */
        return n;
    to[n++] = ' ';
    memcpy(to + n, key, k);
    n += k;
    to[n++] = '=';
    if (quotes)
        to[n++] = '"';
    for (size_t i = 0; i < value.n; i++) {
        char text[5];
        size_t m = escape(value.p[i], text);

        if (m + quotes > size - n)
            break;
        memcpy(to + n, text, m);
        n += m;
    }
    if (quotes)
        to[n++] = '"';
    return n;
}

/* The value behind its opening quote, up to and with the closing one. */
static int
take_quoted(struct yb_str *line, struct yb_arena *arena, struct yb_str *value)
{
    size_t end = 0, n = 0;
    char *p;

    while (end < line->n && line->p[end] != '"')
        end += line->p[end] == '\\' ? 2 : 1;
    if (end >= line->n)
        return -1;
    *value = yb_str_head(*line, end);
    *line = yb_str_skip(*line, end + 1);
    if (yb_str_find(*value, '\\') == value->n)
        return 1;
    p = yb_arena_alloc(arena, value->n, 1);
    for (size_t i = 0; i < value->n; i++) {
        if (value->p[i] != '\\') {
            p[n++] = value->p[i];
        } else if (value->p[i + 1] != 'x') {
            p[n++] = value->p[++i];
        } else if (yb_unhex(yb_str_head(yb_str_skip(*value, i + 2), 2), (uint8_t *)p + n, 1)) {
            n++;
            i += 3;
        } else {
            return -1;
        }
    }
    *value = yb_str(p, n);
    return 1;
}

int
yb_logfmt_next(struct yb_str *line, struct yb_arena *arena, struct yb_str *key,
               struct yb_str *value)
{
    size_t equals, end = 0;

    while (line->n > 0 && line->p[0] == ' ')
        *line = yb_str_skip(*line, 1);
    if (line->n == 0)
        return 0;
    equals = yb_str_find(*line, '=');
    *key = yb_str_head(*line, equals);
    if (equals == line->n || key->n == 0 || needs_quotes(*key))
        return -1;
    *line = yb_str_skip(*line, equals + 1);
    if (line->n > 0 && line->p[0] == '"') {
        *line = yb_str_skip(*line, 1);
        if (take_quoted(line, arena, value) < 0)
            return -1;
    } else {
        while (end < line->n && is_plain(line->p[end]))
            end++;
        *value = yb_str_head(*line, end);
        *line = yb_str_skip(*line, end);
    }
    return line->n == 0 || line->p[0] == ' ' ? 1 : -1;
}
