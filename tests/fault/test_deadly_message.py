"""A message whose parsing ends imapd ends it once: others are served again at once, the message is then
answered from the index, and nothing dies of it any more, not even after a restart of the daemon."""
import imaplib
import os
import ssl
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
import harness  # noqa: E402

MARK = "deadly-mark-4711"
DEADLY = b"From: x@y.test\r\nSubject: deadly\r\n\r\n" + MARK.encode() + b"\r\n"
GOOD = b"From: x@y.test\r\nSubject: good\r\n\r\nfine\r\n"
NIL_ENVELOPE = b"ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def fetch(c, uid, what):
    """All of the answer, in one piece."""
    status, answer = c.uid("FETCH", uid, what)
    assert status == "OK", answer
    return b"".join(b"".join(part) if isinstance(part, tuple) else part for part in answer)


def deaths(daemon):
    with open(daemon.log, encoding="utf-8") as f:
        return f.read().count("event=daemon.child_died")


def log_has(daemon, text):
    with open(daemon.log, encoding="utf-8") as f:
        return text in f.read()


def parses_and_dies(p, address):
    """The client's connection ends with the process."""
    with p.imap(address) as c:
        c.select("INBOX")
        try:
            c.uid("FETCH", "1:*", "(UID ENVELOPE)")
        except (imaplib.IMAP4.abort, OSError, ssl.SSLError):
            c.shutdown()
            c.logout = lambda: None
            return
    raise AssertionError("the fault point was not reached")


def looks(p, address):
    """What can be had of it, and of its neighbour."""
    with p.imap(address) as c:
        c.select("INBOX")
        text = fetch(c, "1", "(UID ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE)")
        size = b"%d" % len(DEADLY)
        assert NIL_ENVELOPE in text, text
        assert b'BODY ("application" "octet-stream" NIL NIL NIL "8BIT" %s)' % size in text, text
        assert b'BODYSTRUCTURE ("application" "octet-stream" NIL NIL NIL "8BIT" %s NIL NIL NIL NIL)' % size in text, text
        text = fetch(c, "1", "(BODY.PEEK[])")
        assert DEADLY in text, text
        for section in ("HEADER", "1", "TEXT", "HEADER.FIELDS (SUBJECT)"):
            text = fetch(c, "1", "(BODY.PEEK[%s])" % section)
            assert b"BODY[%s] NIL" % section.encode() in text, text
        for key, value in (("SUBJECT", "deadly"), ("BODY", MARK), ("TEXT", "deadly"), ("HEADER", "x-no \"\"")):
            assert c.uid("SEARCH", None, key, value)[1] == [b""], key
        assert c.uid("SEARCH", None, "SUBJECT", "good")[1] == [b"2"]
        assert b'"good"' in fetch(c, "2", "(ENVELOPE)")


def main():
    build = os.path.abspath(os.environ.get("YUBIN_BUILD", os.path.join(TOP, "build")))
    with open(os.path.join(build, "imapd", "yubin-imapd"), "rb") as f:
        if b"YB_FAULT_MARK" not in f.read():
            print("skipped: not a build with --enable-faults")
            return 77
    with harness.platform(environment={"YB_FAULT_MARK": "imapd.parse:" + MARK}) as p:
        imapd = p.own().daemons["imapd"]
        for name in ("one", "two"):
            p.tenant(name, name + ".test")
            p.account("ann@%s.test" % name)
            with p.imap("ann@%s.test" % name) as c:
                if name == "one":
                    c.append("INBOX", None, None, DEADLY)
                c.append("INBOX", None, None, GOOD)
        parses_and_dies(p, "ann@one.test")
        begun = time.monotonic()
        assert p.subjects("ann@two.test") == ["good"]
        print("another tenant is served after %.2f s" % (time.monotonic() - begun))
        harness.wait_until(lambda: log_has(imapd, "event=daemon.condemned signal=6"))
        child = imapd.child_pid()
        looks(p, "ann@one.test")
        looks(p, "ann@one.test")
        assert imapd.child_pid() == child and deaths(imapd) == 1
        assert log_has(imapd, "event=imap.condemned")

        harness.wait_until(lambda: os.path.exists(os.path.join(p.own().home, "state", "imapd", "condemned")))
        imapd.stop()
        imapd.start(p.own().environment)
        child = imapd.child_pid()
        looks(p, "ann@one.test")
        assert imapd.child_pid() == child and deaths(imapd) == 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
