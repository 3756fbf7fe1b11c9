/* See fake_directory.c. A pointer to it is passed where the product passes a struct yb_directory.
 */
#ifndef TESTS_RECEIVE_FAKE_DIRECTORY_H
#define TESTS_RECEIVE_FAKE_DIRECTORY_H

#include <stdbool.h>

struct fake_directory {
    bool down;
    bool gone, off;       /* of bob: deleted, not to submit */
    const char *refused;  /* bob is suspended, and told so */
    const char *verifier; /* of his password now; NULL: what he logged in by */
};

#endif
