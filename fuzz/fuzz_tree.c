/*
 * The MIME tree: offsets lie inside the message and inside the parent, siblings do not overlap,
 * lines are as many as there are, IMAP's paths lead to every part, and the header alone gives the
 * same root.
 */
#include "lib/mime/content.h"
#include "lib/mime/envelope.h"
#include "lib/mime/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATHS 32 /* parts at the beginning, and about as many of the others, whose path is tried */

static uint64_t
count_lines(struct yb_str message, uint64_t from, uint64_t to)
{
    uint64_t n = 0;

    for (uint64_t i = from; i < to; i++)
        n += message.p[i] == '\n';
    return n + (to > from && message.p[to - 1] != '\n');
}

static void
check_part(const struct yb_mime_tree *t, uint32_t index, struct yb_str message)
{
    const struct yb_mime_part *part = &t->parts[index];
    uint64_t at = part->body;
    size_t children = 0;

    yb_assert(part->header <= part->body && part->body <= part->end && part->end <= message.n);
    yb_assert(part->lines == count_lines(message, part->body, part->end));
    yb_assert(part->type.n > 0 && part->subtype.n > 0);
    for (uint32_t c = part->first_child; c != YB_MIME_NO_PART; c = t->parts[c].next) {
        yb_assert(c > index && c < t->n && t->parts[c].parent == index);
        yb_assert(t->parts[c].header >= at && t->parts[c].end <= part->end);
        at = t->parts[c].end;
        children++;
    }
    yb_assert(part->kind != YB_MIME_LEAF || children == 0);
    yb_assert(part->kind != YB_MIME_MESSAGE || children == 1);
    yb_assert(part->kind != YB_MIME_MULTIPART || children > 0);
    yb_assert(part->kept.n <= 3 * (part->body - part->header)); /* line ends are CRLF there */
}

/* Read in two pieces, and octet by octet, it is the same. */
static void
check_pieces(const struct yb_mime_tree *t, struct yb_str message, size_t cut,
             struct yb_arena *arena)
{
    struct yb_mime_reader *r = yb_mime_reader_new(arena);
    struct yb_mime_tree again;

    yb_mime_reader_feed(r, yb_str_head(message, cut));
    message = yb_str_skip(message, cut);
    for (; cut == 0 && message.n > 0; message = yb_str_skip(message, 1))
        yb_mime_reader_feed(r, yb_str_head(message, 1));
    yb_mime_reader_feed(r, message);
    yb_mime_reader_end(&r, &again);
    yb_assert(again.n == t->n && again.limited == t->limited && again.dropped == t->dropped);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct yb_mime_part *a = &t->parts[i], *b = &again.parts[i];

        yb_assert(a->header == b->header && a->body == b->body && a->end == b->end);
        yb_assert(a->lines == b->lines && a->parent == b->parent && a->next == b->next);
        yb_assert(a->first_child == b->first_child && a->kind == b->kind);
        yb_assert(a->opaque == b->opaque && yb_str_eq(a->kept, b->kept));
        yb_assert(yb_str_eq(a->type, b->type) && yb_str_eq(a->subtype, b->subtype));
    }
}

/* The path of a part, root last in the loop; 0 for what has none (a message itself). */
static size_t
part_path(const struct yb_mime_tree *t, uint32_t index, uint32_t *path)
{
    uint32_t turned[YB_MIME_DEPTH_MAX + 2];
    size_t n = 0;
    bool message = t->parts[index].parent == YB_MIME_NO_PART ||
                   t->parts[t->parts[index].parent].kind == YB_MIME_MESSAGE;

    if (message && t->parts[index].kind == YB_MIME_MULTIPART)
        return 0;
    if (message)
        turned[n++] = 1;
    for (uint32_t p; (p = t->parts[index].parent) != YB_MIME_NO_PART; index = p) {
        uint32_t k = 1;

        if (t->parts[p].kind == YB_MIME_MESSAGE) {
            /* the message in a message has no number; what contains it, if a message itself, is 1
             */
            uint32_t up = t->parts[p].parent;

            if (up == YB_MIME_NO_PART || t->parts[up].kind == YB_MIME_MESSAGE)
                turned[n++] = 1;
            continue;
        }
        for (uint32_t c = t->parts[p].first_child; c != index; c = t->parts[c].next)
            k++;
        turned[n++] = k;
    }
    for (size_t i = 0; i < n; i++)
        path[i] = turned[n - 1 - i];
    return n;
}

static void
check_path(const struct yb_mime_tree *t, uint32_t index)
{
    uint32_t path[YB_MIME_DEPTH_MAX + 2];
    size_t n = part_path(t, index, path);
    uint64_t start, end;

    if (n == 0)
        return;
    yb_assert(yb_mime_find(t, path, n) == index);
    yb_assert(yb_mime_section_find(t, path, n, YB_MIME_SECTION_BODY, &start, &end));
    yb_assert(start == t->parts[index].body && end == t->parts[index].end);
    yb_assert(yb_mime_section_find(t, path, n, YB_MIME_SECTION_MIME, &start, &end));
    yb_assert(start == t->parts[index].header && end == t->parts[index].body);
    yb_assert(yb_mime_section_find(t, path, n, YB_MIME_SECTION_TEXT, &start, &end) ==
              (t->parts[index].kind == YB_MIME_MESSAGE));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str message = yb_str((const char *)data, size);
    struct yb_arena *arena = yb_arena_new(16384);
    struct yb_mime_tree t, head;
    struct yb_mime_content content;
    struct yb_mime_envelope envelope;

    yb_mime_tree_parse(message, arena, &t);
    yb_assert(t.n >= 1 && t.parts[0].header == 0 && t.parts[0].end == size);
    for (uint32_t i = 0; i < t.n; i++) {
        const struct yb_mime_part *part = &t.parts[i];

        check_part(&t, i, message);
        /* Of many parts, some: to walk to each is quadratic. */
        if (i < PATHS || i % (t.n / PATHS) == 0)
            check_path(&t, i);
        (void)!yb_mime_content_type(yb_mime_part_field(part, YB_MIME_TYPE), arena, &content);
        (void)!yb_mime_disposition(yb_mime_part_field(part, YB_MIME_DISPOSITION), arena, &content);
        (void)yb_mime_word(yb_mime_part_field(part, YB_MIME_ENCODING));
    }
    if (size <= 4096) /* octet by octet: dearer than all the rest */
        check_pieces(&t, message, 0, arena);
    check_pieces(&t, message, size == 0 ? 0 : data[size - 1] * size / 256, arena);
    yb_mime_envelope_parse(yb_str_head(message, (size_t)t.parts[0].body), arena, &envelope);
    yb_mime_tree_parse(yb_str_head(message, (size_t)t.parts[0].body), arena, &head);
    yb_assert(head.parts[0].body == t.parts[0].body && head.parts[0].kind == t.parts[0].kind);
    yb_arena_free(&arena);
    return 0;
}
