/* Replies: formatting, the mapping from errors, and reading a server's lines. */
#include "lib/smtp/reply.h"

#include <stdio.h>

/*
 * The code for an enhanced status without its class. The first row that matches counts; "1.*"
 * matches every 1.x. What is not listed is 450/451 or 550/554 by its subject. 421 is never among
 * them: it ends the connection, which is for the session to decide (smtp_farewell()) and not for a
 * back end that is slow.
 */
static const struct {
    const char *detail;
    int temp, perm;
} codes[] = {
    /* clang-format off */
    { "1.3",   501, 501 }, /* not an address */
    { "1.6",   450, 550 }, /* has moved */
    { "1.7",   501, 501 }, /* not a sender address */
    { "1.*",   450, 550 },
    { "2.2",   452, 552 }, /* over quota */
    { "2.3",   452, 552 }, /* message longer than this mailbox takes */
    { "2.*",   450, 550 },
    { "3.1",   452, 552 }, /* store or spool full */
    { "3.3",   451, 555 }, /* parameter not known */
    { "3.4",   452, 552 }, /* message too big */
    { "3.*",   451, 554 },
    { "4.6",   451, 554 }, /* routing loop */
    { "4.*",   451, 554 },
    { "5.1",   503, 503 }, /* bad sequence */
    { "5.2",   500, 500 }, /* syntax error */
    { "5.3",   452, 552 }, /* too many recipients */
    { "5.4",   501, 501 }, /* bad argument */
    { "5.6",   451, 500 }, /* authentication exchange line too long (RFC 4954 §6) */
    { "5.*",   451, 501 },
    { "6.7",   451, 553 }, /* non-ASCII address without SMTPUTF8 (RFC 6531 §3.5) */
    { "6.*",   451, 550 },
    { "7.0",   451, 530 }, /* authentication or TLS required */
    { "7.*",   451, 550 },
    /* clang-format on */
};

/* What AUTH is answered with where that differs (RFC 4954 §4, §6, RFC 5248). */
static const struct {
    const char *detail;
    int temp, perm;
} auth_codes[] = {
    /* clang-format off */
    { "5.2",  454, 501 }, /* not base64 */
    { "5.4",  454, 504 }, /* mechanism not offered */
    { "7.0",  454, 501 }, /* cancelled by the client */
    { "7.8",  454, 535 }, /* credentials invalid */
    { "7.9",  454, 534 }, /* mechanism too weak */
    { "7.11", 454, 538 }, /* encryption required */
    { "7.13", 454, 525 }, /* account disabled */
    { "*",    454, 535 },
    /* clang-format on */
};

static bool
detail_matches(const char *pattern, const char *detail)
{
    size_t n = strlen(pattern);

    if (pattern[n - 1] == '*')
        return strncmp(pattern, detail, n - 1) == 0;
    return strcmp(pattern, detail) == 0;
}

/* "5.1.1" as x.y.z, nothing else: an error from a careless place must not break the dialogue. */
static bool
status_is_sound(struct yb_str s)
{
    struct yb_str part;
    uint64_t v;
    size_t parts = 0;

    while (yb_str_split(&s, '.', &part)) {
        if (part.n == 0 || part.n > 3 || !yb_str_u64(part, 999, &v))
            return false;
        if (parts == 0 && (part.n != 1 || (v != 2 && v != 4 && v != 5)))
            return false;
        parts++;
    }
    return parts == 3;
}

size_t
yb_smtp_reply_format(char out[YB_SMTP_REPLY_LINE], int code, bool more, const char *status,
                     struct yb_str text)
{
    size_t n = 0;

    out[n++] = (char)('0' + code / 100 % 10);
    out[n++] = (char)('0' + code / 10 % 10);
    out[n++] = (char)('0' + code % 10);
    out[n++] = more ? '-' : ' ';
    if (status != NULL) {
        size_t len = strlen(status);

        memcpy(out + n, status, len);
        n += len;
        if (text.n > 0)
            out[n++] = ' ';
    }
    text = yb_str_head(text, YB_SMTP_REPLY_LINE - 2 - n);
    if (text.n > 0)
        memcpy(out + n, text.p, text.n);
    n += text.n;
    out[n++] = '\r';
    out[n++] = '\n';
    return n;
}

