/* Parameters of a statement in PostgreSQL's binary form. */
#include "lib/db/db.h"

#include <endian.h>
#include <limits.h>

/* Types of pg_type.dat that arrays are made of. */
enum { OID_BOOL = 16, OID_INT8 = 20, OID_TEXT = 25, OID_UUID = 2950 };

static void
param_add(struct yb_db_params *p, const char *value, size_t n)
{
    yb_assert(p->n < YB_DB_MAX_PARAMS && n <= INT_MAX);
    p->value[p->n] = value;
    p->length[p->n] = (int)n;
    p->n++;
}

void
yb_db_add_text(struct yb_db_params *p, struct yb_str s)
{
    param_add(p, s.n == 0 ? "" : s.p, s.n);
}

void
yb_db_add_bytes(struct yb_db_params *p, const void *bytes, size_t n)
{
    param_add(p, bytes, n);
}

static void
param_add_small(struct yb_db_params *p, const void *bytes, size_t n)
{
    yb_assert(p->n < YB_DB_MAX_PARAMS);
    memcpy(p->small[p->n], bytes, n);
    param_add(p, p->small[p->n], n);
}

void
yb_db_add_i64(struct yb_db_params *p, int64_t v)
{
    uint64_t be = htobe64((uint64_t)v);

    param_add_small(p, &be, sizeof(be));
}

void
yb_db_add_i32(struct yb_db_params *p, int32_t v)
{
    uint32_t be = htobe32((uint32_t)v);

    param_add_small(p, &be, sizeof(be));
}

void
yb_db_add_bool(struct yb_db_params *p, bool v)
{
    char c = v ? 1 : 0;

    param_add_small(p, &c, 1);
}

void
yb_db_add_null(struct yb_db_params *p)
{
    param_add(p, NULL, 0);
}

/* An array being encoded: header, then for each element its length and bytes. */
struct array {
    char *p;
    size_t n;
};

static void
array_u32(struct array *a, uint32_t v)
{
    uint32_t be = htobe32(v);

    memcpy(a->p + a->n, &be, sizeof(be));
    a->n += sizeof(be);
}

/* Room for n elements of `bytes` bytes altogether, header written. */
static struct array
array_begin(uint32_t type, size_t n, size_t bytes, bool nulls)
{
    struct array a = { .n = 0 };

    yb_assert(n <= INT_MAX / 32 && bytes <= INT_MAX / 2);
    a.p = yb_alloc(1, 20 + 4 * n + bytes);
    array_u32(&a, n == 0 ? 0 : 1); /* dimensions */
    array_u32(&a, nulls ? 1 : 0);
    array_u32(&a, type);
    if (n > 0) {
        array_u32(&a, (uint32_t)n);
        array_u32(&a, 1); /* lower bound */
    }
    return a;
}

static void
array_put(struct array *a, const void *bytes, size_t n)
{
    array_u32(a, (uint32_t)n);
    if (n > 0)
        memcpy(a->p + a->n, bytes, n);
    a->n += n;
}

static void
array_end(struct yb_db_params *p, struct array *a)
{
    yb_assert(p->n < YB_DB_MAX_PARAMS);
    p->owned[p->n] = a->p;
    param_add(p, a->p, a->n);
}

void
yb_db_add_texts(struct yb_db_params *p, const struct yb_str *v, size_t n)
{
    struct array a;
    size_t bytes = 0;
    bool nulls = false;

    for (size_t i = 0; i < n; i++) {
        bytes += v[i].n;
        nulls = nulls || v[i].p == NULL;
    }
    a = array_begin(OID_TEXT, n, bytes, nulls);
    for (size_t i = 0; i < n; i++) {
        if (v[i].p == NULL)
            array_u32(&a, UINT32_MAX);
        else
            array_put(&a, v[i].p, v[i].n);
    }
    array_end(p, &a);
}

void
yb_db_add_uuids(struct yb_db_params *p, const uint8_t (*v)[16], size_t n)
{
    struct array a = array_begin(OID_UUID, n, 16 * n, false);

    for (size_t i = 0; i < n; i++)
        array_put(&a, v[i], 16);
    array_end(p, &a);
}

void
yb_db_add_i64s(struct yb_db_params *p, const int64_t *v, size_t n)
{
    struct array a = array_begin(OID_INT8, n, 8 * n, false);

    for (size_t i = 0; i < n; i++) {
        uint64_t be = htobe64((uint64_t)v[i]);

        array_put(&a, &be, sizeof(be));
    }
    array_end(p, &a);
}

void
yb_db_add_bools(struct yb_db_params *p, const bool *v, size_t n)
{
    struct array a = array_begin(OID_BOOL, n, n, false);

    for (size_t i = 0; i < n; i++)
        array_put(&a, v[i] ? "\1" : "\0", 1);
    array_end(p, &a);
}

void
yb_db_params_free(struct yb_db_params *p)
{
    for (int i = 0; i < p->n; i++)
        yb_free(p->owned[i]);
    *p = (struct yb_db_params){ .n = 0 };
}
