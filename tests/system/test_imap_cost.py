"""Cheap input stays cheap: what strangers and users can make of a message costs imapd little memory."""
import smtplib

import harness
from process import status

ANN = "ann@heavy.test"
FIELDS = b"From: x@y.test\r\n" + b"To: a\r\n" * 50000 + b"\r\nhi\r\n"
HEADER = b"From: x@y.test\r\n" + b"".join(b"X-F%d: %s\r\n" % (i, b"q" * 900) for i in range(1000)) + b"\r\nhi\r\n"
INNER = b"".join(b"X-F%d: %s\r\n" % (i, b"q" * 900) for i in range(4000)) + b"\r\nhi\r\n"
PARTS = (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
         + INNER + b"\r\n--b--\r\n")
MAX_GROWTH = 64  # MiB: what one command may take


def figure(pid, name):
    return int(status(pid)[name].split()[0]) // 1024


class Growth:
    """The peak of imapd's memory while something is done."""

    def __init__(self, pid, what):
        self.pid, self.what = pid, what

    def __enter__(self):
        with open("/proc/%d/clear_refs" % self.pid, "w", encoding="ascii") as f:
            f.write("5")
        self.before = figure(self.pid, "VmRSS")

    def __exit__(self, *_):
        grown = figure(self.pid, "VmHWM") - self.before
        print("%s: imapd grew by %d MiB" % (self.what, grown))
        assert grown < MAX_GROWTH, self.what


def scenario(p):
    imapd = p.own().daemons["imapd"].child_pid()
    p.tenant("heavy", "heavy.test")
    p.account(ANN)
    smtplib.SMTP(p.ends["host"], p.ends["smtp"], timeout=60).sendmail("x@stranger.test", [ANN], FIELDS)
    with p.imap(ANN) as c:
        c.append("INBOX", None, None, HEADER)
        c.append("INBOX", None, None, PARTS)
        c.select("INBOX")
        with Growth(imapd, "an ENVELOPE of 50 000 fields"):
            assert c.fetch("1", "(ENVELOPE)")[1][0].startswith(b"1 (ENVELOPE (NIL NIL ((NIL NIL \"x\" \"y.test\"))")
        with Growth(imapd, "900 TEXT keys over one header"):
            assert c.search(None, "2", *["NOT TEXT z%d" % k for k in range(900)])[1] == [b"2"]
        with Growth(imapd, "256 times the header of a part"):
            got = c.fetch("3", "(%s)" % " ".join(["BODY.PEEK[1.HEADER.FIELDS (A)]"] * 256))[1]
        assert len(got) == 257 and got[0][1] == b"\r\n"


if __name__ == "__main__":
    harness.main(scenario)
