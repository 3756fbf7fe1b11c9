#include "lib/store/keywordfile.h"

#include "lib/base/io.h"
#include "lib/store/sum.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST "yubin-keywords 2"
#define SET_LOST "unknown-set-"
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

/* --- in memory --- */

/* Keywords are the same in any case (RFC 3501 §2.3.2). */
static struct yb_str
fold(struct yb_str name, char room[YB_KEYWORD_BYTES])
{
    yb_lower_bytes(room, name.p, name.n);
    return yb_str(room, name.n);
}

static void *
as_value(size_t number)
{
    return (void *)(uintptr_t)(number + 1);
}

static struct yb_keywords *
keywords_new(void)
{
    struct yb_keywords *k = yb_alloc(1, sizeof(*k));

    atomic_init(&k->refs, 1);
    k->arena = yb_arena_new(4096);
    k->names = yb_alloc(YB_KEYWORDS_MOST, sizeof(*k->names));
    k->by_name = yb_map_new();
    k->by_members = yb_map_new();
    return k;
}

/* Who has it in common changes nothing but the count. */
static struct yb_keywords *
counted(const struct yb_keywords *k)
{
    return (struct yb_keywords *)(uintptr_t)k;
}

const struct yb_keywords *
yb_keywords_ref(const struct yb_keywords *k)
{
    atomic_fetch_add(&counted(k)->refs, 1);
    return k;
}

void
yb_keywords_release(const struct yb_keywords **keywords)
{
    struct yb_keywords *k = counted(*keywords);

    *keywords = NULL;
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    yb_arena_free(&k->arena);
    yb_map_free(&k->by_name);
    yb_map_free(&k->by_members);
    yb_free(k->names);
    yb_free(k->sets);
    yb_free(k);
}

static void
name_put(struct yb_keywords *k, size_t number, struct yb_str name)
{
    char room[YB_KEYWORD_BYTES];
    struct yb_str key = fold(name, room);

    k->n_named += k->names[number].n == 0;
    k->names[number] = yb_arena_dup(k->arena, name);
    if (number >= k->n)
        k->n = number + 1;
    if (yb_map_get(k->by_name, key) == NULL) /* of two with one name the first is meant */
        yb_map_put(k->by_name, key, as_value(number));
    k->version = (uint32_t)yb_sum_with(name.p, name.n, k->version + number);
}

static struct yb_str
members_key(const uint16_t *v, size_t n)
{
    return yb_str((const char *)v, n * sizeof(*v));
}

static const struct yb_keyword_set *
set_put(struct yb_keywords *k, uint32_t number, const uint16_t *v, size_t n)
{
    uint16_t *own = yb_arena_alloc(k->arena, n, sizeof(*own));

    if (k->n_sets == k->sets_room) {
        k->sets_room = k->sets_room * 2 + 16;
        k->sets = yb_realloc(k->sets, k->sets_room, sizeof(*k->sets));
    }
    memcpy(own, v, n * sizeof(*own));
    k->sets[k->n_sets] = (struct yb_keyword_set){ number, (uint32_t)n, own };
    yb_map_put(k->by_members, members_key(own, n), as_value(number));
    return &k->sets[k->n_sets++];
}

const struct yb_keyword_set *
yb_keywords_set(const struct yb_keywords *k, uint32_t number)
{
    size_t low = 0, high = k->n_sets;

    while (low < high) {
        size_t at = low + (high - low) / 2;

        if (k->sets[at].number < number)
            low = at + 1;
        else
            high = at;
    }
    return low < k->n_sets && k->sets[low].number == number ? &k->sets[low] : NULL;
}

/* The members of a set: bits from 26 on. */
static size_t
members_of(const struct yb_keyword_bits *bits, uint16_t v[YB_KEYWORDS_MOST])
{
    size_t n = 0;

    for (size_t i = YB_LETTERS; i < YB_KEYWORDS_MOST; i++) {
        if (yb_keyword_bit(bits, i))
            v[n++] = (uint16_t)i;
    }
    return n;
}

const struct yb_keyword_set *
yb_keywords_set_of(const struct yb_keywords *k, const struct yb_keyword_bits *bits)
{
    uint16_t v[YB_KEYWORDS_MOST];
    size_t n = members_of(bits, v);
    uintptr_t found = (uintptr_t)yb_map_get(k->by_members, members_key(v, n));

    return found == 0 ? NULL : yb_keywords_set(k, (uint32_t)(found - 1));
}

/* --- what who shows keywords wants to know --- */

uint32_t
yb_keywords_version(const struct yb_keywords *k)
{
    return k->version;
}

bool
yb_keywords_full(const struct yb_keywords *k)
{
    return k->n_named >= YB_KEYWORDS_MOST;
}

