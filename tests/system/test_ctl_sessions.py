"""`yubin session` lists who is logged in and ends sessions, which are told so."""
import json

import harness
from sessions import gone, pop_gone, reader

BEN = "ben@open.test"


def yubin(p, *words):
    done = p.run("--json", *words)
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def scenario(p):
    trial = p.own()
    p.tenant("open", "open.test")
    p.tenant("shut", "shut.test")
    p.account(BEN)
    imap, pop, submission = reader(p, BEN), p.pop3(BEN), p.submission(BEN)
    rows = harness.wait_until(lambda: yubin(p, "session", "list", BEN)[1] if len(
        yubin(p, "session", "list", BEN)[1]) == 3 else None, 10)
    assert sorted(r["daemon"] for r in rows) == ["imapd", "pop3d", "submitd"], rows
    assert all(r["address"] == BEN and r["client"] == "127.0.0.1" for r in rows), rows
    assert yubin(p, "session", "list", "shut.test") == (0, [])
    code, answer = yubin(p, "session", "kick", next(r["session"] for r in rows if r["daemon"] == "pop3d"))
    assert (code, answer) == (0, {"ended": 1})
    pop_gone(pop, b"The administrator ended this session")
    assert yubin(p, "session", "kick", "open.test.") == (0, {"ended": 2})
    gone(imap, b"The administrator ended this session")
    assert submission.getreply()[0] == 421
    harness.wait_until(lambda: yubin(p, "session", "kick", BEN)[0] == 1, 10)
    assert yubin(p, "session", "kick")[0] == 2
    for name in ("imapd", "pop3d", "submitd"):
        trial.daemons[name].stop()
    assert yubin(p, "session", "list")[0] == 75


if __name__ == "__main__":
    harness.main(scenario)
