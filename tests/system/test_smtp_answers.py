"""What a stranger hears at RCPT and MAIL: each answer of the directory, sizes, numbers of recipients; and what a refused
message leaves behind, which is nothing."""
import harness

DOMAIN = "answers.test"
OPTIONS = {"smtpd": {"max_message": "100K", "max_rcpt": "100"}}


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
    before = len(p.new_files())
    with p.smtp() as s:
        s.ehlo()
        s.mail("x@example.net")
        for name in ("ann@" + DOMAIN, "ann@" + DOMAIN, "Ann@Answers.Test.", '"a\\nn"@' + DOMAIN, "alias@" + DOMAIN,
                     "ann+x@" + DOMAIN):
            assert s.docmd("RCPT TO:<%s>" % name)[0] == 250, name
        assert s.data("Subject: once\r\n\r\nx\r\n")[0] == 250
    assert len(p.new_files()) == before + 2


def recipients(p):
    with p.smtp() as s:
        s.ehlo()
        s.mail("x@example.net")
        codes = [s.rcpt("ann+%d@%s" % (i, DOMAIN))[0] for i in range(101)]
        assert codes == [250] * 100 + [452], codes
        assert s.data("Subject: to a hundred\r\n\r\nx\r\n")[0] == 250
    found = p.new_files()
    assert len(found) == 101, len(found)


def scenario(p):
    p.own()
    p.tenant("answers", DOMAIN)
    p.account("ann@" + DOMAIN)
    said = ["%d %s" % answer for answer in p.rcpts("ann@" + DOMAIN, "nobody@" + DOMAIN, "ann@foreign.test")]
    assert said[0].startswith("250 2.1.5")
    assert said[1].startswith("550 5.1.1")
    assert said[2].startswith("550 5.7.1")
    p.account("gone@" + DOMAIN)
    p.yubin("account", "suspend", "gone@" + DOMAIN)
    p.until_rcpt("gone@" + DOMAIN, 450, "4.2.1")
    sizes(p)
    recipients(p)
    p.yubin("alias", "add", "alias@" + DOMAIN, "ann@" + DOMAIN)
    repeated(p)


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
