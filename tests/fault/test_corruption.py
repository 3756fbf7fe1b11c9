"""100 corruptions and deletions of what lies beside the messages (index, cache, lock file, one slot of
yubin-uid, keywords) while the daemons run: a client that remembers every (UIDVALIDITY, UID) with its
flags and message finds each of them again, no UID is given twice, MODSEQ only grows, POP3's UIDL stay,
and the account's other mailbox notices nothing. A lost name of a keyword may become `unknown-<letter>`,
never another keyword. The command that meets the damage may be answered NO, the next one may not."""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402

ANN = "ann@rot.test"
TIMES = int(os.environ.get("YUBIN_CORRUPTIONS", "100"))
SEED = int(os.environ.get("YUBIN_SEED", "0")) or random.randrange(1 << 30)
FILES = ("yubin-index", "yubin-index", "yubin-index", "yubin-cache", "yubin-keywords", "yubin-uid", "lock")
UID_SLOTS = (0, 512)


def damage(path, rng, slot):
    """Returns what was done, in words."""
    name = os.path.basename(path)
    if not os.path.exists(path):
        return "%s is not there" % name
    size = os.path.getsize(path)
    how = rng.choice(("flip", "flip", "fill", "cut", "grow", "remove")) if name != "yubin-uid" else "slot"
    with open(path, "r+b") as f:
        if how == "flip" and size > 0:
            for _ in range(rng.randrange(1, 40)):
                f.seek(rng.randrange(size))
                f.write(bytes([rng.randrange(256)]))
        elif how == "fill" and size > 0:
            at = rng.randrange(size)
            f.seek(at)
            f.write(rng.choice((b"\0", b"\xff", b"x")) * min(rng.randrange(1, 5000), size - at))
        elif how == "slot":
            f.seek(UID_SLOTS[slot] + rng.randrange(48))
            f.write(rng.randbytes(8))
        elif how == "cut":
            f.truncate(rng.randrange(size + 1))
        elif how == "grow":
            f.seek(size)
            f.write(rng.randbytes(rng.randrange(1, 5000)))
    if how == "remove":
        os.unlink(path)
    return "%s: %s" % (name, how)


def twice(command):
    """An answer to command(), OK at the second time at the latest."""
    answer = command()
    if answer[0] != "OK":
        answer = command()
    assert answer[0] == "OK", answer
    return answer


class Memory:
    """What a client knows of one mailbox."""

    def __init__(self, p, mailbox, slot=0):
        self.p, self.mailbox = p, mailbox
        self.slot = slot  # of yubin-uid, that is damaged: with both gone a new UIDVALIDITY is right
        self.validity, self.modseq = None, 0
        self.known = {}  # uid -> (subject, flags)
        self.ever = {}   # uid -> subject

    def look(self, changed=()):
        """Compares all that is there now; `changed`: UIDs whose flags may be others now."""
        with self.p.imap(ANN) as c:
            twice(lambda: c.select(self.mailbox, readonly=True))
            validity = c.response("UIDVALIDITY")[1][0]
            modseq = int(c.response("HIGHESTMODSEQ")[1][0])
            fetched = twice(lambda: c.uid("FETCH", "1:*", "(UID FLAGS ENVELOPE)"))[1]
        found = {}
        for line in fetched:
            if line is None or b"ENVELOPE" not in line:
                continue  # flags that somebody else changed
            assert re.search(rb"UID \d+ FLAGS .*ENVELOPE .*rot-\d+", line), line
            uid = int(re.search(rb"UID (\d+)", line).group(1))
            flags = frozenset(re.search(rb"FLAGS \((.*?)\)", line).group(1).decode().split()) - {"\\Recent"}
            found[uid] = (re.search(rb"rot-\d+", line).group(0).decode(), flags)
        assert self.validity in (None, validity), "UIDVALIDITY was %r and is %r" % (self.validity, validity)
        assert modseq >= self.modseq, "HIGHESTMODSEQ fell from %d to %d" % (self.modseq, modseq)
        for uid, (subject, flags) in self.known.items():
            assert uid in found, "UID %d (%s) is gone" % (uid, subject)
            if uid not in changed:
                now = {f for f in found[uid][1] if not f.startswith("unknown-")}
                unknown = len(found[uid][1]) - len(now)
                assert now <= flags and len(flags - now) == unknown, (uid, flags, found[uid][1])
        for uid, (subject, _) in found.items():
            assert self.ever.setdefault(uid, subject) == subject, (uid, self.ever[uid], subject)
        subjects = [s for s, _ in found.values()]
        assert len(set(subjects)) == len(subjects), "a message is there twice"
        self.validity, self.modseq, self.known = validity, modseq, found


