"""A POP3 session from login to QUIT: what is announced, listed, read and removed, in clear with STLS and
under TLS from the first byte, one command at a time and all at once."""
import poplib

import harness

ANN = "ann@one.test"
DOTS = "Subject: %s\r\n\r\n.\r\n..two\r\nplain\r\n.\r\n"
CAPABILITIES = {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"}


def talk(s, data):
    """Sends, and reads until the peer closes."""
    s.sendall(data)
    got = b""
    while more := s.recv(65536):
        got += more
    return got


def capabilities(p):
    with p.raw("pop3") as s:
        said = talk(s, b"CAPA\r\nQUIT\r\n")
        assert b"\r\nSTLS\r\n" in said and b"USER" not in said and b"SASL" not in said, said
        assert b"<" not in said, "a timestamp would offer APOP"
    c = p.pop3()
    assert set(c.capa()) == CAPABILITIES | {"USER", "SASL"}, c.capa()
    assert c.capa()["SASL"] == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
    c.user(ANN)
    c.pass_(p.passwords[ANN])
    assert set(c.capa()) == CAPABILITIES, c.capa()
    c.quit()


def reading(p):
    c = p.pop3(ANN)
    count, size = c.stat()
    listed = [line.split() for line in c.list()[1]]
    assert count == 3 and sum(int(n) for _, n in listed) == size, (count, size, listed)
    for number, subject in enumerate(("one", "two", "three"), 1):
        answer, text, _ = c.retr(number)
        assert int(answer.split()[1]) == len(b"\r\n".join(text)) + 2 == int(listed[number - 1][1])
        body = text[text.index(b"") + 1:]
        assert b"Subject: %s" % subject.encode() in text and body == [b".", b"..two", b"plain", b"."], text
        top = c.top(number, 1)[1]
        assert top == text[:text.index(b"") + 2], top
    ids = [line.split()[1] for line in c.uidl()[1]]
    assert len(set(ids)) == 3 and all(1 <= len(i) <= 70 for i in ids), ids
    for bad in ("RETR 4", "RETR 0", "DELE x", "TOP 1", "LIST 4", "XTND XMIT", "APOP a b"):
        e = harness.raises(poplib.error_proto, lambda: c._shortcmd(bad))
        assert e.args[0].startswith(b"-ERR "), e
    c.dele(2)
    assert c.stat()[0] == 2 and c.rset() and c.stat()[0] == 3
    c.dele(2)
    c.quit()
    c = p.pop3(ANN)
    assert [line.split()[1] for line in c.uidl()[1]] == [ids[0], ids[2]]
    c.quit()


def all_at_once(p):
    with p.raw("pop3s", tls=True) as s:
        said = talk(s, ("USER %s\r\nPASS %s\r\nSTAT\r\nRETR 1\r\nRETR 2\r\nNOOP\r\nQUIT\r\n" % (ANN, p.passwords[ANN])).encode())
        assert said.count(b"\r\n.\r\n") == 2 and said.endswith(b"+OK\r\n+OK\r\n"), said


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    for subject in ("one", "two", "three"):
        with p.smtp() as s:
            s.sendmail("x@example.net", [ANN], DOTS % subject)
    capabilities(p)
    reading(p)
    all_at_once(p)
    c = poplib.POP3(p.ends["host"], p.ends["pop3"], timeout=30)
    c.stls(context=p.tls())
    c.user(ANN)
    c.pass_(p.passwords[ANN])
    assert c.stat()[0] == 2
    c.quit()


if __name__ == "__main__":
    harness.main(scenario)
