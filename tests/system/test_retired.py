"""An address out of use answers in its own words: unknown, moved (with the new address), sent on; and comes back."""
import harness

ANN, BOB = "ann@one.test", "bob@one.test"


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    p.account(BOB)
    p.until_rcpt(ANN, 250)
    p.yubin("domain", "set", "one.test", "--catch-all", BOB)
    p.yubin("account", "retire", ANN)
    p.until_rcpt(ANN, 550, "5.1.1")
    p.yubin("account", "retire", ANN, "--moved-to", "ann@elsewhere.test")
    p.until_rcpt(ANN, 550, "5.1.6", "ann@elsewhere.test")
    p.yubin("account", "retire", ANN, "--forward-to", "ann@elsewhere.test")
    p.until_rcpt(ANN, 451, "4.3.0")  # nobody relays yet: it waits at its sender
    p.yubin("account", "retire", ANN, "--forward-to", BOB)
    p.until_rcpt(ANN, 250)
    assert p.send(ANN, "sent on")[0] == 250
    assert p.subjects(BOB) == ["sent on"] and p.subjects(ANN) == []
    p.yubin("account", "retire", ANN, "--moved-to", "ann@elsewhere.test", "--until", "2020-01-31")
    p.until_rcpt(ANN, 250)  # it is over
    p.yubin("account", "retire", ANN)
    p.until_rcpt(ANN, 550, "5.1.1")
    p.yubin("account", "restore", ANN)
    p.until_rcpt(ANN, 250)
    assert p.subjects(ANN) == []


if __name__ == "__main__":
    harness.main(scenario)
