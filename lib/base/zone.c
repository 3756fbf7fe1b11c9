#include "lib/base/zone.h"

#include "lib/base/io.h"

#include <stdio.h>

#define DIRECTORY "/usr/share/zoneinfo/"
#define ZONE_NAME_MAX 64
#define FILE_MAX ((size_t)256 << 10) /* tzdata's largest have 4 KiB */
#define HEAD 44
#define DAY INT64_C(86400)
#define OFFSET_MAX (26 * 3600) /* RFC 8536 §3.2: no zone is further away */
#define TIME_MAX (168 * 3600)  /* of a rule, §3.3.1: a week before and after */
/* Beyond these, some hundred thousand years, a rule's year is that of the border. */
#define UTC_MAX (INT64_C(1) << 43)

/* A day of the year on which a rule begins. */
struct rule {
    /* 'M': day (0 is Sunday) of week (5: the last) of month; 'J': 1-365, without leap days; 0: 0-365 */
    char kind;
    int month, week, day;
    int32_t time; /* seconds after local midnight */
};

struct zone_change {
    int64_t at;
    int32_t offset; /* from then on, in seconds */
};

struct yb_zone {
    struct zone_change *changes; /* in their order */
    size_t n;
    int32_t first; /* before all of them */
    /* Behind the last: standard time, and daylight saving time if there is any (POSIX TZ). */
    bool has_rules;
    int32_t standard, saving;
    bool saves;
    struct rule begin, end;
};

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* --- the calendar --- */

/* Days from 1970 to the first of January. */
static int64_t
year_begin(int64_t year)
{
    int64_t y = year - 1;

    return 365 * (year - 1970) + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 477;
}

static bool
is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t
year_of(int64_t day)
{
    int64_t year = 1970 + floor_div(day, day < 0 ? 365 : 366); /* not later */

    while (year_begin(year + 1) <= day) {
        int64_t more = (day - year_begin(year + 1)) / 366;

        year += more > 0 ? more : 1;
    }
    return year;
}

/* Days from the first of January to the first of a month, from 1. */
static int
month_begin(int month, bool leap)
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

    return before[month - 1] + (leap && month > 2);
}

/* Seconds since 1970 at which a rule begins in that year, by the clock that shows local time. */
static int64_t
rule_moment(const struct rule *r, int64_t year)
{
    int64_t begin = year_begin(year), day = r->day;
    bool leap = is_leap(year);

    if (r->kind == 'J') {
        day = r->day - 1 + (leap && r->day >= 60);
    } else if (r->kind == 'M') {
        int64_t first = begin + month_begin(r->month, leap);
        int64_t weekday = (first + 4) - floor_div(first + 4, 7) * 7; /* 1970 began on a Thursday */

        day = first - begin + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
        if (day >= month_begin(r->month + 1, leap))
            day -= 7;
    }
    return (begin + day) * DAY + r->time;
}

/* --- parsing of the rules (POSIX TZ, with the times of RFC 8536 §3.3.1) --- */

static bool
take_char(struct yb_str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = yb_str_skip(*s, 1);
    return true;
}

