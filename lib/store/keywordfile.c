#include "lib/store/keywordfile.h"

#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <stdio.h>

#define FILE_LIMIT 65536

static uint64_t
line_sum(char letter, struct yb_str name)
{
    char block[112] = { letter };

    memcpy(block + 1, name.p, name.n);
    return yb_sum_old(block, sizeof(block));
}

bool
yb_keywordfile_fits(struct yb_str name)
{
    if (name.n == 0 || name.n > YB_KEYWORD_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (c <= ' ' || c >= 127 || strchr("(){%*\"\\]", c) != NULL)
            return false;
    }
    return true;
}

static void
read_line(struct yb_keyword_names *k, struct yb_str line)
{
    struct yb_str name = yb_str_skip(line, 2);
    uint8_t sum[8];
    uint64_t want = 0;
    size_t letter, space = yb_str_rfind(name, ' ');

    if (line.n < 2 || line.p[0] < 'a' || line.p[0] > 'z' || line.p[1] != ' ' ||
        !yb_unhex(yb_str_skip(name, space + 1), sum, sizeof(sum)))
        return;
    name = yb_str_head(name, space);
    for (size_t i = 0; i < sizeof(sum); i++)
        want = want << 8 | sum[i];
    letter = (size_t)(line.p[0] - 'a');
    if (!yb_keywordfile_fits(name) || line_sum(line.p[0], name) != want)
        return;
    (void)!yb_str_copy(name, k->names[letter], sizeof(k->names[letter]));
    k->n = letter + 1 > k->n ? letter + 1 : k->n;
}

/* The file's lines; letters below `given` without one get their stand-in. */
static void
read_text(struct yb_keyword_names *k, struct yb_str text, size_t given)
{
    struct yb_str line;

    *k = (struct yb_keyword_names){ .n = 0 };
    while (yb_str_split(&text, '\n', &line))
        read_line(k, line);
    if (given > k->n)
        k->n = given < YB_LETTERS ? given : YB_LETTERS;
    for (size_t i = 0; i < k->n; i++) {
        if (k->names[i][0] == '\0')
            snprintf(k->names[i], sizeof(k->names[i]), "unknown-%c", (char)('a' + i));
    }
}

int
yb_keywordfile_read(int dir_fd, struct yb_keyword_names *k, size_t given, struct yb_err *err)
{
    char *text = NULL;
    size_t n = 0;

    if (yb_sys_read_file(dir_fd, YB_KEYWORDS_FILE, FILE_LIMIT, &text, &n) < 0 && errno != ENOENT)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "read " YB_KEYWORDS_FILE);
    read_text(k, yb_str(text, n), given);
    yb_free(text);
    return 0;
}

size_t
yb_keywordfile_find(const struct yb_keyword_names *k, struct yb_str name)
{
    size_t i = 0;

    while (i < k->n && !yb_str_eqi(yb_str_from(k->names[i]), name))
        i++;
    return i;
}

/* Appends a line and syncs; `text` is what the file holds. */
static int
append_line(int fd, struct yb_str text, size_t letter, struct yb_str name)
{
    char line[YB_KEYWORD_BYTES + 40], c = (char)('a' + letter);
    bool torn = text.n > 0 && text.p[text.n - 1] != '\n';
    int n = snprintf(line, sizeof(line), "%s%c %.*s %016llx\n", torn ? "\n" : "", c,
                     YB_STR_ARG(name), (unsigned long long)line_sum(c, name));

    if (yb_sys_pwrite(fd, line, (size_t)n, (off_t)text.n) < 0)
        return -1;
    return yb_sys_fdatasync(fd);
}

int
yb_keywordfile_letter(int dir_fd, int fd, struct yb_str name, size_t given, size_t *letter,
                      size_t *count, struct yb_err *err)
{
    char *text = yb_alloc(FILE_LIMIT, 1);
    ssize_t n = yb_pread_full(fd, text, FILE_LIMIT, 0);
    struct yb_keyword_names k;
    int rc = 0;

    if (n < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read " YB_KEYWORDS_FILE);
    } else {
        read_text(&k, yb_str(text, (size_t)n), given);
        *letter = yb_keywordfile_find(&k, name);
        *count = k.n;
        if (*letter == YB_LETTERS || n == FILE_LIMIT)
            rc = yb_err_as(err, YB_ERR_LIMIT, YB_PERM, "5.2.0", "No more keywords in this mailbox");
        else if (*letter == k.n && (append_line(fd, yb_str(text, (size_t)n), *letter, name) < 0 ||
                                    (n == 0 && yb_sys_fsync(dir_fd) < 0)))
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write " YB_KEYWORDS_FILE);
        else if (*letter == k.n)
            *count = k.n + 1;
    }
    yb_free(text);
    return rc;
}