/* The status of *err with its class put right. */
static bool
status_of(const struct yb_err *err, char status[10])
{
    bool perm = err->class == YB_PERM;

    if (status_is_sound(yb_str_from(err->status)))
        memcpy(status, err->status, sizeof(err->status));
    else
        memcpy(status, "0.3.0", sizeof("0.3.0"));
    status[0] = perm ? '5' : '4';
    return perm;
}

int
yb_smtp_reply_auth_code(const struct yb_err *err, char status[10])
{
    bool perm = status_of(err, status);
    size_t i = 0;

    while (!detail_matches(auth_codes[i].detail, status + 2))
        i++; /* the last row matches everything */
    return perm ? auth_codes[i].perm : auth_codes[i].temp;
}

int
yb_smtp_reply_code(const struct yb_err *err, char status[10])
{
    bool perm = status_of(err, status);

    for (size_t i = 0; i < YB_COUNT(codes); i++) {
        int code;

        if (!detail_matches(codes[i].detail, status + 2))
            continue;
        code = perm ? codes[i].perm : codes[i].temp;
        if (code / 100 != status[0] - '0')
            code = perm ? 554 : 451;
        return code;
    }
    return perm ? 554 : 451;
}

/* Enhanced status and text behind the code of `line`. */
static void
reply_text(struct yb_smtp_reply *r, struct yb_str line)
{
    struct yb_str rest = yb_str_skip(line, 4), word = yb_str_head(rest, yb_str_find(rest, ' '));
    size_t n = 0;

    if (word.n > 0 && word.p[0] == line.p[0] && status_is_sound(word) &&
        yb_str_copy(word, r->status, sizeof(r->status)))
        rest = yb_str_skip(rest, word.n + 1);
    else
        (void)snprintf(r->status, sizeof(r->status), "%c.0.0", line.p[0]);
    for (; n < rest.n && n < sizeof(r->text) - 1; n++)
        r->text[n] = (unsigned char)rest.p[n] < 32 || rest.p[n] == 127 ? '?' : rest.p[n];
    r->text[n] = '\0';
}

enum yb_smtp_reply_part
yb_smtp_reply_line(struct yb_str line, bool first, struct yb_smtp_reply *r)
{
    uint64_t code;

    if (line.n < 3 || !yb_str_u64(yb_str_head(line, 3), 599, &code) || code < 200)
        return YB_REPLY_BAD;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return YB_REPLY_BAD;
    if (!first && (int)code != r->code)
        return YB_REPLY_BAD;
    r->code = (int)code;
    reply_text(r, line);
    return line.n > 3 && line.p[3] == '-' ? YB_REPLY_MORE : YB_REPLY_LAST;
}

/* What is meant by a status that a server sent; the first row that matches counts. */
static enum yb_err_kind
kind_of(const char *status)
{
    static const struct {
        const char *detail;
        enum yb_err_kind kind;
    } kinds[] = {
        /* clang-format off */
        { "1.*", YB_ERR_NOT_FOUND }, /* the address */
        { "2.1", YB_ERR_DISABLED },
        { "2.2", YB_ERR_FULL },
        { "2.3", YB_ERR_TOO_BIG },
        { "2.*", YB_ERR_CANNOT }, /* of the mailbox, no more is said */
        { "3.4", YB_ERR_TOO_BIG },
        { "5.0", YB_ERR_HELD }, /* only our lmtpd says it, of recipients of XWHOLE */
        { "6.*", YB_ERR_CONTENT },
        /* clang-format on */
    };

    for (size_t i = 0; i < YB_COUNT(kinds); i++) {
        if (detail_matches(kinds[i].detail, status + 2))
            return kinds[i].kind;
    }
    return YB_ERR_OTHER;
}

int
yb_smtp_reply_to_err(const struct yb_smtp_reply *r, struct yb_err *err)
{
    if (r->code / 100 == 5)
        return yb_err_as(err, kind_of(r->status), YB_PERM, r->status, "%s", r->text);
    if (r->code / 100 == 4)
        return yb_err_as(err, kind_of(r->status), YB_TEMP, r->status, "%s", r->text);
    return yb_err_inside(err, YB_TEMP, "4.5.0", "unexpected reply %d %s", r->code, r->text);
}
