#include "lib/smtp/relaycheck.h"

#include "lib/base/buf.h"
#include "lib/net/sock.h"
#include "lib/smtp/reply.h"

#include <stdio.h>

#define ANSWER_MS 30000
#define LINE_LIMIT 2048
#define REPLY_LINES 128
/* Recipients asked for on one connection: a server may let go who says much that is wrong. */
#define PER_CONNECTION 8

/* $L and $D are an address with a mailbox, $A the server's own. */
/* clang-format off */
static const char *const forms[] = {
    "<x@other.test>",
    "<x%other.test@$D>",
    "<x%other.test@[$A]>",
    "<x%other.test>",
    "<$L%$D@$D>",
    "<x%y%other.test@$D>",
    "<\"x%other.test\"@$D>",
    "<\"x%other.test\">",
    "<\"x@other.test\"@$D>",
    "<\"x@other.test\">",
    "<\"x@other.test\"@[$A]>",
    "<x@other.test@$D>",
    "<x@other.test@[$A]>",
    "<@$D:x@other.test>",
    "<@$D,@third.test:x@other.test>",
    "<@[$A]:x@other.test>",
    "<@x.test:$L@$D>",
    "<@$D:$L@$D>",
    "<@$D:x%other.test@$D>",
    "<other.test!x>",
    "<other.test!x@$D>",
    "<other.test!x@[$A]>",
    "<$D!other.test!x>",
    "<$D!other.test!x@$D>",
    "<\"other.test!x\"@$D>",
    "<x@[$A]>",
    "<$L@[$A]>",
    "<x@[127.0.0.1]>",
    "<x@127.0.0.1>",
    "<x@$A>",
    "<$L@$A>",
    "<postmaster@[192.0.2.26]>",
    "<postmaster@[IPv6:2001:db8::1]>",
    "<postmaster@$A>",
    "<x@localhost>",
    "<x>",
    "<$L>",
    "<root>",
    "<x@>",
    "<@other.test>",
    "<x@.other.test>",
    "<x@other..test>",
    "<x@other.test.>",
    "<x@$D.other.test>",
    "<x@evil-$D>",
    "<>",
    "<x@other.test,$L@$D>",
    "<$L@$D>,<x@other.test>",
    "<$L@$D> <x@other.test>",
    "$L@$D",
    "Bob <$L@$D>",
    "<$L@$D (x)>",
    "<(x)$L@$D>",
    "<\"|sh\"@$D>",
    "<|sh@$D>",
    "</etc/passwd>",
    "</etc/passwd@$D>",
    "<../../x@$D>",
    "<\"../../x\"@$D>",
    "<:include:/etc/passwd@$D>",
    "<$L@$D\\r\\nRCPT TO:<x@other.test>>",
    "<\"x\\@other.test\"@$D>",
    "<x+@other.test>",
};
/* clang-format on */

/* Relaying must not depend on who claims to send (R-A52). */
static const char *const senders[] = { "<someone@example.com>", "<$L@$D>", "<>",
                                       "<postmaster@$D>" };

static struct yb_str
expand(const char *form, const struct yb_relay_names *names, struct yb_arena *arena)
{
    size_t room = strlen(form) + 1;
    struct yb_buf *b;
    struct yb_str text;

    for (const char *p = form; *p != '\0'; p++)
        room += *p == '$' ? names->local.n + names->domain.n + names->address.n : 0;
    b = yb_buf_new(room);
    for (const char *p = form; *p != '\0'; p++) {
        if (*p != '$')
            yb_buf_add_c(b, *p);
        else
            yb_buf_add(b, *++p == 'L' ? names->local : *p == 'D' ? names->domain : names->address);
    }
    text = yb_arena_dup(arena, yb_buf_view(b));
    yb_buf_free(&b);
    return text;
}

size_t
yb_relay_forms(void)
{
    return YB_COUNT(forms);
}

struct yb_str
yb_relay_form(size_t i, const struct yb_relay_names *names, struct yb_arena *arena)
{
    yb_assert(i < YB_COUNT(forms));
    return expand(forms[i], names, arena);
}

/* --- asking --- */

