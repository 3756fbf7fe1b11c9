"""Full means that the message at hand does not fit: what fits is stored and ends it, the rest hears 452 and after
full_days (0 here) 552, at RCPT when its size is told; and room made by any hand is known within seconds."""
import os

import harness

USER, LATER = "u@full.test", "u@later.test"


def send(p, size, address=USER, told=True):
    """The last code and its status, and where it came: RCPT or DATA."""
    body = b"Subject: x\r\n\r\n" + b"x" * 48 + b"\r\n" * 2 + (b"y" * 48 + b"\r\n") * (size // 50)
    with p.smtp() as s:
        s.ehlo("client.test")
        s.docmd("MAIL FROM:<stranger@example.net>" + (" SIZE=%d" % len(body) if told else ""))
        code, text = s.docmd("RCPT TO:<%s>" % address)
        where = "RCPT"
        if code == 250:
            code, text = s.data(body)
            where = "DATA"
    return code, text.split()[0].decode(), where


def card(p, address):
    return p.yubin_json("account", "show", address)


def scenario(p):
    p.own()
    p.yubin("tenant", "add", "one")
    p.yubin("domain", "add", "one", "full.test", "--full-days", "0")
    p.yubin("domain", "add", "one", "later.test")
    for address in (USER, LATER):
        p.account(address, harness.PASSWORD, "--quota", "20K")
        for _ in range(4):
            assert send(p, 4000, address)[:2] == (250, "2.0.0")
    maildir = p.yubin("mailbox", "path", USER).strip()

    # At once, from the first on; what fits goes on being stored, and ends it.
    assert send(p, 4000) == (552, "5.2.2", "RCPT"), "larger than a sixteenth: asked for first"
    assert send(p, 4000, told=False)[:2] == (552, "5.2.2")
    assert send(p, 4000, LATER) == (452, "4.2.2", "RCPT")
    assert send(p, 21000) == (552, "5.2.3", "RCPT") and send(p, 21000, LATER) == (552, "5.2.3", "RCPT")
    assert send(p, 21000, LATER, told=False) == (552, "5.2.3", "DATA")
    harness.wait_until(lambda: card(p, USER)["full_since"], 20)
    assert not card(p, LATER)["full_since"], "SIZE= alone, or what never fits, fills nothing"
    assert send(p, 50)[0] == 250
    harness.wait_until(lambda: not card(p, USER)["full_since"], 20)
    while send(p, 50)[0] == 250:
        pass
    assert send(p, 50)[:2] == (552, "5.2.2")
    harness.wait_until(lambda: send(p, 800) == (552, "5.2.2", "RCPT"), 20)  # known there, too: no sixteenth of it
    assert os.listdir(os.path.join(maildir, "new"))

    # Room by a higher quota, by files that somebody removes, by `store check`.
    p.yubin("account", "set", USER, "--quota", "21K")
    harness.wait_until(lambda: send(p, 50)[0] == 250, 5, 0.2)
    p.yubin("account", "set", USER, "--quota", "10K")
    harness.wait_until(lambda: send(p, 50)[0] == 552, 20)
    for name in os.listdir(os.path.join(maildir, "new")):
        os.unlink(os.path.join(maildir, "new", name))
    harness.wait_until(lambda: send(p, 50)[0] == 250, 5, 0.2)
    harness.wait_until(lambda: card(p, USER)["messages"] == len(os.listdir(os.path.join(maildir, "new"))), 20)
    for name in os.listdir(os.path.join(maildir, "new")):
        os.unlink(os.path.join(maildir, "new", name))
    p.yubin("store", "check", USER)
    assert (card(p, USER)["messages"], card(p, USER)["bytes"]) == (0, 0)


if __name__ == "__main__":
    harness.main(scenario, {"lmtpd": {"usage_interval": "1s"}})
