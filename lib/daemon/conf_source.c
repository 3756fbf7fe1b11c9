#include "lib/daemon/conf_source.h"

#include "lib/base/arena.h"
#include "lib/base/io.h"
#include "lib/daemon/conf_ini.h"
#include "lib/daemon/conf_value.h"
#include "lib/daemon/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_LIMIT (1u << 20) /* the configuration file */
#define FILE_LIMIT (1u << 20) /* a certificate chain or key */
#define FILES_LIMIT 4096

struct source_file {
    char *path;
    char *data;
    size_t size;
};

struct yb_conf_source {
    char *path;
    char *text;
    size_t size;
    struct source_file *files;
    size_t n;
    bool without_files;
};

const char *
yb_conf_source_path(const struct yb_conf_source *s)
{
    return s->path;
}

struct yb_str
yb_conf_source_content(const struct yb_conf_source *s)
{
    return yb_str(s->text, s->size);
}

static const struct source_file *
file_find(const struct yb_conf_source *s, const char *path)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->files[i].path, path) == 0)
            return &s->files[i];
    return NULL;
}

bool
yb_conf_source_file(const struct yb_conf_source *s, const char *path, struct yb_str *bytes)
{
    const struct source_file *f = file_find(s, path);

    *bytes = f == NULL ? YB_STR("") : yb_str(f->data, f->size);
    return f != NULL || s->without_files;
}

static struct yb_conf_source *
source_new(struct yb_str path, struct yb_str text)
{
    struct yb_conf_source *s = (struct yb_conf_source *)yb_alloc(1, sizeof(*s));

    s->path = yb_dup(path.p, path.n);
    s->text = yb_dup(text.p, text.n);
    s->size = text.n;
    return s;
}

/* Owns `data` from here on. */
static void
file_add(struct yb_conf_source *s, struct yb_str path, char *data, size_t size)
{
    if ((s->n & (s->n - 1)) == 0) /* room for the next power of two */
        s->files =
            (struct source_file *)yb_realloc(s->files, s->n == 0 ? 1 : 2 * s->n, sizeof(*s->files));
    s->files[s->n++] = (struct source_file){ yb_dup(path.p, path.n), data, size };
}

struct yb_conf_source *
yb_conf_source_text(const char *path, const char *text)
{
    return source_new(yb_str_from(path), yb_str_from(text));
}

void
yb_conf_source_free(struct yb_conf_source **s)
{
    if (*s == NULL)
        return;
    for (size_t i = 0; i < (*s)->n; i++) {
        explicit_bzero((*s)->files[i].data, (*s)->files[i].size);
        yb_free((*s)->files[i].data);
        yb_free((*s)->files[i].path);
    }
    yb_free((*s)->files);
    yb_free((*s)->text);
    yb_free((*s)->path);
    yb_free(*s);
    *s = NULL;
}

const struct yb_conf_option *
yb_conf_find(const struct yb_conf_table *const *tables, size_t n, const char *section,
             const char *option, size_t *table)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(tables[i]->section, section) != 0)
            continue;
        *table = i;
        for (size_t k = 0; k < tables[i]->n; k++)
            if (strcmp(tables[i]->options[k].name, option) == 0)
                return &tables[i]->options[k];
    }
    return NULL;
}

struct reading {
    struct yb_conf_source *source;
    const struct yb_conf_table *const *tables;
    size_t n;
    struct yb_arena *arena;
    struct yb_conf_errors *errors;
};

