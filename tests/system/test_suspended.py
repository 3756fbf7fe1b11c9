"""Who is suspended is told so, with the reason, by every protocol and only with the right password; what comes over a
connection that was open before is not sent either."""
import harness
from harness import login_error

ANN, BOB = "ann@one.test", "bob@one.test"


def at_login(p):
    """No protocol is shown more than ASCII that did not ask for it."""
    p.yubin("account", "suspend", BOB, "--reason", "für heute")
    for way in (p.pop3, p.imap, p.submission):
        assert "suspended: f?r heute" in login_error(way, BOB), way
    assert "suspended" not in login_error(p.pop3, BOB, "wrong")
    p.yubin("account", "resume", BOB)
    assert login_error(p.pop3, BOB) is None


def open_before(p):
    """Who is suspended sends nothing more, over a connection that was open before either."""
    with p.submission(BOB) as s:
        s.sendmail(BOB, [ANN], "From: %s\r\nSubject: still\r\n\r\nx\r\n" % BOB)
        p.yubin("account", "suspend", BOB)

        def answer():
            s.rset()
            return s.mail(BOB)
        # Now and then: many commands without a message end a session, and the second change within a second of
        # the first is heard of at the end of that second.
        harness.wait_until(lambda: answer()[0] == 550, 5, every=0.2)
        assert answer()[1].startswith(b"5.7.13 This account is suspended"), answer()
        p.yubin("account", "resume", BOB)
        harness.wait_until(lambda: answer()[0] == 250, 5, every=0.2)


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    p.account(BOB)
    at_login(p)
    open_before(p)


if __name__ == "__main__":
    harness.main(scenario)
