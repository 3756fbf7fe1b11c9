"""Mutt and NeoMutt send, read by IMAP and POP3, and save into a folder there or a file here, over TLS with the
certificate checked."""
import os
import select
import subprocess

from programs import ANN, BEN, main, private, run


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


if __name__ == "__main__":
    main(("first",), mutt, neomutt)
