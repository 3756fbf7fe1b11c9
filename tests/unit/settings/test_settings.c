/* The registry of settings: each row whole, values from written to kept to read, what counts. */
#include "lib/admin/admin.h"
#include "lib/settings/registry.h"

#include <check.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct yb_arena *arena;

/* A row of no registry, for types and bounds that no present setting has. */
static const struct yb_setting rows[] = {
    { .key = "flag", .type = YB_SETTING_BOOL },
    { .key = "n", .type = YB_SETTING_INT, .min = -5, .max = 10 },
    { .key = "size", .type = YB_SETTING_SIZE, .min = 1024, .max = 1 << 30 },
    { .key = "days", .type = YB_SETTING_DAYS, .min = 0, .max = 365 },
    { .key = "word", .type = YB_SETTING_CHOICE, .choices = "mild hot" },
    { .key = "text", .type = YB_SETTING_TEXT, .min = 1, .max = 8 },
    { .key = "form", .type = YB_SETTING_TEXT, .max = 8, .pattern = "^[a-z]+$", .form = "letters" },
    { .key = "zone", .type = YB_SETTING_TEXT, .max = 64, .check = yb_setting_zone },
    { .key = "list", .type = YB_SETTING_LIST, .max = 3, .choices = "red green blue" },
    { .key = "some",
      .type = YB_SETTING_LIST,
      .min = 1,
      .max = 2,
      .pattern = "^[1-9]$",
      .form = "digits" },
    { .key = "least", .type = YB_SETTING_INT, .min = INT64_MIN, .max = INT64_MAX },
};

static const struct yb_setting *
row(const char *key)
{
    size_t i = 0;

    while (strcmp(rows[i].key, key) != 0)
        i++;
    return &rows[i];
}

/* What is kept of what is written, as JSON; or "-" and what was said. */
static const char *
kept(const struct yb_setting *s, const char *written, struct yb_err *err)
{
    static char text[200];
    json_t *value;
    char *dumped;

    *err = (struct yb_err){ 0 };
    if (yb_setting_parse(s, yb_str_from(written), &value, err) < 0) {
        ck_assert_ptr_null(value);
        return "-";
    }
    dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(text, sizeof(text), "%s", dumped);
    free(dumped);
    json_decref(value);
    return text;
}

START_TEST(test_values)
{
    static const struct {
        const char *key, *written, *kept, *again; /* again: as it is written then; NULL: the same */
    } values[] = {
        { "flag", "yes", "true", NULL },
        { "flag", "ON", "true", "yes" },
        { "flag", "False", "false", "no" },
        { "flag", "1", "-", NULL },
        { "flag", "", "-", NULL },
        { "n", "-5", "-5", NULL },
        { "n", "10", "10", NULL },
        { "n", "-6", "-", NULL },
        { "n", "11", "-", NULL },
        { "n", "1.0", "-", NULL },
        { "n", "--1", "-", NULL },
        { "n", "-", "-", NULL },
        { "n", "+1", "-", NULL },
        { "n", " 1", "-", NULL },
        { "n", "99999999999999999999", "-", NULL },
        { "least", "-9223372036854775807", "-9223372036854775807", NULL },
        { "least", "9223372036854775807", "9223372036854775807", NULL },
        { "size", "1k", "1024", "1024" },
        { "size", "1G", "1073741824", "1073741824" },
        { "size", "1023", "-", NULL },
        { "size", "2G", "-", NULL },
        { "size", "16777216T", "-", NULL },
        { "size", "-1K", "-", NULL },
        { "days", "365", "365", NULL },
        { "days", "366", "-", NULL },
        { "days", "-1", "-", NULL },
        { "word", "hot", "\"hot\"", NULL },
        { "word", "HOT", "-", NULL },
        { "word", "mild hot", "-", NULL },
        { "word", "", "-", NULL },
        { "text", "h\303\251 \"x\"", "\"h\303\251 \\\"x\\\"\"", NULL },
        { "text", "", "-", NULL },
        { "text", "123456789", "-", NULL },
        { "text", "a\tb", "-", NULL },
        { "text", "\377", "-", NULL },
        { "form", "abc", "\"abc\"", NULL },
        { "form", "abc1", "-", NULL },
        { "zone", "Asia/Tokyo", "\"Asia/Tokyo\"", NULL },
        { "zone", "UTC", "\"UTC\"", NULL },
        { "zone", "Asia/Tokio", "-", NULL },
        { "zone", "../etc/passwd", "-", NULL },
        { "list", "red, blue", "[\"red\",\"blue\"]", "red blue" },
        { "list", " red  green,blue ", "[\"red\",\"green\",\"blue\"]", "red green blue" },
        { "list", "none", "[]", "" },
        { "list", "", "[]", NULL },
        { "list", "red red", "-", NULL },
        { "list", "red yellow", "-", NULL },
        { "some", "1 2", "[\"1\",\"2\"]", NULL },
        { "some", "none", "-", NULL },
        { "some", "1 2 3", "-", NULL },
        { "some", "10", "-", NULL },
        { "some", "1\0022", "-", NULL },
    };

    for (size_t i = 0; i < YB_COUNT(values); i++) {
        const struct yb_setting *s = row(values[i].key);
        const char *again = values[i].again != NULL ? values[i].again : values[i].written;
        struct yb_err err;
        json_t *value;

        ck_assert_msg(strcmp(kept(s, values[i].written, &err), values[i].kept) == 0, "%s %s: %s",
                      values[i].key, values[i].written, kept(s, values[i].written, &err));
        if (strcmp(values[i].kept, "-") == 0) {
            ck_assert_msg(err.kind == YB_ERR_SYNTAX && err.class == YB_PERM, "%s", values[i].key);
            continue;
        }
        value = json_loads(values[i].kept, JSON_DECODE_ANY, NULL);
        ck_assert(yb_str_eq(yb_setting_write(s, value, arena), yb_str_from(again)));
        json_decref(value);
    }
}
END_TEST

