"""Real mail programs against a real platform: curl, swaks, msmtp, s-nail, mutt, neomutt, mbsync (both ways),
fetchmail. Each sends or reads as its users do, over TLS with the certificate checked."""
import glob
import os
import select
import subprocess
import tempfile
import time

import harness

ANN, BEN = "ann@clients.test", "ben@other.test"


def run(*command, given=None, home=None, fails=False):
    done = subprocess.run(command, input=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, check=False, env=dict(os.environ, HOME=home or "/nonexistent"))
    if (done.returncode != 0) != fails:
        raise AssertionError("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stdout))
    return done.stdout


def private(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)
    return path


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
    # "localhost": s-nail, mbsync and fetchmail know no addresses in certificates, only names.
    rc = private(os.path.join(home, "mailrc"), "\n".join([
        "set v15-compat", "set from=%s" % BEN, "set tls-ca-file=%s" % p.ends["ca"], "set tls-verify=strict",
        "set smtp-auth=plain", "set mta=smtps://%s:%s@%s:%d" % (
            BEN.replace("@", "%40"), p.passwords[BEN].replace(" ", "%20"), "localhost", p.ends["submissions"])]))
    environment = dict(os.environ, HOME=home, MAILRC=rc)
    done = subprocess.run(["s-nail", "-s", "s-nail sends", "-Ssendwait", ANN], input="Hello.\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stdout
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


def on_screen(program, rc, home):
    """Without a terminal mutt only sends. What it showed."""
    screen, theirs = os.openpty()
    done = subprocess.Popen([program, "-F", rc], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                            env=dict(os.environ, HOME=home, TERM="vt100"))
    os.close(theirs)
    shown = b""
    try:
        while select.select([screen], [], [], 30)[0]:
            shown += os.read(screen, 65536)
    except OSError:
        pass  # it has left
    done.kill()
    done.wait()
    os.close(screen)
    return shown


def mutt(p, home, program="mutt"):
    """Sends, reads the inbox by IMAP and saves a message into another folder, reads by POP3 and saves into a file."""
    e = p.ends
    common = """set certificate_file="%s" ssl_force_tls=yes ssl_verify_host=no confirmcreate=no confirmappend=no
set delete=no quit=yes from="%s" use_from=yes use_domain=no copy=no
""" % (e["ca"], BEN)
    rc = private(os.path.join(home, "muttrc"), common + """set smtp_url="smtps://%s@%s:%d/" smtp_pass="%s"
""" % (BEN, e["host"], e["submissions"], p.passwords[BEN]))
    run(program, "-F", rc, "-s", program + " sends", ANN, given="Hello.\n.\nThe end.\n", home=home)
    kept = "Kept-" + program
    rc = private(os.path.join(home, "muttrc"), common + """set folder="imaps://%s:%d"
set spoolfile="=INBOX" imap_user="%s" imap_pass="%s" mbox_type=Maildir
push "<first-entry><copy-message>=%s<enter><quit>"
""" % (e["host"], e["imaps"], ANN, p.passwords[ANN], kept))
    shown = on_screen(program, rc, home)
    with p.imap(ANN) as c:
        answer, count = c.select(kept, readonly=True)
        assert answer == "OK" and count == [b"1"], (answer, count, shown[-2000:])
    box = os.path.join(home, program + ".mbox")
    rc = private(os.path.join(home, "muttrc"), common + """set folder="%s" spoolfile="pops://%s:%d/"
set pop_user="%s" pop_pass="%s" mbox_type=mbox
push "<last-entry><copy-message>=%s.mbox<enter><quit>"
""" % (home, e["host"], e["pop3s"], ANN, p.passwords[ANN], program))
    shown = on_screen(program, rc, home)
    assert os.path.exists(box), shown[-2000:]
    with open(box, encoding="utf-8") as f:
        text = f.read()
    assert text.count("Subject: ") == 1 and "Delivered-To: " + ANN in text, text
    return [program + " sends"]


def neomutt(p, home):
    return mutt(p, home, "neomutt")


def mbsync(p, home):
    """There, back with a new message and a flag, and there again: both sides agree."""
    local = os.path.join(home, "local")
    os.mkdir(local)
    rc = private(os.path.join(home, "mbsyncrc"), """IMAPAccount a
Host %s
Port %d
User %s
Pass "%s"
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account a

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""" % ("localhost", p.ends["imaps"], ANN, p.passwords[ANN], p.ends["ca"], local, local))
    run("mbsync", "-c", rc, "-a", home=home)
    with p.imap(ANN) as c:
        c.select()
        before = c.search(None, "ALL")[1][0].split()
    here = sorted(glob.glob(local + "/INBOX/new/*") + glob.glob(local + "/INBOX/cur/*"))
    assert len(here) == len(before), (here, before)
    assert os.path.isdir(local + "/Kept-mutt"), "folders come too"
    with open(local + "/INBOX/new/%d.x.near" % time.time(), "w", encoding="ascii") as f:
        f.write("From: a@b.test\nSubject: mbsync up\n\nHello.\n")
    os.rename(here[0], os.path.join(local, "INBOX/cur", os.path.basename(here[0]).split(":2,")[0] + ":2,FS"))
    run("mbsync", "-c", rc, "-a", home=home)
    with p.imap(ANN) as c:
        c.select()
        assert len(c.search(None, "ALL")[1][0].split()) == len(before) + 1
        assert len(c.search(None, "FLAGGED")[1][0].split()) == 1
    again = run("mbsync", "-V", "-c", rc, "-a", home=home)
    assert "Error" not in again, again
    return ["mbsync up"]


def fetchmail(p, home):
    """POP3 and IMAP into a file, by an MDA of one line."""
    for proto, service in (("pop3", "pop3s"), ("imap", "imaps")):
        box = os.path.join(home, "box-" + proto)
        rc = private(os.path.join(home, "fetchmailrc"), """poll %s service %d protocol %s
  user "%s" password "%s" ssl sslcertck sslcertfile %s fetchall keep
  mda "cat >>%s"
""" % ("localhost", p.ends[service], proto, ANN, p.passwords[ANN], p.ends["ca"], box))
        environment = dict(os.environ, HOME=home, FETCHMAILHOME=home)
        done = subprocess.run(["fetchmail", "-f", rc, "-v"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120, check=False, env=environment)
        assert done.returncode == 0, done.stdout
        with open(box, encoding="utf-8") as f:
            text = f.read()
        assert text.count("Subject: swaks in") == 1 and "Subject: msmtp scram" in text, text


def scenario(p):
    p.tenant("clients", "clients.test")
    p.tenant("other", "other.test")
    p.account(ANN)
    p.account(BEN)
    sent = []
    with tempfile.TemporaryDirectory() as home:
        for step in (swaks, msmtp, s_nail, curl, mutt, neomutt, mbsync, fetchmail):
            sent += step(p, home) or []
            print("ok", step.__name__)
    got = p.subjects(ANN)
    assert sorted(got) == sorted(sent), (got, sent)


if __name__ == "__main__":
    harness.main(scenario)
