/*
 * The main program of a fuzz target in ordinary builds: it runs the target over its seeds, so that
 * `make check` keeps what fuzzing once found. fuzz_<what> replays the files of the folders given as
 * arguments, or of $YB_SRCDIR/fuzz/corpus/<what>. Every seed is run whole and cut short at each of
 * its first bytes: an input that ends too early is what parsers forget. Then the stretch pass
 * (stretch.h): of the costs it looks at, an ordinary build counts the memory. No seed is a failure.
 * Exit: 0 all ran, 1 trouble; a broken invariant aborts.
 */
#include "fuzz/stretch.h"
#include "lib/base/io.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SEED (1024 * 1024)
#define MAX_CUTS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a block of exactly `n` bytes, so that a read past the end is seen by ASan and valgrind. */
static void
run_bytes(const char *data, size_t n)
{
    char *copy = malloc(n == 0 ? 1 : n);

    if (copy == NULL)
        abort();
    memcpy(copy, data, n);
    LLVMFuzzerTestOneInput((const uint8_t *)copy, n);
    free(copy);
}

static int
replay_file(const char *path)
{
    struct yb_err err = { 0 };
    char *data;
    size_t size;

    if (yb_read_file(path, MAX_SEED, &data, &size, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    for (size_t n = 0; n < size && n < MAX_CUTS; n++)
        run_bytes(data, n);
    run_bytes(data, size);
    yb_free(data);
    return 0;
}

/* Returns how many files were replayed, or -1. */
static int
replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = 0;

    if (dir == NULL) {
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return -1;
    }
    for (struct dirent *e; n >= 0 && (e = readdir(dir)) != NULL;) {
        char path[4096];

        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        n = replay_file(path) < 0 ? -1 : n + 1;
    }
    closedir(dir);
    if (n < 0 || stretch_folder(folder) < 0)
        return -1;
    return n;
}

int
main(int argc, char **argv)
{
    const char *source = getenv("YB_SRCDIR"), *name = strstr(argv[0], "fuzz_");
    char folder[4096];

    for (int i = 1; i < argc; i++) {
        if (replay_folder(argv[i]) <= 0)
            return 1;
    }
    if (argc > 1)
        return 0;
    if (name == NULL) {
        fprintf(stderr, "usage: fuzz_<what> [folder ...]\n");
        return 1;
    }
    snprintf(folder, sizeof(folder), "%s/fuzz/corpus/%s", source == NULL ? "." : source,
             name + strlen("fuzz_"));
    return replay_folder(folder) > 0 ? 0 : 1;
}