/* Who is refused hears what would be taken. */
START_TEST(test_forms)
{
    static const struct {
        const char *key, *form;
    } forms[] = {
        { "flag", "x is not yes or no" },
        { "n", "x is not a number from -5 to 10" },
        { "size", "x is not a size (1048576, 512M, 2G) from 1024 to 1073741824 octets" },
        { "days", "x is not a number of days from 0 to 365" },
        { "word", "x is not one of mild hot" },
        { "some", "x is not up to 2 different words with blanks or commas between: digits" },
        { "zone", "there is no time zone x" },
    };
    struct yb_err err;

    for (size_t i = 0; i < YB_COUNT(forms); i++) {
        ck_assert_str_eq(kept(row(forms[i].key), "x", &err), "-");
        ck_assert_msg(strstr(err.text, forms[i].form) == err.text, "%s", err.text);
    }
}
END_TEST

/* Each row: a key that the database takes, a default that is a value, a pattern that both sides read. */
START_TEST(test_rows)
{
    for (size_t i = 0; i < YB_SETTINGS; i++) {
        const struct yb_setting *s = yb_setting_row((enum yb_setting_id)i);
        struct yb_err err;
        regex_t re;

        ck_assert_ptr_eq(yb_setting_find(yb_str_from(s->key)), s);
        ck_assert_uint_gt(strspn(s->key, "abcdefghijklmnopqrstuvwxyz0123456789_."), 0);
        ck_assert_uint_eq(strspn(s->key, "abcdefghijklmnopqrstuvwxyz0123456789_."), strlen(s->key));
        ck_assert_uint_le(strlen(s->key), 64);
        ck_assert_str_ne(kept(s, s->standard, &err), "-");
        ck_assert(s->type != YB_SETTING_CHOICE || s->choices != NULL);
        ck_assert(s->type != YB_SETTING_LIST || (s->choices == NULL) != (s->pattern == NULL));
        ck_assert((s->pattern == NULL) == (s->form == NULL));
        if (s->pattern != NULL) {
            ck_assert_int_eq(regcomp(&re, s->pattern, REG_EXTENDED), 0);
            regfree(&re);
        }
        ck_assert(s->column || strchr("OTDU", s->may[0]) != NULL); /* strchr finds the NUL, too */
    }
    ck_assert_ptr_null(yb_setting_find(YB_STR("no.such")));
    ck_assert_ptr_null(yb_setting_find(YB_STR("")));
#ifndef YB_FAULTS
    for (size_t i = 0; i < YB_SETTINGS; i++)
        ck_assert(!yb_setting_row((enum yb_setting_id)i)->trial);
    ck_assert_ptr_null(yb_setting_find(YB_STR("trial.level")));
#endif
}
END_TEST

/* Columns of accounts stand in lib/admin's rows too: each in both, written alike. */
START_TEST(test_columns)
{
    const struct yb_admin_fields *f = &yb_admin_account_fields;
    size_t columns = 0, fields = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct yb_setting *s = yb_setting_find(yb_str_from(f->v[i].name));
        char standard[20];

        if (f->v[i].type != YB_ADMIN_YES_NO)
            continue;
        fields++;
        ck_assert_ptr_nonnull(s);
        ck_assert(s->column && s->type == YB_SETTING_BOOL);
        ck_assert_str_eq(f->v[i].column, s->key);
        snprintf(standard, sizeof(standard), "(%s)", s->standard);
        ck_assert_ptr_nonnull(strstr(f->v[i].help, standard));
    }
    for (size_t i = 0; i < YB_SETTINGS; i++)
        columns += yb_setting_row((enum yb_setting_id)i)->column;
    ck_assert_uint_eq(columns, fields);
    ck_assert_uint_eq(columns, 4);
}
END_TEST

static struct yb_settings
read_settings(const char *more)
{
    return yb_settings_read(yb_str_from(more), arena);
}

