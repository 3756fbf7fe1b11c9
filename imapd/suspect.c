#include "imapd/suspect.h"

#include <string.h>

/* account, UIDVALIDITY, UID; the rest is zero. */
void
imapd_work_encode(const struct imapd_work *work, struct yb_note *note)
{
    uint8_t *to = note->v;

    _Static_assert(sizeof(work->account) + 2 * sizeof(uint32_t) <= YB_NOTE_SIZE, "a note holds it");
    *note = (struct yb_note){ { 0 } };
    memcpy(to, work->account.v, sizeof(work->account.v));
    to += sizeof(work->account.v);
    memcpy(to, &work->uidvalidity, sizeof(work->uidvalidity));
    memcpy(to + sizeof(work->uidvalidity), &work->uid, sizeof(work->uid));
}

void
imapd_work_decode(const struct yb_note *note, struct imapd_work *work)
{
    const uint8_t *from = note->v;

    memcpy(work->account.v, from, sizeof(work->account.v));
    from += sizeof(work->account.v);
    memcpy(&work->uidvalidity, from, sizeof(work->uidvalidity));
    memcpy(&work->uid, from + sizeof(work->uidvalidity), sizeof(work->uid));
}

int
imapd_work_begin(struct imapd_server *server, const struct imapd_work *work)
{
    struct yb_note note;

    if (server->notes == NULL)
        return -1;
    imapd_work_encode(work, &note);
    return yb_notes_begin(server->notes, &note);
}

void
imapd_work_end(struct imapd_server *server, int slot)
{
    yb_notes_end(server->notes, slot);
}

enum yb_verdict
imapd_work_verdict(const struct imapd_server *server, const struct imapd_work *work)
{
    struct yb_note note;

    if (server->notes == NULL)
        return YB_NOTE_CLEAR;
    imapd_work_encode(work, &note);
    return yb_notes_verdict(server->notes, &note);
}

void
imapd_parsed_condemned(uint64_t size, struct yb_arena *arena, struct imapd_parsed *out)
{
    struct yb_str basic =
        yb_arena_printf(arena, "(\"application\" \"octet-stream\" NIL NIL NIL \"8BIT\" %llu",
                        (unsigned long long)size);
    struct yb_mime_part *whole = yb_arena_alloc(arena, 1, sizeof(*whole));

    *whole = (struct yb_mime_part){ .end = size,
                                    .parent = YB_MIME_NO_PART,
                                    .first_child = YB_MIME_NO_PART,
                                    .next = YB_MIME_NO_PART,
                                    .kind = YB_MIME_LEAF };
    *out = (struct imapd_parsed){
        .envelope = YB_STR("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
        .body = yb_arena_printf(arena, "%.*s)", YB_STR_ARG(basic)),
        .structure = yb_arena_printf(arena, "%.*s NIL NIL NIL NIL)", YB_STR_ARG(basic)),
        .tree = { .parts = whole, .n = 1, .limited = true },
    };
}
