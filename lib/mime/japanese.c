#include "lib/mime/japanese.h"

#include "lib/mime/convert.h"

#define ESC 0x1b
#define SO 0x0e
#define SI 0x0f
#define SEQUENCE_MAX 4
#define TURNED 600 /* octets turned over to iconv at once: whole characters of two and of three */

/* What octets of seven bits are. */
enum set { SET_ASCII, SET_KATAKANA, SET_0208, SET_0212 };

struct yb_japanese {
    enum yb_japanese_kind kind;
    enum set set;
    bool shifted;                         /* behind SO: what would be ASCII is katakana */
    unsigned char sequence[SEQUENCE_MAX]; /* an escape sequence, or a character, that began */
    size_t n_sequence;

    struct yb_convert sjis; /* JIS X 0208; of YB_JAPANESE_JIS also what is in no set */
    struct yb_convert euc;  /* JIS X 0212 */
    struct yb_convert utf8; /* of YB_JAPANESE_UNNAMED: what is in no set */
    bool has_sjis, has_euc;
    char turned[TURNED]; /* characters of the set, as its conversion takes them */
    size_t n_turned;
    enum set turned_set; /* SET_0208 or SET_0212 */

    struct yb_buf *out; /* of the call under way */
    struct yb_err *err;
};

static const struct {
    struct yb_str text; /* behind ESC */
    enum set set;
} escapes[] = {
    { YB_STR_INIT("(B"), SET_ASCII },
    { YB_STR_INIT("(J"), SET_ASCII }, /* with yen for backslash: Windows reads it as ASCII, too */
    { YB_STR_INIT("(H"), SET_ASCII }, /* Swedish, an old mistake for (J */
    { YB_STR_INIT("(I"), SET_KATAKANA },
    { YB_STR_INIT("$@"), SET_0208 },
    { YB_STR_INIT("$B"), SET_0208 },
    { YB_STR_INIT("$(@"), SET_0208 },
    { YB_STR_INIT("$(B"), SET_0208 },
    { YB_STR_INIT("$(O"), SET_0208 },
    { YB_STR_INIT("$(Q"), SET_0208 },
    { YB_STR_INIT("$(D"), SET_0212 },
};

static int octet(struct yb_japanese *j, unsigned char c);

struct yb_japanese *
yb_japanese_open(enum yb_japanese_kind kind)
{
    struct yb_japanese *j = yb_alloc(1, sizeof(*j));

    j->kind = kind;
    (void)!yb_convert_open(&j->utf8, NULL); /* needs nothing */
    if (kind != YB_JAPANESE_UNNAMED)
        j->has_sjis = yb_convert_open(&j->sjis, "CP932") == 0;
    if (kind != YB_JAPANESE_UNNAMED && !j->has_sjis)
        yb_japanese_close(&j);
    return j;
}

void
yb_japanese_close(struct yb_japanese **j)
{
    if (*j == NULL)
        return;
    if ((*j)->has_sjis)
        yb_convert_close(&(*j)->sjis);
    if ((*j)->has_euc)
        yb_convert_close(&(*j)->euc);
    yb_convert_close(&(*j)->utf8);
    yb_free(*j);
    *j = NULL;
}

/* --- what goes out --- */

/* The conversion of octets that are in no set. */
static struct yb_convert *
plain(struct yb_japanese *j)
{
    return j->kind == YB_JAPANESE_JIS ? &j->sjis : &j->utf8;
}

/* The conversion of what was turned over; NULL when iconv has none here. */
static struct yb_convert *
set_convert(struct yb_japanese *j)
{
    if (j->turned_set == SET_0212) {
        if (!j->has_euc)
            j->has_euc = yb_convert_open(&j->euc, "EUC-JP-MS") == 0;
        j->euc.unit = 3;
        return j->has_euc ? &j->euc : NULL;
    }
    if (!j->has_sjis)
        j->has_sjis = yb_convert_open(&j->sjis, "CP932") == 0;
    j->sjis.unit = 2;
    return j->has_sjis ? &j->sjis : NULL;
}

