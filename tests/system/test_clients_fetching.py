"""Programs that fetch, over TLS with the certificate checked: mbsync (both ways) and fetchmail (POP3 and IMAP)."""
import glob
import os
import time

from programs import ANN, main, private, run


def mbsync(p, home):
    """There, back with a new message and a flag, and there again: both sides agree."""
    # "localhost": mbsync and fetchmail know no addresses in certificates, only names.
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
    with p.imap(ANN) as c:
        c.create("Kept")
    run("mbsync", "-c", rc, "-a", home=home)
    with p.imap(ANN) as c:
        c.select()
        before = c.search(None, "ALL")[1][0].split()
    here = sorted(glob.glob(local + "/INBOX/new/*") + glob.glob(local + "/INBOX/cur/*"))
    assert len(here) == len(before), (here, before)
    assert os.path.isdir(local + "/Kept"), "folders come too"
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
        run("fetchmail", "-f", rc, "-v", home=home, FETCHMAILHOME=home)
        with open(box, encoding="utf-8") as f:
            text = f.read()
        assert text.count("Subject: by post") == 1 and "Subject: by hand" in text, text


if __name__ == "__main__":
    main(("by post", "by hand"), mbsync, fetchmail)
