"""An index does not grow for ever: when a mailbox is left, what was expunged long enough ago is dropped from
it, and UIDs, UIDNEXT and MODSEQ go on as if nothing had happened."""
import os
import socket

import harness

ANN = "ann@compact.test"


def left(p, path):
    """The index's size after the mailbox was selected and left once more."""
    with p.imap(ANN) as c:
        c.select()
        c.unselect()
    return os.stat(os.path.join(path, "yubin-index")).st_size


def scenario(p):
    p.tenant("compact", "compact.test")
    p.account(ANN)
    path = None
    sizes, uids = [], []
    for _ in range(3):
        with p.imap(ANN) as c:
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(150):
                c.append("INBOX", "(\\Deleted)", None, b"Subject: x\r\n\r\nx\r\n")
            c.append("INBOX", None, None, b"Subject: stays\r\n\r\nx\r\n")
            c.select()
            c.expunge()
            uids.append(c.uid("SEARCH", None, "ALL")[1][0])
            c.unselect()
        path = path or p.yubin("mailbox", "path", ANN).strip()
        sizes.append(os.stat(os.path.join(path, "yubin-index")).st_size)
    print(sizes, uids)
    # 151 records of 128 octets came each time; in a second, the oldest expunges are old enough.
    harness.wait_until(lambda: left(p, path) < 2 * 128 * 128, 10)
    with p.imap(ANN) as c:
        c.select()
        assert c.uid("SEARCH", None, "ALL")[1][0] == b"151 302 453"
        c.append("INBOX", None, None, b"Subject: next\r\n\r\nx\r\n")
        assert b"454" in c.response("APPENDUID")[1][0]
    assert uids == [b"151", b"151 302", b"151 302 453"], uids


if __name__ == "__main__":
    harness.main(scenario, {"imapd": {"keep_expunged": "0s"}})
