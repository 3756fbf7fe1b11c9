"""PostgreSQL stops: known recipients are accepted and stored visibly, users whose password was checked a
moment ago log in, everybody else hears 4xx, nobody 5xx; all is normal by itself when it is back."""
import imaplib
import smtplib

import harness

KNOWN, NEW = "known@away.test", "new@away.test"


def codes(p, *recipients):
    with p.smtp() as s:
        s.ehlo()
        s.mail("x@example.net")
        return [s.rcpt(r)[0] for r in recipients]


def login_error(p, address):
    try:
        p.imap(address).logout()
    except imaplib.IMAP4.error as e:
        return str(e)
    return None


def scenario(p):
    trial = p.own()
    p.tenant("away", "away.test")
    p.account(KNOWN)
    p.account(NEW)
    # Asked for now, and so known later; the negative answer too.
    assert codes(p, KNOWN, "nobody@away.test", "x@foreign.test") == [250, 550, 550]
    with p.smtp() as s:
        s.sendmail("x@example.net", [KNOWN], "Subject: before\r\n\r\nx\r\n")
    assert p.subjects(KNOWN) == ["before"]
    p.pop3(KNOWN).quit()  # each daemon remembers what it has checked itself
    with p.submission(KNOWN) as s:
        s.sendmail(KNOWN, [KNOWN], "From: <%s>\r\nSubject: sent before\r\n\r\nx\r\n" % KNOWN)

    trial.database.sql("CHECKPOINT")  # a test's database does not sync: what it knows stays known
    trial.database.stop("immediate")
    with p.smtp() as s:
        s.sendmail("x@example.net", [KNOWN], "Subject: meanwhile\r\n\r\nx\r\n")
    assert p.subjects(KNOWN) == ["before", "sent before", "meanwhile"], "stored, visible, and the user logs in"
    assert p.pop3(KNOWN).stat()[0] == 3
    with p.submission(KNOWN) as s:
        s.sendmail(KNOWN, [KNOWN], "From: <%s>\r\nSubject: sent\r\n\r\nx\r\n" % KNOWN)
    answers = codes(p, NEW, "nobody@away.test", "never@asked.test")
    assert all(400 <= c < 500 for c in answers), answers
    assert "UNAVAILABLE" in login_error(p, NEW), login_error(p, NEW)
    try:
        p.submission(NEW)
        raise AssertionError("logged in without anybody to ask")
    except smtplib.SMTPAuthenticationError as e:
        assert e.smtp_code == 454, e

    harness.wait_until(lambda: "usage.late" in trial.daemons["lmtpd"].tail(50), 10)
    trial.database.start()
    harness.wait_until(lambda: codes(p, NEW, "nobody@away.test") == [250, 550], 30)
    harness.wait_until(lambda: login_error(p, NEW) is None, 30)
    p.account("later@away.test")
    harness.wait_until(lambda: codes(p, "later@away.test") == [250], 5)
    # Sizes of what came meanwhile are told late, not lost.
    harness.wait_until(lambda: p.yubin_json("account", "show", KNOWN)["messages"] == 4, 15)
    # A change is in force everywhere within a second (R-A55).
    p.yubin("account", "suspend", NEW)
    harness.wait_until(lambda: codes(p, NEW) == [450], 1)


if __name__ == "__main__":
    harness.main(scenario, {"lmtpd": {"usage_interval": "1s"}})
