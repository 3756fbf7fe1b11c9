#include "imapd/match.h"

/*
 * reach[j] after i bytes of the pattern: they can stand for the first j bytes of the name. One row
 * is enough, so the work is bounded whatever the pattern.
 */
static void
match_star(bool *reach, struct yb_str name, bool across)
{
    for (size_t j = 1; j <= name.n; j++) {
        if (reach[j - 1] && (across || name.p[j - 1] != '/'))
            reach[j] = true;
    }
}

/* False when nothing is reached any more. */
static bool
match_byte(bool *reach, struct yb_str name, char c, bool any_case)
{
    bool any = false;

    for (size_t j = name.n; j > 0; j--) {
        char have = name.p[j - 1];

        reach[j] =
            reach[j - 1] && (have == c || (any_case && j <= 5 && yb_upper(have) == yb_upper(c)));
        any |= reach[j];
    }
    reach[0] = false;
    return any;
}

static bool
is_star(char c)
{
    return c == '*' || c == '%';
}

bool
imapd_match(struct yb_str pattern, struct yb_str name)
{
    bool reach[1025] = { true }, inbox;
    size_t bytes = 0;

    if (pattern.n > IMAPD_PATTERN_MAX || name.n >= YB_COUNT(reach))
        return false;
    for (size_t i = 0; i < pattern.n; i++)
        bytes += !is_star(pattern.p[i]);
    if (bytes > name.n)
        return false;
    inbox = yb_str_starts(name, YB_STR("INBOX")) && (name.n == 5 || name.p[5] == '/');
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];

        if (i > 0 && is_star(c) && (c == pattern.p[i - 1]))
            continue; /* says no more than the one before */
        if (is_star(c))
            match_star(reach, name, c == '*');
        else if (!match_byte(reach, name, c, inbox))
            return false;
    }
    return reach[name.n];
}
