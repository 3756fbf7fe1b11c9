"""Cheap input stays cheap: what strangers and users can make of a message costs imapd little memory, and long work
of one tenant holds up nobody else's."""
import smtplib
import threading

import harness

ANN, BOB = "ann@heavy.test", "bob@light.test"
FIELDS = b"From: x@y.test\r\n" + b"To: a\r\n" * 50000 + b"\r\nhi\r\n"
HEADER = b"From: x@y.test\r\n" + b"".join(b"X-F%d: %s\r\n" % (i, b"q" * 900) for i in range(1000)) + b"\r\nhi\r\n"
INNER = b"".join(b"X-F%d: %s\r\n" % (i, b"q" * 900) for i in range(4000)) + b"\r\nhi\r\n"
PARTS = (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
         + INNER + b"\r\n--b--\r\n")
LONG = (b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + (b"\xe9t\xe9 \xe0 la mer, " * 5 + b"\r\n") * 40000)
MANY = 20  # heavy sessions: more than the workers a tenant may have
MAX_GROWTH = 64  # MiB: what one command may take


def figure(pid, name):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(name)) // 1024


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


def costs_little(p, imapd):
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


def holds_up_nobody(p):
    """Another tenant's commands are answered while the heavy ones are all still at work."""
    with p.imap(ANN) as c:
        c.append("INBOX", None, None, LONG)
    heavy = [p.imap(ANN) for _ in range(MANY)]
    for c in heavy:
        c.select("INBOX", readonly=True)
    done = []

    def reads(c):
        while not c.readline().startswith(b"a "):
            pass
        done.append(c)

    readers = [threading.Thread(target=reads, args=(c,)) for c in heavy]
    with p.imap(BOB) as light:
        light.append("INBOX", None, None, b"Subject: light\r\n\r\nx\r\n")
        light.select("INBOX")
        for c, reader in zip(heavy, readers):
            c.sock.settimeout(240)
            c.send(b"a SEARCH BODY zz BODY yy\r\n")
            reader.start()
        for _ in range(20):
            assert light.noop()[0] == "OK"
            assert light.search(None, "BODY", "x")[1] == [b"1"]
        assert not done, "the heavy commands are at work"
    for reader in readers:
        reader.join()


def scenario(p):
    imapd = p.own().daemons["imapd"].child_pid()
    p.tenant("heavy", "heavy.test")
    p.tenant("light", "light.test")
    p.account(ANN)
    p.account(BOB)
    costs_little(p, imapd)
    holds_up_nobody(p)


if __name__ == "__main__":
    harness.main(scenario)
