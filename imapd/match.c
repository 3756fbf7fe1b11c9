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

static void
match_byte(bool *reach, struct yb_str name, char c, bool any_case)
{
    for (size_t j = name.n; j > 0; j--) {
        char have = name.p[j - 1];

        reach[j] =
            reach[j - 1] && (have == c || (any_case && j <= 5 && yb_upper(have) == yb_upper(c)));
    }
    reach[0] = false;
}

bool
imapd_match(struct yb_str pattern, struct yb_str name)
{
    bool reach[1025] = { true }, inbox;

    if (pattern.n > IMAPD_PATTERN_MAX || name.n >= YB_COUNT(reach))
        return false;
    inbox = yb_str_starts(name, YB_STR("INBOX")) && (name.n == 5 || name.p[5] == '/');
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '*' || pattern.p[i] == '%')
            match_star(reach, name, pattern.p[i] == '*');
        else
            match_byte(reach, name, pattern.p[i], inbox);
    }
    return reach[name.n];
}
