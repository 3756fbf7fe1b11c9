/* LIST, with the forms of RFC 5258, RFC 6154 and RFC 5819, and LSUB, in slices of time. */
#include "imapd/cmd.h"
#include "imapd/match.h"
#include "imapd/reply.h"
#include "imapd/sync.h"
#include "imapd/utf7.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/store/foldername.h"

struct list_job {
    struct imapd_list args;
    struct yb_folder *folders;
    size_t n;
    bool *below;        /* RECURSIVEMATCH: a folder below this one passes the selection */
    size_t next;        /* folder to look at */
    size_t pattern;     /* and the first pattern that it was not compared with */
    struct yb_str told; /* LSUB: the last name */
};

/* Reference and pattern are put together, then read as UTF-8, composed as names are; what is no name
 * matches nothing. */
static struct yb_str
full_pattern(struct imapd_cmd *c, struct yb_str reference, struct yb_str pattern)
{
    struct yb_str out = { 0 };
    struct yb_str both =
        yb_arena_printf(c->arena, "%.*s%.*s", YB_STR_ARG(reference), YB_STR_ARG(pattern));

    if (!imapd_utf7_decode(both, c->arena, &out))
        return yb_str(NULL, 0);
    return yb_folder_nfc(out, c->arena);
}

/* Compares the folder at hand with the patterns. 1: the slice is over. */
static int
matches_any(const struct imapd_cmd *c, struct list_job *j, bool *matches)
{
    struct yb_str name = j->folders[j->next].name;

    *matches = false;
    while (j->pattern < j->args.n_patterns && !*matches) {
        struct yb_str pattern = j->args.patterns[j->pattern++];

        *matches = pattern.n > 0 && imapd_match(pattern, name);
        if (!*matches && yb_clock_ms() >= c->until)
            return 1;
    }
    return 0;
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
    unsigned below;      /* what is selected that folders below have */
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
    if (e->below != 0) {
        yb_buf_add(b, YB_STR(" (\"CHILDINFO\" ("));
        if ((e->below & IMAPD_LIST_SUBSCRIBED) != 0)
            yb_buf_add(b, YB_STR("\"SUBSCRIBED\" "));
        if ((e->below & IMAPD_LIST_SPECIAL_USE) != 0)
            yb_buf_add(b, YB_STR("\"SPECIAL-USE\" "));
        yb_buf_truncate(b, yb_buf_size(b) - 1);
        yb_buf_add(b, YB_STR("))"));
    }
    yb_buf_add(b, YB_STR("\r\n"));
}

static bool
passes_selection(const struct imapd_list *args, const struct yb_folder *f)
{
    if ((args->select & IMAPD_LIST_SUBSCRIBED) != 0 && !f->subscribed)
        return false;
    return (args->select & IMAPD_LIST_SPECIAL_USE) == 0 || f->special[0] != '\0';
}

/* Marks all parents of the folders that are selected. */
static void
mark_below(struct imapd_cmd *c, struct list_job *j)
{
    struct yb_map *places = yb_map_new();

    j->below = yb_arena_alloc(c->arena, j->n + 1, sizeof(*j->below));
    for (size_t i = 0; i < j->n; i++)
        (void)yb_map_put(places, j->folders[i].name, &j->below[i]);
    for (size_t i = 0; i < j->n; i++) {
        struct yb_str name = j->folders[i].name;

        if (!passes_selection(&j->args, &j->folders[i]))
            continue;
        for (size_t at = name.n; at > 0; at--) {
            bool *parent =
                name.p[at - 1] == '/' ? yb_map_get(places, yb_str_head(name, at - 1)) : NULL;

            if (parent != NULL)
                *parent = true;
        }
    }
    yb_map_free(&places);
}

/* RFC 5819 §2: of each mailbox that can be selected; not of one that is named only for those below
 * it. What cannot be had is left out. */
static void
put_status(struct imapd_cmd *c, const struct list_job *j, const struct yb_folder *f)
{
    struct yb_err err = { 0 };

    if (f->exists && passes_selection(&j->args, f) &&
        imapd_put_status(c, f->name, j->args.status, &err) < 0 && err.class != YB_PERM)
        yb_log_err(YB_LOG_WARN, yb_conn_log(c->conn), "imap.error", &err);
}