def usable(p):
    """Where the account is at home may be lost with its lock file, until the directory was asked."""
    with p.imap(ANN) as c:
        return c.select("INBOX", readonly=True)[0] == "OK"


def send(p, n):
    with p.smtp() as s:
        s.sendmail("a@b.test", [ANN], "From: <a@b.test>\r\nSubject: rot-%d\r\n\r\n%s\r\n" % (n, "x" * (n % 700)))


def uidls(p):
    c = p.pop3(ANN)
    lines = c.uidl()[1]
    c.quit()
    return [line.split()[1] for line in lines]


def prepare(p):
    with p.imap(ANN) as c:
        for name in ("Work", "Quiet"):
            c.create(name)
        for n in range(30):
            c.append(("INBOX", "Work", "Quiet")[n % 3], None, None, b"Subject: rot-%d\r\n\r\nx\r\n" % n)
        for name in ("INBOX", "Work", "Quiet"):
            c.select(name)
            c.store("1:3", "+FLAGS", "(\\Seen \\Flagged)")
            c.store("3:5", "+FLAGS", "(Important)")
            c.store("5:6", "+FLAGS", "(Later \\Answered)")


def scenario(p):
    print("seed", SEED)
    rng = random.Random(SEED)
    p.own()
    p.tenant("rot", "rot.test")
    p.account(ANN)
    prepare(p)
    maildir = p.yubin("mailbox", "path", ANN).strip()
    inbox, work, quiet = (Memory(p, name, rng.randrange(2)) for name in ("INBOX", "Work", "Quiet"))
    for memory in (inbox, work, quiet):
        memory.look()
    promised, first = uidls(p), set(inbox.known)
    undisturbed = dict(quiet.known)
    with p.imap(ANN) as onlooker:
        onlooker.select("Quiet")
        for n in range(TIMES):
            memory, folder = rng.choice(((inbox, maildir), (work, os.path.join(maildir, ".Work"))))
            name = rng.choice(FILES)
            path = os.path.join(os.path.dirname(maildir) if name == "lock" else folder, name)
            done = damage(path, rng, memory.slot)
            if name == "lock":
                harness.wait_until(lambda: usable(p), 15)
            step = rng.choice(("look", "send", "send", "flag", "move"))
            try:
                changed = ()
                if step == "send":
                    send(p, 100 + n)
                elif step == "flag" and memory.known:
                    with p.imap(ANN) as c:
                        twice(lambda: c.select(memory.mailbox))
                        uid = rng.choice(sorted(memory.known))
                        what = rng.choice(("+FLAGS", "-FLAGS"))
                        twice(lambda: c.uid("STORE", str(uid), what, "(\\Draft Later)"))
                        changed = (uid,)
                elif step == "move" and len(inbox.known) > 5:
                    with p.imap(ANN) as c:
                        twice(lambda: c.select("INBOX"))
                        uid = max(inbox.known)
                        twice(lambda: c.uid("MOVE", str(uid), "Work"))
                        inbox.known.pop(uid)
                memory.look(changed)
                for other in (inbox, work):
                    if other is not memory:
                        other.look()
                answer = onlooker.noop()
                news = {k: v for k, v in onlooker.untagged_responses.items() if k in ("EXPUNGE", "FETCH")}
                assert answer[0] == "OK" and not news, news
            except Exception as e:
                raise AssertionError("after corruption %d (%s; %s), %s" % (n, done, memory.mailbox, step)) from e
    quiet.look()
    assert quiet.known == undisturbed, "another mailbox was disturbed"
    assert len(set(promised) & set(uidls(p))) == len([u for u in inbox.known if u in first]), "POP3's UIDL changed"
    card = p.yubin_json("store", "check", ANN)
    assert card["lost"] == 0 and card["foreign"] == 0, card


if __name__ == "__main__":
    harness.main(scenario)
