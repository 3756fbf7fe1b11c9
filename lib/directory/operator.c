/*
 * What nobody hosted here answers for is the operator's: <postmaster>, and postmaster@ and abuse@ of
 * a domain whose contact takes no mail. Both are never refused for good (RFC 5321 §4.5.1, RFC 2142):
 * whoever has a complaint about a domain must not depend on what its administrator left behind.
 */
#include "lib/directory/directory.h"
#include "lib/directory/inside.h"

static bool
is_mandatory(struct yb_str local)
{
    return yb_str_eqi(local, YB_STR("postmaster")) || yb_str_eqi(local, YB_STR("abuse"));
}

/* That the operator's own address is missing or refuses is our mistake: nobody hears 5xx for it. */
static int
resolve_operator(struct yb_directory *d, struct yb_arena *arena, struct yb_resolution *out,
                 struct yb_err *err)
{
    struct yb_str local, domain;

    yb_address_split(yb_str_from(d->postmaster), &local, &domain);
    if (domain.n == 0)
        return yb_err_inside(err, YB_TEMP, "4.3.5", "no postmaster is configured");
    if (yb_resolve_address(d, local, domain, arena, out, err) < 0)
        return -1;
    if (out->answer.code >= 500)
        return yb_err_inside(err, YB_TEMP, "4.3.5", "the configured postmaster takes no mail");
    return 0;
}

/* A hosted one that somebody must have at last: refused for good, or as long as he pleases. */
static bool
falls_to_operator(struct yb_str local, const struct yb_resolution *out)
{
    return is_mandatory(local) && !yb_tenant_id_is_zero(out->tenant) &&
           (out->answer.code >= 500 || out->answer.why == YB_WHY_SUSPENDED);
}

int
yb_directory_resolve(struct yb_directory *d, struct yb_str local, struct yb_str domain,
                     struct yb_arena *arena, struct yb_resolution *out, struct yb_err *err)
{
    struct yb_tenant_id tenant;

    *out = (struct yb_resolution){ .answer = { YB_WHY_UNKNOWN, 550, "5.1.1",
                                               YB_STR_INIT("no such address here") } };
    if (domain.n == 0 && !yb_str_eqi(local, YB_STR("postmaster")))
        return 0;
    if (domain.n == 0)
        return resolve_operator(d, arena, out, err);
    if (yb_resolve_address(d, local, domain, arena, out, err) < 0)
        return -1;
    if (!falls_to_operator(local, out))
        return 0;
    tenant = out->tenant;
    if (resolve_operator(d, arena, out, err) < 0)
        return -1;
    out->tenant = tenant;
    for (size_t i = 0; i < out->n_targets; i++) {
        if (out->targets[i].via.n == 0)
            out->targets[i].via = yb_address_join(arena, local, domain);
    }
    return 0;
}
