/* Lists in pages. */
#include "ctl/ctl.h"

#define ALL_AT_ONCE 1000 /* rows of a page of --all: what is in memory */

static int
list_all(struct ctl *c, struct yb_admin_page *page, struct yb_err *err)
{
    json_t *rows;
    size_t n = 0;

    page->limit = ALL_AT_ONCE;
    do {
        if (c->command->list(c, page, &rows, err) < 0)
            return -1;
        if (json_array_size(rows) > 0 || n == 0)
            ctl_print_piece(c, rows, n);
        n += json_array_size(rows);
        json_decref(rows);
        page->after = page->next;
    } while (page->next.n > 0);
    ctl_print_piece(c, NULL, n);
    return 0;
}

int
ctl_list(struct ctl *c, json_t **out, struct yb_err *err)
{
    struct yb_admin_page page = { .after = ctl_option(c, "--after"), .q = ctl_option(c, "--q") };
    size_t limit;

    if (ctl_has(c, "--all") && (ctl_has(c, "--limit") || ctl_has(c, "--after")))
        return yb_err_as(err, YB_ERR_SYNTAX, YB_PERM, "5.5.4",
                         "--all goes without --limit and --after");
    if (ctl_has(c, "--all"))
        return list_all(c, &page, err);
    if (ctl_limit(c, 0, &limit, err) < 0)
        return -1;
    page.limit = (unsigned)limit;
    if (c->command->list(c, &page, out, err) < 0)
        return -1;
    c->next = yb_arena_dup(c->arena, page.next);
    return 0;
}
