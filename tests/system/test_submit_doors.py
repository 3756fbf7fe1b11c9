"""Ways into submission: nothing without a login, no password without TLS, no word of plain text survives STARTTLS, and
port 25 has no AUTH (R-A94 … R-A96)."""
import smtplib
import socket
import ssl

import harness

ANN, BEN = "ann@submit.test", "ben@submit.test"


def plain(p, port):
    return smtplib.SMTP(p.ends["host"], p.ends[port], timeout=30)


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
    p.tenant("submit", "submit.test")
    p.account(ANN)
    p.account(BEN)
    doors(p)
    injected(p)


if __name__ == "__main__":
    harness.main(scenario)
