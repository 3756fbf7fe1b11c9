"""SMTP extensions a stranger uses: PIPELINING (one write, all answers in order), ENHANCEDSTATUSCODES (each of
the reply's class, R-A2), SMTPUTF8 with a local part and a domain beyond ASCII (U-label = A-label, R-A23)."""
import re

import harness

DOMAIN, LABEL = "例え.test", "xn--r8jz45g.test"
USER = "佐藤@" + DOMAIN
REPLY = re.compile(rb"(\d)\d\d[ -](?:(\d)\.\d{1,3}\.\d{1,3} )?")


def answers(s, n):
    """The next n replies, each a list of its lines."""
    f, found = s.makefile("rb"), []
    while len(found) < n:
        lines = [f.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(f.readline())
        assert lines[-1], "the connection ended"
        found.append(lines)
    f.detach()
    return found


def pipelining(p):
    with p.raw("smtp") as s:
        answers(s, 1)
        s.sendall(b"EHLO client.example\r\n")
        answers(s, 1)
        s.sendall(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@%s>\r\nRCPT TO:<nobody@%s>\r\nRCPT TO:<x@foreign.test>\r\n"
                  b"NOOP\r\nVRFY ann\r\nEXPN ann\r\nBAD\r\nDATA\r\n" % ((LABEL.encode(),) * 2))
        codes = [lines[-1][:3] for lines in answers(s, 9)]
        assert codes == [b"250", b"250", b"550", b"550", b"250", b"252", b"502", b"500", b"354"], codes
        s.sendall(b"Subject: pipelined\r\n\r\nx\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n")
        codes = [lines[-1][:3] for lines in answers(s, 4)]
        assert codes == [b"250", b"250", b"250", b"221"], codes


def enhanced(p):
    """Every reply but greeting, EHLO and 354 carries a code, of its own class."""
    with p.raw("smtp") as s:
        seen = answers(s, 1)
        for words in (b"EHLO c.example", b"MAIL FROM:<a@b.test> (x)", b"MAIL FROM:<a@b.test>", b"RCPT TO:<>", b"DATA",
                      b"RCPT TO:<nobody@%s>" % LABEL.encode(), b"RCPT TO:<ann@%s>" % LABEL.encode(), b"HELP", b"ETRN x",
                      b"MAIL FROM:<a@b.test>", b"RSET x", b"RSET", b"STARTTLS x", b"AUTH PLAIN AAAA", b"QUIT"):
            s.sendall(words + b"\r\n")
            seen += answers(s, 1)
    for k, lines in enumerate(seen):
        for line in lines:
            found = REPLY.match(line)
            assert found, line
            if found.group(2):
                assert found.group(1) == found.group(2), line
            else:
                assert k in (0, 1) or line.startswith(b"354"), line


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
    p.account("ann@" + LABEL)
    p.account("ann2@" + DOMAIN)
    p.account("bea@" + LABEL)
    for step in (pipelining, enhanced, utf8, hello_name):
        step(p)
        print("ok", step.__name__)
    shown = p.yubin_json("account", "show", USER)
    harness.wait_until(lambda: p.yubin_json("account", "show", USER)["messages"] == 2, 15)
    assert shown["domain"] == LABEL, shown


if __name__ == "__main__":
    harness.main(scenario)
