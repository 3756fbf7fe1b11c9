"""Mail programs that send: swaks, msmtp, s-nail, curl, over TLS with the certificate checked; curl reads what it sent."""
import os

from programs import ANN, BEN, main, private, run


def swaks(p, _home):
    """Inbound as a stranger with STARTTLS, and a message through submission on both ports."""
    e = p.ends
    run("swaks", "--server", e["host"], "--port", str(e["smtp"]), "--tls", "--from", "x@example.net",
        "--to", ANN, "--header", "Subject: swaks in")
    for port, tls in (("submission", "--tls"), ("submissions", "--tls-on-connect")):
        run("swaks", "--server", e["host"], "--port", str(e[port]), tls, "--auth", "PLAIN", "--auth-user", BEN,
            "--auth-password", p.passwords[BEN], "--from", BEN, "--to", ANN, "--header", "Subject: swaks " + port)
    run("swaks", "--server", e["host"], "--port", str(e["submission"]), "--tls", "--auth", "LOGIN",
        "--auth-user", BEN, "--auth-password", "wrong", "--from", BEN, "--to", ANN, fails=True)
    return ["swaks in", "swaks submission", "swaks submissions"]


def msmtp(p, home):
    conf = private(os.path.join(home, "msmtprc"), """account default
host %s
port %d
from %s
auth scram-sha-256
user %s
password %s
tls on
tls_starttls on
tls_trust_file %s
""" % (p.ends["host"], p.ends["submission"], BEN, BEN, p.passwords[BEN], p.ends["ca"]))
    run("msmtp", "-C", conf, ANN, given="From: %s\nTo: %s\nSubject: msmtp scram\n\nHello.\n" % (BEN, ANN))
    return ["msmtp scram"]


def s_nail(p, home):
    # "localhost": s-nail knows no addresses in certificates, only names.
    rc = private(os.path.join(home, "mailrc"), "\n".join([
        "set v15-compat", "set from=%s" % BEN, "set tls-ca-file=%s" % p.ends["ca"], "set tls-verify=strict",
        "set smtp-auth=plain", "set mta=smtps://%s:%s@%s:%d" % (
            BEN.replace("@", "%40"), p.passwords[BEN].replace(" ", "%20"), "localhost", p.ends["submissions"])]))
    run("s-nail", "-s", "s-nail sends", "-Ssendwait", ANN, given="Hello.\n", home=home, MAILRC=rc)
    return ["s-nail sends"]


def curl(p, home):
    """Sends by SMTPS, reads by IMAPS and POP3S."""
    e = p.ends
    mail = private(os.path.join(home, "mail.eml"),
                   "From: <%s>\r\nTo: <%s>\r\nSubject: curl sends\r\n\r\nHello.\r\n" % (BEN, ANN))
    run("curl", "-sS", "--cacert", e["ca"], "--url", "smtps://%s:%d" % (e["host"], e["submissions"]), "--user",
        "%s:%s" % (BEN, p.passwords[BEN]), "--mail-from", BEN, "--mail-rcpt", ANN, "--upload-file", mail)
    login = ["--cacert", e["ca"], "--user", "%s:%s" % (ANN, p.passwords[ANN])]
    found = run("curl", "-sS", *login, "imaps://%s:%d/INBOX?SUBJECT%%20curl" % (e["host"], e["imaps"]))
    assert found.startswith("* SEARCH ") and len(found.split()) == 3, found
    text = run("curl", "-sS", *login, "imaps://%s:%d/INBOX;UID=1" % (e["host"], e["imaps"]))
    assert "Delivered-To: " + ANN in text, text
    listed = run("curl", "-sS", *login, "pop3s://%s:%d/" % (e["host"], e["pop3s"]))
    text = run("curl", "-sS", *login, "pop3s://%s:%d/%d" % (e["host"], e["pop3s"], len(listed.splitlines())))
    assert "Subject: curl sends" in text, text
    starttls = run("curl", "-sS", "--ssl-reqd", *login, "imap://%s:%d/" % (e["host"], e["imap"]))
    assert "INBOX" in starttls, starttls
    return ["curl sends"]


if __name__ == "__main__":
    main((), swaks, msmtp, s_nail, curl)