struct talk {
    struct yb_relay_check *check;
    struct yb_sock *sock;
    struct yb_arena *arena;
    struct yb_str line; /* the last one of the last reply; in the arena */
};

/* Sends a line, if any, and reads the whole reply. Its code, or -1. */
static int
ask(struct talk *t, struct yb_str command, struct yb_err *err)
{
    struct yb_deadline by =
        yb_deadline_in(t->check->answer_ms == 0 ? ANSWER_MS : t->check->answer_ms);
    struct yb_smtp_reply r;
    struct yb_str line;

    if (command.n > 0 && (yb_sock_write(t->sock, command, by, err) < 0 ||
                          yb_sock_write(t->sock, YB_STR("\r\n"), by, err) < 0 ||
                          yb_sock_flush(t->sock, by, err) < 0))
        return -1;
    for (int n = 0; n < REPLY_LINES; n++) {
        enum yb_smtp_reply_part part;

        if (yb_sock_line(t->sock, LINE_LIMIT, &line, by, err) < 0)
            return -1;
        part = yb_smtp_reply_line(line, n == 0, &r);
        t->line = yb_arena_dup(t->arena, line);
        if (part == YB_REPLY_LAST)
            return r.code;
        if (part == YB_REPLY_BAD)
            break;
    }
    return yb_err_set(err, YB_TEMP, "4.5.0", "%s sent no SMTP reply", t->check->where);
}

/* One that must be 2xx for the check to go on. */
static int
ask_good(struct talk *t, struct yb_str command, struct yb_err *err)
{
    int code = ask(t, command, err);

    if (code < 0 || code / 100 == 2)
        return code < 0 ? -1 : 0;
    return yb_err_set(err, YB_TEMP, "4.5.0", "%s does not serve us: %.*s", t->check->where,
                      YB_STR_ARG(yb_str_head(t->line, 200)));
}

static int
greet(struct talk *t, struct yb_err *err)
{
    struct yb_deadline by = yb_deadline_in(ANSWER_MS);

    yb_sock_close(&t->sock);
    t->sock = yb_sock_connect(yb_str_from(t->check->where), by, err);
    if (t->sock == NULL || ask_good(t, YB_STR(""), err) < 0)
        return -1;
    return ask_good(t, yb_arena_printf(t->arena, "EHLO %s", t->check->hostname), err);
}

/* One recipient of one sender. A sender who is refused reaches nobody. */
static int
ask_recipient(struct talk *t, struct yb_str sender, struct yb_str recipient, struct yb_err *err)
{
    struct yb_relay_check *c = t->check;
    int code = ask(t, yb_arena_printf(t->arena, "MAIL FROM:%.*s", YB_STR_ARG(sender)), err);

    if (code / 100 == 2)
        code = ask(t, yb_arena_printf(t->arena, "RCPT TO:%.*s", YB_STR_ARG(recipient)), err);
    if (code < 0)
        return -1;
    c->asked++;
    c->accepted += code / 100 == 2;
    c->undecided += code / 100 == 4;
    if (code / 100 != 5 && c->found != NULL)
        c->found(c->arg, sender.p, recipient, t->line);
    return code == 421 ? greet(t, err) : ask_good(t, YB_STR("RSET"), err);
}

int
yb_relay_check_run(struct yb_relay_check *c, struct yb_err *err)
{
    struct talk t = { .check = c, .arena = yb_arena_new(4096) };
    int rc = 0;

    c->asked = c->accepted = c->undecided = 0;
    for (size_t s = 0; rc == 0 && s < YB_COUNT(senders); s++) {
        for (size_t i = 0; rc == 0 && i < YB_COUNT(forms); i++) {
            struct yb_str sender = expand(senders[s], &c->names, t.arena);
            struct yb_str recipient = yb_relay_form(i, &c->names, t.arena);

            if (i % PER_CONNECTION == 0)
                rc = greet(&t, err);
            if (rc == 0)
                rc = ask_recipient(&t, sender, recipient, err);
            yb_arena_reset(t.arena);
        }
    }
    yb_sock_close(&t.sock);
    yb_arena_free(&t.arena);
    return rc;
}
