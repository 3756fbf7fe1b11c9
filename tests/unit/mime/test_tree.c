/*
 * lib/mime/tree, envelope. With `--dump FILE ...` it prints the structure of messages
 * instead, for the comparison with Python's parser in test_tree_oracle.
 */
#include "lib/mime/content.h"
#include "lib/mime/tree.h"

#include "lib/base/buf.h"
#include "lib/base/io.h"
#include "lib/mime/envelope.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct yb_arena *arena;

static void
setup(void)
{
    arena = yb_arena_new(4096);
}

static void
teardown(void)
{
    yb_arena_free(&arena);
}

static const char mixed[] = "From: a@b\r\n"                                  /* 0 */
                            "Content-Type: multipart/mixed; boundary=x\r\n"  /* 11 */
                            "\r\n"                                           /* 54 */
                            "preamble\r\n"                                   /* 56 */
                            "--x\r\n"                                        /* 66 */
                            "Content-Type: text/html; charset=\"utf-8\"\r\n" /* 71 */
                            "content-transfer-encoding: (c) base64\r\n"      /* 113 */
                            "\r\n"                                           /* 152 */
                            "one\r\n"                                        /* 154 */
                            "two\r\n"                                        /* 159 */
                            "--x\r\n"                                        /* 164 */
                            "Content-Type: message/rfc822\r\n"               /* 169 */
                            "\r\n"                                           /* 199 */
                            "Subject: in\r\n"                                /* 201 */
                            "\r\n"                                           /* 214 */
                            "three\r\n"                                      /* 216 */
                            "\r\n"                                           /* 223 */
                            "--x--\r\n"                                      /* 225 */
                            "epilogue\r\n";                                  /* 232, 242 */

START_TEST(test_offsets)
{
    /* clang-format off */
    static const struct { uint64_t header, body, end, lines; uint32_t parent; enum yb_mime_kind kind; } want[] = {
        {   0,  56, 242, 16, YB_MIME_NO_PART, YB_MIME_MULTIPART },
        {  71, 154, 162,  2, 0, YB_MIME_LEAF },
        { 169, 201, 223,  3, 0, YB_MIME_MESSAGE },
        { 201, 216, 223,  1, 2, YB_MIME_LEAF },
    };
    /* clang-format on */
    struct yb_mime_tree t;

    yb_mime_tree_parse(yb_str_from(mixed), arena, &t);
    ck_assert_uint_eq(t.n, YB_COUNT(want));
    for (size_t i = 0; i < t.n; i++) {
        const struct yb_mime_part *p = &t.parts[i];

        ck_assert_msg(p->header == want[i].header && p->body == want[i].body &&
                          p->end == want[i].end && p->lines == want[i].lines,
                      "part %zu: %d %d %d, %d lines", i, (int)p->header, (int)p->body, (int)p->end,
                      (int)p->lines);
        ck_assert(p->parent == want[i].parent && p->kind == want[i].kind && !p->opaque);
    }
    ck_assert(!t.limited);
    ck_assert(yb_mime_type_is(&t.parts[1], "TEXT", "html"));
    ck_assert(yb_mime_type_is(&t.parts[3], "text", "plain"));
    ck_assert(yb_str_eq(yb_mime_word(yb_mime_part_field(&t.parts[1], YB_MIME_ENCODING)),
                        YB_STR("base64")));
    ck_assert_ptr_null(yb_mime_part_field(&t.parts[1], YB_MIME_ID).p);
}
END_TEST

