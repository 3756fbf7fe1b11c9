/*
 * The registry of settings (settings.def): which there are, how a value is written and kept, who may
 * set it where, and what counts for somebody. Pure functions over bytes, no database; a time zone's
 * name is looked up among tzdata's files. Thread safe.
 *
 * A value has three forms: as it is *written* (a text: command line, CSV), as it is *kept* (JSON: the
 * database, REST), and as a reader asks for it (a number or a text).
 *
 *   type    written               kept       read
 *   BOOL    yes no on off …       boolean    number 0, 1
 *   INT     -3                    integer    number
 *   SIZE    1048576 512M 2G       integer    number of octets
 *   DAYS    30                    integer    number
 *   CHOICE  a word                string     text
 *   TEXT    UTF-8, no controls    string     text
 *   LIST    words, blanks or      array of   text, one blank between words
 *           commas between; none  strings
 */
#ifndef YB_SETTINGS_REGISTRY_H
#define YB_SETTINGS_REGISTRY_H

#include "lib/base/err.h"
#include "lib/settings/settings.h"

#include <jansson.h>

enum yb_setting_type {
    YB_SETTING_BOOL,
    YB_SETTING_INT,
    YB_SETTING_SIZE,
    YB_SETTING_DAYS,
    YB_SETTING_CHOICE,
    YB_SETTING_TEXT,
    YB_SETTING_LIST
};

/* From above; the lower one counts unless a higher one is locked. */
enum yb_setting_level {
    YB_LEVEL_PLATFORM,
    YB_LEVEL_TENANT,
    YB_LEVEL_DOMAIN,
    YB_LEVEL_ACCOUNT,
    YB_LEVELS
};

struct yb_setting {
    const char *key;
    enum yb_setting_type type;
    const char *standard;
    int64_t min, max;
    const char *choices, *pattern, *form;
    int (*check)(struct yb_str value, struct yb_err *err);
    char
        may[YB_LEVELS]; /* the least role that may set it there: O T D U; 0: it has no such level */
    bool column;        /* of accounts, of the same name; else a row of settings */
    bool lockable;      /* by rows above the account */
    bool step_up;       /* a program that has sessions asks for the password again */
    bool trial;         /* for tests: --enable-faults */
    const char *reader, *text;
};

/* The rows, by id. */
const struct yb_setting *yb_setting_row(enum yb_setting_id id);
/* NULL: there is none. */
const struct yb_setting *yb_setting_find(struct yb_str key);
/* "bool", "account". */
const char *yb_setting_type_name(enum yb_setting_type type);
const char *yb_level_name(enum yb_setting_level level);

/* What a value looks like, for people: "a number from 0 to 10". */
struct yb_str yb_setting_form(const struct yb_setting *s, struct yb_arena *arena);
/* From written to kept (*value is the caller's). -1: PERM, SYNTAX, a sentence that names the form. */
int yb_setting_parse(const struct yb_setting *s, struct yb_str written, json_t **value,
                     struct yb_err *err) YB_MUST_USE;
/* What a number or a switch (0, 1) is that is written so; false: it is none, or out of its bounds. */
bool yb_setting_number(const struct yb_setting *s, struct yb_str written, int64_t *out) YB_MUST_USE;
/* From kept to written; what is not a value of the setting is written as JSON. */
struct yb_str yb_setting_write(const struct yb_setting *s, const json_t *value,
                               struct yb_arena *arena);

/* "yes", "off" …; "512M" … up to `max`: as values are written anywhere. */
bool yb_setting_yes_no(struct yb_str written, bool *out) YB_MUST_USE;
bool yb_setting_size(struct yb_str written, uint64_t max, uint64_t *out) YB_MUST_USE;
/* The IANA name of a time zone that this machine knows. */
int yb_setting_zone(struct yb_str name, struct yb_err *err) YB_MUST_USE;

/* The rows as an array of objects: the columns of setting_keys, and what people are told beside. */
json_t *yb_settings_registry(void) YB_MUST_USE;
/* The table of docs/settings.md; what only test builds have is not in it. */
struct yb_str yb_settings_markdown(struct yb_arena *arena) YB_MUST_USE;

#endif
