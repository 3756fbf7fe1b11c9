"""What a stranger hears at RCPT, at MAIL and after too much: each answer of the directory, sizes, numbers of
recipients, space; and nothing a refused message leaves behind."""
import glob

import harness

DOMAIN = "answers.test"
OPTIONS = {"smtpd": {"max_message": "100K", "max_rcpt": "100"}}


def rcpt(p, address):
    with p.smtp() as s:
        s.ehlo()
        assert s.mail("x@example.net")[0] == 250
        code, text = s.rcpt(address)
        return "%d %s" % (code, text.decode())


def sizes(p):
    big = "Subject: big\r\n\r\n" + "y" * 76 + "\r\n"
    big += ("y" * 76 + "\r\n") * 1400
    with p.smtp() as s:
        s.ehlo()
        assert s.esmtp_features["size"] == "102400"
        assert s.mail("x@example.net", ["SIZE=102401"])[0] == 552
        assert s.mail("x@example.net", ["SIZE=102400"])[0] == 250
        assert s.rcpt("ann@" + DOMAIN)[0] == 250
        assert s.data(big)[0] == 552, "more than was announced"
        s.sendmail("x@example.net", ["ann@" + DOMAIN], "Subject: after\r\n\r\nx\r\n")


def repeated(p):
    """One recipient, named in five ways; a sub-address of the same mailbox is another recipient."""
    before = len(glob.glob(p.own().mail_root + "/*/*/Maildir/new/*"))
    with p.smtp() as s:
        s.ehlo()
        s.mail("x@example.net")
        for name in ("ann@" + DOMAIN, "ann@" + DOMAIN, "Ann@Answers.Test.", '"a\\nn"@' + DOMAIN, "alias@" + DOMAIN,
                     "ann+x@" + DOMAIN):
            assert s.docmd("RCPT TO:<%s>" % name)[0] == 250, name
        assert s.data("Subject: once\r\n\r\nx\r\n")[0] == 250
    assert len(glob.glob(p.own().mail_root + "/*/*/Maildir/new/*")) == before + 2


def recipients(p):
    with p.smtp() as s:
        s.ehlo()
        s.mail("x@example.net")
        codes = [s.rcpt("ann+%d@%s" % (i, DOMAIN))[0] for i in range(101)]
        assert codes == [250] * 100 + [452], codes
        assert s.data("Subject: to a hundred\r\n\r\nx\r\n")[0] == 250
    found = glob.glob(p.own().mail_root + "/*/*/Maildir/new/*")
    assert len(found) == 101, len(found)


def full(p):
    """Exact at the end of the message, whatever RCPT believed; then known at RCPT as well."""
    codes = []
    for _ in range(2):
        with p.smtp() as s:
            s.ehlo()
            s.mail("x@example.net")
            assert s.rcpt("small@" + DOMAIN)[0] == 250
            codes.append(s.data("Subject: x\r\n\r\n" + "z" * 700 + "\r\n"))
    assert codes[0][0] == 250 and codes[1][0] == 452 and codes[1][1].startswith(b"4.2.2"), codes
    p.yubin("account", "set", "small@" + DOMAIN, "--quota", "500")
    harness.wait_until(lambda: rcpt(p, "small@" + DOMAIN).startswith("452 4.2.2"), 15)


def tight(p):
    """One mailbox of several has too little room: the first try comes back whole, the next one is answered for that
    mailbox alone; behind an alias it is stored for all, and what fits is taken."""
    p.account("tight@" + DOMAIN, harness.PASSWORD, "--quota", "8000")
    p.account("tiny@" + DOMAIN, harness.PASSWORD, "--quota", "4000")
    p.account("wide@" + DOMAIN)
    p.yubin("alias", "add", "both@" + DOMAIN, "tight@" + DOMAIN, "wide@" + DOMAIN)
    big = ("z" * 74 + "\r\n") * 80

    def send(body, *names, options=()):
        with p.smtp() as s:
            s.ehlo()
            s.mail("x@example.net", options)
            codes = [s.rcpt("%s@%s" % (name, DOMAIN))[0] for name in names]
            return codes + ([s.data("Subject: x\r\n\r\n" + body)[0]] if 250 in codes else [])

    assert send(big, "tight") == [250, 250]
    before = len(glob.glob(p.own().mail_root + "/*/*/Maildir/new/*"))
    assert send(big, "wide", "tight") == [250, 250, 452]
    assert send("x\r\n", "wide", "tight", options=("SIZE=100",)) == [250, 250, 250]
    for options in ((), ("SIZE=6100",)):
        assert send(big, "wide", "tight", options=options) == [250, 452, 250]
        assert send(big, "both", options=options) == [250, 250]
    found = len(glob.glob(p.own().mail_root + "/*/*/Maildir/new/*"))
    assert found == before + 2 + 2 + 4, found - before
    # Larger than all that a mailbox may hold: final, once it is known whose fault it is.
    assert send(big, "wide", "tiny") == [250, 250, 451]
    assert send(big, "wide", "tiny") == [250, 552, 250]
    assert send(big, "tiny", options=("SIZE=6100",)) == [552]


def scenario(p):
    p.own()
    p.tenant("answers", DOMAIN)
    p.account("ann@" + DOMAIN)
    assert rcpt(p, "ann@" + DOMAIN).startswith("250 2.1.5")
    assert rcpt(p, "nobody@" + DOMAIN).startswith("550 5.1.1")
    assert rcpt(p, "ann@foreign.test").startswith("550 5.7.1")
    p.account("gone@" + DOMAIN)
    p.yubin("account", "suspend", "gone@" + DOMAIN)
    harness.wait_until(lambda: rcpt(p, "gone@" + DOMAIN).startswith("450 4.2.1"), 5)
    sizes(p)
    recipients(p)
    p.yubin("alias", "add", "alias@" + DOMAIN, "ann@" + DOMAIN)
    repeated(p)
    tight(p)
    p.account("small@" + DOMAIN, harness.PASSWORD, "--quota", "1000")
    full(p)


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
