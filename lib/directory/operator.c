/*
 * What nobody hosted here answers for is the operator's: <postmaster>, and postmaster@ and abuse@ of
 * a domain whose contact takes no mail. Both are never refused for good (RFC 5321 §4.5.1, RFC 2142):
 * whoever has a complaint about a domain must not depend on what its administrator left behind.
 */
#include "lib/base/clock.h"
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

/* No mailbox there, but such as have been full for so long that it is final. */
static bool
all_full(const struct yb_resolution *out)
{
    int64_t now = yb_clock_now();

    for (size_t i = 0; i < out->n_targets; i++) {
        const struct yb_target *t = &out->targets[i];

        if (t->kind != YB_TARGET_LOCAL || t->full_since == 0 ||
            now - t->full_since < t->full_days * 86400)
            return false;
    }
    return true;
}

/* A hosted one that somebody must have at last: refused for good, or as long as he pleases. */
static bool
falls_to_operator(const struct yb_resolution *out)
{
    return out->answer.code >= 500 || out->answer.why == YB_WHY_SUSPENDED ||
           (out->answer.code == 0 && all_full(out));
}

/* What comes to be full later is no final answer either. */
static void
never_final(struct yb_resolution *out)
{
    for (size_t i = 0; i < out->n_targets; i++)
        out->targets[i].full_days = INT32_MAX;
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
    if (domain.n == 0 && resolve_operator(d, arena, out, err) < 0)
        return -1;
    if (domain.n == 0) {
        never_final(out);
        return 0;
    }
    if (yb_resolve_address(d, local, domain, arena, out, err) < 0)
        return -1;
    if (!is_mandatory(local) || yb_tenant_id_is_zero(out->tenant))
        return 0;
    if (!falls_to_operator(out)) {
        never_final(out);
        return 0;
    }
    tenant = out->tenant;
    if (resolve_operator(d, arena, out, err) < 0)
        return -1;
    out->tenant = tenant;
    never_final(out);
    for (size_t i = 0; i < out->n_targets; i++) {
        if (out->targets[i].via.n == 0)
            out->targets[i].via = yb_address_join(arena, local, domain);
    }
    return 0;
}
