#include "lib/daemon/conf.h"

#include "lib/base/arena.h"
#include "lib/daemon/common_conf.h"
#include "lib/daemon/conf_ini.h"
#include "lib/daemon/conf_source.h"
#include "lib/daemon/conf_value.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_MAX 80 /* bytes of a bad value that are told */

/* What the file said about one option. */
struct setting {
    struct yb_str text; /* effective: from the file or the default */
    int line;           /* 0: default */
};

struct section {
    const struct yb_conf_table *table;
    char *values; /* the program's struct */
    struct setting *settings;
};

struct yb_conf {
    struct yb_arena *arena;
    struct section *sections;
    size_t n;
};

struct building {
    struct yb_conf *conf;
    const struct yb_conf_source *source;
    const struct yb_conf_table *const *tables;
    size_t n;
    struct yb_conf_errors *errors;
};

static void complain(const struct building *b, const struct yb_conf_entry *entry, const char *fmt,
                     ...) YB_PRINTF(3, 4);

static void
complain(const struct building *b, const struct yb_conf_entry *entry, const char *fmt, ...)
{
    char what[600];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    yb_conf_errors_add(b->errors, "%s:%d: [%s] %s: %s", yb_conf_source_path(b->source), entry->line,
                       entry->section, entry->option, what);
}

/* The option of the table most like what was written: same letters but for one. NULL: none. */
static const char *
similar_option(const struct yb_conf_table *t, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < t->n; i++) {
        const char *have = t->options[i].name;
        size_t m = strlen(have), head = 0, tail = 0;

        while (head < n && head < m && have[head] == name[head])
            head++;
        while (tail < n - head && tail < m - head && have[m - 1 - tail] == name[n - 1 - tail])
            tail++;
        if (head + tail + 1 >= (n > m ? n : m))
            return have;
    }
    return NULL;
}

static const char *
gone_option(const struct yb_conf_table *t, const char *name)
{
    for (const struct yb_conf_gone *g = t->gone; g != NULL && g->name != NULL; g++) {
        if (strcmp(g->name, name) == 0)
            return g->now;
    }
    return NULL;
}

static void
unknown_option(const struct building *b, const struct yb_conf_entry *entry, size_t table)
{
    const char *similar, *now;

    if (table < b->n) {
        now = gone_option(b->tables[table], entry->option);
        similar = similar_option(b->tables[table], entry->option);
        if (now != NULL)
            complain(b, entry, "%s", now);
        else if (similar != NULL)
            complain(b, entry, "no such option; is %s meant?", similar);
        else
            complain(b, entry, "no such option in this section");
        return;
    }
    if (*entry->section == '\0') {
        complain(b, entry, "stands above the first section: move it into one, such as [common]");
        return;
    }
    for (size_t i = 0; yb_conf_sections[i] != NULL; i++)
        if (strcmp(yb_conf_sections[i], entry->section) == 0)
            return; /* another program's: that one checks it, and so does `yubin config check` */
    complain(b, entry, "no such section");
}

/* Fills the bytes of the files that a parsed FILES or SECRETS value names. */
static void
fill_files(const struct building *b, const struct yb_conf_option *o, struct yb_conf_files *files,
           const struct yb_conf_entry *entry)
{
    struct yb_conf_file *v =
        (struct yb_conf_file *)yb_arena_alloc(b->conf->arena, files->n + 1, sizeof(*v));

    for (size_t i = 0; i < files->n; i++) {
        v[i].path = files->v[i].path;
        if (!yb_conf_source_file(b->source, v[i].path, &v[i].bytes))
            complain(b, entry, "%s was not read with the configuration", v[i].path);
        /* A password or key in a file of one line does not mean its line end. */
        if (o->type == YB_CONF_SECRETS && v[i].bytes.n > 0 &&
            yb_str_find(v[i].bytes, '\n') == v[i].bytes.n - 1)
            v[i].bytes.n--;
        v[i].bytes = yb_arena_dup(b->conf->arena, v[i].bytes);
    }
    files->v = v;
}

static int
set_value(const struct building *b, size_t table, const struct yb_conf_option *o,
          const struct yb_conf_entry *entry, struct yb_err *err)
{
    struct section *s = &b->conf->sections[table];
    void *field = s->values + o->offset;

    s->settings[o - s->table->options] =
        (struct setting){ yb_arena_dup(b->conf->arena, entry->value), entry->line };
    if (yb_conf_value_parse(o, entry->value, b->conf->arena, field, err) < 0)
        return -1;
    if (o->type == YB_CONF_FILES || o->type == YB_CONF_SECRETS)
        fill_files(b, o, (struct yb_conf_files *)field, entry);
    return 0;
}

static void
take_entry(void *arg, const struct yb_conf_entry *entry)
{
    const struct building *b = (const struct building *)arg;
    struct yb_err err = { 0 };
    size_t table = b->n;
    const struct yb_conf_option *o =
        yb_conf_find(b->tables, b->n, entry->section, entry->option, &table);
    int before;

    if (o == NULL) {
        unknown_option(b, entry, table);
        return;
    }
    before = b->conf->sections[table].settings[o - b->tables[table]->options].line;
    if (before != 0)
        complain(b, entry, "is set in line %d already: keep one of them", before);
    else if (set_value(b, table, o, entry, &err) < 0)
        complain(b, entry, "\"%.*s\": %s", YB_STR_ARG(yb_str_head(entry->value, SHOWN_MAX)),
                 err.text);
}

/*
 * Options the file does not set. A default passes the same parser as a value; one that does not is
 * an option without a default, which the operator must set.
 */
