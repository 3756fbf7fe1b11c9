"""FLAGS tells a new keyword before the FETCH that has it, once, in every session. Who gives all that there can be to many
messages waits for seconds, and no session ends by it."""
import time

import harness
from talk import Talk

ANN = "ann@words.test"


def told(got, word):
    """Where FLAGS told the word, and where a FETCH had it."""
    return ([i for i, x in enumerate(got) if x.startswith("* FLAGS") and word in x],
            [i for i, x in enumerate(got) if " FETCH " in x and word in x])


def all_of_them(first, second):
    """2 000 keywords at 400 messages: short ones by one command, some named often; then long ones."""
    first.command("h CREATE All")
    first.command("i COPY 1 All")
    first.command("j SELECT All")
    for _ in range(9):
        first.command("k COPY 1:* All")
    second.command("h SELECT All")
    begun = time.monotonic()
    got = first.command("l STORE 1:400 +FLAGS.SILENT (%s)" % " ".join(["%03x" % k for k in range(2000)] + ["000"] * 12000))
    assert got[-1].startswith("l OK") and told(got, "7cf")[1] == [], (got[-1], len(got))
    assert time.monotonic() - begun < 20, time.monotonic() - begun
    first.command("m STORE 1:400 FLAGS.SILENT ()")
    for k in range(0, 2000, 500):
        names = " ".join(("%04d" % n).ljust(100, "x") for n in range(k, k + 500))
        got = first.command("n STORE 1:400 +FLAGS.SILENT (%s)" % names)
        assert got[-1].startswith("n OK"), got[-1]
    # 80 MB are told, and again to others, a part with each command.
    got = first.command("o STORE 1:400 +FLAGS (\\Flagged)")
    assert got[-1].startswith("o OK") and sum(" FETCH " in x for x in got) >= 400, len(got)
    heard = 0
    for _ in range(10):
        heard += sum("\\Flagged" in x for x in second.command("o NOOP") if " FETCH " in x)
    assert heard >= 400, heard


def scenario(p):
    p.tenant("words", "words.test")
    p.account(ANN)
    with p.imap(ANN) as c:
        for i in range(42):
            words = ["\\Seen", *("label%04d" % (i * 25 + k) for k in range(25 if i < 40 else 0))]
            assert c.append("INBOX", "(%s)" % " ".join(words), None, b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
    first, second = (Talk(p, "imaps", True).login(ANN, p.passwords[ANN], "b SELECT INBOX") for _ in range(2))
    got = first.command("c UID STORE 41 +FLAGS (brandnew)")
    a, b = told(got, "brandnew")
    assert len(a) == 1 and len(b) == 1 and a[0] < b[0], got
    a, b = told(second.command("c UID FETCH 41 (FLAGS)"), "brandnew")
    assert len(a) == 1 and b and a[0] < b[0], (a, b)
    a, b = told(second.command("d NOOP"), "brandnew")
    assert not a, "told twice"
    # Silent: the client knows what it did, and hears of the name alone.
    got = first.command("d UID STORE 41 +FLAGS.SILENT (quiet)")
    assert told(got, "quiet")[1] == [], got
    second.command("e UID STORE 41 +FLAGS.SILENT (loud)")
    got = first.command("e NOOP")
    a, b = told(got, "loud")
    assert len(a) == 1 and len(b) == 1 and a[0] < b[0], got
    # Nobody there: nothing is made.
    first.command("f UID STORE 999 +FLAGS (nobody)")
    assert "nobody" not in " ".join(first.command("g SELECT INBOX"))
    all_of_them(first, second)


if __name__ == "__main__":
    harness.main(scenario)