/* What was turned over goes out. All of it is of one set. */
static int
flush(struct yb_japanese *j)
{
    struct yb_str in = yb_str(j->turned, j->n_turned);
    struct yb_convert *c;
    int rc;

    if (in.n == 0)
        return 0;
    j->n_turned = 0;
    c = set_convert(j);
    if (c == NULL)
        return yb_buf_append(j->out, YB_REPLACEMENT, j->err);
    rc = yb_convert_feed(c, in, j->out, j->err);
    c->unit = 1;
    return rc;
}

static int
put(struct yb_japanese *j, struct yb_str utf8)
{
    return flush(j) < 0 ? -1 : yb_buf_append(j->out, utf8, j->err);
}

/* Octets in no set. */
static int
put_plain(struct yb_japanese *j, struct yb_str in)
{
    return flush(j) < 0 ? -1 : yb_convert_feed(plain(j), in, j->out, j->err);
}

/* A set, or something that belongs to one, begins: what is in none is over. */
static int
end_plain(struct yb_japanese *j)
{
    return plain(j)->n_waiting == 0 ? 0 : yb_convert_end(plain(j), j->out, j->err);
}

/* U+FF61 and on; c from 0x21. */
static int
put_katakana(struct yb_japanese *j, unsigned c)
{
    unsigned u = 0xff61 + (c - 0x21);
    const char utf8[3] = { '\xef', (char)(0x80 | (u >> 6 & 0x3f)), (char)(0x80 | (u & 0x3f)) };

    return put(j, yb_str(utf8, 3));
}

/* A character of two octets of seven bits. */
static int
put_pair(struct yb_japanese *j, enum set set, unsigned a, unsigned b)
{
    if ((j->turned_set != set || j->n_turned == TURNED) && flush(j) < 0)
        return -1;
    j->turned_set = set;
    if (set == SET_0212) {
        j->turned[j->n_turned++] = '\x8f';
        j->turned[j->n_turned++] = (char)(a | 0x80);
        j->turned[j->n_turned++] = (char)(b | 0x80);
        return 0;
    }
    j->turned[j->n_turned++] = (char)((a - 0x21) / 2 + (a < 0x5f ? 0x81 : 0xc1));
    j->turned[j->n_turned++] = (char)(a % 2 == 0 ? b + 0x7e : b + (b < 0x60 ? 0x1f : 0x20));
    return 0;
}

/* --- what comes in --- */

static bool
is_lead(unsigned char c)
{
    return c > 0x20 && c < 0x7f;
}

/* What began is none: its first octet is replaced, or stays where it may, and the others are read
 * again. */
static int
sequence_give_up(struct yb_japanese *j)
{
    unsigned char again[SEQUENCE_MAX];
    size_t n = j->n_sequence;
    int rc;

    memcpy(again, j->sequence, n);
    j->n_sequence = 0;
    if (again[0] == ESC && j->kind == YB_JAPANESE_UNNAMED && j->set == SET_ASCII)
        rc = put_plain(j, YB_STR("\x1b"));
    else
        rc = end_plain(j) < 0 ? -1 : put(j, YB_REPLACEMENT);
    for (size_t i = 1; i < n && rc == 0; i++)
        rc = octet(j, again[i]);
    return rc;
}

static int
escape_octet(struct yb_japanese *j)
{
    struct yb_str have = yb_str((const char *)j->sequence + 1, j->n_sequence - 1);

    for (size_t i = 0; i < YB_COUNT(escapes); i++) {
        if (!yb_str_starts(escapes[i].text, have))
            continue;
        if (have.n < escapes[i].text.n)
            return 0; /* may become one */
        j->n_sequence = 0;
        j->set = escapes[i].set;
        j->shifted = false;
        return flush(j) < 0 ? -1 : end_plain(j);
    }
    return sequence_give_up(j);
}

/* The second octet of a character of a set. */
static int
set_octet(struct yb_japanese *j)
{
    if (!is_lead(j->sequence[1]))
        return sequence_give_up(j);
    j->n_sequence = 0;
    return put_pair(j, j->set, j->sequence[0], j->sequence[1]);
}

