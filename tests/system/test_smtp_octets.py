"""A message is stored octet for octet behind the fields delivery adds, but for a Return-Path it brings along, however it
was sent (R-A1, RFC 3030, RFC 5321 4.4). What goes in circles is refused."""
import harness
from octets import TO, Octets

BODIES = (b"", b"x", b".", b"..", b".\r\n..\r\n...", b"x" * 998, b"y" * 5000, b"\xff\xfe\x80 8 bit", b"From me\r\n>From",
          b"\r\n\r\n\r\n", b"dot at the end .", b"line\r\n" * 30000)


def stored(p):
    """Of the newest file: its added fields and what was sent."""
    newest, whole = p.stored()
    assert ",S=%d," % len(whole) in newest
    return whole.split(b"+0000\r\n", 1)


def octets(p):
    for chunk in (0, 1):
        talk = Octets(p, chunk)
        for body in BODIES:
            if chunk and len(body) > 10000:
                continue
            message = b"Subject: x\r\n\r\n" + body + b"\r\n"
            stuffed = b"\r\n".join(b"." + l if l[:1] == b"." else l for l in message.split(b"\r\n"))
            for how in ("data", "bdat", "bdat in three"):
                talk.envelope()
                if how == "data":
                    assert talk.data(stuffed + b".\r\n") == 250
                elif how == "bdat":
                    talk.say(b"BDAT %d LAST\r\n" % len(message) + message)
                    assert talk.code() == 250
                else:
                    a, b = message[:13], message[13:-1]  # a CRLF on either side of a border
                    talk.say(b"BDAT %d\r\n%sBDAT %d\r\n%sBDAT 1 LAST\r\n\n" % (len(a), a, len(b), b))
                    assert [talk.code() for _ in range(3)] == [250, 250, 250]
                head, sent = stored(p)
                assert sent == message, (how, sent[:80], message[:80])
                lines = head.split(b"\r\n")
                assert lines[0] == b"Return-Path: <Sender+x@example.net>", lines
                assert lines[1] == b"Delivered-To: Ann@octets.test", lines
                assert lines[2].startswith(b"Received: from x.example.net ([127.0.0.1])"), lines


def return_paths(p, talk):
    """One Return-Path, ours; of the rest not an octet is touched, in memory (small) or in a file (large)."""
    for size in (3, 300000):
        for header, kept in (
                (b"Return-Path: <old@x.test>\r\nSubject: x\r\n", b"Subject: x\r\n"),
                (b"A: b\r\n c\r\nreturn-path :\r\n\t<old@x.test>\r\n again\r\nSubject: x\r\nRETURN-PATH:<>\r\n",
                 b"A: b\r\n c\r\nSubject: x\r\n"),
                (b"Return-Path: <old@x.test>\r\n", b""),
                (b"X-Return-Path: <old@x.test>\r\nReturn-Paths: x\r\n", None),
                (b"X: %s\r\nReturn-Path: <old@x.test>\r\nY: z\r\n" % (b"x" * 900), b"X: %s\r\nY: z\r\n" % (b"x" * 900))):
            body = b"\r\nReturn-Path: <in@the.body>\r\n" + b"y" * size + b"\r\n"
            talk.envelope()
            assert talk.data(header + body + b".\r\n") == 250
            head, sent = stored(p)
            assert sent == (header if kept is None else kept) + body, (sent[:200], header)
            assert head.count(b"Return-Path:") == 1, head
    # A header longer than anybody looks at: what was read of it is put right, the rest is as it came.
    fields = b"".join(b"X-%d: %s\r\n" % (k, b"x" * 60) for k in range(3000))
    talk.envelope()
    assert talk.data(b"Return-Path: <old@x.test>\r\n" + fields + b"\r\nz\r\n.\r\n") == 250
    assert stored(p)[1] == fields + b"\r\nz\r\n"


def scenario(p):
    p.tenant("octets", "octets.test")
    p.account(TO)
    octets(p)
    talk = Octets(p)
    return_paths(p, talk)
    talk.envelope()
    assert talk.data(b"Received: by x\r\n" * 101 + b"\r\n.\r\n") == 554
    talk.envelope()
    assert talk.data(b"Received: by x\r\n" * 100 + b"Delivered-To: ann@octets.test\r\n\r\n.\r\n") == 250


if __name__ == "__main__":
    harness.main(scenario)
