#include "lib/mime/envelope.h"

#include "lib/mime/header.h"

static const struct yb_str text_names[YB_MIME_ENVELOPE_TEXTS] = {
    [YB_MIME_DATE] = YB_STR_INIT("Date"),
    [YB_MIME_SUBJECT] = YB_STR_INIT("Subject"),
    [YB_MIME_IN_REPLY_TO] = YB_STR_INIT("In-Reply-To"),
    [YB_MIME_MESSAGE_ID] = YB_STR_INIT("Message-ID"),
};

static const struct yb_str list_names[YB_MIME_ENVELOPE_LISTS] = {
    [YB_MIME_FROM] = YB_STR_INIT("From"),
    [YB_MIME_SENDER] = YB_STR_INIT("Sender"),
    [YB_MIME_REPLY_TO] = YB_STR_INIT("Reply-To"),
    [YB_MIME_TO] = YB_STR_INIT("To"),
    [YB_MIME_CC] = YB_STR_INIT("Cc"),
    [YB_MIME_BCC] = YB_STR_INIT("Bcc"),
};

bool
yb_mime_envelope_has(struct yb_str name)
{
    for (size_t i = 0; i < YB_MIME_ENVELOPE_TEXTS; i++) {
        if (yb_str_eqi(name, text_names[i]))
            return true;
    }
    for (size_t i = 0; i < YB_MIME_ENVELOPE_LISTS; i++) {
        if (yb_str_eqi(name, list_names[i]))
            return true;
    }
    return false;
}

void
yb_mime_envelope_parse(struct yb_str header, struct yb_arena *arena, struct yb_mime_envelope *out)
{
    struct yb_mime_address **tails[YB_MIME_ENVELOPE_LISTS];
    struct yb_header h;
    size_t n = 0;

    *out = (struct yb_mime_envelope){ 0 };
    for (size_t i = 0; i < YB_MIME_ENVELOPE_LISTS; i++)
        tails[i] = &out->lists[i];
    while (yb_header_next(&header, &h)) {
        for (size_t i = 0; i < YB_MIME_ENVELOPE_TEXTS; i++) {
            if (out->texts[i].p == NULL && yb_str_eqi(h.name, text_names[i]))
                out->texts[i] = yb_header_unfold(h.value, arena);
        }
        for (size_t i = 0; i < YB_MIME_ENVELOPE_LISTS; i++) {
            struct yb_mime_addresses list;

            if (!yb_str_eqi(h.name, list_names[i]) || n >= YB_MIME_ADDRESSES_MAX)
                continue;
            yb_mime_addresses_parse(h.value, arena, &list);
            n += list.n;
            *tails[i] = list.first;
            while (*tails[i] != NULL)
                tails[i] = &(*tails[i])->next;
        }
    }
    if (out->lists[YB_MIME_SENDER] == NULL)
        out->lists[YB_MIME_SENDER] = out->lists[YB_MIME_FROM];
    if (out->lists[YB_MIME_REPLY_TO] == NULL)
        out->lists[YB_MIME_REPLY_TO] = out->lists[YB_MIME_FROM];
}
