/* One row a parameter: its name, and the functions that read and write its value. */
#include "lib/smtp/xparam.h"

struct mail_row {
    struct yb_str key;
    bool has_value;
    bool (*read)(struct yb_lmtp_mail *m, struct yb_str value);
    /* Appends the value; false: nothing to say. Called only to write. */
    bool (*write)(const struct yb_lmtp_mail *m, struct yb_buf *out);
};

struct rcpt_row {
    struct yb_str key;
    bool has_value;
    bool (*read)(struct yb_lmtp_rcpt *r, struct yb_str value);
    bool (*write)(const struct yb_lmtp_rcpt *r, struct yb_buf *out);
};

bool
yb_lmtp_is_xtext(struct yb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t byte;

        if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == '=')
            return false;
        if (s.p[i] == '+') {
            if (s.n - i < 3 || !yb_unhex(yb_str(s.p + i + 1, 2), &byte, 1))
                return false;
            i += 2;
        }
    }
    return true;
}

static void
add_hex(struct yb_buf *out, const uint8_t *v, size_t n)
{
    char text[YB_ID_TEXT];

    yb_hex(v, n, text);
    yb_buf_add(out, yb_str(text, 2 * n));
}

/* --- MAIL --- */

static bool
session_read(struct yb_lmtp_mail *m, struct yb_str v)
{
    size_t dot = yb_str_find(v, '.');

    return yb_session_id_parse(yb_str_head(v, dot), &m->session) && dot < v.n &&
           yb_message_id_parse(yb_str_skip(v, dot + 1), &m->message);
}

static bool
session_write(const struct yb_lmtp_mail *m, struct yb_buf *out)
{
    if (yb_session_id_is_zero(m->session) && yb_message_id_is_zero(m->message))
        return false;
    add_hex(out, m->session.v, sizeof(m->session.v));
    yb_buf_add_c(out, '.');
    add_hex(out, m->message.v, sizeof(m->message.v));
    return true;
}

static const char *const origins[] = {
    [YB_ORIGIN_NONE] = "none", [YB_ORIGIN_PASS] = "pass", [YB_ORIGIN_AUTH] = "auth"
};

static bool
origin_read(struct yb_lmtp_mail *m, struct yb_str v)
{
    for (size_t i = 0; i < YB_COUNT(origins); i++) {
        if (yb_str_eqi(v, yb_str_from(origins[i]))) {
            m->origin = (enum yb_lmtp_origin)i;
            return true;
        }
    }
    return false;
}

static bool
origin_write(const struct yb_lmtp_mail *m, struct yb_buf *out)
{
    if (m->origin == YB_ORIGIN_NONE)
        return false;
    yb_buf_add(out, yb_str_from(origins[m->origin]));
    return true;
}

static bool
tenant_read(struct yb_lmtp_mail *m, struct yb_str v)
{
    return yb_tenant_id_parse(v, &m->tenant);
}

static bool
tenant_write(const struct yb_lmtp_mail *m, struct yb_buf *out)
{
    if (yb_tenant_id_is_zero(m->tenant))
        return false;
    add_hex(out, m->tenant.v, sizeof(m->tenant.v));
    return true;
}

static bool
whole_read(struct yb_lmtp_mail *m, struct yb_str v YB_UNUSED)
{
    m->whole = true;
    return true;
}

static bool
whole_write(const struct yb_lmtp_mail *m, struct yb_buf *out YB_UNUSED)
{
    return m->whole;
}

static bool
ask_read(struct yb_lmtp_mail *m, struct yb_str v YB_UNUSED)
{
    m->ask = true;
    return true;
}

static bool
ask_write(const struct yb_lmtp_mail *m, struct yb_buf *out YB_UNUSED)
{
    return m->ask;
}

static bool
ret_read(struct yb_lmtp_mail *m, struct yb_str v)
{
    m->ret_full = yb_str_eqi(v, YB_STR("FULL"));
    m->ret_hdrs = yb_str_eqi(v, YB_STR("HDRS"));
    return m->ret_full || m->ret_hdrs;
}

static bool
ret_write(const struct yb_lmtp_mail *m, struct yb_buf *out)
{
    if (!m->ret_full && !m->ret_hdrs)
        return false;
    yb_buf_add(out, m->ret_full ? YB_STR("FULL") : YB_STR("HDRS"));
    return true;
}

