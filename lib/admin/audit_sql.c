/* Who did what to whom. */
#include "lib/admin/list.h"
#include "lib/admin/verb.h"

#include "lib/mime/address.h"

#define SHOWN 100 /* rows when nobody says how many */

/* The name as rows have it: domains in A-labels. What is no address may be a domain, or not. */
static struct yb_str
object_of(struct yb_admin_tx *tx, struct yb_str text)
{
    struct yb_admin_name n;
    struct yb_err ignored = { 0 };
    struct yb_str domain;

    if (yb_admin_name_parse(text, tx->arena, &n, &ignored) == 0)
        return yb_arena_printf(tx->arena, "%.*s@%.*s", YB_STR_ARG(n.written), YB_STR_ARG(n.domain));
    return yb_domain_normal(text, tx->arena, &domain, &ignored) == 0 ? domain : text;
}

/* A moment; "none" is as good as not said. */
static int
take_time(struct yb_admin_tx *tx, struct yb_str said, const char *field, struct yb_str *out,
          struct yb_err *err)
{
    if (yb_admin_time(tx, said, field, out, err) != 0)
        return -1;
    if (out->n == 0)
        *out = yb_str(NULL, 0);
    return 0;
}

static void
turn_round(json_t **list)
{
    json_t *turned = json_array();

    for (size_t i = json_array_size(*list); i-- > 0;)
        json_array_append(turned, json_array_get(*list, i));
    json_decref(*list);
    *list = turned;
}

int
yb_admin_audit_list(struct yb_admin_tx *tx, const struct yb_admin_audit *f,
                    struct yb_admin_page *page, json_t **out, struct yb_err *err)
{
    struct yb_admin_wanted w = { .no_words = true };
    enum yb_admin_list_id id = f->object.p != NULL   ? YB_ADMIN_AUDIT_OBJECT
                               : f->tenant.p != NULL ? YB_ADMIN_AUDIT_OF
                               : f->actor.p != NULL  ? YB_ADMIN_AUDIT_BY
                                                     : YB_ADMIN_AUDIT;

    if (page->limit == 0)
        page->limit = SHOWN;
    *out = NULL;
    if (take_time(tx, f->since, "since", &w.v['S'], err) < 0 ||
        take_time(tx, f->until, "until", &w.v['U'], err) < 0)
        return -1;
    w.v['A'] = f->actor;
    w.v['T'] = f->tenant;
    w.v['O'] = f->object;
    w.v['P'] = f->object.p == NULL ? f->object : object_of(tx, f->object);
    if (yb_admin_list(tx, id, &w, page, out, err) < 0)
        return -1;
    if (!f->latest_first)
        turn_round(out);
    return 0;
}
