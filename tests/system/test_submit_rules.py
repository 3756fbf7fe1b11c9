"""What a user may submit: no foreign sender, what a program forgot is added, and where the user sat is told to nobody
(R-A6, R-A103, R-A105, R-A109)."""
import smtplib

import harness

ANN, BEN = "ann@submit.test", "ben@submit.test"


def scenario(p):
    p.own()
    p.tenant("submit", "submit.test")
    p.account(ANN)
    p.account(BEN)
    with smtplib.SMTP(p.ends["host"], p.ends["submission"], local_hostname="laptop.inside.test", timeout=30) as s:
        s.starttls(context=p.tls())
        s.login(ANN, p.passwords[ANN])
        for sender in (BEN, "x@other.test"):
            assert s.mail(sender)[0] == 550, sender
        for head in ("From: %s" % BEN, "From: %s\r\nSender: %s" % (ANN, BEN), "Subject: nobody", "From: x@other.test"):
            s.mail(ANN)
            s.rcpt(BEN)
            assert s.data(head + "\r\n\r\nx\r\n")[0] == 550, head
        s.mail(ANN)
        assert s.rcpt("x@foreign.test")[0] == 451, "not before there is a queue"
        assert s.rcpt("nobody@submit.test")[0] == 550
        s.rset()
        # Unqualified: the user's own domain, here and nowhere else.
        assert s.docmd("MAIL FROM:<ann>")[0] == 250 and s.docmd("RCPT TO:<ben>")[0] == 250
        assert s.data("From: %s\r\nSubject: bare\r\n\r\nx\r\n" % ANN)[0] == 250
    _, text = p.stored(b"\r\nSubject: bare\r\n")
    text = text.decode()
    assert text.startswith("Return-Path: <ann@submit.test>\r\n"), text
    assert "\nDelivered-To: ben@submit.test\r\n" in text and "\nDate: " in text and "\nMessage-ID: <" in text, text
    assert "with ESMTPSA" in text and "127.0.0.1" not in text and "laptop" not in text, text
    assert harness.log_lines(p.own().daemons["submitd"], "event=submit.accept", "user=%s" % ANN), "R-A103"


if __name__ == "__main__":
    harness.main(scenario)
