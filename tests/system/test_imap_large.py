"""A mailbox of 20 000 messages: every line comes, a client that reads slowly holds nobody up. The files are another
user's, which may not be linked, so the form is one that would like to."""
import socket
import time

import harness

EVE = "eve@large.test"
COUNT = 20000


def fill(p):
    """Files that another program put there: the store takes them in at the first SELECT."""
    with p.imap(EVE) as c:
        c.select()
    folder = p.yubin("mailbox", "path", EVE).strip()
    for i in range(COUNT):
        with open("%s/cur/%d.f%d.other:2,%s" % (folder, 1000000 + i, i, "S" if i % 2 else ""), "wb") as f:
            f.write(b"Subject: number %d\r\n\r\nbody\r\n" % i)


def scenario(p):
    p.own()
    p.tenant("large", "large.test")
    p.account(EVE)
    fill(p)
    with p.imap(EVE) as c:
        assert c.select() == ("OK", [b"%d" % COUNT])
        got = c.fetch("1:*", "(UID FLAGS)")[1]
        assert len(got) == COUNT and got[-1].startswith(b"%d (UID %d FLAGS (" % (COUNT, COUNT)), got[-1]
        assert len(c.search(None, "SEEN")[1][0].split()) == COUNT // 2
        assert c.search(None, "SUBJECT", '"number 777"')[1][0].split() == [b"778"] + [b"%d" % n for n in range(7771, 7781)]
        answer, _ = c.store("1:*", "+FLAGS.SILENT", "\\Flagged")
        assert answer == "OK" and len(c.search(None, "FLAGGED")[1][0].split()) == COUNT
    # Ten clients ask for everything and read nothing; others are served all the same.
    stalled = []
    for _ in range(10):
        s = p.raw("imaps", tls=True)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b'a LOGIN %s "%s"\r\nb SELECT INBOX\r\nc FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[])\r\n' % (
            EVE.encode(), p.passwords[EVE].encode()))
        stalled.append(s)
    began = time.monotonic()
    with p.imap(EVE) as c:
        assert c.select()[0] == "OK" and len(c.fetch("1:100", "(FLAGS)")[1]) == 100
    assert time.monotonic() - began < 10
    for s in stalled:
        s.close()


if __name__ == "__main__":
    harness.main(scenario, {"common": {"store_form": "portable"}})
