#include "lib/mime/date.h"

#include <stdio.h>

#define DAY_SECONDS 86400
#define FIRST_SECOND (-62167219200) /* 0000-01-01 00:00:00 */
#define LAST_SECOND 253402300799    /* 9999-12-31 23:59:59 */

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* A date and time of day in the proleptic Gregorian calendar. */
struct civil {
    int64_t year;
    int month, day, hour, minute, second; /* month 1-12 */
};

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970. Years begin in March, so that the leap day is the last of its year; 400 years
 * have 146 097 days. */
static int64_t
civil_day(const struct civil *c)
{
    int64_t year = c->month <= 2 ? c->year - 1 : c->year;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * ((c->month + 9) % 12) + 2) / 5 + c->day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct civil
civil_from(int64_t seconds)
{
    int64_t days = floor_div(seconds, DAY_SECONDS), rest = seconds - days * DAY_SECONDS;
    int64_t from_march = days + 719468, era = floor_div(from_march, 146097);
    int64_t of_era = from_march - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct civil c;

    c.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = year + era * 400 + (c.month <= 2);
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    return c;
}

static int
month_days(int64_t year, int month)
{
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* True for a day and time that exist; 60 seconds is a leap second. */
static bool
civil_is_valid(const struct civil *c)
{
    return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= month_days(c->year, c->month) && c->hour <= 23 && c->minute <= 59 &&
           c->second <= 60;
}

static struct yb_date
civil_date(const struct civil *c, int32_t offset)
{
    int64_t local = civil_day(c) * DAY_SECONDS + c->hour * 3600 + c->minute * 60 + c->second;

    return (struct yb_date){ .utc = local - (int64_t)offset * 60, .offset = offset };
}

static int
month_number(struct yb_str name)
{
    for (int i = 0; i < 12; i++) {
        if (yb_str_eqi(name, yb_str(month_names[i], 3)))
            return i + 1;
    }
    return 0;
}

static bool
is_day_name(struct yb_str name)
{
    for (size_t i = 0; i < 7; i++) {
        if (yb_str_eqi(name, yb_str(day_names[i], 3)))
            return true;
    }
    return false;
}

/* Passes white space and comments; false when a comment does not end. */
static bool
skip_cfws(struct yb_str *s)
{
    size_t i = 0, depth = 0;

    for (; i < s->n; i++) {
        char c = s->p[i];

        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == '\\' && depth > 0)
            i++;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    *s = yb_str_skip(*s, i);
    return depth == 0;
}

/* A run of letters or of digits with the space behind it; empty at anything else. */
static struct yb_str
take_run(struct yb_str *s)
{
    size_t n = 0;
    bool digits = s->n > 0 && yb_is_digit(s->p[0]);
    struct yb_str run;

    while (n < s->n && (digits ? yb_is_digit(s->p[n]) : yb_is_alpha(s->p[n])))
        n++;
    run = yb_str_head(*s, n);
    *s = yb_str_skip(*s, n);
    return skip_cfws(s) ? run : yb_str("", 0);
}

static bool
take_char(struct yb_str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = yb_str_skip(*s, 1);
    return skip_cfws(s);
}

/* A number of at most `digits` digits. */
static bool
take_number(struct yb_str *s, size_t digits, int *out)
{
    struct yb_str run = take_run(s);
    uint64_t v;

    if (run.n > digits || !yb_str_u64(run, 9999, &v))
        return false;
    *out = (int)v;
    return true;
}

/* Two digits of old mean 1950-2049, three 1900 and on (§4.3). */
static bool
take_year(struct yb_str *s, int64_t *year)
{
    struct yb_str run = take_run(s);
    uint64_t v;

    if (run.n < 2 || !yb_str_u64(run, 9999, &v))
        return false;
    *year = (int64_t)v + (run.n == 2 ? (v < 50 ? 2000 : 1900) : run.n == 3 ? 1900 : 0);
    return *year >= 1900;
}

static bool
take_time(struct yb_str *s, struct civil *c)
{
    if (!take_number(s, 2, &c->hour) || !take_char(s, ':') || !take_number(s, 2, &c->minute))
        return false;
    return !take_char(s, ':') || take_number(s, 2, &c->second);
}

/* "+hhmm" or "-hhmm", exactly five characters. */
static bool
zone_offset(struct yb_str zone, int32_t *offset)
{
    uint64_t v;

    if (zone.n != 5 || (zone.p[0] != '+' && zone.p[0] != '-') ||
        !yb_str_u64(yb_str_skip(zone, 1), 2359, &v) || v % 100 > 59)
        return false;
    *offset = (int32_t)(v / 100 * 60 + v % 100);
    *offset = zone.p[0] == '-' ? -*offset : *offset;
    return true;
}

/* The zone and nothing behind it; named ones by §4.3, others are unknown and count as UTC. */
static bool
take_zone(struct yb_str s, int32_t *offset)
{
    static const struct {
        struct yb_str name;
        int32_t hours;
    } names[] = {
        { YB_STR_INIT("EDT"), -4 }, { YB_STR_INIT("EST"), -5 }, { YB_STR_INIT("CDT"), -5 },
        { YB_STR_INIT("CST"), -6 }, { YB_STR_INIT("MDT"), -6 }, { YB_STR_INIT("MST"), -7 },
        { YB_STR_INIT("PDT"), -7 }, { YB_STR_INIT("PST"), -8 },
    };
    struct yb_str name;

    *offset = 0;
    if (s.n > 0 && (s.p[0] == '+' || s.p[0] == '-')) {
        name = yb_str_head(s, 5);
        s = yb_str_skip(s, 5);
        return zone_offset(name, offset) && skip_cfws(&s) && s.n == 0;
    }
    name = take_run(&s);
    for (size_t i = 0; i < YB_COUNT(names); i++) {
        if (yb_str_eqi(name, names[i].name))
            *offset = names[i].hours * 60;
    }
    return s.n == 0 && (name.n == 0 || yb_is_alpha(name.p[0]));
}

bool
yb_date_parse(struct yb_str value, struct yb_date *out)
{
    struct civil c = { 0 };
    struct yb_str s = value;
    int32_t offset;

    if (!skip_cfws(&s))
        return false;
    if (s.n > 0 && yb_is_alpha(s.p[0]) && (!is_day_name(take_run(&s)) || !take_char(&s, ',')))
        return false;
    if (!take_number(&s, 2, &c.day))
        return false;
    c.month = month_number(take_run(&s));
    if (!take_year(&s, &c.year) || !take_time(&s, &c) || !take_zone(s, &offset) ||
        !civil_is_valid(&c))
        return false;
    *out = civil_date(&c, offset);
    return true;
}

/* The civil time in the written offset; zone as sign, hours, minutes. */
static struct civil
date_civil(struct yb_date date, char *sign, int *zone)
{
    int32_t offset = date.offset < -1439 ? -1439 : date.offset > 1439 ? 1439 : date.offset;
    int64_t utc = date.utc < FIRST_SECOND  ? FIRST_SECOND
                  : date.utc > LAST_SECOND ? LAST_SECOND
                                           : date.utc;
    int64_t local = utc + (int64_t)offset * 60;

    if (local < FIRST_SECOND || local > LAST_SECOND) {
        offset = 0;
        local = utc;
    }
    *sign = offset < 0 ? '-' : '+';
    offset = offset < 0 ? -offset : offset;
    *zone = offset / 60 * 100 + offset % 60;
    return civil_from(local);
}

char *
yb_date_format(struct yb_date date, char *out)
{
    char sign;
    int zone;
    struct civil c = date_civil(date, &sign, &zone);
    int64_t weekday = (civil_day(&c) % 7 + 11) % 7; /* 1970-01-01 was a Thursday */

    snprintf(out, YB_DATE_TEXT, "%s, %02d %s %04d %02d:%02d:%02d %c%04d", day_names[weekday], c.day,
             month_names[c.month - 1], (int)c.year, c.hour, c.minute, c.second, sign, zone);
    return out;
}

char *
yb_internal_date_format(struct yb_date date, char *out)
{
    char sign;
    int zone;
    struct civil c = date_civil(date, &sign, &zone);

    snprintf(out, YB_INTERNAL_DATE_TEXT, "%02d-%s-%04d %02d:%02d:%02d %c%04d", c.day,
             month_names[c.month - 1], (int)c.year, c.hour, c.minute, c.second, sign, zone);
    return out;
}

/* `n` digits at `at`, the text is known to be long enough. */
static bool
fixed_number(struct yb_str s, size_t at, size_t n, int *out)
{
    uint64_t v;

    if (!yb_str_u64(yb_str_head(yb_str_skip(s, at), n), 9999, &v))
        return false;
    *out = (int)v;
    return true;
}

/* `dd-Mon-yyyy` where the day has `digits` characters. */
static bool
dashed_date(struct yb_str s, size_t digits, struct civil *c)
{
    int year;

    if (s.n != digits + 9 || s.p[digits] != '-' || s.p[digits + 4] != '-' ||
        !fixed_number(s, 0, digits, &c->day) || !fixed_number(s, digits + 5, 4, &year))
        return false;
    c->year = year;
    c->month = month_number(yb_str_head(yb_str_skip(s, digits + 1), 3));
    return true;
}

bool
yb_internal_date_parse(struct yb_str text, struct yb_date *out)
{
    struct civil c = { 0 };
    struct yb_str date, time;
    int32_t offset;

    if (text.n == 26 && text.p[0] == ' ')
        text = yb_str_skip(text, 1);
    if (text.n != 25 && text.n != 26)
        return false;
    date = yb_str_head(text, text.n - 15);
    time = yb_str_skip(text, text.n - 15);
    if (time.p[0] != ' ' || time.p[3] != ':' || time.p[6] != ':' || time.p[9] != ' ')
        return false;
    if (!dashed_date(date, date.n - 9, &c) || !fixed_number(time, 1, 2, &c.hour) ||
        !fixed_number(time, 4, 2, &c.minute) || !fixed_number(time, 7, 2, &c.second) ||
        !zone_offset(yb_str_skip(time, 10), &offset) || !civil_is_valid(&c))
        return false;
    *out = civil_date(&c, offset);
    return true;
}

bool
yb_search_date_parse(struct yb_str text, int64_t *day)
{
    struct civil c = { 0 };

    if ((text.n != 10 && text.n != 11) || !dashed_date(text, text.n - 9, &c) || !civil_is_valid(&c))
        return false;
    *day = civil_day(&c);
    return true;
}

int64_t
yb_date_day(struct yb_date date)
{
    return floor_div(date.utc + (int64_t)date.offset * 60, DAY_SECONDS);
}
