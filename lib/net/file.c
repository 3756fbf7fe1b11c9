#include "lib/net/file.h"

#include <unistd.h>

struct yb_file {
    int fd;
    unsigned refs;
};

struct yb_file *
yb_file_new(int fd)
{
    struct yb_file *f = yb_alloc(1, sizeof(*f));

    f->fd = fd;
    f->refs = 1;
    return f;
}

struct yb_file *
yb_file_ref(struct yb_file *f)
{
    f->refs++;
    return f;
}

void
yb_file_unref(struct yb_file **f)
{
    struct yb_file *file = *f;

    *f = NULL;
    if (file == NULL || --file->refs > 0)
        return;
    close(file->fd);
    yb_free(file);
}

int
yb_file_fd(const struct yb_file *f)
{
    return f->fd;
}
