/* Accounts from JSON Lines: each line is looked at by itself, before anything is changed. */
#include "lib/admin/import.h"

#include "lib/cred/cred.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A line of JSON; an address, a verifier and forwards fit many times. */
#define LINE_MAX_BYTES 65536

void
yb_import_problem(struct yb_import_rows *rows, size_t line, const char *text)
{
    rows->bad++;
    if (rows->import->problem != NULL)
        rows->import->problem(rows->import->arg, line, text);
}

/* Puts what was written before the sentence. */
static int
about(struct yb_str written, struct yb_err *err)
{
    const struct yb_err why = *err;

    return yb_err_as(err, why.kind, why.class, why.status, "%.*s: %s", YB_STR_ARG(written),
                     why.text);
}

static int
read_forwards(struct yb_import_rows *rows, struct yb_import_row *r, const json_t *list,
              struct yb_err *err)
{
    if (list == NULL)
        return 0;
    if (!json_is_array(list))
        return yb_err_set(err, YB_PERM, "5.5.4", "forwards is not a list");
    r->targets = yb_arena_alloc(rows->arena, json_array_size(list), sizeof(*r->targets));
    r->keys = yb_arena_alloc(rows->arena, json_array_size(list), sizeof(*r->keys));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (text == NULL)
            return yb_err_set(err, YB_PERM, "5.5.4", "a forward is not a text");
        if (yb_admin_target_parse(yb_str_from(text), rows->arena, &r->targets[i], &r->keys[i],
                                  err) < 0)
            return about(yb_str_from(text), err);
        r->n_targets++;
    }
    return 0;
}

/* The words an object may have, and of what type they are: a typing error is told, not passed over.
 */
static int
check_words(const json_t *o, struct yb_err *err)
{
    static const struct {
        const char *key;
        json_type type;
    } words[] = { { "address", JSON_STRING },  { "password", JSON_STRING },
                  { "verifier", JSON_STRING }, { "name", JSON_STRING },
                  { "quota", JSON_INTEGER },   { "keep_copy", JSON_TRUE },
                  { "forwards", JSON_ARRAY },  { "store", JSON_STRING } };
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        size_t i = 0;

        while (i < YB_COUNT(words) && strcmp(words[i].key, key) != 0)
            i++;
        if (i == YB_COUNT(words))
            return yb_err_set(err, YB_PERM, "5.5.4", "there is no \"%s\"", key);
        if (json_typeof(value) != words[i].type &&
            !(words[i].type == JSON_TRUE && json_is_boolean(value)))
            return yb_err_set(err, YB_PERM, "5.5.4", "\"%s\" is of another type", key);
    }
    return 0;
}

static struct yb_str
kept_text(struct yb_import_rows *rows, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    if (v == NULL)
        return yb_str(NULL, 0);
    return yb_arena_dup(rows->arena, yb_str(json_string_value(v), json_string_length(v)));
}

static int
read_object(struct yb_import_rows *rows, struct yb_import_row *r, const json_t *o,
            struct yb_err *err)
{
    json_int_t quota = json_integer_value(json_object_get(o, "quota"));
    struct yb_str address;

    if (!json_is_object(o))
        return yb_err_set(err, YB_PERM, "5.5.4", "not a JSON object");
    if (check_words(o, err) < 0)
        return -1;
    if (json_object_get(o, "address") == NULL)
        return yb_err_set(err, YB_PERM, "5.5.4", "there is no address");
    if (quota < 0)
        return yb_err_set(err, YB_PERM, "5.5.4", "a quota is not negative");
    address = kept_text(rows, o, "address");
    if (yb_admin_name_parse(address, rows->arena, &r->name, err) < 0)
        return about(address, err);
    r->quota = (uint64_t)quota;
    r->keep_copy = !json_is_false(json_object_get(o, "keep_copy"));
    r->display = kept_text(rows, o, "name");
    r->store = kept_text(rows, o, "store");
    r->verifier = kept_text(rows, o, "verifier");
    r->password = kept_text(rows, o, "password");
    if (r->verifier.p != NULL && r->password.p != NULL)
        return yb_err_set(err, YB_PERM, "5.5.4", "a password or a verifier, not both");
    if (r->verifier.p != NULL && yb_cred_check(r->verifier, err) < 0)
        return -1;
    return read_forwards(rows, r, json_object_get(o, "forwards"), err);
}

static void
read_line(struct yb_import_rows *rows, size_t line, struct yb_str text)
{
    struct yb_err err = { 0 };
    json_error_t why;
    json_t *o;

    if (yb_str_trim(text).n == 0)
        return;
    if (rows->n == rows->room) {
        rows->room = rows->room == 0 ? 1024 : rows->room * 2;
        rows->v = yb_realloc(rows->v, rows->room, sizeof(*rows->v));
    }
    rows->v[rows->n] = (struct yb_import_row){ .line = line };
    o = text.n > LINE_MAX_BYTES ? NULL : json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &why);
    if (o == NULL)
        yb_import_problem(rows, line, text.n > LINE_MAX_BYTES ? "the line is too long" : why.text);
    else if (read_object(rows, &rows->v[rows->n], o, &err) < 0)
        yb_import_problem(rows, line, err.text);
    else
        rows->n++;
    json_decref(o);
}

int
yb_import_read(struct yb_import_rows *rows, int fd, struct yb_err *err)
{
    int own = dup(fd);
    FILE *f = own < 0 ? NULL : fdopen(own, "r");
    char *line = NULL;
    struct yb_str text;
    size_t size = 0, number = 0;
    ssize_t n;
    int rc = 0;

    if (f == NULL) {
        if (own >= 0)
            close(own);
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open the file of accounts");
    }
    while ((n = getline(&line, &size, f)) > 0) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        text = yb_str(line, (size_t)n);
        if (number == 0 && yb_str_starts(text, YB_STR("\xef\xbb\xbf")))
            text = yb_str_skip(text, 3); /* a byte order mark, RFC 8259 8.1 */
        read_line(rows, ++number, text);
        explicit_bzero(line, size);
    }
    if (ferror(f))
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read the file of accounts");
    free(line); /* getline()'s own */
    fclose(f);
    return rc;
}