static bool
envid_read(struct yb_lmtp_mail *m, struct yb_str v)
{
    m->envid = v;
    return v.n > 0 && v.n <= 100 && yb_lmtp_is_xtext(v);
}

static bool
envid_write(const struct yb_lmtp_mail *m, struct yb_buf *out)
{
    yb_buf_add(out, m->envid);
    return m->envid.n > 0;
}

/* --- RCPT --- */

static bool
delivery_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    return yb_delivery_id_parse(v, &r->delivery) && !yb_delivery_id_is_zero(r->delivery);
}

static bool
delivery_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    if (yb_delivery_id_is_zero(r->delivery))
        return false;
    add_hex(out, r->delivery.v, sizeof(r->delivery.v));
    return true;
}

static bool
account_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    return yb_account_id_parse(v, &r->account) && !yb_account_id_is_zero(r->account);
}

static bool
account_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    if (yb_account_id_is_zero(r->account))
        return false;
    add_hex(out, r->account.v, sizeof(r->account.v));
    return true;
}

static bool
owner_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    return yb_tenant_id_parse(v, &r->owner) && !yb_tenant_id_is_zero(r->owner);
}

static bool
owner_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    if (yb_tenant_id_is_zero(r->owner))
        return false;
    add_hex(out, r->owner.v, sizeof(r->owner.v));
    return true;
}

static bool
home_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    return yb_store_id_parse(v, &r->home) && !yb_store_id_is_zero(r->home);
}

static bool
home_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    if (yb_store_id_is_zero(r->home))
        return false;
    add_hex(out, r->home.v, sizeof(r->home.v));
    return true;
}

static bool
quota_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    return yb_str_u64(v, INT64_MAX, &r->quota);
}

static bool
quota_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    if (r->quota == 0)
        return false;
    yb_buf_add_u64(out, r->quota);
    return true;
}

static bool
mark_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    r->junk = yb_str_eqi(v, YB_STR("junk"));
    return r->junk;
}

static bool
mark_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    if (r->junk)
        yb_buf_add(out, YB_STR("junk"));
    return r->junk;
}

static bool
accepted_read(struct yb_lmtp_rcpt *r, struct yb_str v YB_UNUSED)
{
    r->accepted = true;
    return true;
}

static bool
accepted_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out YB_UNUSED)
{
    return r->accepted;
}

static bool
repeat_read(struct yb_lmtp_rcpt *r, struct yb_str v YB_UNUSED)
{
    r->repeat = true;
    return true;
}

static bool
repeat_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out YB_UNUSED)
{
    return r->repeat;
}

static const struct {
    struct yb_str word;
    unsigned bit;
} notify_words[] = {
    { YB_STR_INIT("NEVER"), YB_NOTIFY_NEVER },
    { YB_STR_INIT("SUCCESS"), YB_NOTIFY_SUCCESS },
    { YB_STR_INIT("FAILURE"), YB_NOTIFY_FAILURE },
    { YB_STR_INIT("DELAY"), YB_NOTIFY_DELAY },
};

static unsigned
notify_bit(struct yb_str word)
{
    for (size_t i = 0; i < YB_COUNT(notify_words); i++) {
        if (yb_str_eqi(word, notify_words[i].word))
            return notify_words[i].bit;
    }
    return 0;
}

/* NEVER stands alone; no word twice (RFC 3461 §4.1). */
static bool
notify_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    struct yb_str word;

    while (yb_str_split(&v, ',', &word)) {
        unsigned bit = notify_bit(word);

        if (bit == 0 || (r->notify & bit) != 0)
            return false;
        r->notify |= bit;
    }
    return r->notify == YB_NOTIFY_NEVER || (r->notify & YB_NOTIFY_NEVER) == 0;
}

static bool
notify_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    bool any = false;

    for (size_t i = 0; i < YB_COUNT(notify_words); i++) {
        if ((r->notify & notify_words[i].bit) == 0)
            continue;
        if (any)
            yb_buf_add_c(out, ',');
        yb_buf_add(out, notify_words[i].word);
        any = true;
    }
    return any;
}

static bool
orcpt_read(struct yb_lmtp_rcpt *r, struct yb_str v)
{
    size_t semi = yb_str_find(v, ';');

    r->orcpt = v;
    return semi > 0 && semi < v.n && v.n <= 500 && yb_lmtp_is_xtext(yb_str_skip(v, semi + 1)) &&
           yb_lmtp_is_xtext(yb_str_head(v, semi));
}

