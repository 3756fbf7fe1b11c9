/*
 * The configuration file: any bytes give either a configuration, which shown and read again shows
 * the same, or errors; never both, never neither.
 */
#include "lib/daemon/common_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct yb_conf_table *const tables[] = { &yb_common_conf_table };

static struct yb_buf *
shown(const char *text)
{
    struct yb_conf_source *s = yb_conf_source_text("x.conf", text);
    struct yb_buf *out = NULL;
    struct yb_conf_errors e;
    struct yb_conf *c;

    yb_conf_errors_init(&e);
    c = yb_conf_build(s, tables, 1, &e);
    yb_assert((c == NULL) == (e.n > 0));
    if (c != NULL) {
        out = yb_buf_new(1u << 20);
        yb_conf_show(c, true, out);
    }
    yb_conf_free(&c);
    yb_conf_errors_free(&e);
    yb_conf_source_free(&s);
    return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = yb_dup((const char *)data, size);
    struct yb_buf *first = shown(text), *second;

    yb_free(text);
    if (first != NULL) {
        text = yb_dup(yb_buf_view(first).p, yb_buf_size(first));
        second = shown(text);
        yb_assert(second != NULL && yb_str_eq(yb_buf_view(first), yb_buf_view(second)));
        yb_buf_free(&second);
        yb_free(text);
    }
    yb_buf_free(&first);
    return 0;
}
