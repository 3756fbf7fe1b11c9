"""An address out of use answers in its own words: unknown, moved (with the new address), sent on; and comes back."""
import harness

ANN, BOB = "ann@one.test", "bob@one.test"


def rcpt(p, address):
    with p.smtp() as s:
        s.ehlo("client.test")
        s.mail("stranger@example.net")
        code, text = s.rcpt(address)
    return code, text.decode()


def until(p, address, code, *parts):
    """A change is heard of within a second or so."""
    def said():
        got, text = rcpt(p, address)
        return got == code and all(part in text for part in parts)
    harness.wait_until(said, 5)


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    p.account(BOB)
    until(p, ANN, 250)
    p.yubin("domain", "set", "one.test", "--catch-all", BOB)
    p.yubin("account", "retire", ANN)
    until(p, ANN, 550, "5.1.1")
    p.yubin("account", "retire", ANN, "--moved-to", "ann@elsewhere.test")
    until(p, ANN, 550, "5.1.6", "ann@elsewhere.test")
    p.yubin("account", "retire", ANN, "--forward-to", "ann@elsewhere.test")
    until(p, ANN, 451, "4.3.0")  # nobody relays yet: it waits at its sender
    p.yubin("account", "retire", ANN, "--forward-to", BOB)
    until(p, ANN, 250)
    with p.smtp() as s:
        s.sendmail("stranger@example.net", [ANN], "Subject: sent on\r\n\r\nx\r\n")
    assert p.subjects(BOB) == ["sent on"] and p.subjects(ANN) == []
    p.yubin("account", "retire", ANN, "--moved-to", "ann@elsewhere.test", "--until", "2020-01-31")
    until(p, ANN, 250)  # it is over
    p.yubin("account", "retire", ANN)
    until(p, ANN, 550, "5.1.1")
    p.yubin("account", "restore", ANN)
    until(p, ANN, 250)
    assert p.subjects(ANN) == []


if __name__ == "__main__":
    harness.main(scenario)