/* The second or third octet of a character of EUC-JP. */
static int
euc_octet(struct yb_japanese *j)
{
    unsigned char *s = j->sequence, last = s[j->n_sequence - 1];

    if (last < 0xa1 || last == 0xff || (s[0] == 0x8e && last > 0xdf))
        return sequence_give_up(j);
    if (s[0] == 0x8f && j->n_sequence == 2)
        return 0;
    j->n_sequence = 0;
    if (s[0] == 0x8e)
        return put_katakana(j, last & 0x7fu);
    if (s[0] == 0x8f)
        return put_pair(j, SET_0212, s[1] & 0x7fu, s[2] & 0x7fu);
    return put_pair(j, SET_0208, s[0] & 0x7fu, s[1] & 0x7fu);
}

/* The first octet of something in a set of seven bits. */
static int
first_octet(struct yb_japanese *j, unsigned char c)
{
    bool katakana = j->set == SET_KATAKANA || j->set == SET_ASCII; /* the latter behind SO */

    if (c >= 0xa1 && c <= 0xdf) /* eight bits */
        return put_katakana(j, c & 0x7fu);
    if (c >= 0x7f || (katakana && c > 0x5f))
        return put(j, YB_REPLACEMENT);
    if (c <= 0x20)
        return put(j, yb_str((const char[]){ (char)c }, 1));
    if (katakana)
        return put_katakana(j, c);
    j->sequence[j->n_sequence++] = c;
    return 0;
}

/* One octet, wherever it stands. */
static int
octet(struct yb_japanese *j, unsigned char c)
{
    if (j->n_sequence > 0) {
        j->sequence[j->n_sequence++] = c;
        return j->kind == YB_JAPANESE_EUC ? euc_octet(j)
               : j->sequence[0] == ESC    ? escape_octet(j)
                                          : set_octet(j);
    }
    if (j->kind == YB_JAPANESE_EUC) {
        if (c < 0x80)
            return put(j, yb_str((const char[]){ (char)c }, 1));
        if (c != 0x8e && c != 0x8f && (c < 0xa1 || c == 0xff))
            return put(j, YB_REPLACEMENT);
    } else if (j->kind == YB_JAPANESE_JIS && (c == SO || c == SI)) {
        j->shifted = c == SO;
        return end_plain(j);
    } else if (c != ESC) {
        if (j->set != SET_ASCII || j->shifted)
            return first_octet(j, c);
        return put_plain(j, yb_str((const char[]){ (char)c }, 1));
    }
    j->sequence[j->n_sequence++] = c;
    return 0;
}

/* How many octets of `in` are in no set, to be taken as they are. */
static size_t
plain_run(const struct yb_japanese *j, struct yb_str in)
{
    size_t n = 0;

    if (j->n_sequence > 0 || j->set != SET_ASCII || j->shifted)
        return 0;
    if (j->kind == YB_JAPANESE_EUC)
        return yb_ascii_run(in);
    if (j->kind == YB_JAPANESE_UNNAMED)
        return yb_str_find(in, ESC);
    while (n < in.n && in.p[n] != ESC && in.p[n] != SO && in.p[n] != SI)
        n++;
    return n;
}

int
yb_japanese_feed(struct yb_japanese *j, struct yb_str in, struct yb_buf *out, struct yb_err *err)
{
    j->out = out;
    j->err = err;
    while (in.n > 0) {
        size_t n = plain_run(j, in);

        if (n > 0 ? put_plain(j, yb_str_head(in, n)) < 0 : octet(j, (unsigned char)in.p[0]) < 0)
            return -1;
        in = yb_str_skip(in, n > 0 ? n : 1);
    }
    return flush(j);
}

int
yb_japanese_end(struct yb_japanese *j, struct yb_buf *out, struct yb_err *err)
{
    j->out = out;
    j->err = err;
    while (j->n_sequence > 0) {
        if (sequence_give_up(j) < 0)
            return -1;
    }
    j->set = SET_ASCII;
    j->shifted = false;
    return flush(j) < 0 || end_plain(j) < 0 ? -1 : 0;
}

bool
yb_japanese_escapes(struct yb_str text)
{
    size_t n;

    while ((n = yb_str_find(text, ESC)) < text.n) {
        text = yb_str_skip(text, n + 1);
        for (size_t i = 0; i < YB_COUNT(escapes); i++) {
            if (escapes[i].set != SET_ASCII && yb_str_starts(text, escapes[i].text))
                return true;
        }
    }
    return false;
}
