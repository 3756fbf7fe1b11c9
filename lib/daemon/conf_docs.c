/* The option tables as reference, manual page and sample file. */
#include "lib/daemon/conf.h"
#include "lib/daemon/conf_value.h"

#include <stdio.h>

#define WRAP 96

/* "one of 1.2, 1.3" or "number, 2 to 1024". */
static void
type_text(const struct yb_conf_option *o, char *out, size_t size)
{
    char range[80];

    yb_conf_range_text(o, range, sizeof(range));
    if (o->type == YB_CONF_CHOICE)
        snprintf(out, size, "%s: %s", yb_conf_type_name(o->type), o->words);
    else if (range[0] != '\0' && o->type >= YB_CONF_LIST)
        snprintf(out, size, "%s (%s)", yb_conf_type_name(o->type), range);
    else if (range[0] != '\0')
        snprintf(out, size, "%s, %s", yb_conf_type_name(o->type), range);
    else
        snprintf(out, size, "%s", yb_conf_type_name(o->type));
}

void
yb_conf_docs_markdown(const struct yb_conf_table *const *tables, size_t n, struct yb_buf *out)
{
    char type[200];

    for (size_t i = 0; i < n; i++) {
        yb_buf_printf(out, "%s## [%s]\n\n%s\n\n", i > 0 ? "\n" : "", tables[i]->section,
                      tables[i]->title);
        yb_buf_add(out, YB_STR("| option | default | value | meaning |\n|---|---|---|---|\n"));
        for (size_t k = 0; k < tables[i]->n; k++) {
            const struct yb_conf_option *o = &tables[i]->options[k];

            type_text(o, type, sizeof(type));
            yb_buf_printf(out, "| `%s` | %s%s%s | %s | %s%s |\n", o->name, *o->def ? "`" : "",
                          *o->def ? o->def : "(empty)", *o->def ? "`" : "", type, o->prose,
                          o->at_start ? " *" : "");
        }
    }
}

/* Text in troff: a line must not begin with a dot or quote, backslashes and hyphens are meant. */
static void
man_text(struct yb_buf *out, const char *s)
{
    if (*s == '.' || *s == '\'')
        yb_buf_add(out, YB_STR("\\&"));
    for (; *s != '\0'; s++) {
        if (*s == '\\')
            yb_buf_add(out, YB_STR("\\e"));
        else if (*s == '-')
            yb_buf_add(out, YB_STR("\\-"));
        else
            yb_buf_add_c(out, *s);
    }
}

void
yb_conf_docs_man(const struct yb_conf_table *const *tables, size_t n, struct yb_buf *out)
{
    char type[200];

    for (size_t i = 0; i < n; i++) {
        yb_buf_printf(out, ".SS [%s]\n", tables[i]->section);
        man_text(out, tables[i]->title);
        yb_buf_add_c(out, '\n');
        for (size_t k = 0; k < tables[i]->n; k++) {
            const struct yb_conf_option *o = &tables[i]->options[k];

            type_text(o, type, sizeof(type));
            yb_buf_add(out, YB_STR(".TP\n.BR "));
            man_text(out, o->name);
            yb_buf_add(out, YB_STR(" \" = "));
            man_text(out, o->def);
            yb_buf_add(out, YB_STR("\"\n"));
            man_text(out, o->prose);
            yb_buf_add(out, YB_STR("\n("));
            man_text(out, type);
            yb_buf_add(out, o->at_start ? YB_STR("; a change needs a restart)\n") : YB_STR(")\n"));
        }
    }
}

/* Comment lines of at most WRAP bytes, cut between words. */
static void
comment_text(struct yb_buf *out, struct yb_str s)
{
    size_t column = WRAP;
    struct yb_str word;

    for (word = yb_str_word(&s); word.n > 0; word = yb_str_word(&s)) {
        if (column + 1 + word.n > WRAP) {
            yb_buf_add(out, column == WRAP && yb_buf_size(out) == 0 ? YB_STR("#") : YB_STR("\n#"));
            column = 1;
        }
        yb_buf_add_c(out, ' ');
        yb_buf_add(out, word);
        column += 1 + word.n;
    }
    yb_buf_add_c(out, '\n');
}

void
yb_conf_docs_sample(const struct yb_conf_table *const *tables, size_t n, struct yb_buf *out)
{
    char type[200], text[800];

    for (size_t i = 0; i < n; i++) {
        comment_text(out, yb_str_from(tables[i]->title));
        yb_buf_printf(out, "[%s]\n", tables[i]->section);
        for (size_t k = 0; k < tables[i]->n; k++) {
            const struct yb_conf_option *o = &tables[i]->options[k];

            type_text(o, type, sizeof(type));
            snprintf(text, sizeof(text), "%s (%s%s)", o->prose, type,
                     o->at_start ? "; a change needs a restart" : "");
            comment_text(out, yb_str_from(text));
            yb_buf_printf(out, "#%s = %s\n", o->name, o->def);
        }
    }
}
