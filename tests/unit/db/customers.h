/*
 * Two tenants, t1 (a1.test, a2.test) and t2 (b1.test, b2.test), with accounts u1 and u2 in each
 * domain and rows of theirs in every table; and those who may see a part of it.
 */
#ifndef YB_TESTS_CUSTOMERS_H
#define YB_TESTS_CUSTOMERS_H

#include "tests/unit/db/cluster.h"

/* Of the REST interface: O all, T t1, D a1.test, U u1@a1.test. */
struct customers_role {
    char letter;
    const char *role; /* of the database */
};
#define CUSTOMERS_ROLES 4
extern const struct customers_role customers_roles[CUSTOMERS_ROLES];

/* Once, behind cluster_migrate(). */
void customers_fill(struct cluster *c);
/* Arguments of yb_scope_sign() for one of the letters above, or C; valid as long as the program. */
const char *customers_scope(char letter);
/* SQL as one of them, as cluster_scoped() has it. */
const char *customers_ask(struct cluster *c, char letter, const char *sql);

#endif
