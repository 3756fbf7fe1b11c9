"""SMTP extensions a stranger uses: PIPELINING (one write, all answers in order), ENHANCEDSTATUSCODES (each of the reply's
class, R-A2)."""
import re

import harness
from talk import Talk

DOMAIN = "xn--r8jz45g.test"
REPLY = re.compile(r"(\d)\d\d[ -](?:(\d)\.\d{1,3}\.\d{1,3} )?")


def pipelining(p):
    talk = Talk(p, "smtp")
    talk.answer()
    talk.ask(b"EHLO client.example\r\n")
    talk.say(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@%s>\r\nRCPT TO:<nobody@%s>\r\nRCPT TO:<x@foreign.test>\r\n"
             b"NOOP\r\nVRFY ann\r\nEXPN ann\r\nBAD\r\nDATA\r\n" % ((DOMAIN.encode(),) * 2))
    codes = [talk.code() for _ in range(9)]
    assert codes == [250, 250, 550, 550, 250, 252, 502, 500, 354], codes
    talk.say(b"Subject: pipelined\r\n\r\nx\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n")
    codes = [talk.code() for _ in range(4)]
    assert codes == [250, 250, 250, 221], codes


def enhanced(p):
    """Every reply but greeting, EHLO and 354 carries a code, of its own class."""
    talk = Talk(p, "smtp")
    seen = [talk.reply()]
    for words in (b"EHLO c.example", b"MAIL FROM:<a@b.test> (x)", b"MAIL FROM:<a@b.test>", b"RCPT TO:<>", b"DATA",
                  b"RCPT TO:<nobody@%s>" % DOMAIN.encode(), b"RCPT TO:<ann@%s>" % DOMAIN.encode(), b"HELP", b"ETRN x",
                  b"MAIL FROM:<a@b.test>", b"RSET x", b"RSET", b"STARTTLS x", b"AUTH PLAIN AAAA", b"QUIT"):
        talk.say(words + b"\r\n")
        seen.append(talk.reply())
    for k, lines in enumerate(seen):
        for line in lines:
            found = REPLY.match(line)
            assert found, line
            if found.group(2):
                assert found.group(1) == found.group(2), line
            else:
                assert k in (0, 1) or line.startswith("354"), line


def scenario(p):
    p.tenant("extensions", DOMAIN)
    p.account("ann@" + DOMAIN)
    pipelining(p)
    enhanced(p)


if __name__ == "__main__":
    harness.main(scenario)