/* Up to three digits. */
static bool
take_number(struct yb_str *s, int *out)
{
    size_t n = 0;

    *out = 0;
    while (n < s->n && n < 3 && yb_is_digit(s->p[n]))
        *out = *out * 10 + s->p[n++] - '0';
    *s = yb_str_skip(*s, n);
    return n > 0;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool
take_time(struct yb_str *s, int32_t *out)
{
    bool minus = take_char(s, '-');
    int hour, minute = 0, second = 0;

    if (!minus)
        (void)take_char(s, '+');
    if (!take_number(s, &hour) ||
        (take_char(s, ':') &&
         (!take_number(s, &minute) || (take_char(s, ':') && !take_number(s, &second)))))
        return false;
    *out = (hour * 3600 + minute * 60 + second) * (minus ? -1 : 1);
    return minute < 60 && second < 60 && *out >= -TIME_MAX && *out <= TIME_MAX;
}

/* An abbreviation, "JST" or "<+09>", which nobody asks for. */
static bool
take_name(struct yb_str *s)
{
    size_t n = 0;

    if (take_char(s, '<')) {
        n = yb_str_find(*s, '>');
        *s = yb_str_skip(*s, n + 1);
        return n > 0;
    }
    while (n < s->n && yb_is_alpha(s->p[n]))
        n++;
    *s = yb_str_skip(*s, n);
    return n >= 3;
}

static bool
take_rule(struct yb_str *s, struct rule *r)
{
    bool ok;

    if (take_char(s, 'M')) {
        r->kind = 'M';
        ok = take_number(s, &r->month) && take_char(s, '.') && take_number(s, &r->week) &&
             take_char(s, '.') && take_number(s, &r->day) && r->month >= 1 && r->month <= 12 &&
             r->week >= 1 && r->week <= 5 && r->day <= 6;
    } else if (take_char(s, 'J')) {
        r->kind = 'J';
        ok = take_number(s, &r->day) && r->day >= 1 && r->day <= 365;
    } else {
        ok = take_number(s, &r->day) && r->day <= 365;
    }
    r->time = 2 * 3600;
    return ok && (!take_char(s, '/') || take_time(s, &r->time));
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; west is positive there. */
static bool
parse_rules(struct yb_str s, struct yb_zone *z)
{
    if (!take_name(&s) || !take_time(&s, &z->standard))
        return false;
    z->standard = -z->standard;
    z->has_rules = true;
    if (s.n == 0)
        return z->standard >= -OFFSET_MAX && z->standard <= OFFSET_MAX;
    z->saves = true;
    z->saving = z->standard + 3600;
    if (!take_name(&s))
        return false;
    if (s.n > 0 && s.p[0] != ',') {
        if (!take_time(&s, &z->saving))
            return false;
        z->saving = -z->saving;
    }
    return take_char(&s, ',') && take_rule(&s, &z->begin) && take_char(&s, ',') &&
           take_rule(&s, &z->end) && s.n == 0 && z->standard >= -OFFSET_MAX &&
           z->standard <= OFFSET_MAX && z->saving >= -OFFSET_MAX && z->saving <= OFFSET_MAX;
}

/* --- parsing of the file --- */

static uint64_t
number(struct yb_str s, size_t at, size_t size)
{
    uint64_t v = 0;

    for (size_t i = 0; i < size; i++)
        v = v << 8 | (unsigned char)s.p[at + i];
    return v;
}

/* The counts of a header, in the file's order. */
struct counts {
    size_t is_utc, is_standard, leaps, times, types, chars;
};

static bool
take_head(struct yb_str *s, struct counts *c)
{
    size_t *to[] = { &c->is_utc, &c->is_standard, &c->leaps, &c->times, &c->types, &c->chars };

    if (s->n < HEAD || !yb_str_starts(*s, YB_STR("TZif")))
        return false;
    for (size_t i = 0; i < YB_COUNT(to); i++)
        *to[i] = (size_t)number(*s, 20 + 4 * i, 4);
    *s = yb_str_skip(*s, HEAD);
    return true;
}

/* Octets of what follows a header, times of so many octets; at most 2^36. */
static uint64_t
data_size(const struct counts *c, unsigned time)
{
    return (uint64_t)c->times * (time + 1) + (uint64_t)c->types * 6 + c->chars +
           (uint64_t)c->leaps * (time + 4) + c->is_standard + c->is_utc;
}

/* The offset of a type of local time. */
static bool
type_offset(struct yb_str types, size_t n, size_t index, int32_t *out)
{
    if (index >= n)
        return false;
    *out = (int32_t)(uint32_t)number(types, 6 * index, 4);
    return *out >= -OFFSET_MAX && *out <= OFFSET_MAX;
}

static bool
parse_changes(struct yb_str s, const struct counts *c, struct yb_zone *z)
{
    struct yb_str which = yb_str_skip(s, 8 * c->times), types = yb_str_skip(which, c->times);

    if (!type_offset(types, c->types, 0, &z->first))
        return false;
    z->changes = yb_alloc(c->times + 1, sizeof(*z->changes));
    z->n = c->times;
    for (size_t i = 0; i < z->n; i++) {
        struct zone_change *change = &z->changes[i];

        change->at = (int64_t)number(s, 8 * i, 8);
        if (!type_offset(types, c->types, (unsigned char)which.p[i], &change->offset) ||
            (i > 0 && change->at <= z->changes[i - 1].at))
            return false;
    }
    return true;
}

/* Version 2 and on: behind a first block with short times comes one with those that count, and the
 * rules for all that follows in a line of their own. */
static bool
parse(struct yb_str s, struct yb_zone *z)
{
    struct counts c;
    size_t end;

    if (s.n < HEAD || s.p[4] < '2' || !take_head(&s, &c) || data_size(&c, 4) > s.n)
        return false;
    s = yb_str_skip(s, (size_t)data_size(&c, 4));
    /* Leap seconds are in "right/" only: moments here have none (POSIX). */
    if (!take_head(&s, &c) || data_size(&c, 8) > s.n || c.leaps > 0 || !parse_changes(s, &c, z))
        return false;
    s = yb_str_skip(s, (size_t)data_size(&c, 8));
    if (!take_char(&s, '\n') || (end = yb_str_find(s, '\n')) == s.n)
        return false;
    return end == 0 || parse_rules(yb_str_head(s, end), z);
}

struct yb_zone *
yb_zone_parse(struct yb_str tzif)
{
    struct yb_zone *z = yb_alloc(1, sizeof(*z));

    if (!parse(tzif, z))
        yb_zone_free(&z);
    return z;
}

void
yb_zone_free(struct yb_zone **zone)
{
    if (*zone == NULL)
        return;
    yb_free((*zone)->changes);
    yb_free(*zone);
    *zone = NULL;
}

/* What lies beside the zones and reads like one: copies of all of them, one that stands for what a machine
 * is set to, and the one of a machine that nobody set. */
static bool
is_beside(struct yb_str name)
{
    static const char *const none[] = { "posix", "right", "posixrules", "localtime", "Factory" };
    struct yb_str first = yb_str_head(name, yb_str_find(name, '/'));

    for (size_t i = 0; i < YB_COUNT(none); i++) {
        if (yb_str_eq(first, yb_str_from(none[i])))
            return true;
    }
    return false;
}

/* No dots: a name leads nowhere else. */
static bool
is_name(struct yb_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!yb_is_alpha(c) && !yb_is_digit(c) && c != '_' && c != '-' && c != '+' &&
            (c != '/' || i == 0))
            return false;
    }
    return name.n > 0 && name.n <= ZONE_NAME_MAX && !is_beside(name);
}