static bool
orcpt_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    yb_buf_add(out, r->orcpt);
    return r->orcpt.n > 0;
}

/* clang-format off */
static const struct mail_row mail_rows[] = {
    { YB_STR_INIT("XSESSION"), true,  session_read, session_write },
    { YB_STR_INIT("XORIGIN"),  true,  origin_read,  origin_write },
    { YB_STR_INIT("XTENANT"),  true,  tenant_read,  tenant_write },
    { YB_STR_INIT("XWHOLE"),   false, whole_read,   whole_write },
    { YB_STR_INIT("XASK"),     false, ask_read,     ask_write },
    { YB_STR_INIT("RET"),      true,  ret_read,     ret_write },
    { YB_STR_INIT("ENVID"),    true,  envid_read,   envid_write },
};
static const struct rcpt_row rcpt_rows[] = {
    { YB_STR_INIT("XDELIVERY"), true,  delivery_read, delivery_write },
    { YB_STR_INIT("XACCOUNT"),  true,  account_read,  account_write },
    { YB_STR_INIT("XOWNER"),    true,  owner_read,    owner_write },
    { YB_STR_INIT("XHOME"),     true,  home_read,     home_write },
    { YB_STR_INIT("XQUOTA"),    true,  quota_read,    quota_write },
    { YB_STR_INIT("XMARK"),     true,  mark_read,     mark_write },
    { YB_STR_INIT("XACCEPTED"), false, accepted_read, accepted_write },
    { YB_STR_INIT("XREPEAT"),   false, repeat_read,   repeat_write },
    { YB_STR_INIT("NOTIFY"),    true,  notify_read,   notify_write },
    { YB_STR_INIT("ORCPT"),     true,  orcpt_read,    orcpt_write },
};
/* clang-format on */

enum yb_lmtp_param
yb_lmtp_mail_read(struct yb_lmtp_mail *m, struct yb_str key, struct yb_str value)
{
    for (unsigned i = 0; i < YB_COUNT(mail_rows); i++) {
        if (!yb_str_eqi(key, mail_rows[i].key))
            continue;
        if ((m->seen & 1u << i) != 0 || (value.p != NULL) != mail_rows[i].has_value)
            return YB_PARAM_BAD;
        m->seen |= 1u << i;
        return mail_rows[i].read(m, value) ? YB_PARAM_OK : YB_PARAM_BAD;
    }
    return YB_PARAM_UNKNOWN;
}

enum yb_lmtp_param
yb_lmtp_rcpt_read(struct yb_lmtp_rcpt *r, struct yb_str key, struct yb_str value)
{
    for (unsigned i = 0; i < YB_COUNT(rcpt_rows); i++) {
        if (!yb_str_eqi(key, rcpt_rows[i].key))
            continue;
        if ((r->seen & 1u << i) != 0 || (value.p != NULL) != rcpt_rows[i].has_value)
            return YB_PARAM_BAD;
        r->seen |= 1u << i;
        return rcpt_rows[i].read(r, value) ? YB_PARAM_OK : YB_PARAM_BAD;
    }
    return YB_PARAM_UNKNOWN;
}

/* " KEY=" before a value that may turn out to be nothing: then it is taken back. */
static size_t
begin_param(struct yb_buf *out, struct yb_str key, bool has_value)
{
    size_t at = yb_buf_size(out);

    yb_buf_add_c(out, ' ');
    yb_buf_add(out, key);
    if (has_value)
        yb_buf_add_c(out, '=');
    return at;
}

void
yb_lmtp_mail_write(const struct yb_lmtp_mail *m, struct yb_buf *out)
{
    for (size_t i = 0; i < YB_COUNT(mail_rows); i++) {
        size_t at = begin_param(out, mail_rows[i].key, mail_rows[i].has_value);

        if (!mail_rows[i].write(m, out))
            yb_buf_truncate(out, at);
    }
}

void
yb_lmtp_rcpt_write(const struct yb_lmtp_rcpt *r, struct yb_buf *out)
{
    for (size_t i = 0; i < YB_COUNT(rcpt_rows); i++) {
        size_t at = begin_param(out, rcpt_rows[i].key, rcpt_rows[i].has_value);

        if (!rcpt_rows[i].write(r, out))
            yb_buf_truncate(out, at);
    }
}
