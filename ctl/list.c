/* Lists in pages. */
#include "ctl/ctl.h"

#include <stdio.h>

#define AT_ONCE 1000 /* rows of a page: what is in memory, however long the list */

/* --- pages that are shown in the other order than they come wait in a file, their lengths behind them --- */

static int
page_keep(FILE *kept, const json_t *rows, struct yb_err *err)
{
    long from = ftell(kept), size;

    if (json_dumpf(rows, kept, JSON_COMPACT) == 0 && (size = ftell(kept) - from) > 0 &&
        fwrite(&size, sizeof(size), 1, kept) == 1)
        return 0;
    return yb_err_sys(err, YB_TEMP, "4.3.0", "keep a part of the list in a file");
}

/* The page that ends there; *end is where it begins, then. */
static json_t *
page_kept(FILE *kept, long *end)
{
    json_t *rows = NULL;
    long size;

    if (fseek(kept, *end - (long)sizeof(size), SEEK_SET) == 0 &&
        fread(&size, sizeof(size), 1, kept) == 1) {
        *end -= (long)sizeof(size) + size;
        if (fseek(kept, *end, SEEK_SET) == 0)
            rows = json_loadf(kept, JSON_DISABLE_EOF_CHECK, NULL);
    }
    return rows;
}

static int
print_kept(struct ctl *c, FILE *kept, struct yb_err *err)
{
    long end = ftell(kept);
    size_t n = 0;

    while (end > 0) {
        json_t *rows = page_kept(kept, &end);

        if (rows == NULL)
            return yb_err_sys(err, YB_TEMP, "4.3.0", "read a part of the list from its file");
        ctl_print_piece(c, rows, n);
        n += json_array_size(rows);
        json_decref(rows);
    }
    return 0;
}

/* --- lists --- */

/* The first `limit` (0: all) rows behind page->after, page by page, printed as they come, or kept. */
static int
list_pieces(struct ctl *c, struct yb_admin_page *page, size_t limit, FILE *kept, struct yb_err *err)
{
    json_t *rows;
    size_t n = 0;
    int rc = 0;

    do {
        page->limit = limit == 0 || limit - n > AT_ONCE ? AT_ONCE : (unsigned)(limit - n);
        if (c->command->list(c, page, &rows, err) < 0)
            return -1;
        if (kept == NULL)
            ctl_print_piece(c, rows, n);
        else
            rc = page_keep(kept, rows, err);
        n += json_array_size(rows);
        json_decref(rows);
        page->after = page->next;
    } while (rc == 0 && page->next.n > 0 && (limit == 0 || n < limit));
    if (rc < 0 || (kept != NULL && print_kept(c, kept, err) < 0))
        return -1;
    c->next = yb_arena_dup(c->arena, page->next);
    ctl_print_piece(c, NULL, n);
    return 0;
}

static int
list_long(struct ctl *c, struct yb_admin_page *page, size_t limit, struct yb_err *err)
{
    FILE *kept = c->command->turned ? tmpfile() : NULL;
    int rc;

    if (c->command->turned && kept == NULL)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make a file for the list");
    rc = list_pieces(c, page, limit, kept, err);
    if (kept != NULL)
        fclose(kept);
    return rc;
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
        return list_pieces(c, &page, 0, NULL, err);
    if (ctl_limit(c, c->command->turned ? 0 : YB_ADMIN_PAGE, &limit, err) < 0)
        return -1;
    if (limit > AT_ONCE)
        return list_long(c, &page, limit, err);
    page.limit = (unsigned)limit;
    if (c->command->list(c, &page, out, err) < 0)
        return -1;
    c->next = yb_arena_dup(c->arena, page.next);
    return 0;
}