int
yb_zone_open(struct yb_str name, struct yb_zone **out, struct yb_err *err)
{
    char path[sizeof(DIRECTORY) + ZONE_NAME_MAX], *data = NULL;
    size_t size = 0;

    *out = NULL;
    if (yb_str_eqi(name, YB_STR("UTC")))
        return 0;
    if (!is_name(name))
        return yb_err_set(err, YB_PERM, "5.3.5", "%.*s is no name of a time zone, like Asia/Tokyo",
                          YB_STR_ARG(name));
    snprintf(path, sizeof(path), DIRECTORY "%.*s", YB_STR_ARG(name));
    if (yb_read_file(path, FILE_MAX, &data, &size, err) < 0)
        return yb_err_set(err, YB_PERM, "5.3.5",
                          "there is no time zone %.*s: `timedatectl list-timezones` tells those of "
                          "this system (package tzdata)",
                          YB_STR_ARG(name));
    *out = yb_zone_parse(yb_str(data, size));
    yb_free(data);
    return *out != NULL ? 0
                        : yb_err_set(err, YB_PERM, "5.3.5", "%s is no file of a time zone", path);
}

/* --- asking --- */

static int32_t
rules_offset(const struct yb_zone *z, int64_t utc)
{
    int64_t year, begin, end;

    if (!z->saves)
        return z->standard;
    utc = utc > UTC_MAX ? UTC_MAX : utc < -UTC_MAX ? -UTC_MAX : utc;
    year = year_of(floor_div(utc + z->standard, DAY));
    begin = rule_moment(&z->begin, year) - z->standard;
    end = rule_moment(&z->end, year) - z->saving;
    if (begin < end)
        return utc >= begin && utc < end ? z->saving : z->standard;
    return utc >= end && utc < begin ? z->standard : z->saving; /* in the south */
}

/* In seconds. */
static int32_t
offset_at(const struct yb_zone *z, int64_t utc)
{
    size_t from = 0, to = z->n; /* changes before `from` are not later than the moment */

    if (z->has_rules && (z->n == 0 || utc >= z->changes[z->n - 1].at))
        return rules_offset(z, utc);
    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (z->changes[middle].at <= utc)
            from = middle + 1;
        else
            to = middle;
    }
    return from == 0 ? z->first : z->changes[from - 1].offset;
}

int32_t
yb_zone_offset(const struct yb_zone *zone, int64_t utc)
{
    return zone == NULL ? 0 : (int32_t)floor_div(offset_at(zone, utc), 60);
}

int64_t
yb_zone_day(const struct yb_zone *zone, int64_t utc)
{
    /* Of dates beyond all calendars the sum would overflow. */
    if (utc > INT64_MAX - DAY * 2 || utc < INT64_MIN + DAY * 2)
        return floor_div(utc, DAY);
    return floor_div(utc + (int64_t)yb_zone_offset(zone, utc) * 60, DAY);
}
