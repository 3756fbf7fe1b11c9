#include "lib/store/keywordfile.h"

#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST "yubin-keywords 2"
#define SUM_TEXT 17 /* a space and 16 hex digits */

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

/* --- reading --- */

/* Cuts the checksum off a line; false when it is not that of the rest. */
static bool
line_checked(struct yb_str *line)
{
    uint8_t sum[8];
    uint64_t want = 0;

    if (line->n <= SUM_TEXT || line->p[line->n - SUM_TEXT] != ' ' ||
        !yb_unhex(yb_str_skip(*line, line->n - SUM_TEXT + 1), sum, sizeof(sum)))
        return false;
    for (size_t i = 0; i < sizeof(sum); i++)
        want = want << 8 | sum[i];
    *line = yb_str_head(*line, line->n - SUM_TEXT);
    return yb_sum(line->p, line->n) == want;
}

/* The first form: "a name <sum of both>", without a first line. */
static bool
read_old_line(struct yb_keywords *k, struct yb_str line)
{
    struct yb_str name = yb_str_skip(line, 2);
    size_t space = yb_str_rfind(name, ' ');
    char block[112] = "";
    uint8_t sum[8];
    uint64_t want = 0;

    if (line.n < 2 || line.p[0] < 'a' || line.p[0] > 'z' || line.p[1] != ' ' ||
        !yb_unhex(yb_str_skip(name, space + 1), sum, sizeof(sum)))
        return false;
    name = yb_str_head(name, space);
    for (size_t i = 0; i < sizeof(sum); i++)
        want = want << 8 | sum[i];
    if (!yb_keywordfile_fits(name))
        return false;
    block[0] = line.p[0];
    memcpy(block + 1, name.p, name.n);
    if (yb_sum_old(block, sizeof(block)) != want)
        return false;
    yb_keywords_put_name(k, (size_t)(line.p[0] - 'a'), name);
    return true;
}

static bool
take_number(struct yb_str *s, uint64_t max, uint64_t *out)
{
    size_t n = 0;

    while (n < s->n && n < 11 && yb_is_digit(s->p[n]))
        n++;
    if (!yb_str_u64(yb_str_head(*s, n), max, out))
        return false;
    *s = yb_str_skip(*s, n);
    return true;
}

/* "K=7 26,31" */
static bool
read_set(struct yb_keywords *k, struct yb_str s)
{
    uint16_t v[YB_KEYWORDS_MOST];
    uint64_t number, member, last = YB_LETTERS - 1;
    size_t n = 0;

    s = yb_str_skip(s, 2);
    if (!take_number(&s, UINT32_MAX, &number) || number == 0 || s.n == 0 || s.p[0] != ' ' ||
        k->n_sets >= YB_KEYWORD_SETS_MOST)
        return false;
    do {
        s = yb_str_skip(s, 1);
        if (!take_number(&s, YB_KEYWORDS_MOST - 1, &member) || member <= last)
            return false;
        v[n++] = (uint16_t)member;
        last = member;
    } while (s.n > 0 && s.p[0] == ',');
    if (s.n > 0)
        return false;
    yb_keywords_put_set(k, (uint32_t)number, v, n);
    return true;
}

static bool
read_name(struct yb_keywords *k, struct yb_str s)
{
    uint64_t number;

    if (s.p[0] >= 'a' && s.p[0] <= 'z') {
        number = (uint64_t)(s.p[0] - 'a');
        s = yb_str_skip(s, 1);
    } else if (!take_number(&s, YB_KEYWORDS_MOST - 1, &number) || number < YB_LETTERS) {
        return false;
    }
    if (s.n == 0 || s.p[0] != ' ' || !yb_keywordfile_fits(yb_str_skip(s, 1)))
        return false;
    yb_keywords_put_name(k, number, yb_str_skip(s, 1));
    return true;
}

static bool
read_line(struct yb_keywords *k, struct yb_str line)
{
    if (!line_checked(&line))
        return false;
    if (yb_str_starts(line, YB_STR("K=")))
        return read_set(k, line);
    return yb_str_eq(line, YB_STR(FIRST)) || read_name(k, line);
}

static int
set_order(const void *x, const void *y)
{
    const struct yb_keyword_set *a = x, *b = y;

    return a->number < b->number ? -1 : a->number > b->number;
}

/* By number, each once: the last line of a number is the one that counts for nobody else either. */
static void
sets_order(struct yb_keywords *k)
{
    size_t kept = 0;

    if (k->n_sets > 1)
        qsort(k->sets, k->n_sets, sizeof(*k->sets), set_order);
    for (size_t i = 0; i < k->n_sets; i++) {
        if (kept == 0 || k->sets[kept - 1].number != k->sets[i].number)
            k->sets[kept++] = k->sets[i];
        else
            k->broken++;
    }
    k->n_sets = kept;
}

