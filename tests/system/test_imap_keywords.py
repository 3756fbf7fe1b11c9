"""A thousand keywords in a mailbox: none is lost by APPEND, STORE, COPY, SEARCH; only those in use go over; what is no
flag costs no message."""
import re

import harness

ANN = "ann@words.test"


def flags(c, uid):
    """Keywords of a message, and the names of the untagged lines in their order."""
    answer = c.uid("FETCH", str(uid), "(FLAGS)")[1][0].decode()
    return {f for f in re.search(r"FLAGS \((.*?)\)", answer).group(1).split() if not f.startswith("\\")}


def scenario(p):
    p.tenant("words", "words.test")
    p.account(ANN)
    with p.imap(ANN) as c:
        for i in range(40):
            words = ["label%04d" % (i * 25 + k) for k in range(25)]
            assert c.append("INBOX", "(\\Seen %s)" % " ".join(words), None, b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
        assert c.append("INBOX", None, None, b"Subject: plain\r\n\r\nx\r\n")[0] == "OK"
        # A flag that there is not, or a word that is too long, does not cost the message (RFC 3501 section 6.3.11).
        assert c.append("INBOX", "(\\Seen \\Imaginary %s mine)" % ("y" * 200), None, b"Subject: y\r\n\r\nx\r\n")[0] == "OK"
        c.select("INBOX")
        assert flags(c, 42) == {"mine"}, flags(c, 42)
        assert flags(c, 1) == {"label%04d" % k for k in range(25)} and len(flags(c, 40)) == 25
        assert c.uid("SEARCH", "KEYWORD", "label0999")[1] == [b"40"]
        assert c.uid("SEARCH", "UNKEYWORD", "label0030", "KEYWORD", "LABEL0000")[1] == [b"1"]
        assert c.uid("SEARCH", "KEYWORD", "nobody")[1] == [b""]
        assert b"\\*" in c.response("PERMANENTFLAGS")[1][0]
        assert c.uid("STORE", "3:5", "+FLAGS", "(label0999 more)")[0] == "OK"
        assert flags(c, 4) >= {"label0999", "more"} and len(flags(c, 4)) == 27
        assert c.uid("STORE", "4", "-FLAGS", "(label0999 nobody)")[0] == "OK" and len(flags(c, 4)) == 26
        c.create("Clean")
        assert c.uid("COPY", "41", "Clean")[0] == "OK"
        assert c.uid("COPY", "40", "Clean")[0] == "OK"
        before = flags(c, 40)
        c.select("Clean")
        names = c.response("FLAGS")[1][0].decode()
        assert len(re.findall(r"label\d+", names)) == 25, names
        assert flags(c, 1) == set() and flags(c, 2) == before
        assert c.uid("STORE", "1", "+FLAGS", "(mine)")[0] == "OK" and flags(c, 1) == {"mine"}


if __name__ == "__main__":
    harness.main(scenario)
