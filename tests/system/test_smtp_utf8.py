"""SMTPUTF8 with a local part and a domain beyond ASCII (U-label = A-label, R-A23), and a name beyond ASCII in EHLO."""
import harness

DOMAIN, LABEL = "例え.test", "xn--r8jz45g.test"
USER = "佐藤@" + DOMAIN


def utf8(p):
    with p.smtp() as s:
        s.ehlo()
        s.command_encoding = "utf-8"
        assert s.mail("поль@пример.test", ["SMTPUTF8", "BODY=8BITMIME"])[0] == 250
        assert s.rcpt(USER)[0] == 250
        assert s.data("Subject: ようこそ\r\n\r\nx\r\n".encode())[0] == 250
        assert s.mail("a@b.test")[0] == 250
        assert s.rcpt(USER)[0] in (550, 553), "without SMTPUTF8 no such byte may come"
        s.rset()
        # The same mailbox under the name DNS knows, and in another case.
        assert s.mail("a@b.test", ["SMTPUTF8"])[0] == 250
        assert s.rcpt("佐藤@" + LABEL.upper() + ".")[0] == 250
        assert s.data(b"Subject: again\r\n\r\nx\r\n")[0] == 250


def hello_name(p):
    """A name beyond ASCII in EHLO is written down as it is only in a message that may hold it."""
    for k, options in enumerate(([], ["SMTPUTF8"])):
        with p.smtp() as s:
            s.command_encoding = "utf-8"
            assert s.ehlo("пример.test")[0] == 250
            assert s.mail("a@b.test", options)[0] == 250 and s.rcpt("bea@" + LABEL)[0] == 250
            assert s.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250
        with p.imap("bea@" + LABEL) as c:
            c.select("INBOX", readonly=True)
            head = c.fetch(str(k + 1), "(BODY.PEEK[HEADER])")[1][0][1]
        assert (b"Received: from %s.test (" % ("пример".encode() if options else b"?" * 12)) in head, head


def scenario(p):
    p.tenant("extensions", DOMAIN)
    p.account(USER)
    p.account("ann2@" + DOMAIN)
    p.account("bea@" + LABEL)
    utf8(p)
    hello_name(p)
    shown = p.yubin_json("account", "show", USER)
    harness.wait_until(lambda: p.yubin_json("account", "show", USER)["messages"] == 2, 15)
    assert shown["domain"] == LABEL, shown


if __name__ == "__main__":
    harness.main(scenario)