/* clang-format off */
static const struct {
    const char *name;
    uint32_t path[4];
    size_t n;
    enum yb_mime_section section;
    int start, end;             /* -1: no such section */
} sections[] = {
    { "BODY[]",          { 0 },          0, YB_MIME_SECTION_BODY,     0, 242 },
    { "BODY[HEADER]",    { 0 },          0, YB_MIME_SECTION_HEADER,   0,  56 },
    { "BODY[TEXT]",      { 0 },          0, YB_MIME_SECTION_TEXT,    56, 242 },
    { "BODY[MIME]",      { 0 },          0, YB_MIME_SECTION_MIME,    -1,  -1 },
    { "BODY[1]",         { 1 },          1, YB_MIME_SECTION_BODY,   154, 162 },
    { "BODY[1.MIME]",    { 1 },          1, YB_MIME_SECTION_MIME,    71, 154 },
    { "BODY[1.HEADER]",  { 1 },          1, YB_MIME_SECTION_HEADER,  -1,  -1 },
    { "BODY[1.TEXT]",    { 1 },          1, YB_MIME_SECTION_TEXT,    -1,  -1 },
    { "BODY[1.1]",       { 1, 1 },       2, YB_MIME_SECTION_BODY,    -1,  -1 },
    { "BODY[2]",         { 2 },          1, YB_MIME_SECTION_BODY,   201, 223 },
    { "BODY[2.MIME]",    { 2 },          1, YB_MIME_SECTION_MIME,   169, 201 },
    { "BODY[2.HEADER]",  { 2 },          1, YB_MIME_SECTION_HEADER, 201, 216 },
    { "BODY[2.TEXT]",    { 2 },          1, YB_MIME_SECTION_TEXT,   216, 223 },
    { "BODY[2.1]",       { 2, 1 },       2, YB_MIME_SECTION_BODY,   216, 223 },
    { "BODY[2.1.MIME]",  { 2, 1 },       2, YB_MIME_SECTION_MIME,   201, 216 },
    { "BODY[2.1.1]",     { 2, 1, 1 },    3, YB_MIME_SECTION_BODY,    -1,  -1 },
    { "BODY[2.2]",       { 2, 2 },       2, YB_MIME_SECTION_BODY,    -1,  -1 },
    { "BODY[3]",         { 3 },          1, YB_MIME_SECTION_BODY,    -1,  -1 },
    { "BODY[0]",         { 0 },          1, YB_MIME_SECTION_BODY,    -1,  -1 },
};
/* clang-format on */

START_TEST(test_sections)
{
    struct yb_mime_tree t;
    uint64_t start, end;
    bool ok;

    yb_mime_tree_parse(yb_str_from(mixed), arena, &t);
    ok = yb_mime_section_find(&t, sections[_i].path, sections[_i].n, sections[_i].section, &start,
                              &end);
    ck_assert_msg(ok == (sections[_i].start >= 0), "%s", sections[_i].name);
    ck_assert_msg(!ok || ((int)start == sections[_i].start && (int)end == sections[_i].end),
                  "%s: %d %d", sections[_i].name, (int)start, (int)end);
}
END_TEST

START_TEST(test_sections_plain)
{
    static const uint32_t one[] = { 1, 1 };
    struct yb_mime_tree t;
    uint64_t start, end;

    yb_mime_tree_parse(YB_STR("Subject: x\r\n\r\nbody"), arena, &t);
    ck_assert(yb_mime_section_find(&t, one, 1, YB_MIME_SECTION_BODY, &start, &end));
    ck_assert(start == 14 && end == 18 && t.parts[0].lines == 1);
    ck_assert(yb_mime_section_find(&t, one, 1, YB_MIME_SECTION_MIME, &start, &end));
    ck_assert(start == 0 && end == 14);
    ck_assert(!yb_mime_section_find(&t, one, 1, YB_MIME_SECTION_TEXT, &start, &end));
    ck_assert(!yb_mime_section_find(&t, one, 2, YB_MIME_SECTION_BODY, &start, &end));
    ck_assert_uint_eq(yb_mime_find(&t, one, 0), 0);
}
END_TEST

START_TEST(test_sections_message_root)
{
    static const uint32_t path[] = { 1, 1, 1 };
    struct yb_str message = YB_STR("Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody");
    struct yb_mime_tree t;
    uint64_t start, end;

    yb_mime_tree_parse(message, arena, &t);
    ck_assert(yb_mime_section_find(&t, path, 1, YB_MIME_SECTION_HEADER, &start, &end));
    ck_assert(start == 32 && end == 46);
    ck_assert(yb_mime_section_find(&t, path, 2, YB_MIME_SECTION_BODY, &start, &end));
    ck_assert(start == 46 && end == 50);
    ck_assert(!yb_mime_section_find(&t, path, 3, YB_MIME_SECTION_BODY, &start, &end));
}
END_TEST

