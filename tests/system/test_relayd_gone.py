"""Mail that waited: without the database what is new is delivered, and what has waited waits, and nobody is taken for
gone; for an account that was deleted meanwhile it is held, and discarded in the end, and no mailbox is made."""
import os

import harness
from handing import Handing

KEPT, LOST, OLD, NEW = ("%s@gone.test" % n for n in ("kept", "lost", "old", "new"))
OPTIONS = {"relayd": {"ask_after": "4s", "hold_look": "1s", "sleep_most": "1s", "expire_grace": "0s", "hold_expire": "20s"}}


def database_away(h):
    h.trial.daemons["lmtpd"].stop()
    assert h.give("old", OLD) == [250]
    harness.wait_until(lambda: h.figures()["oldest_seconds"] >= 4)
    h.trial.database.sql("CHECKPOINT")  # a test's database does not sync: what it knows stays known
    h.trial.database.stop("immediate")
    h.trial.daemons["lmtpd"].start()
    harness.wait_until(lambda: h.said("relayd.site.asleep", "the directory"))
    assert h.give("new", NEW) == [250]
    h.until(1)
    assert h.stored()["new"] == 1 and h.stored()["old"] == 0
    assert not h.said("relayd.deferred"), "an attempt counted"
    h.trial.database.start()
    h.until(0)
    assert h.stored()["old"] == 1


def deleted(h):
    """One of two recipients is gone: the other has his, this one is held."""
    h.trial.daemons["lmtpd"].stop()
    path = os.path.dirname(h.p.yubin("mailbox", "path", LOST).strip())
    assert h.give("deleted", KEPT, LOST) == [250, 250]
    h.p.yubin("account", "delete", LOST)
    h.p.yubin("store", "remove", h.cards[LOST]["account_id"])
    harness.wait_until(lambda: h.figures()["oldest_seconds"] >= 4)
    h.trial.daemons["lmtpd"].start()
    h.until(0, held=1)
    assert h.stored()["deleted"] == 1 and not os.path.exists(path)
    told = [e for e in h.events(LOST) if e["daemon"] == "relayd"][-1]
    assert (told["event"], told["decision"]) == ("relayd.held", "hold") and "account-gone" in told["reason"], told
    # It is looked at again and again, which writes nothing.
    tries = h.figures()['attempts_total{result="gone"}']
    harness.wait_until(lambda: h.figures()['attempts_total{result="gone"}'] > tries + 1)
    assert len([e for e in h.events(LOST) if e["event"] == "relayd.held"]) == 1


def discarded(h):
    """In the end, and told."""
    h.until(0, held=0, seconds=90)
    told = [e for e in h.events(LOST) if e["daemon"] == "relayd"][-1]
    assert (told["event"], told["decision"]) == ("relayd.discarded", "discard"), told
    assert h.stored()["deleted"] == 1


def scenario(p):
    p.tenant("gone", "gone.test")
    for address in (KEPT, LOST, OLD, NEW):
        p.account(address)
    h = Handing(p)
    h.params(NEW, "")  # asked for while the database is there
    assert h.give("made", LOST) == [250]
    h.until(0)
    for step in (database_away, deleted, discarded):
        step(h)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
