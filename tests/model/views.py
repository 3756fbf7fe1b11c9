"""What a mailbox holds and what its sessions may believe of it, without a server: RFC 3501 §7.4.1, RFC 7162.

A Mailbox is the truth: the driver, who has one command under way at a time, changes it as the command says. A View
is what one session was told. told() takes in an untagged answer and refuses what contradicts the truth or comes when
it must not; settled() is asked where everything must have been told."""
import re

NUMBERED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH)")
FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
UID = re.compile(rb"\bUID (\d+)")
MODSEQ = re.compile(rb"MODSEQ \((\d+)\)")
SUBJECT = re.compile(rb"Subject: (\S+)")


class Wrong(Exception):
    """The server said what cannot be."""


def need(condition, *what):
    if not condition:
        raise Wrong(*what)


class Message:
    def __init__(self, uid, subject, flags):
        self.uid, self.subject, self.flags = uid, subject, frozenset(flags)
        self.modseq = None  # not told yet since the last change

    def change(self, flags):
        """True if that changes anything."""
        if frozenset(flags) == self.flags:
            return False
        self.flags, self.modseq = frozenset(flags), None
        return True


class Mailbox:
    def __init__(self, name):
        self.name, self.uidvalidity, self.uidnext = name, None, 1
        self.living = {}  # by UID, in order
        self.highest = 0  # MODSEQ; what is told of a later change is above it
        self.floor = {}   # by UID: `highest` when it changed

    def add(self, subject, flags=()):
        m = self.living[self.uidnext] = Message(self.uidnext, subject, flags)
        self.changed(m)
        self.uidnext += 1
        return m.uid

    def remove(self, uids):
        for uid in uids:
            del self.living[uid]

    def changed(self, m):
        self.floor[m.uid] = self.highest

    def store(self, uid, how, flags):
        m = self.living[uid]
        if m.change({"+": m.flags | flags, "-": m.flags - flags, "": flags}[how]):
            self.changed(m)

    def heard_modseq(self, uid, modseq):
        m = self.living[uid]
        if m.modseq is None:
            need(modseq > self.floor[uid], "a change got an old MODSEQ", uid, modseq, self.floor[uid])
            m.modseq = modseq
            self.highest = max(self.highest, modseq)
        need(m.modseq == modseq, "MODSEQ of a message that nobody changed", uid, modseq, m.modseq)


class View:
    """Of a session that has selected `box`."""

    def __init__(self, box):
        self.box = box
        self.uids, self.flags = [], []  # by number; None: not told
        self.ends = []                  # by number: the UIDNEXT when EXISTS told of it, so its UID is lower
        self.keywords = set()           # those that * FLAGS told

    def told(self, line, may_expunge, late=False):
        """late: it was said some time ago, so flags may have changed since."""
        at = NUMBERED.match(line)
        if not at:
            if line.startswith(b"* FLAGS "):
                self.keywords = set(FLAGS.search(line).group(1).split())
            return
        n, what = int(at.group(1)), at.group(2)
        if what == b"EXISTS":
            need(n >= len(self.uids), "EXISTS without EXPUNGE made it less", line)
            self.flags += [None] * (n - len(self.uids))
            self.ends += [self.box.uidnext] * (n - len(self.uids))
            self.uids += [None] * (n - len(self.uids))
        elif what == b"EXPUNGE":
            need(may_expunge, "EXPUNGE where numbers must stay", line)
            need(1 <= n <= len(self.uids), "EXPUNGE of a number that is not", line)
            need(self.uids[n - 1] not in self.box.living, "EXPUNGE of a message that lives", line, self.uids[n - 1])
            del self.uids[n - 1], self.flags[n - 1], self.ends[n - 1]
        elif what == b"FETCH":
            self.told_fetch(n, line, late)

    def told_fetch(self, n, line, late):
        need(1 <= n <= len(self.uids), "FETCH of a number that is not", line, len(self.uids))
        uid, flags, modseq, subject = (x.search(line) for x in (UID, FLAGS, MODSEQ, SUBJECT))
        if uid:
            need(self.uids[n - 1] in (None, int(uid.group(1))), "a number leads to another message", line, self.uids)
            self.uids[n - 1] = int(uid.group(1))
        m = self.box.living.get(self.uids[n - 1])
        if flags:
            now = set(flags.group(1).split()) - {b"\\Recent"}
            self.flags[n - 1] = now
            need(now <= self.keywords, "a flag that * FLAGS never told", now - self.keywords)
            need(late or m is None or now == m.flags, "flags that it has not", line, m and m.flags)
        if modseq and m and not late:
            self.box.heard_modseq(m.uid, int(modseq.group(1)))
        if subject and m:
            need(subject.group(1) == m.subject, "another message's text", line, m.subject)

    def guess(self):
        """Of messages that only EXISTS told: which they are, if there is no other way. IDLE may tell of a change to
        a later one first, which leaves them between known ones. One that came since is none of them, though one of
        them be gone."""
        at = 0
        while at < len(self.uids):
            end = at
            while end < len(self.uids) and self.uids[end] is None:
                end += 1
            below = self.uids[at - 1] if at else 0
            above = self.uids[end] if end < len(self.uids) else self.ends[end - 1]
            possible = [u for u in self.box.living if below < u < above]
            if len(possible) == end - at:
                self.uids[at:end] = possible
            at = end + 1

    def settled(self):
        """Everything was told."""
        self.guess()
        need(self.uids == list(self.box.living), "the view is not the mailbox", self.uids, list(self.box.living))
        for uid, flags in zip(self.uids, self.flags):
            need(flags is None or flags == self.box.living[uid].flags, "a change of flags was not told", uid, flags,
                 self.box.living[uid].flags)

    def numbers(self, low, high):
        """UIDs under these numbers."""
        return self.uids[low - 1:high]
