/*
 * What a file system promises to keep through a power cut, and so in which form messages are stored
 * on it. Who cannot tell takes the form that needs the least.
 */
#ifndef YB_STORE_FORM_H
#define YB_STORE_FORM_H

#include "lib/store/store.h"

/* A file without a name, written out, linked, and one fsync() of it keeps data and name. */
#define YB_FORM_LINKED 1u
/* Changes of names reach the disk whole and in their order: a rename never loses the file. */
#define YB_FORM_ORDERED 2u

/* Of the file system that fd is on. `why` becomes a constant text for the log. */
unsigned yb_form_of(int fd, enum yb_store_form wanted, const char **why);

#endif
