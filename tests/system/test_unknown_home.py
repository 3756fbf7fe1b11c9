"""The lock file of an account is lost: nobody takes that for "at home here". Mail is 451, SELECT is UNAVAILABLE, and
within 10 s the directory was asked and all is there again, by POP3's asking too; not while the database is away, and
never where the account's folder says that it moved. It is told once in each daemon's log."""
import os
import poplib

import harness

ANN, BOB = "ann@unknown.test", "bob@unknown.test"


def selects(p, address):
    """SELECT's answer, None when it is OK."""
    with p.imap(address) as c:
        ok, text = c.select("INBOX")
        return None if ok == "OK" else text[0].decode()


def sends(p, address):
    return p.send(address)[0]


def pops(p, address):
    try:
        c = p.pop3(address)
    except poplib.error_proto:
        return None
    try:
        return c.stat()[0]
    finally:
        c.quit()


def scenario(p):
    trial = p.own()
    p.tenant("unknown", "unknown.test")
    locks = {}
    for address in (ANN, BOB):
        p.account(address)
        assert sends(p, address) == 250 and selects(p, address) is None
        locks[address] = os.path.join(os.path.dirname(p.yubin("mailbox", "path", address).strip()), "lock")
    for lose in (lambda: os.unlink(locks[ANN]), lambda: os.truncate(locks[ANN], 100)):
        lose()
        assert "UNAVAILABLE" in selects(p, ANN)
        assert sends(p, BOB) == 250, "others go on"
        harness.wait_until(lambda: selects(p, ANN) is None, 10)
        assert sends(p, ANN) == 250
        assert "store.state.home" in trial.daemons["imapd"].tail(200)
    os.unlink(locks[ANN])
    assert sends(p, ANN) == 451
    harness.wait_until(lambda: sends(p, ANN) == 250, 10)  # lmtpd asked
    messages = pops(p, ANN)
    os.unlink(locks[ANN])
    assert pops(p, ANN) is None
    harness.wait_until(lambda: pops(p, ANN) == messages, 10)

    trial.database.sql("CHECKPOINT")
    trial.database.stop("immediate")
    os.unlink(locks[ANN])
    assert "UNAVAILABLE" in selects(p, ANN) and sends(p, ANN) == 451
    harness.wait_until(lambda: "store.state.late" in trial.daemons["imapd"].tail(200), 10)
    assert "UNAVAILABLE" in selects(p, ANN), "nobody could say"
    trial.database.start()
    harness.wait_until(lambda: selects(p, ANN) is None, 30)  # who came before need not come again
    assert sends(p, ANN) == 250

    with open(os.path.join(os.path.dirname(locks[BOB]), "account"), "a", encoding="ascii") as f:
        f.write("moved %032x 1\n" % 7)
    os.unlink(locks[BOB])
    assert "UNAVAILABLE" in selects(p, BOB)
    harness.wait_until(lambda: "store.state.trouble" in trial.daemons["imapd"].tail(200), 10)
    assert "UNAVAILABLE" in selects(p, BOB) and sends(p, BOB) == 451
    told = trial.daemons["imapd"].tail(10000).count("store.state.unknown")
    assert told == 4, "%d: three losses of ann's that imapd saw, one of bob's" % told


if __name__ == "__main__":
    harness.main(scenario)
