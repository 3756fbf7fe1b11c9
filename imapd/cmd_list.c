/* LIST, with the forms of RFC 5258 and RFC 6154, and LSUB. */
#include "imapd/commands.h"
#include "imapd/match.h"
#include "imapd/utf7.h"

/* Reference and pattern are put together, then read as UTF-8; what is no name matches nothing. */
static struct yb_str
full_pattern(struct imapd_cmd *c, struct yb_str reference, struct yb_str pattern)
{
    struct yb_str out = { 0 };
    struct yb_str both =
        yb_arena_printf(c->arena, "%.*s%.*s", YB_STR_ARG(reference), YB_STR_ARG(pattern));

    if (!imapd_utf7_decode(both, c->arena, &out))
        out = yb_str(NULL, 0);
    return out;
}

static bool
matches_any(const struct imapd_list *args, struct yb_str name)
{
    for (size_t i = 0; i < args->n_patterns; i++) {
        if (args->patterns[i].n > 0 && imapd_match(args->patterns[i], name))
            return true;
    }
    return false;
}

/*
 * RFC 6154 §2: which folder is for what may be the server's to know. Where no folder is marked for
 * a use, the one that mail programs make for it by its usual name is.
 */
static void
mark_usual_names(struct yb_folder *folders, size_t n)
{
    static const char *const uses[] = { "\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Archive" };

    for (size_t k = 0; k < YB_COUNT(uses); k++) {
        struct yb_folder *usual = NULL;
        bool marked = false;

        for (size_t i = 0; i < n; i++) {
            marked |= strcmp(folders[i].special, uses[k]) == 0;
            if (folders[i].exists && folders[i].special[0] == '\0' &&
                yb_str_eq(folders[i].name, yb_str_from(uses[k] + 1)))
                usual = &folders[i];
        }
        if (usual != NULL && !marked)
            (void)!yb_str_copy(yb_str_from(uses[k]), usual->special, sizeof(usual->special));
    }
}

static void
put_attribute(struct yb_buf *b, const char *name, bool *any)
{
    if (*any)
        yb_buf_add_c(b, ' ');
    yb_buf_add(b, yb_str_from(name));
    *any = true;
}

/* What an answer says beside the name. */
struct entry {
    struct yb_str name;
    bool exists, children, has_children_info, subscribed;
    const char *special; /* "" or NULL: none */
    bool child_subscribed;
};

