/*
 * What counts for somebody: the values of settings, as those who act by them ask. Which settings there
 * are is settings.def, how they are written and who sets them registry.h. Pure functions over bytes.
 */
#ifndef YB_SETTINGS_SETTINGS_H
#define YB_SETTINGS_SETTINGS_H

#include "lib/base/arena.h"
#include "lib/base/str.h"

enum yb_setting_id {
#define YB_SETTING(id, ...) YB_SETTING_##id,
#include "lib/settings/settings.def"
#undef YB_SETTING
    YB_SETTINGS /* how many there are */
};

/* A value that is not the default. */
struct yb_setting_value {
    enum yb_setting_id id;
    int64_t number;
    struct yb_str text;
};
/* All of them; zeroed: the defaults. */
struct yb_settings {
    const struct yb_setting_value *v;
    size_t n;
};

/*
 * From the tail of the database's answers, {"settings": {key: value}}, which may be empty. Keys that are not known,
 * and values that are none here (another version set them), count as not set. Into the arena.
 */
struct yb_settings yb_settings_read(struct yb_str more, struct yb_arena *arena);
/* A copy into `room`, which holds yb_settings_bytes() and is aligned for any type. */
size_t yb_settings_bytes(struct yb_settings s);
struct yb_settings yb_settings_copy(struct yb_settings s, void *room);

/* BOOL, INT, SIZE, DAYS. */
int64_t yb_settings_number(struct yb_settings s, enum yb_setting_id id);
/* CHOICE, TEXT, LIST; valid as long as `s`. */
struct yb_str yb_settings_text(struct yb_settings s, enum yb_setting_id id);

#endif
