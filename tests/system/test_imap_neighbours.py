"""Long work of one tenant, in more sessions than there are workers for it, holds up nobody else's."""
import threading

import harness

ANN, BOB = "ann@heavy.test", "bob@light.test"
LONG = (b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + (b"\xe9t\xe9 \xe0 la mer, " * 5 + b"\r\n") * 40000)
MANY = 20  # heavy sessions: more than the workers a tenant may have


def scenario(p):
    p.tenant("heavy", "heavy.test")
    p.tenant("light", "light.test")
    p.account(ANN)
    p.account(BOB)
    with p.imap(ANN) as c:
        c.append("INBOX", None, None, LONG)
    heavy = [p.imap(ANN) for _ in range(MANY)]
    for c in heavy:
        c.select("INBOX", readonly=True)
    done = []

    def reads(c):
        while not c.readline().startswith(b"a "):
            pass
        done.append(c)

    readers = [threading.Thread(target=reads, args=(c,)) for c in heavy]
    with p.imap(BOB) as light:
        light.append("INBOX", None, None, b"Subject: light\r\n\r\nx\r\n")
        light.select("INBOX")
        for c, reader in zip(heavy, readers):
            c.sock.settimeout(240)
            c.send(b"a SEARCH BODY zz BODY yy\r\n")
            reader.start()
        for _ in range(20):
            assert light.noop()[0] == "OK"
            assert light.search(None, "BODY", "x")[1] == [b"1"]
        assert not done, "the heavy commands are at work"
    for reader in readers:
        reader.join()


if __name__ == "__main__":
    harness.main(scenario)
