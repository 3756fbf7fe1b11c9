"""What lies beside a Maildir is lost, one file after the other, while imapd runs and a session has it selected: the next
SELECT is OK and shows all mail, where the identity is lost under a new UIDVALIDITY; the session that had the old one is
told to select anew, and no UID means another message."""
import imaplib
import os
import random

import harness

ANN = "ann@lost.test"
JUNK = b"\xa5" * 8000


def remove(*paths):
    for path in paths:
        os.unlink(path)


def clobber(path, n):
    with open(path, "r+b") as f:
        f.write(JUNK[:n])


def look(p):
    """(UIDVALIDITY, subject by UID) of a new session's SELECT, and what STATUS says agrees."""
    with p.imap(ANN) as c:
        ok, n = c.select("INBOX")
        assert ok == "OK", n
        validity = int(c.response("UIDVALIDITY")[1][0])
        told = c.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        mail = {int(t[0].split(b"UID ")[1].split()[0]): t[1].split()[1] for t in told if isinstance(t, tuple)}
        c.unselect()
        status = c.status("INBOX", "(MESSAGES)")[1][0]
        assert int(n[0]) == len(mail) and status.endswith(b"%d)" % len(mail)), (n, mail, status)
        return validity, mail


def usable(p):
    """Where the account is at home is lost with its lock file, until the directory was asked."""
    with p.imap(ANN) as c:
        return c.select("INBOX", readonly=True)[0] == "OK"


def scenario(p):
    p.tenant("lost", "lost.test")
    p.account(ANN)
    with p.imap(ANN) as c:
        for i in range(5):
            c.append("INBOX", None, None, b"Subject: s%d\r\n\r\nx\r\n" % i)
    box = p.yubin("mailbox", "path", ANN).strip()
    index, uid, lock = (os.path.join(box, name) for name in ("yubin-index", "yubin-uid", "../lock"))
    losses = {  # whether the identity goes with it
        "index removed": (lambda: remove(index), False),
        "index overwritten": (lambda: clobber(index, 4000), False),
        "index cut": (lambda: os.truncate(index, 700), False),
        "lock removed": (lambda: remove(lock), False),
        "lock overwritten": (lambda: clobber(lock, 8000), False),
        "uid, a slot": (lambda: clobber(uid, 512), False),
        "uid and index removed": (lambda: remove(uid, index), True),
    }
    names, seed = list(losses) * 2, random.randrange(1 << 30)
    random.Random(seed).shuffle(names)
    print("seed", seed, names)
    subjects = {}  # what a UID was told to be
    with p.imap(ANN) as first:
        first.select("INBOX")
        for name in names:
            before, _ = look(p)
            losses[name][0]()
            harness.wait_until(lambda: usable(p), 10)
            after, mail = look(p)
            assert (after > before) if losses[name][1] else (after == before), (name, before, after)
            assert sorted(mail.values()) == [b"s%d" % i for i in range(5)], (name, mail)
            for n, subject in mail.items():
                assert subjects.setdefault((after, n), subject) == subject, (name, n)
            try:
                first.noop()
                assert not losses[name][1], name
            except imaplib.IMAP4.abort:
                assert losses[name][1], name
                first = p.imap(ANN)
                first.select("INBOX")


if __name__ == "__main__":
    harness.main(scenario)
