#include "lib/daemon/conf_value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/un.h>

static const struct unit {
    const char *name;
    uint64_t factor;
} size_units[] = { { "", 1 }, { "K", 1024 }, { "M", 1024 * 1024 }, { "G", 1024 * 1024 * 1024 } },
  duration_units[] = {
      { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 86400 * 1000 }
  };

const char *
yb_conf_type_name(enum yb_conf_type type)
{
    static const char *const names[] = {
        [YB_CONF_BOOL] = "yes or no",
        [YB_CONF_UINT] = "number",
        [YB_CONF_MODE] = "permissions, octal",
        [YB_CONF_SIZE] = "size",
        [YB_CONF_DURATION] = "duration",
        [YB_CONF_CHOICE] = "one of",
        [YB_CONF_STRING] = "text",
        [YB_CONF_PATH] = "path",
        [YB_CONF_LIST] = "list",
        [YB_CONF_ADDRESSES] = "list of addresses",
        [YB_CONF_ADDRESSES_TLS] = "list of addresses",
        [YB_CONF_FILES] = "list of files",
        [YB_CONF_SECRETS] = "list of secret files",
    };

    yb_assert((size_t)type < YB_COUNT(names));
    return names[type];
}

/* "50M" for 52428800: the largest unit that divides it. */
static void
unit_text(const struct unit *units, size_t n, uint64_t v, char *out, size_t size)
{
    size_t best = 0;

    for (size_t i = 0; i < n; i++)
        if (v != 0 && v % units[i].factor == 0)
            best = i;
    snprintf(out, size, "%" PRIu64 "%s", v / units[best].factor, v == 0 ? "" : units[best].name);
}

static void
bound_text(const struct yb_conf_option *o, uint64_t v, char *out, size_t size)
{
    if (o->type == YB_CONF_SIZE)
        unit_text(size_units, YB_COUNT(size_units), v, out, size);
    else if (o->type == YB_CONF_DURATION)
        unit_text(duration_units, YB_COUNT(duration_units), v, out, size);
    else if (o->type == YB_CONF_MODE)
        snprintf(out, size, "%04" PRIo64, v);
    else
        snprintf(out, size, "%" PRIu64, v);
}

static bool
is_unbounded(const struct yb_conf_option *o)
{
    return o->max == SIZE_MAX || (o->type == YB_CONF_DURATION && o->max == INT64_MAX);
}

void
yb_conf_range_text(const struct yb_conf_option *o, char *out, size_t size)
{
    char min[32], max[32];

    out[0] = '\0';
    if (o->type == YB_CONF_BOOL || o->type == YB_CONF_CHOICE || o->type == YB_CONF_STRING ||
        o->type == YB_CONF_PATH || o->type == YB_CONF_MODE)
        return;
    bound_text(o, o->min, min, sizeof(min));
    bound_text(o, o->max, max, sizeof(max));
    if (is_unbounded(o))
        snprintf(out, size, "%s or more", min);
    else
        snprintf(out, size, "%s to %s", min, max);
}

static int
check_range(const struct yb_conf_option *o, uint64_t v, const char *of, struct yb_err *err)
{
    char min[32], max[32];

    if (v >= o->min && v <= o->max)
        return 0;
    bound_text(o, o->min, min, sizeof(min));
    bound_text(o, o->max, max, sizeof(max));
    if (v < o->min && *of != '\0' && o->min == 1)
        return yb_err_set(err, YB_PERM, "5.3.5", "must not be empty");
    if (is_unbounded(o))
        return yb_err_set(err, YB_PERM, "5.3.5", "%smust be %s or more", of, min);
    return yb_err_set(err, YB_PERM, "5.3.5", "%smust be from %s to %s", of, min, max);
}

/* A decimal number and one of the units. */
static int
parse_unit(const struct yb_conf_option *o, struct yb_str text, const struct unit *units, size_t n,
           const char *want, uint64_t *out, struct yb_err *err)
{
    struct yb_str number = text;
    uint64_t v, factor = 0;

    while (number.n > 0 && !yb_is_digit(number.p[number.n - 1]))
        number.n--;
    for (size_t i = 0; i < n; i++)
        if (yb_str_eqi(yb_str_skip(text, number.n), yb_str_from(units[i].name)))
            factor = units[i].factor;
    if (yb_str_eq(text, YB_STR("0")))
        factor = 1; /* nothing needs no unit */
    if (factor == 0 || !yb_str_u64(number, UINT64_MAX, &v))
        return yb_err_set(err, YB_PERM, "5.3.5", "%s", want);
    if (__builtin_mul_overflow(v, factor, out) || *out > INT64_MAX)
        return yb_err_set(err, YB_PERM, "5.3.5", "is larger than anything");
    return check_range(o, *out, "", err);
}

