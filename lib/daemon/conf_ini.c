#include "lib/daemon/conf_ini.h"

#include <ini.h>

/* What libinih cuts a section's or option's name to; longer ones are refused before it sees them.
 */
#define NAME_MAX_INI 48

struct parse {
    const char *path;
    struct yb_str left;
    int line;
    void (*fn)(void *arg, const struct yb_conf_entry *entry);
    void *arg;
    struct yb_conf_errors *errors;
};

static void
complain(struct parse *p, const char *what)
{
    if (p->errors != NULL)
        yb_conf_errors_add(p->errors, "%s:%d: %s", p->path, p->line, what);
}

/* `value ; remark`: whether the remark is meant as part of the value nobody can know. */
static bool
has_remark(struct yb_str value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((value.p[i] == ';' || value.p[i] == '#') &&
            (i == 0 || value.p[i - 1] == ' ' || value.p[i - 1] == '\t'))
            return true;
    return false;
}

/* Any but a tab: libinih takes some of them for blanks, others would reach a log or a terminal. */
static bool
has_control(struct yb_str line)
{
    for (size_t i = 0; i < line.n; i++)
        if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 127)
            return true;
    return false;
}

/* Why libinih must not see the line (it would guess or forget), or NULL. */
static const char *
line_fault(struct yb_str line)
{
    size_t name;

    if (line.n > YB_CONF_LINE)
        return "the line is longer than 4000 bytes: cut the list into files or shorter paths";
    if (has_control(line))
        return "the line holds a control character: is this a text file?";
    if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#')
        return NULL;
    if (line.p[0] == '[') {
        name = yb_str_find(line, ']');
        return name == line.n        ? "a section begins with [ and ends with ]: write [smtpd]"
               : name > NAME_MAX_INI ? "no section has such a long name"
                                     : NULL;
    }
    name = yb_str_find(line, '=');
    if (name == line.n || yb_str_find(line, ':') < name) /* libinih cuts at either */
        return "neither a [section] nor `option = value`: begin comments with #";
    if (has_remark(yb_str_trim(yb_str_skip(line, name + 1))))
        return "a comment stands on a line of its own";
    return yb_str_trim(yb_str_head(line, name)).n > NAME_MAX_INI ? "no option has such a long name"
                                                                 : NULL;
}

/*
 * ini_reader: one line per call, so the line number is known when the handler runs. Leading blanks
 * go, because to libinih they mean that the line before goes on.
 */
static char *
read_line(char *to, int size, void *arg)
{
    struct parse *p = (struct parse *)arg;
    struct yb_str line;
    const char *fault;

    if (!yb_str_split(&p->left, '\n', &line) || (p->left.p == NULL && line.n == 0))
        return NULL;
    p->line++;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (p->line == 1 && yb_str_starts(line, YB_STR("\xef\xbb\xbf")))
        line = yb_str_skip(line, 3);
    line = yb_str_trim(line);
    fault = line_fault(line);
    if (fault != NULL) {
        complain(p, fault);
        line.n = 0;
    }
    yb_assert(line.n + 2 <= (size_t)size);
    memcpy(to, line.p, line.n);
    to[line.n] = '\n';
    to[line.n + 1] = '\0';
    return to;
}

static int
take_entry(void *arg, const char *section, const char *name, const char *value)
{
    struct parse *p = (struct parse *)arg;
    struct yb_conf_entry entry = {
        .section = section, .option = name, .value = yb_str_from(value), .line = p->line
    };

    p->fn(p->arg, &entry);
    return 1;
}

void
yb_conf_ini_parse(const char *path, struct yb_str text,
                  void (*fn)(void *arg, const struct yb_conf_entry *entry), void *arg,
                  struct yb_conf_errors *e)
{
    struct parse p = { .path = path, .left = text, .fn = fn, .arg = arg, .errors = e };

    /* Debian's libinih takes its limits from variables of its own; nobody else here uses it. */
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_allow_inline_comments = false;
    ini_initial_alloc = ini_max_line = YB_CONF_LINE + 8;
    if (ini_parse_stream(read_line, &p, take_entry, &p) != 0)
        complain(&p, "not understood");
}