/* A secret that others can read is no secret: told, and not used. */
static int
read_checked(const char *path, bool secret, char **data, size_t *size, struct yb_err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return yb_err_set(err, YB_PERM, "5.3.5", "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return yb_err_set(err, YB_PERM, "5.3.5", "%s is not a file", path);
    if (secret && (st.st_mode & 037) != 0)
        return yb_err_set(err, YB_PERM, "5.3.5", "%s is open to others (mode %04o): chmod 0640 %s",
                          path, (unsigned)st.st_mode & 07777, path);
    if (yb_read_file(path, FILE_LIMIT, data, size, err) == 0)
        return 0;
    return yb_err_set(err, YB_PERM, "5.3.5", "cannot read %s: %s", path,
                      err->sys != 0 ? strerror(err->sys) : "it is larger than 1M");
}

/* Reads the files that one entry names. A value that is wrong in itself is told by the build. */
static void
read_named(void *arg, const struct yb_conf_entry *entry)
{
    struct reading *r = (struct reading *)arg;
    struct yb_conf_files paths;
    struct yb_err err = { 0 };
    size_t table, size;
    char *data;
    const struct yb_conf_option *o =
        yb_conf_find(r->tables, r->n, entry->section, entry->option, &table);

    if (o == NULL || (o->type != YB_CONF_FILES && o->type != YB_CONF_SECRETS))
        return;
    if (yb_conf_value_parse(o, entry->value, r->arena, &paths, &err) < 0)
        return;
    for (size_t i = 0; i < paths.n && r->source->n < FILES_LIMIT; i++) {
        if (file_find(r->source, paths.v[i].path) != NULL)
            continue;
        if (read_checked(paths.v[i].path, o->type == YB_CONF_SECRETS, &data, &size, &err) < 0) {
            yb_conf_errors_add(r->errors, "%s:%d: [%s] %s: %s", r->source->path, entry->line,
                               entry->section, entry->option, err.text);
            data = yb_dup("", 0);
            size = 0;
        }
        file_add(r->source, yb_str_from(paths.v[i].path), data, size);
    }
}

struct yb_conf_source *
yb_conf_source_read(const char *path, const struct yb_conf_table *const *tables, size_t n,
                    enum yb_conf_read how, struct yb_conf_errors *e)
{
    struct yb_conf_source *s;
    struct yb_err err = { 0 };
    struct reading r;
    char *text;
    size_t size;

    if (yb_read_file(path, CONF_LIMIT, &text, &size, &err) < 0) {
        yb_conf_errors_add(e, "%s: %s", path,
                           err.sys != 0 ? strerror(err.sys) : "is larger than 1M");
        return NULL;
    }
    s = source_new(yb_str_from(path), yb_str(text, size));
    yb_free(text);
    s->without_files = how == YB_CONF_WITHOUT_FILES;
    if (how == YB_CONF_WITH_FILES) {
        r = (struct reading){ s, tables, n, yb_arena_new(4096), e };
        yb_conf_ini_parse(path, yb_conf_source_content(s), read_named, &r, NULL);
        yb_arena_free(&r.arena);
    }
    return s;
}

void
yb_conf_source_encode(const struct yb_conf_source *s, struct yb_buf *out)
{
    yb_frame_put_str(out, yb_str_from(s->path));
    yb_frame_put_str(out, yb_conf_source_content(s));
    for (size_t i = 0; i < s->n; i++) {
        yb_frame_put_str(out, yb_str_from(s->files[i].path));
        yb_frame_put_str(out, yb_str(s->files[i].data, s->files[i].size));
    }
}

struct yb_conf_source *
yb_conf_source_decode(struct yb_str bytes, struct yb_err *err)
{
    struct yb_str path, data;
    struct yb_conf_source *s = NULL;

    if (yb_frame_cut_str(&bytes, &path) && yb_frame_cut_str(&bytes, &data))
        s = source_new(path, data);
    while (s != NULL && bytes.n > 0) {
        if (s->n < FILES_LIMIT && yb_frame_cut_str(&bytes, &path) &&
            yb_frame_cut_str(&bytes, &data))
            file_add(s, path, yb_dup(data.p, data.n), data.n);
        else
            yb_conf_source_free(&s);
    }
    if (s == NULL)
        yb_err_inside(err, YB_PERM, "5.3.0", "a configuration frame is damaged");
    return s;
}
