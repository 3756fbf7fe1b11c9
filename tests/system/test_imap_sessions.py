"""Two programs on one mailbox see each other's changes where RFC 3501 allows it; one in IDLE is told at once."""
import re
import select
import time

import harness

ANN = "ann@sessions.test"
MESSAGE = b"From: a@b.test\r\nSubject: hello\r\n\r\nhello\r\n"


def line(sock, buffered, want, seconds=10):
    """The next line with `want` in it, from a bare socket."""
    end = time.monotonic() + seconds
    while True:
        while b"\r\n" in buffered:
            got, _, rest = bytes(buffered).partition(b"\r\n")
            buffered[:] = rest
            if want in got:
                return got
        assert time.monotonic() < end, (want, bytes(buffered))
        if sock.pending() or select.select([sock], [], [], 0.5)[0]:
            buffered += sock.recv(65536)


def idle(p):
    """The time from the end of a message's hand-in to its EXISTS, ten times."""
    sock, buffered, took = p.raw("imaps", tls=True), bytearray(), []
    line(sock, buffered, b"* OK")
    sock.sendall(b'a LOGIN %s "%s"\r\nb SELECT INBOX\r\nc IDLE\r\n' % (ANN.encode(), p.passwords[ANN].encode()))
    line(sock, buffered, b"+ ")
    with p.smtp() as s:
        for _ in range(10):
            s.sendmail("x@example.net", [ANN], "Subject: push\r\n\r\nx\r\n")
            began = time.monotonic()
            line(sock, buffered, b" EXISTS")
            took.append(time.monotonic() - began)
    sock.sendall(b"DONE\r\n")
    line(sock, buffered, b"c OK")
    sock.close()
    # The answer to DATA comes when the message is stored; what is left is the push.
    assert sorted(took)[8] < 0.5, took


def scenario(p):
    p.tenant("sessions", "sessions.test")
    p.account(ANN)
    one, two = p.imap(ANN), p.imap(ANN)
    for c in (one, two):
        c.select()
    for _ in range(3):
        one.append("INBOX", None, None, MESSAGE)
    two.noop()
    assert two.response("EXISTS")[1][-1] == b"3", two.untagged_responses
    one.store("2", "+FLAGS", "\\Deleted")
    two.noop()
    assert any(b"\\Deleted" in f for f in two.response("FETCH")[1])
    assert one.expunge()[1] == [b"2"]
    # Numbers hold while they are asked for; what is gone is left out and said so.
    assert two.fetch("3", "(UID)")[1][0] == b"3 (UID 3)"
    answer, text = two.fetch("2", "(BODY.PEEK[])")
    assert answer == "NO" and b"EXPUNGEISSUED" in text[0], (answer, text)
    two.noop()
    assert two.response("EXPUNGE")[1] == [b"2"]
    assert two.fetch("2", "(UID)")[1][0] == b"2 (UID 3)"
    assert re.search(rb"UIDVALIDITY (\d+)", one.status("INBOX", "(UIDVALIDITY UIDNEXT)")[1][0])
    one.create("Gone")
    two.select("Gone")
    one.delete("Gone")
    try:
        answer = two.noop()[0]
    except two.abort:
        answer = "BYE"
    assert answer == "BYE" or two.response("BYE")[1][0], answer
    one.logout()
    if p.trial is not None:  # a mailbox that a user deleted is no failure of ours
        assert not harness.log_lines(p.trial.daemons["imapd"], "imap.compact.failed")
    idle(p)


if __name__ == "__main__":
    harness.main(scenario)
