/* What went wrong, as a problem document (RFC 9457). */
#include "lib/admin/verb.h"

/* clang-format off */
static const struct {
    enum yb_err_kind kind;
    int status; /* of HTTP */
    const char *code, *title;
} rows[] = {
    { YB_ERR_SYNTAX,    422, "invalid",       "A value is not well-formed" },
    { YB_ERR_VALUE,     422, "invalid",       "A value cannot be used" },
    { YB_ERR_NOT_FOUND, 404, "not_found",     "There is no such thing" },
    { YB_ERR_EXISTS,    409, "exists",        "It exists already" },
    { YB_ERR_IN_USE,    409, "in_use",        "It is in use" },
    { YB_ERR_LIMIT,     422, "limit",         "A limit is reached" },
    { YB_ERR_CANNOT,    422, "loop",          "It would lead back to itself" },
    { YB_ERR_DENIED,    403, "forbidden",     "That is not allowed" },
    { YB_ERR_CONFLICT,  409, "busy_object",   "Somebody else changes it" },
    { YB_ERR_AWAY,      503, "database_away", "The database cannot be reached" },
    { YB_ERR_CONFIG,    503, "misconfigured", "The database does not take this program as it is set up" },
    { YB_ERR_OTHER,     503, "unavailable",   "It cannot be done at the moment" },
};
/* clang-format on */

/* By the class where the kind says no more. */
static size_t
row_of(const struct yb_err *err)
{
    enum yb_err_kind kind = err->kind;

    if (err->class == YB_PERM && kind == YB_ERR_OTHER)
        kind = YB_ERR_VALUE;
    if (err->class == YB_TEMP && kind == YB_ERR_IN_USE) /* a lock that was not had in time */
        kind = YB_ERR_CONFLICT;
    for (size_t i = 0; i < YB_COUNT(rows); i++) {
        if (rows[i].kind == kind)
            return i;
    }
    return err->class == YB_PERM ? 1 : YB_COUNT(rows) - 1; /* a value, or not at the moment */
}

json_t *
yb_admin_problem(const struct yb_admin_tx *tx, const struct yb_err *err)
{
    size_t row = row_of(err), n = 0;
    const struct yb_admin_refusal *v = tx == NULL ? NULL : yb_admin_refusals(tx, &n);
    json_t *errors = json_array(), *detail, *problem;

    for (size_t i = 0; i < n; i++) {
        json_t *one = json_pack("{s:s%}", "detail", v[i].sentence.p, v[i].sentence.n);

        if (v[i].field != NULL)
            json_object_set_new(one, "pointer", json_sprintf("/%s", v[i].field));
        json_array_append_new(errors, one);
    }
    detail = json_string(yb_err_public(err));
    problem =
        json_pack("{s:o, s:s, s:i, s:s, s:o}", "type", json_sprintf("/problems/%s", rows[row].code),
                  "title", rows[row].title, "status", rows[row].status, "code", rows[row].code,
                  "detail", detail != NULL ? detail : json_string(rows[row].title));
    if (json_array_size(errors) > 0)
        json_object_set(problem, "errors", errors);
    json_decref(errors);
    return problem;
}
