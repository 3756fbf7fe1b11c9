"""A client that asks for a message many times in one command and reads nothing costs imapd one descriptor for
the message beside its socket; all of them are delivered to who reads, and none is left behind."""
import harness
from process import descriptors

ANN = "ann@few.test"
BODY = b"Subject: long\r\n\r\n" + (b"x" * 70 + b"\r\n") * 3000
TIMES = 256
READERS = 6


def ask(p):
    c = p.imap(ANN)
    c.select("INBOX", readonly=True)
    return c


def scenario(p):
    p.tenant("few", "few.test")
    p.account(ANN)
    child = p.own().daemons["imapd"].child_pid()
    with p.imap(ANN) as c:
        c.append("INBOX", None, None, BODY)
    readers = [ask(p) for _ in range(READERS)]
    before = descriptors(child)
    for c in readers:
        c.send(b"a FETCH 1 (%s)\r\n" % b" ".join([b"BODY.PEEK[]"] * TIMES))
    for c in readers:  # the answer begins to come when all of it is queued
        assert c.read(9) == b"* 1 FETCH"
    during = descriptors(child)
    print("descriptors: %d at rest, %d while %d answers wait" % (before, during, READERS))
    assert during <= before + READERS + 4, "the store may open a few of its own"
    assert readers[0].read(2) == b" ("
    for n in range(TIMES):
        assert readers[0].readline() == b"%sBODY[] {%d}\r\n" % (b" " if n > 0 else b"", len(BODY))
        assert readers[0].read(len(BODY)) == BODY, n
    assert readers[0].readline() == b")\r\n"
    assert readers[0].readline().startswith(b"a OK")
    for c in readers:
        c.shutdown()
    harness.wait_until(lambda: descriptors(child) <= before - READERS + 4, 20)


if __name__ == "__main__":
    harness.main(scenario)
