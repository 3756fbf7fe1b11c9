"""PostgreSQL stops: known recipients are accepted and stored visibly, users whose password was checked a
moment ago log in, everybody else hears 4xx, nobody 5xx; all is normal by itself when it is back."""
import smtplib

import harness
from harness import login_error

KNOWN, NEW = "known@away.test", "new@away.test"


def scenario(p):
    trial = p.own()
    p.tenant("away", "away.test")
    p.account(KNOWN)
    p.account(NEW)
    # Asked for now, and so known later; the negative answer too.
    assert p.codes(KNOWN, "nobody@away.test", "x@foreign.test") == [250, 550, 550]
    assert p.send(KNOWN, "before")[0] == 250
    assert p.subjects(KNOWN) == ["before"]
    p.pop3(KNOWN).quit()  # each daemon remembers what it has checked itself
    with p.submission(KNOWN) as s:
        s.sendmail(KNOWN, [KNOWN], "From: <%s>\r\nSubject: sent before\r\n\r\nx\r\n" % KNOWN)

    trial.database.sql("CHECKPOINT")  # a test's database does not sync: what it knows stays known
    trial.database.stop("immediate")
    assert p.send(KNOWN, "meanwhile")[0] == 250
    assert p.subjects(KNOWN) == ["before", "sent before", "meanwhile"], "stored, visible, and the user logs in"
    assert p.pop3(KNOWN).stat()[0] == 3
    with p.submission(KNOWN) as s:
        s.sendmail(KNOWN, [KNOWN], "From: <%s>\r\nSubject: sent\r\n\r\nx\r\n" % KNOWN)
    answers = p.codes(NEW, "nobody@away.test", "never@asked.test")
    assert all(400 <= c < 500 for c in answers), answers
    assert "UNAVAILABLE" in login_error(p.imap, NEW), login_error(p.imap, NEW)
    e = harness.raises(smtplib.SMTPAuthenticationError, lambda: p.submission(NEW))
    assert e.smtp_code == 454, e

    harness.wait_until(lambda: "usage.late" in trial.daemons["lmtpd"].tail(50), 10)
    trial.database.start()
    harness.wait_until(lambda: p.codes(NEW, "nobody@away.test") == [250, 550], 30)
    harness.wait_until(lambda: login_error(p.imap, NEW) is None, 30)
    p.account("later@away.test")
    harness.wait_until(lambda: p.codes("later@away.test") == [250], 5)
    # Sizes of what came meanwhile are told late, not lost.
    harness.wait_until(lambda: p.yubin_json("account", "show", KNOWN)["messages"] == 4, 15)
    # A change is in force everywhere within a second (R-A55).
    p.yubin("account", "suspend", NEW)
    harness.wait_until(lambda: p.codes(NEW) == [450], 1)


if __name__ == "__main__":
    harness.main(scenario, {"lmtpd": {"usage_interval": "1s"}})