static int
parse_bool(struct yb_str text, bool *out, struct yb_err *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = { { "yes", true },  { "no", false },  { "on", true },
                  { "off", false }, { "true", true }, { "false", false } };

    for (size_t i = 0; i < YB_COUNT(words); i++) {
        if (yb_str_eqi(text, yb_str_from(words[i].word))) {
            *out = words[i].value;
            return 0;
        }
    }
    return yb_err_set(err, YB_PERM, "5.3.5", "write yes or no");
}

static int
parse_mode(const struct yb_conf_option *o, struct yb_str text, unsigned *out, struct yb_err *err)
{
    unsigned v = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '7' || text.n > 5)
            return yb_err_set(err, YB_PERM, "5.3.5", "write permissions in octal, such as 0660");
        v = v * 8 + (unsigned)(text.p[i] - '0');
    }
    if (text.n == 0)
        return yb_err_set(err, YB_PERM, "5.3.5", "write permissions in octal, such as 0660");
    *out = v;
    return check_range(o, v, "", err);
}

static int
parse_choice(const struct yb_conf_option *o, struct yb_str text, unsigned *out, struct yb_err *err)
{
    struct yb_str words = yb_str_from(o->words);

    for (unsigned i = 0; words.n > 0; i++) {
        if (yb_str_eqi(yb_str_word(&words), text)) {
            *out = i;
            return 0;
        }
    }
    return yb_err_set(err, YB_PERM, "5.3.5", "must be one of: %s", o->words);
}

/* The number after the last colon, 1 to 65535. */
static bool
has_port(struct yb_str s, size_t colon)
{
    uint64_t port;

    return colon < s.n && yb_str_u64(yb_str_skip(s, colon + 1), 65535, &port) && port > 0;
}

static int
check_address(struct yb_str s, struct yb_err *err)
{
    size_t colon = yb_str_rfind(s, ':');
    struct sockaddr_un un;
    struct in6_addr in6;
    char host[64];
    bool v6;

    if (yb_str_starts(s, YB_STR("unix:"))) {
        s = yb_str_skip(s, 5);
        if (s.n == 0 || s.p[0] != '/' || s.n >= sizeof(un.sun_path))
            return yb_err_set(err, YB_PERM, "5.3.5",
                              "unix: is followed by an absolute path of at most %zu bytes",
                              sizeof(un.sun_path) - 1);
        return 0;
    }
    v6 = s.n > 0 && s.p[0] == '[';
    if (!has_port(s, colon) || (v6 && (colon < 3 || s.p[colon - 1] != ']')) ||
        !yb_str_copy(v6 ? yb_str(s.p + 1, colon - 2) : yb_str_head(s, colon), host, sizeof(host)) ||
        inet_pton(v6 ? AF_INET6 : AF_INET, host, &in6) != 1)
        return yb_err_set(err, YB_PERM, "5.3.5",
                          "\"%.*s\" is no address: write 192.0.2.1:25, [2001:db8::1]:25 or "
                          "unix:/path",
                          YB_STR_ARG(yb_str_head(s, 60)));
    return 0;
}

static int
check_entry(const struct yb_conf_option *o, struct yb_str s, struct yb_err *err)
{
    if (yb_conf_has_addresses(o))
        return check_address(s, err);
    if ((o->type == YB_CONF_FILES || o->type == YB_CONF_SECRETS) && s.p[0] != '/')
        return yb_err_set(err, YB_PERM, "5.3.5", "\"%.*s\" must begin with a slash",
                          YB_STR_ARG(yb_str_head(s, 60)));
    return 0;
}