static void
put_entry(struct imapd_cmd *c, struct yb_str verb, bool extended, const struct entry *e)
{
    struct yb_buf *b = c->out;
    bool any = false;

    yb_buf_add(b, YB_STR("* "));
    yb_buf_add(b, verb);
    yb_buf_add(b, YB_STR(" ("));
    if (!e->exists && extended)
        put_attribute(b, "\\NonExistent", &any);
    if (!e->exists)
        put_attribute(b, "\\Noselect", &any);
    if (e->has_children_info)
        put_attribute(b, e->children ? "\\HasChildren" : "\\HasNoChildren", &any);
    if (e->subscribed)
        put_attribute(b, "\\Subscribed", &any);
    if (e->special != NULL && e->special[0] != '\0')
        put_attribute(b, e->special, &any);
    yb_buf_add(b, YB_STR(") \"/\" "));
    imapd_put_mailbox(b, e->name, c->arena);
    if (e->child_subscribed)
        yb_buf_add(b, YB_STR(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
    yb_buf_add(b, YB_STR("\r\n"));
}

/* A folder below `parent` passes the selection. */
static bool
selected_below(const struct imapd_list *args, const struct yb_folder *folders, size_t n,
               struct yb_str parent)
{
    for (size_t i = 0; i < n; i++) {
        struct yb_str name = folders[i].name;

        if (name.n > parent.n && name.p[parent.n] == '/' && yb_str_starts(name, parent) &&
            (((args->select & IMAPD_LIST_SUBSCRIBED) != 0 && folders[i].subscribed) ||
             ((args->select & IMAPD_LIST_SPECIAL_USE) != 0 && folders[i].special[0] != '\0')))
            return true;
    }
    return false;
}

static bool
passes_selection(const struct imapd_list *args, const struct yb_folder *f)
{
    if ((args->select & IMAPD_LIST_SUBSCRIBED) != 0 && !f->subscribed)
        return false;
    return (args->select & IMAPD_LIST_SPECIAL_USE) == 0 || f->special[0] != '\0';
}

static void
list_folders(struct imapd_cmd *c, const struct imapd_list *args, const struct yb_folder *folders,
             size_t n)
{
    unsigned told = args->select | args->returns;

    for (size_t i = 0; i < n; i++) {
        const struct yb_folder *f = &folders[i];
        bool passes = passes_selection(args, f), below = false;

        if (!matches_any(args, f->name))
            continue;
        if ((args->select & IMAPD_LIST_RECURSIVE_MATCH) != 0)
            below = selected_below(args, folders, n, f->name);
        /* A subscription alone is no folder of LIST's, unless it is asked for. */
        if ((!passes && !below) || (!f->exists && !f->children && args->select == 0))
            continue;
        put_entry(c, YB_STR("LIST"), args->extended,
                  &(struct entry){
                      .name = f->name,
                      .exists = f->exists,
                      .has_children_info = f->exists || f->children,
                      .children = f->children,
                      .subscribed = f->subscribed && (told & IMAPD_LIST_SUBSCRIBED) != 0,
                      .special = f->special,
                      .child_subscribed = below,
                  });
    }
}

int
imapd_cmd_list(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_list *args = yb_arena_alloc(c->arena, 1, sizeof(*args));
    struct yb_folder *folders;
    size_t n;

    if (!imapd_parse_list(&c->lex, args))
        return imapd_wrong(c, err);
    if (args->n_patterns == 1 && args->patterns[0].n == 0 && !args->extended) {
        /* An empty pattern asks for the delimiter (RFC 3501 §6.3.8). */
        yb_buf_add(c->out, YB_STR("* LIST (\\Noselect) \"/\" \"\"\r\n"));
        imapd_ok(c, YB_STR("LIST completed"));
        return 0;
    }
    for (size_t i = 0; i < args->n_patterns; i++)
        args->patterns[i] = full_pattern(c, args->reference, args->patterns[i]);
    if (yb_store_list(c->s->account, c->scratch, &folders, &n, err) < 0)
        return -1;
    mark_usual_names(folders, n);
    list_folders(c, args, folders, n);
    imapd_ok(c, YB_STR("LIST completed"));
    return 0;
}

/* --- LSUB (RFC 3501 §6.3.9) --- */

/* With '%', a parent of a subscribed name stands for it, once. Parents come in name order. */
static void
lsub_parent(struct imapd_cmd *c, struct yb_str pattern, struct yb_str name, struct yb_str *told)
{
    for (size_t at = name.n; at-- > 0;) {
        struct yb_str parent = yb_str_head(name, at);

        if (name.p[at] != '/' || !imapd_match(pattern, parent))
            continue;
        if (!yb_str_eq(parent, *told))
            put_entry(c, YB_STR("LSUB"), false, &(struct entry){ .name = parent });
        *told = parent;
        return;
    }
}

int
imapd_cmd_lsub(struct imapd_cmd *c, struct yb_err *err)
{
    struct imapd_list *args = yb_arena_alloc(c->arena, 1, sizeof(*args));
    struct yb_str pattern, told = { 0 };
    struct yb_folder *folders;
    size_t n;

    if (!imapd_parse_lsub(&c->lex, args))
        return imapd_wrong(c, err);
    pattern = full_pattern(c, args->reference, args->patterns[0]);
    if (yb_store_list(c->s->account, c->scratch, &folders, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n && pattern.n > 0; i++) {
        if (!folders[i].subscribed)
            continue;
        if (imapd_match(pattern, folders[i].name)) {
            told = folders[i].name;
            put_entry(c, YB_STR("LSUB"), false, &(struct entry){ .name = told, .exists = true });
        } else {
            lsub_parent(c, pattern, folders[i].name, &told);
        }
    }
    imapd_ok(c, YB_STR("LSUB completed"));
    return 0;
}
