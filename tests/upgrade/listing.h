/*
 * Everything that a store must not lose, as text: a line for the account, for each folder, each
 * message. Of a store of commit 4b3effc the same lines were written by that commit's lib/store.
 */
#ifndef YB_TEST_UPGRADE_LISTING_H
#define YB_TEST_UPGRADE_LISTING_H

#include "lib/store/store.h"

#include <stdio.h>

/* The account of the store, and the node that it was made on. */
#define LISTING_ACCOUNT                                                                            \
    {                                                                                              \
        {                                                                                          \
            0x4b, 0x3e, 0xff, 0xc0, 1                                                              \
        }                                                                                          \
    }
/* Every mailbox of the store was told up to here before something was expunged. */
#define LISTING_SINCE 1
#define LISTING_NODE                                                                               \
    {                                                                                              \
        {                                                                                          \
            0x4b, 0x3e                                                                             \
        }                                                                                          \
    }

/* Aborts when something cannot be read. */
void listing_write(struct yb_store_account *a, FILE *to);

#endif
