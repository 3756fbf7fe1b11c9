#include "pop3d/reply.h"

#define NONSENSE_MAX 20 /* commands that are none, then good bye */

/*
 * Kinds that a client is to tell apart. Without a code it may not conclude anything, least of all
 * from an old server's habits, so all others go by their class: SYS/TEMP says that it is not the
 * user's fault and ends by itself (RFC 3206 §4), and a refusal for good has none.
 */
/* clang-format off */
static const char *const codes[YB_ERR_KINDS] = {
    [YB_ERR_CREDENTIALS] = "[AUTH] ",
    [YB_ERR_DISABLED]    = "[SYS/PERM] ",
    [YB_ERR_IN_USE]      = "[IN-USE] ",
};
/* clang-format on */

void
pop3d_reply_err(struct yb_conn *c, const struct yb_err *err)
{
    const char *code = codes[err->kind];
    char ascii[sizeof(err->text)]; /* RFC 6856: more than ASCII only after UTF8, which we lack */
    size_t n = yb_str_put_ascii(yb_str_from(yb_err_public(err)), ascii);

    if (code == NULL)
        code = err->class == YB_PERM ? "" : "[SYS/TEMP] ";
    yb_conn_printf(c, "-ERR %s%.*s\r\n", code, (int)n, ascii);
}

void
pop3d_nonsense(struct yb_conn *c, struct pop3d_session *s)
{
    if (++s->nonsense >= NONSENSE_MAX) {
        s->end = "nonsense";
        yb_conn_close(c);
    }
}