struct yb_keywords *
yb_keywordfile_parse(struct yb_str text, uint32_t letters)
{
    struct yb_keywords *k = yb_keywords_new();
    struct yb_str line;
    char room[YB_KEYWORD_TEXT];

    k->size = text.n;
    k->letters = letters;
    k->torn = text.n > 0 && text.p[text.n - 1] != '\n';
    k->old = text.n > 0 && !yb_str_starts(text, YB_STR(FIRST));
    while (yb_str_split(&text, '\n', &line)) {
        /* A first line that is torn makes no file of the first form: lines tell it themselves. */
        if (line.n > 0 && !read_line(k, line) && !(k->old && read_old_line(k, line)))
            k->broken++;
    }
    sets_order(k);
    for (size_t i = 0; i < YB_LETTERS; i++) {
        if ((letters >> i & 1) != 0 && yb_keywords_named(k, i).n == 0) {
            yb_keywords_put_name(k, i, yb_keywords_name(k, i, room));
            k->broken++;
        }
    }
    return k;
}

bool
yb_keywords_current(const struct yb_keywords *k, int dir_fd, uint32_t letters)
{
    struct stat st;

    if (k->letters != letters)
        return false;
    if (fstatat(dir_fd, YB_KEYWORDS_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT && k->ino == 0;
    return k->ino == (uint64_t)st.st_ino && k->size == (uint64_t)st.st_size &&
           k->mtime == (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

int
yb_keywordfile_read(int dir_fd, uint32_t letters, struct yb_keywords **k, struct yb_err *err)
{
    int fd = yb_sys_open(dir_fd, YB_KEYWORDS_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), rc = 0;
    struct stat st;
    char *text = NULL;
    ssize_t n = 0;

    *k = NULL;
    if (fd < 0 && errno == ENOENT) {
        *k = yb_keywordfile_parse(yb_str("", 0), letters);
        return 0;
    }
    errno = fd < 0 ? errno : EISDIR;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_KEYWORDS_FILE);
        yb_sys_close(&fd);
        return rc;
    }
    n = (uint64_t)st.st_size < YB_KEYWORD_FILE_MOST ? (ssize_t)st.st_size
                                                    : (ssize_t)YB_KEYWORD_FILE_MOST;
    text = yb_alloc((size_t)n + 1, 1);
    n = yb_pread_full(fd, text, (size_t)n, 0);
    if (n < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "read " YB_KEYWORDS_FILE);
    } else {
        *k = yb_keywordfile_parse(yb_str(text, (size_t)n), letters);
        (*k)->size = (uint64_t)st.st_size; /* all that is behind the bound counts as broken */
        (*k)->broken += (uint64_t)st.st_size > (uint64_t)n;
        (*k)->ino = (uint64_t)st.st_ino;
        (*k)->mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
    yb_free(text);
    close(fd);
    return rc;
}

/* --- writing --- */

/* Ends a line that began at `from` with its checksum. */
static void
line_end(struct yb_buf *lines, size_t from)
{
    struct yb_str line = yb_str_skip(yb_buf_view(lines), from);

    yb_buf_printf(lines, " %016llx\n", (unsigned long long)yb_sum(line.p, line.n));
}

void
yb_keywordfile_begin(struct yb_buf *lines)
{
    yb_buf_add(lines, YB_STR(FIRST));
    line_end(lines, 0);
}

void
yb_keywords_add_name(struct yb_keywords *k, size_t number, struct yb_str name, struct yb_buf *lines)
{
    size_t from = yb_buf_size(lines);

    yb_keywords_put_name(k, number, name);
    if (number < YB_LETTERS)
        yb_buf_add_c(lines, (char)('a' + number));
    else
        yb_buf_add_u64(lines, number);
    yb_buf_add_c(lines, ' ');
    yb_buf_add(lines, name);
    line_end(lines, from);
}

const struct yb_keyword_set *
yb_keywords_add_set(struct yb_keywords *k, uint32_t number, const struct yb_keyword_bits *bits,
                    struct yb_buf *lines)
{
    uint16_t v[YB_KEYWORDS_MOST];
    size_t n = yb_keywords_members(bits, v), from = yb_buf_size(lines);

    yb_buf_add(lines, YB_STR("K="));
    yb_buf_add_u64(lines, number);
    for (size_t i = 0; i < n; i++) {
        yb_buf_add_c(lines, i == 0 ? ' ' : ',');
        yb_buf_add_u64(lines, v[i]);
    }
    line_end(lines, from);
    return yb_keywords_put_set(k, number, v, n);
}
