"""Much mail over POP3: a message of megabytes with dots where they hurt, many messages in one pipeline, and a
client that reads nothing for a while and holds up nobody."""
import hashlib
import time

import harness

ANN, BOB = "ann@one.test", "bob@one.test"
MANY = 300


def large_text():
    """Lines that begin with dots at every place a block may end."""
    lines = [b"." * (k % 70) + b"x" * (k % 7) for k in range(60000)]
    return b"Subject: large\r\n\r\n" + b"\r\n".join(lines) + b"\r\n"


def large(p, text):
    c = p.pop3(ANN)
    answer, lines, _ = c.retr(1)
    got = b"\r\n".join(lines) + b"\r\n"
    assert got.endswith(text) and int(answer.split()[1]) == len(got), (len(got), len(text))
    top = c.top(1, 59999)[1]
    assert b"\r\n".join(top) + b"\r\n" == got[:got.rindex(b"\r\n", 0, -2) + 2]
    c.quit()
    return hashlib.sha256(got).digest()


def many(p):
    with p.raw("pop3s", tls=True) as s, s.makefile("rb", buffering=65536) as f:
        f.readline()
        commands = ["USER " + BOB, "PASS " + p.passwords[BOB]] + ["RETR %d" % k for k in range(1, MANY + 1)]
        commands += ["DELE %d" % k for k in range(1, MANY + 1)] + ["QUIT"]
        s.sendall("".join(c + "\r\n" for c in commands).encode())
        answers, numbers = 0, []
        for line in f:
            answers += line.startswith(b"+OK")
            assert not line.startswith(b"-ERR"), line
            if line.startswith(b"Subject: "):
                numbers.append(int(line.split()[1]))
        assert answers == len(commands) and numbers == list(range(MANY)), (answers, numbers)
    c = p.pop3(BOB)
    assert c.stat() == (0, 0)
    c.quit()


def slow(p, digest):
    """The answer is far larger than the socket's buffers; meanwhile others are served at once."""
    with p.raw("pop3s", tls=True) as s, s.makefile("rb", buffering=65536) as f:
        f.readline()
        s.sendall(("USER %s\r\nPASS %s\r\n" % (ANN, p.passwords[ANN])).encode() + b"RETR 1\r\n" * 8 + b"QUIT\r\n")
        begun = time.monotonic()
        for _ in range(20):
            c = p.pop3(BOB)
            c.stat()
            c.quit()
        assert time.monotonic() - begun < 15
        f.readline(), f.readline()
        for _ in range(8):
            assert f.readline().startswith(b"+OK")
            h = hashlib.sha256()
            while (line := f.readline()) != b".\r\n":
                h.update(line[1:] if line.startswith(b".") else line)
            assert h.digest() == digest
        assert f.read() == b"+OK\r\n"


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    p.account(BOB)
    text = large_text()
    with p.smtp() as s:
        s.sendmail("x@example.net", [ANN], text)
    for first in range(0, MANY, 50):
        with p.smtp() as s:
            for k in range(first, first + 50):
                s.sendmail("x@example.net", [BOB], "Subject: %d\r\n\r\nx\r\n" % k)
    many(p)
    slow(p, large(p, text))


if __name__ == "__main__":
    harness.main(scenario)
