#include "lib/event/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

const char *
yb_event_segment_prefix(enum yb_event_grade grade)
{
    static const char *const prefixes[YB_EVENT_GRADES] = { "debug-", "step-", "final-" };

    return prefixes[grade];
}

void
yb_event_segment_name(enum yb_event_grade grade, uint64_t us, char *name)
{
    snprintf(name, SEGMENT_NAME, "%s%016llx-%d", yb_event_segment_prefix(grade),
             (unsigned long long)us, (int)getpid());
}

bool
yb_event_segment_is(const char *name, enum yb_event_grade grade, uint64_t *us)
{
    struct yb_str s = yb_str_from(name), prefix = yb_str_from(yb_event_segment_prefix(grade));
    uint8_t time[8];
    uint64_t pid, v = 0;

    if (s.n >= SEGMENT_NAME || !yb_str_starts(s, prefix))
        return false;
    s = yb_str_skip(s, prefix.n);
    if (!yb_unhex(yb_str_head(s, 16), time, sizeof(time)) || s.n < 18 || s.p[16] != '-' ||
        !yb_str_u64(yb_str_skip(s, 17), INT32_MAX, &pid))
        return false;
    for (size_t i = 0; i < sizeof(time); i++)
        v = v << 8 | time[i];
    if (us != NULL)
        *us = v;
    return true;
}

int
yb_event_segment_next(int dir_fd, enum yb_event_grade grade, const char *after, char *name)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    name[0] = '\0';
    while ((e = readdir(dir)) != NULL) {
        if (yb_event_segment_is(e->d_name, grade, NULL) && strcmp(e->d_name, after) > 0 &&
            (name[0] == '\0' || strcmp(e->d_name, name) < 0))
            snprintf(name, SEGMENT_NAME, "%.*s", SEGMENT_NAME - 1, e->d_name);
    }
    closedir(dir);
    return 0;
}