static void
list_folder(struct imapd_cmd *c, const struct list_job *j, size_t i)
{
    const struct imapd_list *args = &j->args;
    const struct yb_folder *f = &j->folders[i];
    unsigned told = args->select | args->returns;
    bool below = j->below != NULL && j->below[i];

    /* A subscription alone is no folder of LIST's, unless it is asked for. */
    if ((!passes_selection(args, f) && !below) ||
        (!f->exists && !f->children && (args->select & IMAPD_LIST_SUBSCRIBED) == 0))
        return;
    put_entry(c, YB_STR("LIST"), args->extended,
              &(struct entry){
                  .name = f->name,
                  .exists = f->exists,
                  .has_children_info = f->exists || f->children,
                  .children = f->children,
                  .subscribed = f->subscribed && (told & IMAPD_LIST_SUBSCRIBED) != 0,
                  .special = f->special,
                  .below = below ? args->select : 0,
              });
    if (args->status != 0)
        put_status(c, j, f);
}

static int
list_step(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    struct list_job *j = c->job;
    bool matches;

    for (; j->next < j->n; j->next++, j->pattern = 0) {
        if (yb_buf_size(c->out) >= YB_OUT_PIECE || matches_any(c, j, &matches) != 0)
            return 1;
        if (!matches)
            continue;
        list_folder(c, j, j->next);
        /* To find out a mailbox's status takes far longer than to name it. */
        if (j->args.status != 0 && yb_clock_ms() >= c->until) {
            j->next++;
            j->pattern = 0;
            return 1;
        }
    }
    imapd_ok(c, YB_STR("LIST completed"));
    return 0;
}

int
imapd_cmd_list(struct imapd_cmd *c, struct yb_err *err)
{
    struct list_job *j = yb_arena_alloc(c->arena, 1, sizeof(*j));
    struct imapd_list *args = &j->args;

    c->job = j;
    if (!imapd_parse_list(&c->lex, args))
        return imapd_wrong(c, err);
    if ((args->status & IMAPD_STATUS_HIGHESTMODSEQ) != 0)
        imapd_enable_condstore(c);
    if (args->n_patterns == 1 && args->patterns[0].n == 0 && !args->extended) {
        /* An empty pattern asks for the delimiter (RFC 3501 §6.3.8). */
        yb_buf_add(c->out, YB_STR("* LIST (\\Noselect) \"/\" \"\"\r\n"));
        imapd_ok(c, YB_STR("LIST completed"));
        return 0;
    }
    for (size_t i = 0; i < args->n_patterns; i++)
        args->patterns[i] = full_pattern(c, args->reference, args->patterns[i]);
    if (yb_store_list(c->s->account, c->arena, &j->folders, &j->n, err) < 0)
        return -1;
    mark_usual_names(j->folders, j->n);
    if ((args->select & IMAPD_LIST_RECURSIVE_MATCH) != 0)
        mark_below(c, j);
    c->step = list_step;
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

static int
lsub_step(struct imapd_cmd *c, struct yb_err *err YB_UNUSED)
{
    struct list_job *j = c->job;
    struct yb_str pattern = j->args.patterns[0];

    while (j->next < j->n) {
        const struct yb_folder *f = &j->folders[j->next++];

        if (!f->subscribed)
            continue;
        if (imapd_match(pattern, f->name)) {
            j->told = f->name;
            put_entry(c, YB_STR("LSUB"), false, &(struct entry){ .name = j->told, .exists = true });
        } else {
            lsub_parent(c, pattern, f->name, &j->told);
        }
        if (yb_buf_size(c->out) >= YB_OUT_PIECE || yb_clock_ms() >= c->until)
            return 1;
    }
    imapd_ok(c, YB_STR("LSUB completed"));
    return 0;
}

int
imapd_cmd_lsub(struct imapd_cmd *c, struct yb_err *err)
{
    struct list_job *j = yb_arena_alloc(c->arena, 1, sizeof(*j));

    c->job = j;
    if (!imapd_parse_lsub(&c->lex, &j->args))
        return imapd_wrong(c, err);
    j->args.patterns[0] = full_pattern(c, j->args.reference, j->args.patterns[0]);
    if (j->args.patterns[0].n > 0 &&
        yb_store_list(c->s->account, c->arena, &j->folders, &j->n, err) < 0)
        return -1;
    c->step = lsub_step;
    return 0;
}