static const char *
zone_of(struct yb_settings s)
{
    return yb_arena_dup(arena, yb_settings_text(s, YB_SETTING_TIME_ZONE)).p;
}

/* The tail of an answer: what is known of it counts, the rest is passed over. */
START_TEST(test_effective)
{
    static const struct {
        const char *more, *zone;
    } tails[] = {
        { "", "UTC" },
        { "{}", "UTC" },
        { "{\"settings\": {}}", "UTC" },
        { "{\"settings\": {\"time_zone\": \"Asia/Tokyo\"}}", "Asia/Tokyo" },
        { "{\"new\": [1], \"settings\": {\"of.tomorrow\": 7, \"time_zone\": \"Asia/Tokyo\"}}",
          "Asia/Tokyo" },
        { "{\"settings\": {\"time_zone\": 7}}", "UTC" },
        { "{\"settings\": {\"time_zone\": null}}", "UTC" },
        { "{\"settings\": [1]}", "UTC" },
        { "{\"settings\": {\"imap\": false}}", "UTC" },
        { "[]", "UTC" },
        { "{\"settings\"", "UTC" },
    };
    struct yb_settings s, copy;
    void *room;

    for (size_t i = 0; i < YB_COUNT(tails); i++)
        ck_assert_msg(strcmp(zone_of(read_settings(tails[i].more)), tails[i].zone) == 0, "%s",
                      tails[i].more);
    s = read_settings(tails[3].more);
    ck_assert_uint_eq(s.n, 1);
    room = yb_arena_alloc(arena, yb_settings_bytes(s), 1);
    copy = yb_settings_copy(s, room);
    ck_assert_str_eq(zone_of(copy), "Asia/Tokyo");
    ck_assert_ptr_ne(copy.v[0].text.p, s.v[0].text.p);
    ck_assert_int_eq(yb_settings_number(s, YB_SETTING_IMAP), 1);
    ck_assert_uint_eq(yb_settings_bytes((struct yb_settings){ NULL, 0 }), 0);
#ifdef YB_FAULTS
    s = read_settings(
        "{\"settings\": {\"trial.level\": -4, \"trial.own\": false, \"trial.list\": [\"7\", \"9\"],"
        " \"trial.size\": 7, \"trial.words\": [], \"trial.choice\": \"hot\", \"trial.days\": 999,"
        " \"trial.text\": \"x y\"}}");
    ck_assert_int_eq(yb_settings_number(s, YB_SETTING_TRIAL_LEVEL), -4);
    ck_assert_int_eq(yb_settings_number(s, YB_SETTING_TRIAL_OWN), 0);
    ck_assert_int_eq(yb_settings_number(s, YB_SETTING_TRIAL_SIZE), 7);
    ck_assert_int_eq(yb_settings_number(s, YB_SETTING_TRIAL_DAYS), 30); /* 999 is none here */
    ck_assert(yb_str_eq(yb_settings_text(s, YB_SETTING_TRIAL_LIST), YB_STR("7 9")));
    ck_assert(yb_str_eq(yb_settings_text(s, YB_SETTING_TRIAL_WORDS), YB_STR("")));
    ck_assert(yb_str_eq(yb_settings_text(s, YB_SETTING_TRIAL_CHOICE), YB_STR("hot")));
    ck_assert(yb_str_eq(yb_settings_text(s, YB_SETTING_TRIAL_TEXT), YB_STR("x y")));
#endif
}
END_TEST

/* What the database is told. */
START_TEST(test_registry)
{
    json_t *all = yb_settings_registry(), *one, *zone = NULL;
    size_t i;

    ck_assert_uint_eq(json_array_size(all), YB_SETTINGS);
    json_array_foreach(all, i, one)
    {
        ck_assert_uint_eq(json_array_size(json_object_get(one, "may")), YB_LEVELS);
        if (strcmp(json_string_value(json_object_get(one, "key")), "time_zone") == 0)
            zone = one;
    }
    ck_assert_ptr_nonnull(zone);
    ck_assert_str_eq(json_string_value(json_object_get(zone, "standard")), "UTC");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(zone, "may"), 3)), "U");
    ck_assert(json_is_true(json_object_get(zone, "lockable")));
    json_decref(all);
    ck_assert_uint_lt(yb_str_find_str(yb_settings_markdown(arena), YB_STR("| `time_zone` |")),
                      4000);
    ck_assert_uint_eq(yb_str_find_str(yb_settings_markdown(arena), YB_STR("trial.")),
                      yb_settings_markdown(arena).n);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("settings");
    TCase *tc = tcase_create("settings");
    SRunner *sr = srunner_create(s);
    int failed;

    arena = yb_arena_new(4096);
    tcase_add_test(tc, test_values);
    tcase_add_test(tc, test_forms);
    tcase_add_test(tc, test_rows);
    tcase_add_test(tc, test_columns);
    tcase_add_test(tc, test_effective);
    tcase_add_test(tc, test_registry);
    suite_add_tcase(s, tc);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    yb_arena_free(&arena);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
