"""A queue whose database is damaged takes nothing and tells nothing that did not happen: an order is refused before it is
told, and mail for several goes to all or none again, as if there was no relayd."""
import os
import sqlite3

import harness
from handing import Handing

GOOD, TINY = "good@damaged.test", "tiny@damaged.test"
BIG = ("z" * 74 + "\r\n") * 80


def damage(h):
    """The page of the bodies, which no scan reads: whoever wants one finds it."""
    path = os.path.join(h.trial.home, "state", "relayd", "queue", "queue.db")
    with sqlite3.connect(path) as db:
        (page,), = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'body'")
    db.close()
    with open(path, "r+b") as f:
        f.seek((page - 1) * 4096)
        f.write(b"\xa7" * 4096)


def orders(h):
    assert h.queued() == (1, 0)
    for verb in (["hold"], ["release"], ["delete", "--yes"]):
        assert "is damaged" in h.p.fails(1, "queue", *verb, "--all")
    assert h.queued() == (1, 0)
    assert "relayd.queued" in [e["event"] for e in h.events(GOOD)]
    assert not {"relayd.held", "relayd.released", "relayd.deleted"} & {e["event"] for e in h.events(GOOD)}
    assert not [r for r in h.p.yubin_json("audit", "list") if r["action"].startswith("queue.")]
    assert [e["event"] for e in h.events(GOOD)] == ["relayd.queued"], h.events(GOOD)


def several(h):
    before = len(h.p.new_files())
    with h.p.smtp() as s:
        s.ehlo("client.test")
        s.mail(harness.STRANGER)
        assert s.rcpt(GOOD)[0] == s.rcpt(TINY)[0] == 250
        assert s.data("Subject: several\r\n\r\n" + BIG)[0] == 451
    assert len(h.p.new_files()) == before
    assert not harness.log_lines(h.trial.daemons["smtpd"], "event=smtp.data.maybe_twice ")


def scenario(p):
    p.tenant("damaged", "damaged.test")
    p.account(GOOD)
    p.account(TINY, harness.PASSWORD, "--quota", "4000")
    h = Handing(p)
    relayd, lmtpd = h.trial.daemons["relayd"], h.trial.daemons["lmtpd"]
    lmtpd.stop()
    assert h.give("kept", GOOD) == [250]
    relayd.stop()
    damage(h)
    relayd.start()
    lmtpd.start()
    harness.wait_until(lambda: h.figures()["damaged"] == 1)
    for step in (several, orders):
        step(h)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario)