static void
set_defaults(const struct building *b, size_t table)
{
    const struct yb_conf_table *t = b->tables[table];

    for (size_t i = 0; i < t->n; i++) {
        const struct yb_conf_option *o = &t->options[i];
        struct yb_conf_entry entry = { t->section, o->name, yb_str_from(o->def), 0 };
        struct yb_err err = { 0 };

        if (b->conf->sections[table].settings[i].line == 0 &&
            set_value(b, table, o, &entry, &err) < 0) {
            yb_assert(*o->def == '\0'); /* else the row contradicts itself */
            yb_conf_errors_add(b->errors, "%s: [%s] %s must be set: %s",
                               yb_conf_source_path(b->source), t->section, o->name, o->prose);
        }
    }
}

/* What no single row can know. Only asked when every row is right. */
static void
check_section(const struct building *b, size_t table)
{
    const struct yb_conf_table *t = b->tables[table];
    struct yb_err err = { 0 };

    if (b->errors->n == 0 && t->check != NULL &&
        t->check(b->conf->sections[table].values, b->conf->arena, &err) < 0)
        yb_conf_errors_add(b->errors, "%s: [%s] %s", yb_conf_source_path(b->source), t->section,
                           err.text);
}

struct yb_conf *
yb_conf_build(const struct yb_conf_source *s, const struct yb_conf_table *const *tables, size_t n,
              struct yb_conf_errors *e)
{
    struct yb_conf *c = (struct yb_conf *)yb_alloc(1, sizeof(*c));
    struct building b = { c, s, tables, n, e };

    c->arena = yb_arena_new(16384);
    c->sections = (struct section *)yb_arena_alloc(c->arena, n, sizeof(*c->sections));
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        c->sections[i].table = tables[i];
        c->sections[i].values = (char *)yb_arena_alloc(c->arena, 1, tables[i]->size);
        c->sections[i].settings =
            (struct setting *)yb_arena_alloc(c->arena, tables[i]->n + 1, sizeof(struct setting));
    }
    yb_conf_ini_parse(yb_conf_source_path(s), yb_conf_source_content(s), take_entry, &b, e);
    for (size_t i = 0; i < n; i++)
        set_defaults(&b, i);
    for (size_t i = 0; i < n; i++)
        check_section(&b, i);
    if (e->n > 0)
        yb_conf_free(&c);
    return c;
}

static void
wipe_files(const struct yb_conf_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        explicit_bzero((void *)(uintptr_t)files->v[i].bytes.p, files->v[i].bytes.n);
}

void
yb_conf_free(struct yb_conf **c)
{
    if (*c == NULL)
        return;
    for (size_t i = 0; i < (*c)->n; i++) {
        const struct section *s = &(*c)->sections[i];

        for (size_t k = 0; k < s->table->n; k++)
            if (s->table->options[k].type == YB_CONF_SECRETS)
                wipe_files(
                    (const struct yb_conf_files *)(const void *)(s->values +
                                                                 s->table->options[k].offset));
    }
    yb_arena_free(&(*c)->arena);
    yb_free(*c);
    *c = NULL;
}

static const struct section *
section_find(const struct yb_conf *c, const struct yb_conf_table *table)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->sections[i].table == table)
            return &c->sections[i];
    return NULL;
}

const void *
yb_conf_section(const struct yb_conf *c, const struct yb_conf_table *table)
{
    const struct section *s = section_find(c, table);

    yb_assert(s != NULL);
    return s->values;
}

const struct yb_conf_list *
yb_conf_addresses(const struct yb_conf *c, const struct yb_conf_table *table,
                  const struct yb_conf_option *row)
{
    const char *values = (const char *)yb_conf_section(c, table);

    yb_assert(yb_conf_has_addresses(row));
    return (const struct yb_conf_list *)(const void *)(values + row->offset);
}

static bool
files_eq(const struct yb_conf_files *a, const struct yb_conf_files *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (!yb_str_eq(a->v[i].bytes, b->v[i].bytes))
            return false;
    return a->n == b->n;
}

static bool
option_eq(const struct section *a, const struct section *b, size_t i)
{
    const struct yb_conf_option *o = &a->table->options[i];

    if (!yb_str_eq(a->settings[i].text, b->settings[i].text))
        return false;
    return (o->type != YB_CONF_FILES && o->type != YB_CONF_SECRETS) ||
           files_eq((const struct yb_conf_files *)(const void *)(a->values + o->offset),
                    (const struct yb_conf_files *)(const void *)(b->values + o->offset));
}

void
yb_conf_diff_at_start(const struct yb_conf *a, const struct yb_conf *b,
                      void (*fn)(void *arg, const char *section, const char *option), void *arg)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct section *s = &a->sections[i], *other = section_find(b, s->table);

        for (size_t k = 0; other != NULL && k < s->table->n; k++)
            if (s->table->options[k].at_start && !option_eq(s, other, k))
                fn(arg, s->table->section, s->table->options[k].name);
    }
}

void
yb_conf_show(const struct yb_conf *c, bool set_only, struct yb_buf *out)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct section *s = &c->sections[i];

        yb_buf_printf(out, "%s[%s]\n", i > 0 ? "\n" : "", s->table->section);
        for (size_t k = 0; k < s->table->n; k++) {
            const struct setting *set = &s->settings[k];

            if (set->line == 0 && set_only)
                continue;
            yb_buf_printf(out, "%s = ", s->table->options[k].name);
            yb_buf_add(out, set->text);
            yb_buf_add_c(out, '\n');
        }
    }
}