/* The next word of *s, which are set apart by commas and blanks; empty at the end. */
static struct yb_str
next_entry(struct yb_str *s)
{
    size_t n = 0;
    struct yb_str word;

    while (s->n > 0 && strchr(", \t", s->p[0]) != NULL)
        *s = yb_str_skip(*s, 1);
    while (n < s->n && strchr(", \t", s->p[n]) == NULL)
        n++;
    word = yb_str_head(*s, n);
    *s = yb_str_skip(*s, n);
    return word;
}

static int
parse_list(const struct yb_conf_option *o, struct yb_str text, struct yb_arena *a,
           struct yb_conf_list *out, struct yb_err *err)
{
    const char **v = (const char **)yb_arena_alloc(a, text.n / 2 + 1, sizeof(*v));
    struct yb_str word;
    size_t n = 0;

    for (word = next_entry(&text); word.n > 0; word = next_entry(&text)) {
        if (check_entry(o, word, err) < 0)
            return -1;
        v[n++] = yb_arena_dup(a, word).p;
    }
    *out = (struct yb_conf_list){ .n = n, .v = v };
    return check_range(o, n, "the number of entries ", err);
}

static int
parse_files(const struct yb_conf_option *o, struct yb_str text, struct yb_arena *a,
            struct yb_conf_files *out, struct yb_err *err)
{
    struct yb_conf_list paths;
    struct yb_conf_file *v;

    if (parse_list(o, text, a, &paths, err) < 0)
        return -1;
    v = (struct yb_conf_file *)yb_arena_alloc(a, paths.n + 1, sizeof(*v));
    for (size_t i = 0; i < paths.n; i++)
        v[i] = (struct yb_conf_file){ .path = paths.v[i], .bytes = YB_STR("") };
    *out = (struct yb_conf_files){ .n = paths.n, .v = v };
    return 0;
}

static int
parse_text(const struct yb_conf_option *o, struct yb_str text, struct yb_arena *a, const char **out,
           struct yb_err *err)
{
    if (check_range(o, text.n, "the length ", err) < 0)
        return -1;
    if (o->type == YB_CONF_PATH && text.n > 0 && text.p[0] != '/')
        return yb_err_set(err, YB_PERM, "5.3.5", "must begin with a slash");
    *out = yb_arena_dup(a, text).p;
    return 0;
}

static int
parse_uint(const struct yb_conf_option *o, struct yb_str text, unsigned *out, struct yb_err *err)
{
    uint64_t v;

    if (!yb_str_u64(text, UINT64_MAX, &v))
        return yb_err_set(err, YB_PERM, "5.3.5", "write a number in digits");
    *out = (unsigned)v;
    return v > UINT32_MAX ? yb_err_set(err, YB_PERM, "5.3.5", "is larger than anything")
                          : check_range(o, v, "", err);
}

int
yb_conf_value_parse(const struct yb_conf_option *o, struct yb_str text, struct yb_arena *a,
                    void *field, struct yb_err *err)
{
    uint64_t v = 0;

    switch (o->type) {
    case YB_CONF_BOOL:
        return parse_bool(text, (bool *)field, err);
    case YB_CONF_UINT:
        return parse_uint(o, text, (unsigned *)field, err);
    case YB_CONF_MODE:
        return parse_mode(o, text, (unsigned *)field, err);
    case YB_CONF_SIZE:
        return parse_unit(o, text, size_units, YB_COUNT(size_units),
                          "write a size: 512, 64K, 50M or 2G", (uint64_t *)field, err);
    case YB_CONF_DURATION:
        if (parse_unit(o, text, duration_units, YB_COUNT(duration_units),
                       "write a duration with its unit: 250ms, 30s, 5m, 2h or 1d", &v, err) < 0)
            return -1;
        *(int64_t *)field = (int64_t)v;
        return 0;
    case YB_CONF_CHOICE:
        return parse_choice(o, text, (unsigned *)field, err);
    case YB_CONF_STRING:
    case YB_CONF_PATH:
        return parse_text(o, text, a, (const char **)field, err);
    case YB_CONF_LIST:
    case YB_CONF_ADDRESSES:
    case YB_CONF_ADDRESSES_TLS:
        return parse_list(o, text, a, (struct yb_conf_list *)field, err);
    case YB_CONF_FILES:
    case YB_CONF_SECRETS:
        return parse_files(o, text, a, (struct yb_conf_files *)field, err);
    }
    return yb_err_set(err, YB_BUG, "5.3.0", "option %s has no type", o->name);
}
