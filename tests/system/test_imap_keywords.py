"""A thousand keywords in a mailbox: none is lost by APPEND, STORE, COPY, SEARCH; only those in use go over; what is no
flag costs no message. FLAGS tells a new one before the FETCH that has it, once, in every session. Who gives all that
there can be to many messages waits for seconds, and no session ends by it."""
import re
import time

import harness

ANN = "ann@words.test"


def flags(c, uid):
    """Keywords of a message, and the names of the untagged lines in their order."""
    answer = c.uid("FETCH", str(uid), "(FLAGS)")[1][0].decode()
    return {f for f in re.search(r"FLAGS \((.*?)\)", answer).group(1).split() if not f.startswith("\\")}


def lines(s, command):
    """Answers to a command on a bare connection, until the tagged one."""
    s.write(command.encode() + b"\r\n")
    s.flush()
    got = []
    while not got or not got[-1].startswith(command.split()[0]):
        got.append(s.readline().decode().rstrip())
    return got


def selected(p, *mailbox):
    s = p.raw("imaps", tls=True).makefile("rwb")
    s.readline()
    lines(s, 'a LOGIN %s "%s"' % (ANN, p.passwords[ANN]))
    lines(s, "b SELECT INBOX")
    return s


def told(got, word):
    """Where FLAGS told the word, and where a FETCH had it."""
    return ([i for i, x in enumerate(got) if x.startswith("* FLAGS") and word in x],
            [i for i, x in enumerate(got) if " FETCH " in x and word in x])


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

    first, second = selected(p), selected(p)
    got = lines(first, "c UID STORE 41 +FLAGS (brandnew)")
    a, b = told(got, "brandnew")
    assert len(a) == 1 and len(b) == 1 and a[0] < b[0], got
    a, b = told(lines(second, "c UID FETCH 41 (FLAGS)"), "brandnew")
    assert len(a) == 1 and b and a[0] < b[0], (a, b)
    a, b = told(lines(second, "d NOOP"), "brandnew")
    assert not a, "told twice"
    # Silent: the client knows what it did, and hears of the name alone.
    got = lines(first, "d UID STORE 41 +FLAGS.SILENT (quiet)")
    assert told(got, "quiet")[1] == [], got
    lines(second, "e UID STORE 41 +FLAGS.SILENT (loud)")
    got = lines(first, "e NOOP")
    a, b = told(got, "loud")
    assert len(a) == 1 and len(b) == 1 and a[0] < b[0], got
    # Nobody there: nothing is made.
    lines(first, "f UID STORE 999 +FLAGS (nobody)")
    assert "nobody" not in " ".join(lines(first, "g SELECT INBOX"))
    all_of_them(first, second)


def all_of_them(first, second):
    """2 000 keywords at 400 messages: short ones by one command, some named often; then long ones."""
    lines(first, "h CREATE All")
    lines(first, "i COPY 1 All")
    lines(first, "j SELECT All")
    for _ in range(9):
        lines(first, "k COPY 1:* All")
    lines(second, "h SELECT All")
    begun = time.monotonic()
    got = lines(first, "l STORE 1:400 +FLAGS.SILENT (%s)" % " ".join(["%03x" % k for k in range(2000)] + ["000"] * 12000))
    assert got[-1].startswith("l OK") and told(got, "7cf")[1] == [], (got[-1], len(got))
    assert time.monotonic() - begun < 20, time.monotonic() - begun
    lines(first, "m STORE 1:400 FLAGS.SILENT ()")
    for k in range(0, 2000, 500):
        names = " ".join(("%04d" % n).ljust(100, "x") for n in range(k, k + 500))
        got = lines(first, "n STORE 1:400 +FLAGS.SILENT (%s)" % names)
        assert got[-1].startswith("n OK"), got[-1]
    # 80 MB are told, and again to others, a part with each command.
    got = lines(first, "o STORE 1:400 +FLAGS (\\Flagged)")
    assert got[-1].startswith("o OK") and sum(" FETCH " in x for x in got) >= 400, len(got)
    heard = 0
    for _ in range(10):
        heard += sum("\\Flagged" in x for x in lines(second, "o NOOP") if " FETCH " in x)
    assert heard >= 400, heard


if __name__ == "__main__":
    harness.main(scenario)
