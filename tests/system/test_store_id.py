"""Another disk where the mail should be is noticed: its store id is not the node's. Nothing is written to it, mail
waits (451), readers are told to come back, and all goes on when the right one is there again."""
import imaplib
import os

import harness

ANN = "ann@disk.test"


def answer(p):
    """The code of the one to a whole message."""
    return p.send(ANN)[0]


def scenario(p):
    trial = p.own()
    p.tenant("disk", "disk.test")
    p.account(ANN)
    assert answer(p) == 250
    marker = os.path.join(trial.mail_root, ".yubin-store")
    with open(marker, encoding="ascii") as f:
        right = f.read()
    path = p.yubin("mailbox", "path", ANN).strip()
    before = os.listdir(os.path.join(path, "new"))
    with open(os.path.join(trial.home, "node.store"), encoding="ascii") as f:
        assert f.read() == right
    with open(marker, "w", encoding="ascii") as f:
        f.write("0" * 32 + "\n")
    for daemon in list(trial.daemons.values()):
        daemon.stop()
    trial.start()
    assert 400 <= answer(p) < 500, "a foreign store is not written to"
    try:
        with p.imap(ANN) as c:
            assert c.select()[0] == "NO"
    except imaplib.IMAP4.error as e:
        assert "UNAVAILABLE" in str(e), e
    assert os.listdir(os.path.join(path, "new")) == before
    with open(marker, "w", encoding="ascii") as f:
        f.write(right)
    harness.wait_until(lambda: answer(p) == 250, 30)
    assert p.subjects(ANN) == ["x", "x"]


if __name__ == "__main__":
    harness.main(scenario)
