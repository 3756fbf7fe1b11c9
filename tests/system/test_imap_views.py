"""Four sessions change one mailbox at once. Each believes only what it is told: EXISTS, EXPUNGE and FETCH in their order.
In the end all believe the same, and that is what the mailbox holds; no UID ever meant two messages."""
import random
import re

import harness

FAY = "fay@views.test"
ROUNDS = 120


class Session:
    def __init__(self, p, seed):
        self.sock = p.raw("imaps", tls=True)
        self.file, self.random, self.tag = self.sock.makefile("rb"), random.Random(seed), 0
        self.view, self.flags = [], []  # UIDs and flags by number (None: not told yet)
        self.subjects = {}  # what a UID was
        self.file.readline()
        self.say('LOGIN %s "%s"' % (FAY, p.passwords[FAY]))
        self.say("SELECT INBOX")

    def say(self, text, after=None, may_fail=False):
        """Sends a command and takes in all that is told until its answer."""
        self.tag += 1
        self.sock.sendall(b"t%d %s\r\n" % (self.tag, text.encode()))
        while True:
            line = self.file.readline()
            while re.search(rb"\{\d+\}\r\n$", line):
                line += self.file.read(int(re.search(rb"\{(\d+)\}\r\n$", line).group(1))) + self.file.readline()
            assert line, "the server closed"
            if line.startswith(b"+ "):
                self.sock.sendall(after)
            elif line.startswith(b"t%d " % self.tag):
                assert may_fail or line.split()[1] == b"OK", (text, line)
                return line
            else:
                self.told(line)

    def told(self, line):
        number = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)", line)
        if not number:
            return
        n, what = int(number.group(1)), number.group(2)
        if what == b"EXISTS":
            assert n >= len(self.view), (n, len(self.view))
            self.flags += [None] * (n - len(self.view))
            self.view += [None] * (n - len(self.view))
        elif what == b"EXPUNGE":
            del self.view[n - 1], self.flags[n - 1]
        else:
            uid, subject = re.search(rb"UID (\d+)", line), re.search(rb"Subject: (\S+)", line)
            flags = re.search(rb"FLAGS \(([^)]*)\)", line)
            if flags:
                self.flags[n - 1] = set(flags.group(1).split()) - {b"\\Recent"}
            if uid:
                assert self.view[n - 1] in (None, int(uid.group(1))), (line, self.view[n - 1])
                self.view[n - 1] = int(uid.group(1))
            if uid and subject:
                assert self.subjects.setdefault(int(uid.group(1)), subject.group(1)) == subject.group(1), line

    def act(self, me, i):
        what, n = self.random.randrange(11), len(self.view)
        one = self.random.randrange(n) + 1 if n else 0
        if what < 2 or n == 0:
            text = b"Subject: s%d-%d\r\n\r\nx\r\n" % (me, i)
            self.say("APPEND INBOX {%d}" % len(text), text + b"\r\n")
        elif what == 2:
            self.say("STORE %d +FLAGS (k%d%d%s)" % (one, me, i % 3, " \\Deleted" if i % 2 else ""), may_fail=True)
        elif what == 3:
            self.say("EXPUNGE")
        elif what == 4:
            self.say("FETCH 1:* UID")  # flags are believed as told, never asked for
        elif what == 5:
            self.say("FETCH %d (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])" % one, may_fail=True)
        elif what == 6:
            self.see_silently(one)
        elif what == 7:
            self.say("IDLE", b"DONE\r\n")
        elif what == 8:
            self.say("COPY %d INBOX" % one, may_fail=True)
        elif what == 9:
            self.say("MOVE %d Else" % one, may_fail=True)
        else:
            self.say("NOOP")

    def see_silently(self, one):
        """What a client changes silently it has to remember by itself (RFC 3501 §6.4.6)."""
        uid = self.view[one - 1]
        if uid is None:
            return
        for i in range(one - 1, len(self.view)):
            if self.flags[i] is not None:
                self.flags[i].add(b"\\Seen")
        self.say("UID STORE %d:* +FLAGS.SILENT (\\Seen)" % uid, may_fail=True)


def scenario(p):
    p.tenant("views", "views.test")
    p.account(FAY)
    p.imap(FAY).create("Else")
    sessions = [Session(p, seed) for seed in range(4)]
    harness.in_threads(len(sessions), lambda me: [sessions[me].act(me, i) for i in range(ROUNDS)])
    for s in sessions:
        s.say("NOOP")
        believed = list(s.flags)
        s.say("FETCH 1:* (UID FLAGS)")
        wrong = [(u, b, f) for u, b, f in zip(s.view, believed, s.flags) if b is not None and b != f]
        assert not wrong, wrong
        s.say("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    views = [s.view for s in sessions]
    assert all(v == views[0] for v in views) and None not in views[0] and views[0] == sorted(set(views[0])), views
    for uid in views[0]:
        assert len({s.subjects[uid] for s in sessions}) == 1, uid


if __name__ == "__main__":
    harness.main(scenario)
