#include "lib/daemon/condemned.h"

#include "lib/base/io.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "YBCONDM1"
#define PATH_BYTES 300

struct build {
    uint8_t v[20];
};

/* What a file begins with; the notes follow. */
struct head {
    char magic[8];
    struct build build;
    uint8_t spare[4];
};

struct file {
    struct head head;
    struct yb_note notes[YB_NOTES_KNOWN];
};

/* --- which build this is --- */

static size_t
padded(size_t n)
{
    return (n + 3) / 4 * 4;
}

/* The linker's hash over the program, in one of its ELF notes. */
static void
find_build(const char *p, size_t left, struct build *out)
{
    ElfW(Nhdr) h;

    while (left >= sizeof(h)) {
        size_t size;

        memcpy(&h, p, sizeof(h));
        size = sizeof(h) + padded(h.n_namesz) + padded(h.n_descsz);
        if (size > left)
            return;
        if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && memcmp(p + sizeof(h), "GNU", 4) == 0)
            memcpy(out->v, p + sizeof(h) + 4,
                   h.n_descsz < sizeof(out->v) ? h.n_descsz : sizeof(out->v));
        p += size;
        left -= size;
    }
}

/* The first object is the program itself. */
static int
look_at_object(struct dl_phdr_info *object, size_t size YB_UNUSED, void *arg)
{
    struct build *out = arg;

    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &object->dlpi_phdr[i];

        if (ph->p_type == PT_NOTE)
            find_build((const char *)(uintptr_t)(object->dlpi_addr + ph->p_vaddr), ph->p_memsz,
                       out);
    }
    return 1;
}

/* A linker that leaves no hash leaves the version. */
static struct build
this_build(void)
{
    struct build b = { { 0 } };

    memcpy(b.v, PACKAGE_VERSION,
           sizeof(PACKAGE_VERSION) < sizeof(b.v) ? sizeof(PACKAGE_VERSION) : sizeof(b.v));
    dl_iterate_phdr(look_at_object, &b);
    return b;
}

/* --- the file --- */

size_t
yb_condemned_read(const char *state_dir, struct yb_note notes[YB_NOTES_KNOWN])
{
    struct build build = this_build();
    char path[PATH_BYTES];
    struct file f;
    ssize_t got;
    size_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/" YB_CONDEMNED_FILE, state_dir);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 0;
    got = yb_pread_full(fd, &f, sizeof(f), 0);
    close(fd);
    if (got < (ssize_t)sizeof(f.head) || memcmp(f.head.magic, MAGIC, sizeof(f.head.magic)) != 0 ||
        memcmp(f.head.build.v, build.v, sizeof(build.v)) != 0)
        return 0;
    n = ((size_t)got - sizeof(f.head)) / sizeof(f.notes[0]);
    memcpy(notes, f.notes, n * sizeof(f.notes[0]));
    return n;
}

/* Written aside and renamed: there is always a whole file. */
static int
replace(const char *path, struct yb_str bytes, struct yb_err *err)
{
    char aside[PATH_BYTES + 8];
    int fd, rc = 0;

    snprintf(aside, sizeof(aside), "%s.new", path);
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "make %s", aside);
    if (yb_write_all(fd, bytes) < 0 || fsync(fd) < 0 || rename(aside, path) < 0)
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write %s", path);
    close(fd);
    return rc;
}

int
yb_condemned_add(const char *state_dir, const struct yb_note *note, struct yb_err *err)
{
    struct file f = { .head = { .magic = MAGIC, .build = this_build() } };
    size_t n = yb_condemned_read(state_dir, f.notes);
    char path[PATH_BYTES];

    if (n == YB_NOTES_KNOWN)
        memmove(&f.notes[0], &f.notes[1], --n * sizeof(f.notes[0]));
    f.notes[n++] = *note;
    snprintf(path, sizeof(path), "%s/" YB_CONDEMNED_FILE, state_dir);
    return replace(path, yb_str((const char *)&f, sizeof(f.head) + n * sizeof(f.notes[0])), err);
}
