/* Rows in PostgreSQL's binary form. */
#include "lib/db/result.h"

#include <endian.h>
#include <limits.h>

/* Types of pg_type.dat that the accessors know. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_TEXT_ARRAY = 1009,
    OID_VARCHAR = 1043,
    OID_UUID = 2950,
    OID_JSONB = 3802
};

struct yb_db_result {
    PGresult *pg;
};

struct yb_db_result *
yb_db_result_new(PGresult *pg)
{
    struct yb_db_result *r = yb_alloc(1, sizeof(*r));

    r->pg = pg;
    return r;
}

void
yb_db_result_free(struct yb_db_result **r)
{
    if (*r == NULL)
        return;
    PQclear((*r)->pg);
    yb_free(*r);
    *r = NULL;
}

size_t
yb_db_rows(const struct yb_db_result *r)
{
    return (size_t)PQntuples(r->pg);
}

uint64_t
yb_db_affected(const struct yb_db_result *r)
{
    uint64_t n = 0;

    if (!yb_str_u64(yb_str_from(PQcmdTuples(r->pg)), UINT64_MAX, &n))
        return 0;
    return n;
}

/* The bytes of a field, and its type; an empty string for NULL. */
static struct yb_str
field(const struct yb_db_result *r, size_t row, unsigned column, Oid *type)
{
    int i = (int)row, k = (int)column;

    yb_assert(row < yb_db_rows(r) && k < PQnfields(r->pg));
    *type = PQftype(r->pg, k);
    if (PQgetisnull(r->pg, i, k))
        return yb_str("", 0);
    return yb_str(PQgetvalue(r->pg, i, k), (size_t)PQgetlength(r->pg, i, k));
}

bool
yb_db_is_null(const struct yb_db_result *r, size_t row, unsigned column)
{
    yb_assert(row < yb_db_rows(r) && (int)column < PQnfields(r->pg));
    return PQgetisnull(r->pg, (int)row, (int)column) == 1;
}

struct yb_str
yb_db_str(const struct yb_db_result *r, size_t row, unsigned column)
{
    Oid type;
    struct yb_str s = field(r, row, column, &type);

    yb_assert(type == OID_TEXT || type == OID_VARCHAR || type == OID_BYTEA || type == OID_NAME ||
              type == OID_JSON || type == OID_JSONB);
    return type == OID_JSONB ? yb_str_skip(s, 1) : s; /* a version byte comes first */
}

int64_t
yb_db_i64(const struct yb_db_result *r, size_t row, unsigned column)
{
    Oid type;
    struct yb_str s = field(r, row, column, &type);
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;

    yb_assert(type == OID_INT8 || type == OID_INT4 || type == OID_INT2);
    if (s.n == sizeof(v8)) {
        memcpy(&v8, s.p, sizeof(v8));
        return (int64_t)be64toh(v8);
    }
    if (s.n == sizeof(v4)) {
        memcpy(&v4, s.p, sizeof(v4));
        return (int32_t)be32toh(v4);
    }
    if (s.n == sizeof(v2)) {
        memcpy(&v2, s.p, sizeof(v2));
        return (int16_t)be16toh(v2);
    }
    return 0;
}

bool
yb_db_bool(const struct yb_db_result *r, size_t row, unsigned column)
{
    Oid type;
    struct yb_str s = field(r, row, column, &type);

    yb_assert(type == OID_BOOL);
    return s.n == 1 && *s.p != 0;
}

void
yb_db_bytes(const struct yb_db_result *r, size_t row, unsigned column, void *to, size_t n)
{
    Oid type;
    struct yb_str s = field(r, row, column, &type);

    yb_assert(type == OID_UUID || type == OID_BYTEA);
    memset(to, 0, n);
    if (s.n == n)
        memcpy(to, s.p, n);
}

static uint32_t
array_u32(struct yb_str array, size_t at)
{
    uint32_t v;

    memcpy(&v, array.p + at, sizeof(v));
    return be32toh(v);
}

/* Header: dimensions, has-NULLs, type, then length and lower bound of the one dimension. */
int
yb_db_array_next(struct yb_str array, size_t *at, struct yb_str *out)
{
    uint32_t n;

    *out = yb_str("", 0);
    if (*at == 0) {
        if (array.n == 0)
            return 0;
        if (array.n < 12 || array_u32(array, 0) > 1 || array_u32(array, 8) != OID_TEXT)
            return -1;
        if (array_u32(array, 0) == 0)
            return 0;
        if (array.n < 20)
            return -1;
        *at = 20;
    }
    if (*at == array.n)
        return 0;
    if (array.n - *at < 4)
        return -1;
    n = array_u32(array, *at);
    *at += 4;
    if (n == UINT32_MAX)
        return 1;
    if (n > array.n - *at)
        return -1;
    *out = yb_str(array.p + *at, n);
    *at += n;
    return 1;
}

bool
yb_db_text_next(const struct yb_db_result *r, size_t row, unsigned column, size_t *at,
                struct yb_str *out)
{
    Oid type;
    struct yb_str s = field(r, row, column, &type);

    yb_assert(type == OID_TEXT_ARRAY);
    return yb_db_array_next(s, at, out) == 1;
}
