#include "lib/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
yb_write_all(int fd, struct yb_str s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);

        if (n == 0)
            errno = EIO; /* or it would be tried for ever */
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        if (n > 0)
            s = yb_str_skip(s, (size_t)n);
    }
    return 0;
}

int
yb_pwrite_all(int fd, struct yb_str s, off_t at)
{
    while (s.n > 0) {
        ssize_t n = pwrite(fd, s.p, s.n, at);

        if (n == 0)
            errno = EIO;
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        if (n > 0) {
            s = yb_str_skip(s, (size_t)n);
            at += n;
        }
    }
    return 0;
}

ssize_t
yb_pread_full(int fd, void *to, size_t n, off_t at)
{
    size_t got = 0;

    while (got < n) {
        ssize_t k = pread(fd, (char *)to + got, n - got, at + (off_t)got);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        got += (size_t)k;
    }
    return (ssize_t)got;
}

int
yb_read_file(const char *path, size_t limit, char **data, size_t *size, struct yb_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    char *p = NULL;
    ssize_t n;

    if (fd < 0)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "open %s", path);
    p = yb_alloc(limit + 1, 1);
    n = yb_pread_full(fd, p, limit + 1, 0);
    if (n < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read %s", path);
    } else if ((size_t)n > limit) {
        rc = yb_err_inside(err, YB_PERM, "5.3.0", "%s is larger than %zu bytes", path, limit);
    } else {
        p[n] = '\0';
        *data = p;
        *size = (size_t)n;
        p = NULL;
    }
    yb_free(p);
    close(fd);
    return rc;
}

size_t
yb_base64(struct yb_str s, char *out)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;

    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;

        if (i + 1 < s.n)
            v |= (uint32_t)(unsigned char)s.p[i + 1] << 8;
        if (i + 2 < s.n)
            v |= (unsigned char)s.p[i + 2];
        out[n++] = set[v >> 18];
        out[n++] = set[v >> 12 & 63];
        out[n++] = i + 1 < s.n ? set[v >> 6 & 63] : '=';
        out[n++] = i + 2 < s.n ? set[v & 63] : '=';
    }
    out[n] = '\0';
    return n;
}

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (yb_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
yb_unbase64(struct yb_str s, uint8_t *out, size_t *n)
{
    size_t pad = 0, got = 0;

    if (s.n % 4 != 0)
        return false;
    while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < s.n; i += 4) {
        uint32_t v = 0;

        for (size_t k = 0; k < 4; k++) {
            int d = i + k >= s.n - pad ? 0 : base64_value(s.p[i + k]);

            if (d < 0)
                return false;
            v = v << 6 | (uint32_t)d;
        }
        for (size_t k = 0; k < 3 && got < s.n / 4 * 3 - pad; k++)
            out[got++] = (uint8_t)(v >> (16 - 8 * k));
    }
    *n = got;
    return true;
}
