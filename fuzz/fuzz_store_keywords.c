/*
 * yubin-keywords: the first octet says whether each line gets its right checksum, and which letters are
 * in use. Whatever the lines say: names are found by their number and fit, letters in use have one, and
 * sets are ascending, with members that a record of that set has.
 */
#include "lib/store/keywordfile.h"
#include "lib/store/sum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct yb_buf *
with_sums(struct yb_str text)
{
    struct yb_buf *b = yb_buf_new(64 * (text.n + 2));
    struct yb_str line;

    while (yb_str_split(&text, '\n', &line)) {
        yb_buf_add(b, line);
        yb_buf_printf(b, " %016llx\n", (unsigned long long)yb_sum(line.p, line.n));
    }
    return b;
}

static void
check_sets(const struct yb_keywords *k)
{
    for (size_t i = 0; i < k->n_sets; i++) {
        const struct yb_keyword_set *s = &k->sets[i];
        struct yb_record r = { .keyword_set = s->number };

        yb_assert(s->number != 0 && s->n > 0 && (i == 0 || s[-1].number < s->number));
        yb_assert(yb_keywords_set(k, s->number) == s);
        for (size_t n = 0; n < s->n; n++) {
            yb_assert(s->v[n] >= YB_LETTERS && s->v[n] < YB_KEYWORDS_MOST);
            yb_assert(n == 0 || s->v[n - 1] < s->v[n]);
        }
        yb_assert(yb_keywords_has(k, &r, s->v[0]) && yb_keywords_has(k, &r, s->v[s->n - 1]));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str text = yb_str((const char *)data, size), name;
    struct yb_record all = { .keywords = YB_LETTER_BITS, .keyword_set = 7 };
    const struct yb_keywords *k;
    struct yb_buf *b = NULL;
    char room[YB_KEYWORD_TEXT];
    size_t at = 0, n = 0;
    uint32_t letters;

    if (size == 0)
        return 0;
    letters = data[0] >> 1;
    text = yb_str_skip(text, 1);
    if ((data[0] & 1) != 0) {
        b = with_sums(text);
        text = yb_buf_view(b);
    }
    k = yb_keywordfile_parse(text, letters);
    for (; yb_keywords_next(k, &at, &name); n++) {
        yb_assert(yb_keywordfile_fits(name));
        yb_assert(yb_keywords_find(k, name) < YB_KEYWORDS_MOST);
    }
    yb_assert(n == k->n_named && k->n_named <= YB_KEYWORDS_MOST);
    check_sets(k);
    for (at = 0, n = 0; yb_keywords_of(k, &all, &at, room, &name); n++)
        yb_assert(name.n > 0);
    yb_assert(n > YB_LETTERS);
    yb_keywords_release(&k);
    yb_buf_free(&b);
    return 0;
}
