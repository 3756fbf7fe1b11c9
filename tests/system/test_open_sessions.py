"""Who may not log in any more does not go on either: a suspension, a deletion, another password, a protocol that is
switched off end what is open, with the reason; others stay. `yubin session` lists and ends."""
import imaplib
import json
import subprocess

import harness

ANN, BEN, CARL, DORA = "ann@open.test", "ben@open.test", "carl@open.test", "dora@shut.test"


def let_in(p, address, password=None):
    """An IMAP session, as soon as the login is: the second change within a second is heard of at its end."""
    def login():
        try:
            return p.imap(address, password)
        except imaplib.IMAP4.error:
            return None
    return harness.wait_until(login, 10, every=0.2)


def reader(p, address, idle=True):
    """An IMAP session that waits in IDLE, or between two commands."""
    c = let_in(p, address)
    c.select()
    if idle:
        c.send(b"i IDLE\r\n")
        assert c.readline().startswith(b"+ ")
    return c


def gone(c, reason):
    line = c.readline()
    assert line.startswith(b"* BYE ") and reason in line, line
    assert c.readline() == b"", "closed behind the BYE"


def pop_gone(c, reason):
    """The line comes unasked, and is the answer to the next command."""
    line = c.file.readline()
    assert line.startswith(b"-ERR [SYS/PERM] ") and reason in line and c.file.readline() == b"", line


def changes(p):
    idle, quiet, pop, other = reader(p, ANN), reader(p, ANN, False), p.pop3(ANN), reader(p, BEN, False)
    p.yubin("account", "suspend", ANN, "--reason", "unpaid bill")
    for c in (idle, quiet):
        gone(c, b"This account is suspended: unpaid bill")
    pop_gone(pop, b"suspended: unpaid bill")
    p.yubin("account", "resume", ANN)

    app = p.yubin_json("account", "app-password", ANN, "--label", "phone")["app_password"]
    phone, mine = let_in(p, ANN, app), reader(p, ANN)
    submission = p.submission(ANN)
    assert submission.mail(ANN)[0] == 250
    p.yubin("account", "password", ANN, given="another horse 42\n")
    p.passwords[ANN] = "another horse 42"
    gone(mine, b"Your password was changed")
    submission.rset()
    assert submission.mail(ANN)[0] == 550, "the next message of it"
    assert phone.noop()[0] == "OK", "it has a password of its own"
    p.yubin("account", "app-revoke", ANN)
    gone(phone, b"Your password was changed")

    off = reader(p, ANN)
    p.yubin("account", "set", ANN, "--imap", "no")
    gone(off, b"switched off")
    p.yubin("account", "set", ANN, "--imap", "yes")

    carl, dora = reader(p, CARL), reader(p, DORA)
    p.yubin("account", "delete", CARL)
    gone(carl, b"This account is no more")
    p.yubin("domain", "suspend", "shut.test")
    gone(dora, b"This domain is suspended")
    assert other.noop()[0] == "OK", "nobody else"
    p.yubin("tenant", "suspend", "open")
    gone(other, b"This customer is suspended")
    p.yubin("tenant", "resume", "open")


def yubin(p, *words):
    done = subprocess.run([*p.ends["ctl"], "--json", *words], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def listed(p, trial):
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


def scenario(p):
    trial = p.own()
    p.tenant("open", "open.test")
    p.tenant("shut", "shut.test")
    for address in (ANN, BEN, CARL, DORA):
        p.account(address)
    changes(p)
    listed(p, trial)


if __name__ == "__main__":
    harness.main(scenario)
