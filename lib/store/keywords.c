/*
 * `yubin-keywords`: which keyword a letter in file names stands for. A line each,
 *
 *   a $Forwarded 0123456789abcdef        letter, name, checksum
 *
 * only ever appended, under flock() on the file, and synced before a name with the new letter is
 * made. A letter in use whose line is lost is called "unknown-<letter>", and never given to
 * another.
 */
#include "lib/base/io.h"
#include "lib/store/private.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_NAME "yubin-keywords"
#define LETTERS 26
#define NAME_BYTES 100
#define FILE_LIMIT 65536

struct keywords {
    char names[LETTERS][NAME_BYTES + 1]; /* "": no line */
    size_t n;                            /* letters given */
};

static uint64_t
line_sum(char letter, struct yb_str name)
{
    char block[112] = { letter };

    memcpy(block + 1, name.p, name.n);
    return yb_sum(block, sizeof(block));
}

/* RFC 3501's atom, and short. */
static bool
name_fits(struct yb_str name)
{
    if (name.n == 0 || name.n > NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (c <= ' ' || c >= 127 || strchr("(){%*\"\\]", c) != NULL)
            return false;
    }
    return true;
}

static void
read_line(struct keywords *k, struct yb_str line)
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
    if (!name_fits(name) || line_sum(line.p[0], name) != want)
        return;
    (void)!yb_str_copy(name, k->names[letter], sizeof(k->names[letter]));
    k->n = letter + 1 > k->n ? letter + 1 : k->n;
}

/* The file's lines; letters below `given` without one get their stand-in. */
static void
read_text(struct keywords *k, struct yb_str text, size_t given)
{
    struct yb_str line;

    *k = (struct keywords){ .n = 0 };
    while (yb_str_split(&text, '\n', &line))
        read_line(k, line);
    if (given > k->n)
        k->n = given < LETTERS ? given : LETTERS;
    for (size_t i = 0; i < k->n; i++) {
        if (k->names[i][0] == '\0')
            snprintf(k->names[i], sizeof(k->names[i]), "unknown-%c", (char)('a' + i));
    }
}

static int
read_file(const struct yb_mailbox *m, struct keywords *k, size_t given, struct yb_err *err)
{
    char *text = NULL;
    size_t n = 0;

    if (yb_sys_read_file(m->dir_fd, FILE_NAME, FILE_LIMIT, &text, &n) < 0 && errno != ENOENT)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "read " FILE_NAME);
    read_text(k, yb_str(text, n), given);
    yb_free(text);
    return 0;
}

static size_t
letters_given(struct yb_mailbox *m)
{
    struct yb_index_head head;

    return yb_mailbox_peek(m, &head) ? head.keywords : 0;
}

int
yb_mailbox_keywords(struct yb_mailbox *m, struct yb_arena *arena, struct yb_str names[26],
                    size_t *n, struct yb_err *err)
{
    struct keywords k;

    if (read_file(m, &k, letters_given(m), err) < 0)
        return -1;
    for (size_t i = 0; i < k.n; i++)
        names[i] = yb_arena_dup(arena, yb_str_from(k.names[i]));
    *n = k.n;
    return 0;
}

static size_t
find_name(const struct keywords *k, struct yb_str name)
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
    char line[NAME_BYTES + 40], c = (char)('a' + letter);
    bool torn = text.n > 0 && text.p[text.n - 1] != '\n';
    int n = snprintf(line, sizeof(line), "%s%c %.*s %016llx\n", torn ? "\n" : "", c,
                     YB_STR_ARG(name), (unsigned long long)line_sum(c, name));

    if (yb_sys_pwrite(fd, line, (size_t)n, (off_t)text.n) < 0)
        return -1;
    return yb_sys_fdatasync(fd);
}

/* Finds or makes the letter while the file is locked; *made tells how many letters there are now.
 */
static int
make_letter(struct yb_mailbox *m, int fd, struct yb_str name, size_t given, size_t *letter,
            size_t *count, struct yb_err *err)
{
    char *text = yb_alloc(FILE_LIMIT, 1);
    ssize_t n = yb_pread_full(fd, text, FILE_LIMIT, 0);
    struct keywords k;
    int rc = 0;

    if (n < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read " FILE_NAME);
    } else {
        read_text(&k, yb_str(text, (size_t)n), given);
        *letter = find_name(&k, name);
        *count = k.n;
        if (*letter == LETTERS || n == FILE_LIMIT)
            rc = yb_err_as(err, YB_ERR_LIMIT, YB_PERM, "5.2.0", "No more keywords in this mailbox");
        else if (*letter == k.n && (append_line(fd, yb_str(text, (size_t)n), *letter, name) < 0 ||
                                    (n == 0 && yb_sys_fsync(m->dir_fd) < 0)))
            rc = yb_err_sys(err, YB_TEMP, "4.3.0", "write " FILE_NAME);
        else if (*letter == k.n)
            *count = k.n + 1;
    }
    yb_free(text);
    return rc;
}

/* Tells all sessions by the head that there are more letters. */
static int
publish(struct yb_mailbox *m, size_t count, struct yb_err *err)
{
    int rc = 0;

    if (yb_account_lock(m->account, err) < 0)
        return -1;
    if (yb_mailbox_enter(m, err) < 0) {
        rc = -1;
    } else if (m->head.keywords < count) {
        m->head.keywords = (uint32_t)count;
        rc = yb_mailbox_write_head(m, err);
    }
    yb_account_unlock(m->account);
    return rc;
}

int
yb_mailbox_keyword(struct yb_mailbox *m, struct yb_str name, bool create, uint32_t *bit,
                   struct yb_err *err)
{
    struct keywords k;
    size_t letter, count = 0, given = letters_given(m);
    int fd, rc;

    *bit = 0;
    if (!name_fits(name))
        return yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "Not a keyword");
    if (read_file(m, &k, given, err) < 0)
        return -1;
    letter = find_name(&k, name);
    if (letter < k.n || !create) {
        *bit = letter < k.n ? 1u << letter : 0;
        return 0;
    }
    fd = yb_sys_open(m->dir_fd, FILE_NAME, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) /* the folder was removed */
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.2.0", "The mailbox does not exist");
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open " FILE_NAME);
        yb_sys_close(&fd);
        return rc;
    }
    rc = make_letter(m, fd, name, given, &letter, &count, err);
    close(fd);
    if (rc == 0)
        rc = publish(m, count, err);
    if (rc == 0)
        *bit = 1u << letter;
    return rc;
}

int
yb_keywords_mask(struct yb_mailbox *m, const struct yb_str *names, size_t n, uint32_t *mask,
                 struct yb_err *err)
{
    *mask = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bit;

        if (yb_mailbox_keyword(m, names[i], true, &bit, err) < 0)
            return -1;
        *mask |= bit;
    }
    return 0;
}

int
yb_keywords_cover(struct yb_mailbox *m, uint32_t used, struct yb_err *err)
{
    struct keywords k;
    size_t given = m->head.keywords;

    for (size_t i = 0; i < LETTERS; i++) {
        if ((used & 1u << i) != 0 && i + 1 > given)
            given = i + 1;
    }
    if (read_file(m, &k, given, err) < 0)
        return -1;
    m->head.keywords = (uint32_t)k.n;
    return 0;
}
