/*
 * LIST: all folders in name order, with the subscribed names and the special uses.
 */
#include "lib/store/life.h"

#include <stdlib.h>

/* --- names in order --- */

/* "/" before everything else, so that children follow their parent; INBOX first. */
static int
name_cmp(struct yb_str a, struct yb_str b)
{
    bool a_in = yb_str_eq(a, YB_STR("INBOX")), b_in = yb_str_eq(b, YB_STR("INBOX"));
    size_t n = a.n < b.n ? a.n : b.n;

    if (a_in != b_in)
        return a_in ? -1 : 1;
    for (size_t i = 0; i < n; i++) {
        unsigned x = a.p[i] == '/' ? 0 : (unsigned char)a.p[i];
        unsigned y = b.p[i] == '/' ? 0 : (unsigned char)b.p[i];

        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static int
folder_cmp(const void *x, const void *y)
{
    const struct yb_folder *a = x, *b = y;
    int by = name_cmp(a->name, b->name);

    return by != 0 ? by : (int)b->exists - (int)a->exists;
}

/* --- gathering --- */

struct gathered {
    struct yb_arena *arena;
    struct yb_folder *v;
    size_t n, room;
};

static struct yb_folder *
gather(struct gathered *g, struct yb_str name)
{
    if (g->n == g->room) {
        g->room = g->room * 2 + 32;
        g->v = yb_realloc(g->v, g->room, sizeof(*g->v));
    }
    g->v[g->n] = (struct yb_folder){ .name = yb_arena_dup(g->arena, name) };
    return &g->v[g->n++];
}

static int
gather_folder(void *arg, const struct yb_folder_dir *dir, struct yb_err *err)
{
    struct gathered *g = arg;
    char buf[YB_FOLDER_NAME_MAX + 1];
    struct yb_str name = YB_STR("INBOX");

    (void)err;
    if (dir->s[0] == '\0' || yb_folder_from_dir(yb_str_from(dir->s), buf, &name))
        gather(g, name)->exists = true;
    return 0;
}

/* Entries of equal names become one; what lies between levels appears as not existing. */
static void
gather_parents(struct gathered *g)
{
    size_t n = g->n;

    for (size_t i = 0; i < n; i++) {
        struct yb_str name = g->v[i].name;

        if (!g->v[i].exists)
            continue;
        for (size_t at = 0; at < name.n; at++) {
            if (name.p[at] == '/')
                gather(g, yb_str_head(name, at));
        }
    }
}

static void
merge_equal(struct gathered *g)
{
    size_t kept = 0;

    if (g->n > 0)
        qsort(g->v, g->n, sizeof(*g->v), folder_cmp);
    for (size_t i = 0; i < g->n; i++) {
        struct yb_folder *f = &g->v[i], *last = kept > 0 ? &g->v[kept - 1] : NULL;

        if (last != NULL && yb_str_eq(last->name, f->name)) {
            last->subscribed |= f->subscribed;
            last->exists |= f->exists;
            if (f->special[0] != '\0')
                memcpy(last->special, f->special, sizeof(last->special));
            continue;
        }
        g->v[kept++] = *f;
    }
    g->n = kept;
}

/* Children follow their parent, but those of INBOX, which is first; whether a subscribed name that
 * is no folder is one does not count. */
static void
mark_children(struct gathered *g)
{
    size_t *above = yb_alloc(g->n + 1, sizeof(*above)), depth = 0; /* the names that i lies below */

    for (size_t i = 0; i < g->n; i++) {
        while (depth > 0 && !yb_folder_is_below(g->v[i].name, g->v[above[depth - 1]].name))
            depth--;
        /* Whoever is marked has marked those above him. */
        for (size_t k = depth; g->v[i].exists && k > 0 && !g->v[above[k - 1]].children; k--)
            g->v[above[k - 1]].children = true;
        if (g->v[i].exists && yb_folder_is_below(g->v[i].name, g->v[0].name))
            g->v[0].children = true;
        above[depth++] = i;
    }
    yb_free(above);
}

/* "\Sent name" */
static void
gather_special(struct gathered *g, struct yb_str text)
{
    struct yb_str line;

    while (yb_str_split(&text, '\n', &line)) {
        struct yb_str special = yb_str_head(line, yb_str_find(line, ' '));

        for (size_t i = 0; i < g->n; i++) {
            if (special.n < line.n && g->v[i].exists &&
                yb_str_eq(g->v[i].name, yb_str_skip(line, special.n + 1)))
                (void)!yb_str_copy(special, g->v[i].special, sizeof(g->v[i].special));
        }
    }
}

int
yb_store_list(struct yb_store_account *a, struct yb_arena *arena, struct yb_folder **out, size_t *n,
              struct yb_err *err)
{
    struct gathered g = { .arena = arena };
    struct yb_str subscribed, special, line;
    int rc = -1;

    if (yb_account_folders(a, gather_folder, &g, err) == 0 &&
        yb_listfile_read(a, YB_SUBSCRIPTIONS, arena, &subscribed, err) == 0 &&
        yb_listfile_read(a, YB_SPECIAL, arena, &special, err) == 0) {
        gather_special(&g, special);
        gather_parents(&g);
        while (yb_str_split(&subscribed, '\n', &line)) {
            if (line.n > 0)
                gather(&g, line)->subscribed = true;
        }
        merge_equal(&g);
        mark_children(&g);
        *out = yb_arena_alloc(arena, g.n + 1, sizeof(**out));
        memcpy(*out, g.v, g.n * sizeof(**out));
        *n = g.n;
        rc = 0;
    }
    yb_free(g.v);
    return rc;
}