size_t
yb_keywords_octets(const struct yb_keywords *k)
{
    size_t octets = 0;

    for (size_t i = 0; i < k->n; i++)
        octets += k->names[i].n > 0 ? k->names[i].n + 1 : 0;
    return octets;
}

bool
yb_keywords_next(const struct yb_keywords *k, size_t *at, struct yb_str *name)
{
    while (*at < k->n) {
        *name = k->names[(*at)++];
        if (name->n > 0)
            return true;
    }
    return false;
}

/* Stand-ins that no line has: numbers above all others. */
#define LOST_SETS ((uint64_t)1 << 32)
#define UNKNOWN "unknown-"

uint64_t
yb_keywords_find(const struct yb_keywords *k, struct yb_str name)
{
    char room[YB_KEYWORD_BYTES];
    struct yb_str digits;
    uintptr_t found;
    uint64_t number;

    if (name.n == 0 || name.n > YB_KEYWORD_BYTES)
        return YB_KEYWORD_NONE;
    found = (uintptr_t)yb_map_get(k->by_name, fold(name, room));
    if (found != 0)
        return found - 1;
    name = fold(name, room);
    digits = yb_str_skip(name, strlen(SET_LOST));
    if (yb_str_starts(name, YB_STR(SET_LOST)) && yb_str_u64(digits, UINT32_MAX, &number) &&
        yb_keywords_set(k, (uint32_t)number) == NULL)
        return LOST_SETS + number;
    digits = yb_str_skip(name, strlen(UNKNOWN));
    if (yb_str_starts(name, YB_STR(UNKNOWN)) && yb_str_u64(digits, YB_KEYWORDS_MOST - 1, &number) &&
        number >= YB_LETTERS && k->names[number].n == 0)
        return number;
    return YB_KEYWORD_NONE;
}

static bool
set_has(const struct yb_keyword_set *s, uint64_t number)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t at = low + (high - low) / 2;

        if (s->v[at] < number)
            low = at + 1;
        else
            high = at;
    }
    return low < s->n && s->v[low] == number;
}

bool
yb_keywords_has(const struct yb_keywords *k, const struct yb_record *r, uint64_t number)
{
    const struct yb_keyword_set *s;

    if (number < YB_LETTERS)
        return (r->keywords >> number & 1) != 0;
    if (r->keyword_set == 0 || number == YB_KEYWORD_NONE)
        return false;
    s = yb_keywords_set(k, r->keyword_set);
    return s == NULL ? number == LOST_SETS + r->keyword_set : set_has(s, number);
}

/* The name of a number that has one, or its stand-in. */
static struct yb_str
name_of(const struct yb_keywords *k, size_t number, char room[YB_KEYWORD_TEXT])
{
    int n;

    if (number < k->n && k->names[number].n > 0)
        return k->names[number];
    n = number < YB_LETTERS ? snprintf(room, YB_KEYWORD_TEXT, UNKNOWN "%c", (char)('a' + number))
                            : snprintf(room, YB_KEYWORD_TEXT, UNKNOWN "%zu", number);
    return yb_str(room, (size_t)n);
}

bool
yb_keywords_of(const struct yb_keywords *k, const struct yb_record *r, size_t *at,
               char room[YB_KEYWORD_TEXT], struct yb_str *name)
{
    const struct yb_keyword_set *s;

    for (; *at < YB_LETTERS; (*at)++) {
        if ((r->keywords >> *at & 1) != 0) {
            *name = name_of(k, (*at)++, room);
            return true;
        }
    }
    if (r->keyword_set == 0)
        return false;
    s = yb_keywords_set(k, r->keyword_set);
    if (*at - YB_LETTERS >= (s == NULL ? 1 : s->n))
        return false;
    if (s == NULL)
        *name =
            yb_str(room, (size_t)snprintf(room, YB_KEYWORD_TEXT, SET_LOST "%u", r->keyword_set));
    else
        *name = name_of(k, s->v[*at - YB_LETTERS], room);
    (*at)++;
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
    name_put(k, (size_t)(line.p[0] - 'a'), name);
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
    set_put(k, (uint32_t)number, v, n);
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
    name_put(k, number, yb_str_skip(s, 1));
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
    struct yb_keywords *k = keywords_new();
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
        if ((letters >> i & 1) != 0 && k->names[i].n == 0) {
            name_put(k, i, name_of(k, i, room));
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

    name_put(k, number, name);
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
    size_t n = members_of(bits, v), from = yb_buf_size(lines);

    yb_buf_add(lines, YB_STR("K="));
    yb_buf_add_u64(lines, number);
    for (size_t i = 0; i < n; i++) {
        yb_buf_add_c(lines, i == 0 ? ' ' : ',');
        yb_buf_add_u64(lines, v[i]);
    }
    line_end(lines, from);
    return set_put(k, number, v, n);
}
