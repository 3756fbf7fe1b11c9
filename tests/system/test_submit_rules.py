"""Submission: nothing without a login, no password without TLS, no foreign sender, what a program forgot is
added, and where the user sat is told to nobody (R-A6, R-A94 … R-A96, R-A103, R-A105, R-A109)."""
import glob
import smtplib
import socket
import ssl

import harness

ANN, BEN = "ann@submit.test", "ben@submit.test"


def plain(p, port):
    return smtplib.SMTP(p.ends["host"], p.ends[port], local_hostname="laptop.inside.test", timeout=30)


def doors(p):
    with plain(p, "smtp") as s:
        s.ehlo()
        assert "auth" not in s.esmtp_features, "no AUTH on port 25"
        assert s.docmd("AUTH PLAIN")[0] == 500
    with plain(p, "submission") as s:
        s.ehlo()
        assert "auth" not in s.esmtp_features, "no mechanism before TLS"
        assert s.mail(ANN)[0] == 530 and s.mail(ANN)[1][:5] == b"5.7.0"
        assert s.docmd("AUTH PLAIN AGEAYg==")[0] in (530, 538)
        s.starttls(context=p.tls())
        s.ehlo()
        words = s.esmtp_features["auth"].split()
        assert {"PLAIN", "LOGIN", "SCRAM-SHA-256"} <= set(words), words
        assert not {"CRAM-MD5", "DIGEST-MD5", "ANONYMOUS"} & set(words), words
        assert s.mail(ANN)[0] == 530
        assert s.docmd("AUTH PLAIN AGEAYg==")[0] == 535
    with smtplib.SMTP_SSL(p.ends["host"], p.ends["submissions"], context=p.tls(), timeout=30) as s:
        s.login(ANN, p.passwords[ANN])
        s.sendmail(ANN, [BEN], "From: %s\r\nSubject: by 465\r\n\r\nx\r\n" % ANN)


def stored(trial, subject):
    for name in glob.glob(trial.mail_root + "/*/*/Maildir/new/*"):
        with open(name, encoding="utf-8", newline="") as f:
            text = f.read()
        if "\r\nSubject: %s\r\n" % subject in text:
            return text
    raise AssertionError("no %s" % subject)


def rules(p, trial):
    with plain(p, "submission") as s:
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
    text = stored(trial, "bare")
    assert text.startswith("Return-Path: <ann@submit.test>\r\n"), text
    assert "\nDelivered-To: ben@submit.test\r\n" in text and "\nDate: " in text and "\nMessage-ID: <" in text, text
    assert "with ESMTPSA" in text and "127.0.0.1" not in text and "laptop" not in text, text
    with open(trial.daemons["submitd"].log, encoding="utf-8") as f:
        assert any("event=submit.accept" in line and "user=%s" % ANN in line for line in f), "R-A103"


def suspended(p):
    """Who is suspended sends nothing more, over a connection that was open before either."""
    with p.submission(BEN) as s:
        s.sendmail(BEN, [ANN], "From: %s\r\nSubject: still\r\n\r\nx\r\n" % BEN)
        p.yubin("account", "suspend", BEN)

        def answer():
            s.rset()
            return s.mail(BEN)
        # Now and then: many commands without a message end a session, and the second change within a second of
        # the first is heard of at the end of that second.
        harness.wait_until(lambda: answer()[0] == 550, 5, every=0.2)
        assert answer()[1].startswith(b"5.7.13 This account is suspended"), answer()
        p.yubin("account", "resume", BEN)
        harness.wait_until(lambda: answer()[0] == 250, 5, every=0.2)


def injected(p):
    """Words behind STARTTLS in plain text are nobody's."""
    with socket.create_connection((p.ends["host"], p.ends["submission"]), timeout=10) as s:
        s.recv(4096)
        s.sendall(b"EHLO x\r\n")
        s.recv(4096)
        s.sendall(b"STARTTLS\r\nEHLO injected.test\r\n")
        assert s.recv(4096).startswith(b"220 ")
        with p.tls().wrap_socket(s, server_hostname="localhost") as t:
            t.settimeout(1)
            try:
                assert t.recv(4096) == b"", "something answered what was injected"
            except (socket.timeout, ssl.SSLError):
                pass


def scenario(p):
    trial = p.own()
    p.tenant("submit", "submit.test")
    p.account(ANN)
    p.account(BEN)
    doors(p)
    rules(p, trial)
    suspended(p)
    injected(p)


if __name__ == "__main__":
    harness.main(scenario)
