"""Random histories of deliveries, a POP3 client and three IMAP sessions on two mailboxes, beside the model in views.py:
after each step the server has told what the model allows, all that it must, and nothing else. One command is under
way at a time, so every answer can be foretold. Says its seed; YUBIN_SEED=N goes the same way again, YUBIN_STEPS says
how far (100 000; with YUBIN_LONG=1 two million)."""
import collections
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
from views import Mailbox, NUMBERED, View, Wrong, need  # noqa: E402

MOD = "mod@model.test"
STEPS = 2000000 if os.environ.get("YUBIN_LONG") else 100000
MANY = 30  # messages; with more in it a mailbox is emptied rather than filled
FLAGS = [b"\\Seen", b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Draft", b"blue", b"$Forwarded"]
LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
COPYUID = re.compile(rb"\[COPYUID \d+ ([\d:,]+) ([\d:,]+)\]")


def uids_of(text):
    """Of a set as the server writes it."""
    found = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


class Session:
    """An IMAP connection, what it believes (view) and what it says. Each deed is a command with its prophecy."""

    def __init__(self, world, name):
        self.world, self.name, self.tag = world, name, 0
        self.random = world.random
        self.sock = world.p.raw("imaps", tls=True)
        self.file = self.sock.makefile("rb")
        self.view, self.read_only, self.idle, self.condstore = None, False, False, False
        self.file.readline()
        self.ok(b'LOGIN %s "%s"' % (MOD.encode(), world.p.passwords[MOD].encode()))

    # --- the connection ---

    def line(self):
        line = self.file.readline()
        while LITERAL.search(line):
            line += self.file.read(int(LITERAL.search(line).group(1))) + self.file.readline()
        need(line, "the server closed")
        return line

    def say(self, text):
        """Sends a command; its untagged answers and the tagged one, not taken in yet."""
        self.tag += 1
        self.world.history.append((self.name, text))
        self.sock.sendall(b"t%d %s\r\n" % (self.tag, text))
        return self.answers(b"t%d " % self.tag)

    def answers(self, tag):
        lines = []
        while True:
            line = self.line()
            self.world.history.append((self.name, line))
            if line.startswith(tag):
                return lines, line[len(tag):]
            lines.append(line)

    def take(self, lines, may_expunge=True, settled=True, late=False):
        if self.view:
            for line in lines:
                self.view.told(line, may_expunge, late)
            if settled:
                self.view.settled()
            else:
                self.view.guess()

    def ok(self, text, **how):
        lines, answer = self.say(text)
        need(answer.startswith(b"OK"), text, answer)
        self.take(lines, **how)
        return lines, answer

    # --- which messages ---

    def some(self):
        """A set by number or by UID: (is it by UID, its text, its UIDs in the view)."""
        n = len(self.view.uids)
        low = self.random.randint(1, n)
        high = self.random.randint(low, min(n, low + 6))
        uids = self.view.numbers(low, high)
        if self.random.random() < 0.5 and None not in uids:
            return True, b",".join(b"%d" % u for u in uids), uids
        return False, b"%d:%d" % (low, high), uids

    def living(self, uids):
        return [u for u in uids if u in self.view.box.living]

    # --- deeds without a mailbox ---

    def select(self):
        box = self.random.choice(self.world.boxes)
        self.read_only = self.random.random() < 0.2
        self.view = View(box)
        with_modseq = b" (CONDSTORE)" if self.random.random() < 0.5 else b""
        self.condstore |= bool(with_modseq)
        lines, answer = self.ok((b"EXAMINE " if self.read_only else b"SELECT ") + box.name + with_modseq)
        need((b"[READ-ONLY]" in answer) == self.read_only, answer)
        told = b"".join(lines)
        need(b"[UIDNEXT %d]" % box.uidnext in told, "UIDNEXT", told, box.uidnext)
        validity = int(re.search(rb"\[UIDVALIDITY (\d+)\]", told).group(1))
        need(box.uidvalidity in (None, validity), "UIDVALIDITY changed", box.uidvalidity, validity)
        box.uidvalidity = validity
        highest = int(re.search(rb"\[HIGHESTMODSEQ (\d+)\]", told).group(1))
        need(highest >= box.highest, "HIGHESTMODSEQ fell", highest, box.highest)
        box.highest = highest

    def append(self):
        box, subject = self.random.choice(self.world.boxes), self.world.subject()
        flags = self.random.sample(FLAGS, self.random.randrange(3))
        text = b"Subject: " + subject + b"\r\n\r\nx\r\n"
        uid = box.add(subject, flags)
        lines, answer = self.say(b"APPEND %s (%s) {%d+}\r\n%s" % (box.name, b" ".join(flags), len(text), text))
        need(answer.startswith(b"OK [APPENDUID ") and int(answer.split()[3].rstrip(b"]")) == uid, answer, uid)
        self.take(lines)

    def status(self):
        box = self.random.choice(self.world.boxes)
        lines, _ = self.ok(b"STATUS %s (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ)" % box.name)
        told = next(x for x in lines if x.startswith(b"* STATUS"))
        need(b"MESSAGES %d " % len(box.living) in told, told, len(box.living))
        unseen = sum(b"\\Seen" not in m.flags for m in box.living.values())
        need(b"UNSEEN %d " % unseen in told, told, unseen)
        need(b"UIDNEXT %d " % box.uidnext in told, told, box.uidnext)
        highest = int(re.search(rb"HIGHESTMODSEQ (\d+)", told).group(1))
        need(highest >= box.highest, "HIGHESTMODSEQ fell", told, box.highest)
        box.highest = highest
        self.condstore = True  # RFC 7162 §3.1: asking for it enables it

    # --- deeds on the selected one ---

    def noop(self):
        self.ok(self.random.choice([b"NOOP", b"CHECK"]))

    def idle_begin(self):
        self.tag += 1
        self.world.history.append((self.name, b"IDLE"))
        self.sock.sendall(b"t%d IDLE\r\n" % self.tag)
        lines, _ = self.answers(b"+ ")
        self.take(lines, settled=False)  # the rest comes behind it
        self.idle = True

    def idle_end(self):
        self.world.history.append((self.name, b"DONE"))
        self.sock.sendall(b"DONE\r\n")
        lines, answer = self.answers(b"t%d " % self.tag)
        need(answer.startswith(b"OK"), answer)
        self.idle = False
        self.take(lines, late=True)

    def fetch(self):
        by_uid, text, uids = self.some()
        since = None
        items = self.random.choice([b"FLAGS", b"(UID FLAGS MODSEQ)", b"(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"])
        if items.endswith(b"MODSEQ)") and self.view.box.highest and self.random.random() < 0.5:
            since = self.random.randint(max(1, self.view.box.highest - 20), self.view.box.highest)
            items += b" (CHANGEDSINCE %d)" % since
        self.condstore |= b"MODSEQ" in items
        lines, answer = self.say((b"UID " if by_uid else b"") + b"FETCH " + text + b" " + items)
        living = self.living(uids)
        # By number (RFC 2180 §4.1): what is gone may be left out with NO; by UID it never is an error (RFC 3501 §6.4.8).
        need(answer.startswith(b"OK") or not by_uid and len(living) < len(uids), text, answer)
        whole = b"SUBJECT" in items
        answered = [int(NUMBERED.match(x).group(1)) for x in lines if (b"Subject: " if whole else b"FLAGS (") in x
                    and NUMBERED.match(x)]
        by_number = dict(enumerate(self.view.uids, 1))
        self.take(lines, may_expunge=by_uid, settled=by_uid)
        answered = [by_number[n] for n in answered if n in by_number]
        if since is None:
            need(set(living) <= set(answered), "not answered", living, answered)
        else:
            for uid in living:  # each of which the MODSEQ is known now
                need((self.view.box.living[uid].modseq or 0) <= since or uid in answered, "CHANGEDSINCE", uid, since)

    def store(self):
        by_uid, text, uids = self.some()
        if None in uids:
            return  # whose flags change is not known: one that only EXISTS told of, where others are gone
        how, silent = self.random.choice(["+", "-", ""]), self.random.random() < 0.3
        flags = frozenset(self.random.sample(FLAGS, self.random.randrange(3)))
        box, since, unsure = self.view.box, None, b""
        living = self.living(uids)
        if box.highest and living == uids and self.random.random() < 0.3:
            since = self.random.randint(max(1, box.highest - 10), box.highest)
            unsure = b" (UNCHANGEDSINCE %d)" % since
            self.condstore = True
        lines, answer = self.say(b"%sSTORE %s%s %sFLAGS%s (%s)" % (
            b"UID " if by_uid else b"", text, unsure, how.encode(), b".SILENT" if silent else b"", b" ".join(flags)))
        if self.read_only:
            need(answer.startswith(b"NO"), "changed what is read only", answer)
            self.take(lines, may_expunge=by_uid, settled=False)
            return
        need(answer.startswith(b"OK") or answer.startswith(b"NO") and not by_uid and len(living) < len(uids), answer)
        failed = re.search(rb"\[MODIFIED ([\d:,]+)\]", answer)
        failed = uids_of(failed.group(1)) if failed else []
        failed = failed if by_uid else [self.view.uids[n - 1] for n in failed]
        need(not failed or since is not None, "MODIFIED without UNCHANGEDSINCE", answer)
        for uid in living:
            modseq = box.living[uid].modseq
            if since is not None and modseq is not None:
                need((modseq > since) == (uid in failed), "UNCHANGEDSINCE", uid, modseq, since, answer)
            if uid not in failed:
                box.store(uid, how, flags)
        if silent and not self.condstore:  # what it changed silently a client has to remember
            for n, uid in enumerate(self.view.uids):
                if uid in living and uid not in failed and self.view.flags[n] is not None:
                    self.view.flags[n] = {"+": self.view.flags[n] | flags, "-": self.view.flags[n] - flags,
                                          "": set(flags)}[how]
        self.take(lines, may_expunge=by_uid, settled=by_uid)
        told = {self.view.uids[int(x.group(1)) - 1] for x in map(NUMBERED.match, lines)
                if x and x.group(2) == b"FETCH" and int(x.group(1)) <= len(self.view.uids)} if not by_uid else None
        if told is not None and not silent:
            need({u for u in living if u not in failed} <= told, "STORE did not tell", living, told)

    def search(self):
        """Keys with what they find by the model; those of RFC 3501 §6.4.4 look at messages as they are."""
        box, r = self.view.box, self.random

        def key(depth):
            what = r.randrange(9 if depth else 6)
            flag = r.choice(FLAGS)
            if what == 0:
                name = {b"\\Seen": b"SEEN", b"\\Answered": b"ANSWERED", b"\\Flagged": b"FLAGGED",
                        b"\\Deleted": b"DELETED", b"\\Draft": b"DRAFT"}.get(flag, b"KEYWORD " + flag)
                return name, lambda m: flag in m.flags
            if what == 1:
                return b"ALL", lambda m: True
            if what == 2:
                low = r.randint(1, box.uidnext)
                return b"UID %d:%d" % (low, low + 9), lambda m: low <= m.uid <= low + 9
            if what == 3:
                n = r.randint(1, len(self.view.uids))
                return b"1:%d" % n, lambda m: m.uid in first[:n]
            if what == 4:
                part = r.choice(list(box.living.values())).subject[:3] if box.living else b"s1"
                return b"SUBJECT " + part, lambda m: part in m.subject
            if what == 5:
                return b"NOT UNSEEN", lambda m: b"\\Seen" in m.flags
            one, two = key(depth - 1), key(depth - 1)
            if what == 6:
                return b"NOT " + one[0], lambda m: not one[1](m)
            if what == 7:
                return b"OR %s %s" % (one[0], two[0]), lambda m: one[1](m) or two[1](m)
            return b"(%s %s)" % (one[0], two[0]), lambda m: one[1](m) and two[1](m)

        first = list(self.view.uids)
        text, holds = key(2)
        by_uid = r.random() < 0.5
        lines, answer = self.say((b"UID " if by_uid else b"") + b"SEARCH " + text)
        need(answer.startswith(b"OK"), text, answer)
        found = [int(x) for x in next(x for x in lines if x.startswith(b"* SEARCH")).split()[2:]]
        found = set(found) if by_uid else {first[n - 1] for n in found}
        if None not in first:
            # Messages that came since this view was told may be in it already or not: by UID only.
            right = {u for u in first if u in box.living and holds(box.living[u])}
            need(found == right, "SEARCH", text, found ^ right)
        self.take(lines, may_expunge=by_uid, settled=by_uid)

    def transfer(self):
        """COPY and MOVE to either mailbox, the selected one as well."""
        by_uid, text, uids = self.some()
        to, box, moves = self.random.choice(self.world.boxes), self.view.box, self.random.random() < 0.4
        if None in uids or len(to.living) > MANY or moves and to is box:
            return
        lines, answer = self.say(b"%s%s %s %s" % (b"UID " if by_uid else b"", b"MOVE" if moves else b"COPY", text, to.name))
        living = self.living(uids)
        if moves and self.read_only:
            need(answer.startswith(b"NO"), "moved what is read only", answer)
            self.take(lines, settled=False)
            return
        need(answer.startswith(b"OK") == bool(living) or by_uid and not living, answer, living)
        code = COPYUID.search(answer if not moves else b"".join(lines))
        need((code is not None) == bool(living), "COPYUID", answer, living)
        if code:
            need(uids_of(code.group(1)) == living, "COPYUID tells others", code.group(), living)
            new = [to.add(box.living[u].subject, box.living[u].flags) for u in living]
            need(uids_of(code.group(2)) == new, "COPYUID tells other new ones", code.group(), new)
            if moves:
                box.remove(living)
        self.take(lines)

    def expunge(self):
        box = self.view.box
        deleted = [u for u, m in box.living.items() if b"\\Deleted" in m.flags]
        some = self.random.random() < 0.5
        if some:
            low = self.random.randint(1, box.uidnext)
            deleted = [u for u in deleted if low <= u <= low + 20]
        elif any(u not in self.view.uids for u in deleted):
            return  # whether it takes what this session was not told of is the server's choice
        lines, answer = self.say(b"UID EXPUNGE %d:%d" % (low, low + 20) if some else b"EXPUNGE")
        if self.read_only:
            need(answer.startswith(b"NO"), "expunged what is read only", answer)
            self.take(lines, settled=False)
            return
        need(answer.startswith(b"OK"), answer)
        box.remove([u for u in deleted if not some or u in self.view.uids])
        self.take(lines)

    def leave(self):
        box = self.view.box
        closes = self.random.random() < 0.5
        if closes and not self.read_only:
            if any(b"\\Deleted" in m.flags and u not in self.view.uids for u, m in box.living.items()):
                return
            box.remove([u for u, m in box.living.items() if b"\\Deleted" in m.flags])
        self.view = None
        self.ok(b"CLOSE" if closes else b"UNSELECT")

    def act(self):
        if self.idle:
            return self.idle_end()
        if self.view is None:
            return self.random.choice([self.select] * 4 + [self.append, self.status])()
        deeds = [self.noop] * 2 + [self.select, self.leave, self.idle_begin, self.status]
        if self.view.uids:
            deeds += [self.fetch] * 6 + [self.store] * 6 + [self.search] * 3 + [self.transfer] * 2
        deeds += [self.append] * 2 if len(self.view.box.living) < MANY else [self.expunge] * 4
        return self.random.choice(deeds + [self.expunge])()


class World:
    def __init__(self, p, seed):
        self.p, self.random, self.made = p, random.Random(seed), 0
        self.history = collections.deque(maxlen=60)
        self.boxes = [Mailbox(b"INBOX"), Mailbox(b"Other")]
        self.smtp = None
        self.sessions = [Session(self, b"ABC"[i:i + 1]) for i in range(3)]

    def subject(self):
        self.made += 1
        return b"s%d." % self.made

    def deliver(self):
        subject = self.subject()
        self.history.append((b"mail", subject))
        if self.smtp is None or self.random.random() < 0.02:  # a connection has an end as well
            if self.smtp:
                self.smtp.quit()
            self.smtp = self.p.smtp()
        self.smtp.sendmail("stranger@example.net", [MOD], b"Subject: " + subject + b"\r\n\r\nx\r\n")
        self.boxes[0].add(subject)

    def pop3(self):
        inbox = self.boxes[0]
        c = self.p.pop3(MOD)
        told = [int(x.split()[0]) for x in c.list()[1]]
        need(len(told) == len(inbox.living), "POP3 tells of others", told, list(inbox.living))
        gone = self.random.sample(told, min(2, len(told)))
        self.history.append((b"pop3", repr(gone).encode()))
        uids = list(inbox.living)
        for n in gone:
            c.dele(n)
        c.quit()
        inbox.remove([uids[n - 1] for n in gone])

    def step(self):
        what = self.random.randrange(1000)
        if what < 2:
            self.pop3()
        elif what < 30 and len(self.boxes[0].living) < 2 * MANY:
            self.deliver()
        else:
            self.random.choice(self.sessions).act()

    def end(self):
        for s in self.sessions:
            if s.idle:
                s.idle_end()
            if s.view:
                s.noop()


def scenario(p):
    p.tenant("model", "model.test")
    p.account(MOD)
    p.imap(MOD).create("Other")
    seed = int(os.environ.get("YUBIN_SEED") or random.SystemRandom().randrange(10**9))
    steps = int(os.environ.get("YUBIN_STEPS") or STEPS)
    print("YUBIN_SEED=%d, %d steps" % (seed, steps), flush=True)
    world, i = World(p, seed), 0
    try:
        for i in range(steps):
            world.step()
        world.end()
    except Exception:
        print("\n".join("%s %r" % (who.decode(), what) for who, what in world.history))
        print("YUBIN_SEED=%d, step %d" % (seed, i))
        raise


if __name__ == "__main__":
    harness.main(scenario)