/* A boundary used twice belongs to the innermost multipart that is open. */
START_TEST(test_same_boundary)
{
    struct yb_mime_tree t;

    yb_mime_tree_parse(YB_STR("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
                              "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n"
                              "--x--\r\n--x\r\n\r\ntwo\r\n--x--\r\n"),
                       arena, &t);
    ck_assert_uint_eq(t.n, 4);
    ck_assert(t.parts[2].parent == 1 && t.parts[3].parent == 0);
}
END_TEST

/* As many levels as you like: 100 are entered, memory and time stay small. */
START_TEST(test_nesting)
{
    struct yb_buf *b = yb_buf_new(1u << 20);
    struct yb_mime_tree t;

    for (int i = 0; i < 1000; i++)
        yb_buf_printf(b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    yb_mime_tree_parse(yb_buf_view(b), arena, &t);
    ck_assert_uint_eq(t.n, YB_MIME_DEPTH_MAX);
    ck_assert(t.limited && t.parts[t.n - 1].opaque);
    ck_assert(yb_mime_type_is(&t.parts[t.n - 1], "application", "octet-stream"));
    yb_buf_clear(b);
    for (int i = 0; i < 1000; i++)
        yb_buf_printf(b, "Content-Type: message/rfc822\r\n\r\n");
    yb_mime_tree_parse(yb_buf_view(b), arena, &t);
    ck_assert(t.n == YB_MIME_DEPTH_MAX && t.limited && t.parts[t.n - 1].opaque);
    yb_buf_free(&b);
}
END_TEST

START_TEST(test_many_parts)
{
    struct yb_buf *b = yb_buf_new(1u << 20);
    struct yb_mime_tree t;

    yb_buf_printf(b, "Content-Type: multipart/digest; boundary=x\r\n\r\n");
    for (int i = 0; i < 2 * YB_MIME_PARTS_MAX; i++)
        yb_buf_printf(b, "--x\r\n\r\n\r\n");
    yb_mime_tree_parse(yb_buf_view(b), arena, &t);
    ck_assert(t.n == YB_MIME_PARTS_MAX && t.limited);
    ck_assert_uint_eq(t.parts[0].end, yb_buf_size(b));
    yb_buf_free(&b);
}
END_TEST

static void
check_same(const struct yb_mime_tree *a, const struct yb_mime_tree *b, size_t piece)
{
    ck_assert_msg(a->n == b->n && a->limited == b->limited && a->dropped == b->dropped,
                  "pieces of %zu: %u and %u parts", piece, a->n, b->n);
    for (uint32_t i = 0; i < a->n; i++) {
        const struct yb_mime_part *p = &a->parts[i], *q = &b->parts[i];

        ck_assert_msg(p->header == q->header && p->body == q->body && p->end == q->end &&
                          p->lines == q->lines && p->kind == q->kind && p->parent == q->parent &&
                          p->first_child == q->first_child && p->next == q->next,
                      "pieces of %zu: part %u", piece, i);
        ck_assert(yb_str_eq(p->kept, q->kept) && yb_str_eq(p->type, q->type) &&
                  yb_str_eq(p->subtype, q->subtype));
    }
}

static void
read_in_pieces(struct yb_str message, size_t piece, struct yb_mime_tree *out)
{
    struct yb_mime_reader *r = yb_mime_reader_new(arena);

    for (; message.n > 0; message = yb_str_skip(message, piece))
        yb_mime_reader_feed(r, yb_str_head(message, piece));
    yb_mime_reader_end(&r, out);
    ck_assert_ptr_null(r);
}

/* The pieces never change the result: cut anywhere, in CRLF, in a boundary, in a field's name. */
START_TEST(test_pieces)
{
    static const char *const messages[] = {
        mixed,
        "",
        "Subject: no end",
        "Content-Type: multipart/mixed;\r\n boundary=\"b\"\r\n\r\n--b\r\n\r\n\r\n\r\n--b  "
        "\r\n\r\nx\r\r\n--b--",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nbare\n\n--b\nContent-Type: "
        "message/rfc822\n",
        "\r\n\r\nbody\r",
        "\r",
    };

    for (size_t i = 0; i < YB_COUNT(messages); i++) {
        struct yb_str message = yb_str_from(messages[i]);
        struct yb_mime_tree whole, again;

        yb_mime_tree_parse(message, arena, &whole);
        for (size_t piece = 1; piece <= message.n; piece++) {
            read_in_pieces(message, piece, &again);
            check_same(&whole, &again, piece);
        }
    }
}
END_TEST

/* Fields are kept up to a bound; one that goes beyond it is as if it were not there. */
START_TEST(test_fields_bound)
{
    struct yb_buf *b = yb_buf_new(YB_MIME_FIELDS_MAX * 3);
    struct yb_mime_tree t, again;
    struct yb_mime_envelope e;

    yb_buf_add(b, YB_STR("Subject: first\r\nTo: "));
    while (yb_buf_size(b) < YB_MIME_FIELDS_MAX - 100)
        yb_buf_add(b, YB_STR("a@b.example,\r\n "));
    yb_buf_add(b, YB_STR("c@d\r\nX-Not-Kept: "));
    for (size_t i = 0; i < YB_MIME_FIELDS_MAX; i++)
        yb_buf_add_c(b, 'x');
    yb_buf_add(b, YB_STR("\r\nCc: "));
    for (size_t i = 0; i < 200; i++)
        yb_buf_add_c(b, 'y');
    yb_buf_add(b, YB_STR("@b\r\nDate: fits\r\n\r\nbody"));
    yb_mime_tree_parse(yb_buf_view(b), arena, &t);
    ck_assert(t.dropped && t.n == 1 && t.parts[0].kept.n <= YB_MIME_FIELDS_MAX);
    yb_mime_envelope_parse(t.parts[0].kept, arena, &e);
    ck_assert(yb_str_eq(e.texts[YB_MIME_SUBJECT], YB_STR("first")));
    ck_assert(yb_str_eq(e.texts[YB_MIME_DATE], YB_STR("fits")));
    ck_assert_ptr_nonnull(e.lists[YB_MIME_TO]);
    ck_assert_ptr_null(e.lists[YB_MIME_CC]);
    read_in_pieces(yb_buf_view(b), 4096, &again);
    check_same(&t, &again, 4096);
    /* All of it in one field that is one line. */
    yb_buf_clear(b);
    yb_buf_add(b, YB_STR("Content-Type: text/html;x="));
    for (size_t i = 0; i < 2 * YB_MIME_FIELDS_MAX; i++)
        yb_buf_add_c(b, 'x');
    yb_buf_add(b, YB_STR("\r\nSubject: kept\r\n\r\n"));
    yb_mime_tree_parse(yb_buf_view(b), arena, &t);
    ck_assert(t.dropped && yb_mime_type_is(&t.parts[0], "text", "plain"));
    ck_assert(yb_str_eq(t.parts[0].kept, YB_STR("Subject: kept\r\n")));
    read_in_pieces(yb_buf_view(b), 1000, &again);
    check_same(&t, &again, 1000);
    yb_buf_free(&b);
}
END_TEST

/* Each part as kind, offsets of body and end, and lines: what a multipart without a part has. */
/* clang-format off */
static const struct { const char *message, *want; } standing_in[] = {
    { "Content-Type: multipart/mixed; boundary=z\r\n\r\nhello\r\n", "M45-52/1 L45-52/1" },
    { "Content-Type: multipart/mixed\r\n\r\nhello\r\nyou", "M33-43/2 L33-43/2" },
    { "Content-Type: multipart/mixed; boundary=z\r\n\r\nx\r\n--z--\r\n", "M45-55/2 L45-55/2" },
    { "Content-Type: multipart/mixed; boundary=z\r\n", "M43-43/0 L43-43/0" },
    { "Content-Type: multipart/a; boundary=z\n\n--z\nContent-Type: multipart/b\n\nin\n\n--z\n\nnext\n--z--\n",
      "M39-90/9 M70-73/1 L70-73/1 L79-83/1" },
    { "Content-Type: message/rfc822\n\nContent-Type: multipart/b; boundary=y\n\nin\n", "R30-72/3 M69-72/1 L69-72/1" },
    { "Content-Type: multipart/a; boundary*0=\"a\"; boundary*1=b\n\n--ab\n\nx\n--ab--\n", "M57-72/4 L63-64/1" },
    { "Content-Type: multipart/a; boundary*=us-ascii'en'a%20b\n\n--a b\n\nx\n--a b--\n", "M56-73/4 L63-64/1" },
    { "Content-Type: multipart/a; boundary*1*=%62; boundary*0*=''a\n\n--ab\n\nx\n--ab--\n", "M61-76/4 L67-68/1" },
};
/* clang-format on */

START_TEST(test_standing_in)
{
    struct yb_buf *b = yb_buf_new(1000);
    struct yb_mime_tree t, again;

    yb_mime_tree_parse(yb_str_from(standing_in[_i].message), arena, &t);
    for (uint32_t i = 0; i < t.n; i++) {
        const struct yb_mime_part *p = &t.parts[i];

        yb_buf_printf(b, "%s%c%u-%u/%u", i == 0 ? "" : " ", "LMR"[p->kind], (unsigned)p -> body,
                      (unsigned)p -> end, (unsigned)p -> lines);
    }
    ck_assert_msg(yb_str_eq(yb_buf_view(b), yb_str_from(standing_in[_i].want)), "%s gives %.*s",
                  standing_in[_i].message, YB_STR_ARG(yb_buf_view(b)));
    read_in_pieces(yb_str_from(standing_in[_i].message), 3, &again);
    check_same(&t, &again, 3);
    yb_buf_free(&b);
}
END_TEST

/* The last part that may be is a multipart: there is no room for one in it. */
START_TEST(test_no_standing_in)
{
    struct yb_buf *b = yb_buf_new(1u << 20);
    struct yb_mime_tree t;

    yb_buf_add(b, YB_STR("Content-Type: multipart/mixed; boundary=b\n\n"));
    for (size_t i = 0; i < YB_MIME_PARTS_MAX - 2; i++)
        yb_buf_add(b, YB_STR("--b\n\nx\n"));
    yb_buf_add(b, YB_STR("--b\nContent-Type: multipart/mixed\n\nx\n--b--\n"));
    yb_mime_tree_parse(yb_buf_view(b), arena, &t);
    ck_assert(t.n == YB_MIME_PARTS_MAX && t.limited);
    ck_assert(t.parts[t.n - 1].opaque && t.parts[t.n - 1].kind == YB_MIME_LEAF);
    ck_assert(yb_mime_type_is(&t.parts[t.n - 1], "application", "octet-stream"));
    yb_buf_free(&b);
}
END_TEST

/* A line that is too long for a boundary is none, whatever it begins with. */
START_TEST(test_long_boundary)
{
    struct yb_buf *b = yb_buf_new(100000);
    struct yb_mime_tree t, again;

    yb_buf_add(b, YB_STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b"));
    for (size_t i = 0; i < YB_MIME_LINE_MAX; i++)
        yb_buf_add_c(b, ' ');
    yb_buf_add(b, YB_STR("\r\ntwo\r\n--b--\r\n"));
    yb_mime_tree_parse(yb_buf_view(b), arena, &t);
    ck_assert_uint_eq(t.n, 2);
    ck_assert_uint_eq(t.parts[1].lines, 3);
    read_in_pieces(yb_buf_view(b), 7, &again);
    check_same(&t, &again, 7);
    yb_buf_free(&b);
}
END_TEST

START_TEST(test_envelope)
{
    struct yb_mime_envelope e;
    const struct yb_mime_address *a;

    yb_mime_envelope_parse(YB_STR("Subject: a\r\n folded\r\nsubject: second\r\nFrom: A <a@b>\r\n"
                                  "To: x@y\r\nDate:\r\nTo: z@y\r\nReply-To: \r\nSender: s@b\r\n\r\n"
                                  "Message-ID: <no@b>\r\n"),
                           arena, &e);
    ck_assert(yb_str_eq(e.texts[YB_MIME_SUBJECT], YB_STR("a folded")));
    ck_assert(e.texts[YB_MIME_DATE].p != NULL && e.texts[YB_MIME_DATE].n == 0);
    ck_assert_ptr_null(e.texts[YB_MIME_MESSAGE_ID].p);
    a = e.lists[YB_MIME_TO];
    ck_assert(yb_str_eq(a->local, YB_STR("x")) && yb_str_eq(a->next->local, YB_STR("z")));
    ck_assert_ptr_null(a->next->next);
    ck_assert_ptr_eq(e.lists[YB_MIME_REPLY_TO], e.lists[YB_MIME_FROM]);
    ck_assert(yb_str_eq(e.lists[YB_MIME_SENDER]->local, YB_STR("s")));
    ck_assert(e.lists[YB_MIME_CC] == NULL && e.lists[YB_MIME_BCC] == NULL);
}
END_TEST

/* A checksum both sides can compute. */
static uint32_t
sum(struct yb_str s)
{
    uint32_t v = 0;

    for (size_t i = 0; i < s.n; i++)
        v = v * 31 + (unsigned char)s.p[i];
    return v;
}

static void
dump_part(const struct yb_mime_tree *t, uint32_t index, int depth, struct yb_str message)
{
    const struct yb_mime_part *p = &t->parts[index];
    struct yb_str body = yb_str(message.p + p->body, (size_t)(p->end - p->body));
    char type[200];

    snprintf(type, sizeof(type), "%.*s/%.*s", YB_STR_ARG(p->type), YB_STR_ARG(p->subtype));
    for (char *c = type; *c != '\0'; c++)
        *c = yb_lower(*c);
    printf("%d %s", depth, type);
    if (p->kind == YB_MIME_LEAF)
        printf(" %zu %u", body.n, sum(body));
    printf("\n");
    for (uint32_t c = p->first_child; c != YB_MIME_NO_PART; c = t->parts[c].next)
        dump_part(t, c, depth + 1, message);
}

static int
dump_files(char **paths)
{
    for (; *paths != NULL; paths++) {
        struct yb_mime_tree t;
        struct yb_err err = { 0 };
        char *data;
        size_t size;

        if (yb_read_file(*paths, 1u << 24, &data, &size, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        arena = yb_arena_new(4096);
        yb_mime_tree_parse(yb_str(data, size), arena, &t);
        printf("%s\n", *paths);
        dump_part(&t, 0, 1, yb_str(data, size));
        yb_arena_free(&arena);
        yb_free(data);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    Suite *suite;
    TCase *tc;
    SRunner *runner;
    int failed;

    if (argc > 1 && strcmp(argv[1], "--dump") == 0)
        return dump_files(argv + 2);
    suite = suite_create("mime/tree");
    tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_offsets);
    tcase_add_loop_test(tc, test_sections, 0, YB_COUNT(sections));
    tcase_add_test(tc, test_sections_plain);
    tcase_add_test(tc, test_sections_message_root);
    tcase_add_test(tc, test_same_boundary);
    tcase_add_test(tc, test_nesting);
    tcase_add_test(tc, test_many_parts);
    tcase_add_test(tc, test_pieces);
    tcase_add_test(tc, test_fields_bound);
    tcase_add_loop_test(tc, test_standing_in, 0, YB_COUNT(standing_in));
    tcase_add_test(tc, test_no_standing_in);
    tcase_add_test(tc, test_long_boundary);
    tcase_add_test(tc, test_envelope);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
