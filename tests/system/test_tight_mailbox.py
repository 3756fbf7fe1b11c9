"""One mailbox of several has too little room, and there is no relayd: the first try comes back whole, the next one is
answered for that mailbox alone; behind an alias it is stored for all, and what fits is taken."""
import harness

DOMAIN = "answers.test"


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
    p.until_rcpt("small@" + DOMAIN, 452, "4.2.2")


def scenario(p):
    p.own()
    p.tenant("answers", DOMAIN)
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
    before = len(p.new_files())
    assert send(big, "wide", "tight") == [250, 250, 452]
    assert send("x\r\n", "wide", "tight", options=("SIZE=100",)) == [250, 250, 250]
    for options in ((), ("SIZE=6100",)):
        assert send(big, "wide", "tight", options=options) == [250, 452, 250]
        assert send(big, "both", options=options) == [250, 250]
    found = len(p.new_files())
    assert found == before + 2 + 2 + 4, found - before
    # Larger than all that a mailbox may hold: final, once it is known whose fault it is.
    assert send(big, "wide", "tiny") == [250, 250, 451]
    assert send(big, "wide", "tiny") == [250, 552, 250]
    assert send(big, "tiny", options=("SIZE=6100",)) == [552]
    p.account("small@" + DOMAIN, harness.PASSWORD, "--quota", "1000")
    full(p)


if __name__ == "__main__":
    harness.main(scenario, {"smtpd": {"relayd": ""}})
