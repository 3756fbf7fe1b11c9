/*
 * What a client may send to pop3d, lines of a session under TLS (the first byte: logged in already
 * or not) over a store and a connection in memory. Whatever comes: every answer is whole lines, no
 * line of a command's answer is longer than we write, nothing is deleted without QUIT, and the
 * mailbox is given back. The same octets are tried as what an earlier session counted: taken, they are
 * written the same again.
 */
#include "pop3d/sizes.h"
#include "tests/unit/pop3d/fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pop3d pop3d;
static struct fake_store *store;

static void
begin(void)
{
    if (store != NULL)
        return;
    store = fake_start(&pop3d);
    fake_add(store, "Subject: 1\r\n\r\nx\r\n.y\r\n");
    fake_add(store, ".\r\n.\n..");
    fake_add(store, "");
}

static unsigned
flags_of(struct yb_str line)
{
    unsigned flags = 0;

    for (size_t i = 0; i < line.n; i++)
        flags |= line.p[i] == '\0' ? YB_IN_NUL : line.p[i] == '\r' ? YB_IN_BARE_CR : 0u;
    return flags;
}

static void
check_sizes(struct yb_str bytes)
{
    struct pop3d_sizes sizes;
    struct yb_buf *again;
    uint32_t uidvalidity = 0, spare = 0;

    if (bytes.n >= 16) {
        memcpy(&uidvalidity, bytes.p + 4, 4);
        memcpy(&spare, bytes.p + 12, 4);
    }
    if (!pop3d_sizes_decode(bytes, uidvalidity, &sizes))
        return;
    again = yb_buf_new(bytes.n);
    pop3d_sizes_encode(&sizes, uidvalidity, again);
    yb_assert(spare != 0 || yb_str_eq(yb_buf_view(again), bytes));
    (void)pop3d_sizes_extra(&sizes, sizes.upto);
    yb_buf_free(&again);
    pop3d_sizes_free(&sizes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str rest = yb_str((const char *)data, size), line;
    struct yb_conn *c;
    bool quit = false;

    if (size == 0)
        return 0;
    check_sizes(yb_str((const char *)data, size));
    begin();
    store->expunged = 0;
    for (size_t i = 0; i < store->n; i++)
        store->messages[i].gone = false;
    c = fake_open(&pop3d, true);
    if ((data[0] & 1) != 0) {
        fake_line(c, YB_STR("USER alice@a.test"), 0);
        fake_line(c, YB_STR("PASS correct horse"), 0);
    }
    rest = yb_str_skip(rest, 1);
    while (fake_is_open(c) && yb_str_split(&rest, '\n', &line)) {
        struct yb_str out;

        fake_output(c);
        fake_line(c, line, flags_of(line));
        out = fake_output(c);
        yb_assert(out.n > 2 && out.p[out.n - 2] == '\r' && out.p[out.n - 1] == '\n');
        yb_assert(out.p[0] == '+' || out.p[0] == '-');
        quit = quit || yb_str_eqi(yb_str_head(line, 4), YB_STR("QUIT"));
    }
    fake_close(&c);
    yb_assert(store->locks == 0 && (quit || store->expunged == 0));
    return 0;
}
