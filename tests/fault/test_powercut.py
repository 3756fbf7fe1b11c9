"""Nothing is promised before it is on disk. lmtpd, imapd and pop3d run with libyb_watch.so, which writes
down every change, sync and answer. Then, for every promise (250 of a delivery, OK to APPEND, COPY and
MOVE, +OK to QUIT):

 - what it speaks of was synced after its last change (ext4/XFS: one fsync keeps a linked file's name);
 - on the disks that a power cut right after it would have left (the least, the most, the worst), the
   store gives back every message that was promised, whole, and none that was promised away;

and for power cuts at other moments: what was promised before is there, no UID a client ever saw has
another message, and none of them is given again.

The store's portable form goes through the same under the strict model (a name is kept by fsync of its
folder alone). With the syncs off (the control of this test) all of it must fail.
"""
import contextlib
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
import harness  # noqa: E402
import powercut  # noqa: E402

ANN = "ann@cut.test"
OTHER_BOOT = "0123456789abcdef" * 2
# lmtpd's 250 to the dot; OK to APPEND, COPY and MOVE; +OK to QUIT.
PROMISE = r"^250 2\.1\.5 Stored|^[A-Z]+[0-9]+ OK (\[(APPENDUID|COPYUID)|MOVE)|^\+OK$"
CUTS = int(os.environ.get("YUBIN_CUTS", "40"))


def message(n):
    return ("From: <a@b.test>\r\nTo: <%s>\r\nSubject: cut-%d\r\n\r\n%s\r\n" % (ANN, n, "x" * (3000 + n))).encode()


class Story:
    """What clients did: facts = [(begun, promised, kind, mailbox, message)], moments as numbers of events."""

    def __init__(self, p, watch):
        self.p, self.log = p, os.path.join(watch, "log")
        self.facts, self.hashes, self.seen = [], {}, {}
        self.begun = 0

    def now(self):
        with open(self.log, "rb") as f:
            return f.read().count(b"\n")

    def fact(self, *pairs):
        """What the answer that just came promised: pairs of ("there" | "gone", mailbox, message)."""
        at = self.now()
        self.facts += [(self.begun, at, *pair) for pair in pairs]
        self.look()
        self.begun = self.now()

    def look(self):
        """Remembers every (mailbox, UIDVALIDITY, UID) and its message as a client sees them."""
        with self.p.imap(ANN) as c:
            for mailbox in ("INBOX", "Work"):
                if c.select(mailbox, readonly=True)[0] != "OK":
                    continue
                validity = int(c.response("UIDVALIDITY")[1][0])
                for part in c.uid("FETCH", "1:*", "(UID BODY.PEEK[])")[1]:
                    if isinstance(part, tuple):
                        uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
                        number = int(re.search(rb"Subject: cut-(\d+)\r\n", part[1]).group(1))
                        sha = self.hashes[number] = hashlib.sha256(part[1]).hexdigest()
                        self.seen.setdefault((mailbox, validity, uid), (self.now(), sha))

    def inbox(self, c, number):
        return c.uid("SEARCH", None, "SUBJECT", '"cut-%d"' % number)[1][0].split()[-1].decode()

    def tell(self):
        self.begun = self.now()
        with self.p.smtp() as s:
            for n in range(5):
                s.sendmail("a@b.test", [ANN], message(n))
                self.fact(("there", "INBOX", n))
        with self.p.imap(ANN) as c:
            c.create("Work")
            for n in range(20, 23):
                assert c.append("INBOX", None, None, message(n))[0] == "OK"
                self.fact(("there", "INBOX", n))
            c.select("INBOX")  # takes what came from new/ to cur/, and the next delivery syncs new/
            with self.p.smtp() as s:
                s.sendmail("a@b.test", [ANN], message(6))
                self.fact(("there", "INBOX", 6))
            c.noop()
            c.uid("STORE", self.inbox(c, 6), "+FLAGS", "(\\Seen \\Flagged)")
            with self.p.smtp() as s:
                s.sendmail("a@b.test", [ANN], message(7))
                self.fact(("there", "INBOX", 7))
            for n in (1, 21):
                assert c.uid("COPY", self.inbox(c, n), "Work")[0] == "OK"
                self.fact(("there", "Work", n))
            for n in (3, 22):
                assert c.uid("MOVE", self.inbox(c, n), "Work")[0] == "OK"
                self.fact(("gone", "INBOX", n), ("there", "Work", n))
            c.uid("STORE", self.inbox(c, 2), "+FLAGS", "(\\Flagged Important)")
        c = self.p.pop3(ANN)
        for k in range(1, c.stat()[0] + 1):
            if b"cut-4" in b"\n".join(c.top(k, 0)[1]):
                c.dele(k)
        c.quit()
        self.fact(("gone", "INBOX", 4))
        with self.p.smtp() as s:
            s.sendmail("a@b.test", [ANN], message(9))
            self.fact(("there", "INBOX", 9))


class Disks:
    """The disks that power cuts leave, looked at by the store itself after another boot."""

    def __init__(self, rec, story, trial, account, portable):
        self.rec, self.story, self.trial, self.account = rec, story, trial, account
        self.environment = dict(os.environ, YB_BOOT_ID=OTHER_BOOT)
        if portable:
            self.environment["YB_PORTABLE"] = "1"
        with open(os.path.join(trial.home, "node"), encoding="ascii") as f:
            self.node = f.read().strip()

    def contents(self, at, how):
        """({(folder, uidvalidity, uid): sha256}, {(folder, uidvalidity): uidnext})"""
        tool = os.path.join(self.trial.build, "tests", "fault", "dump_store")
        with tempfile.TemporaryDirectory(dir=self.trial.home) as folder:
            root = os.path.join(folder, "root")
            self.rec.disk(at, root, how)
            done = subprocess.run([tool, root, self.node, self.account], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False, env=self.environment)
            aside = [path for path, folders, _ in os.walk(root) if "yubin-lost" in folders]
        if done.returncode != 0:
            return None, "the store does not open: " + done.stderr
        if aside:
            return None, "a name without its bytes came back"
        found, following = {}, {}
        for line in done.stdout.splitlines():
            words = line.split(" ")
            if words[0] == "uidnext":
                following[(words[1], int(words[2]))] = int(words[3])
            else:
                found[(words[0], int(words[1]), int(words[2]))] = words[-1]
        return found, following

    def trouble(self, at, how):
        """What a power cut after event `at` breaks, in words, or None."""
        expected, unsure = {}, set()
        for begun, promised, kind, mailbox, n in self.story.facts:
            if promised <= at:
                expected[(mailbox, n)] = kind
            elif begun < at:
                unsure.add((mailbox, n))
        if not expected:
            return None
        found, following = self.contents(at, how)
        if found is None:
            return following
        for (mailbox, n), kind in expected.items():
            copies = sum(1 for (m, _, _), sha in found.items() if m == mailbox and sha == self.story.hashes[n])
            if (mailbox, n) not in unsure and copies != (1 if kind == "there" else 0):
                return "cut-%d in %s should be %s: %d copies" % (n, mailbox, kind, copies)
        for (mailbox, validity, uid), (when, sha) in self.story.seen.items():
            if found.get((mailbox, validity, uid), sha) != sha:
                return "UID %d of %s is another message" % (uid, mailbox)
            if when <= at and following.get((mailbox, validity), uid + 1) <= uid:
                return "UID %d of %s will be given again" % (uid, mailbox)
        return None


@contextlib.contextmanager
def record(portable=False, syncs=True):
    """Tells the story on a platform that is watched; gives the record and the disks."""
    watch = tempfile.mkdtemp(prefix="yb-watch-", dir="/var/tmp")
    os.chmod(watch, 0o1777)
    try:
        with harness.platform({"common": {"store_form": "portable" if portable else "linked"}}, start=False) as p:
            trial = p.own()
            base = os.path.join(trial.home, "base")
            subprocess.run(["cp", "-a", trial.mail_root, base], check=True)
            inodes = powercut.inodes_of(trial.mail_root)
            trial.environment = {"LD_PRELOAD": os.path.join(trial.build, "tests", "fault", "libyb_watch.so"),
                                 "YB_WATCH": watch, "YB_WATCH_ROOT": trial.mail_root}
            if not syncs:
                trial.environment["YB_WATCH_NO_SYNC"] = "1"
            trial.start()
            p.ends.update(trial.endpoints([]))
            p.tenant("cut", "cut.test")
            p.account(ANN)
            account = p.yubin_json("account", "show", ANN)["account_id"]
            story = Story(p, watch)
            story.tell()
            rec = powercut.Record(base, inodes, watch, strict=portable)
            promises = rec.promises(PROMISE)
            # What counts is the disk when the answer was given, not when the client went on.
            story.facts = [(begun, max(i for i in promises if i < at) + 1, *fact)
                           for begun, at, *fact in story.facts]
            print("%d events, %d promises, %d facts" % (len(rec.events), len(promises), len(story.facts)))
            yield rec, story, Disks(rec, story, trial, account, portable)
    finally:
        if not os.environ.get("YUBIN_KEEP"):
            shutil.rmtree(watch, ignore_errors=True)


def judge(rec, story, disks, cuts):
    """Three lists: promises without a sync, those that the disks do not keep, cuts that hurt."""
    moments = sorted({fact[1] for fact in story.facts})
    unsynced = [(at, rec.unsynced(at)) for at in moments if rec.unsynced(at)]
    broken = [(at, how, trouble) for at in moments for how in (rec.hardest, powercut.MOST)
              for trouble in [disks.trouble(at, how)] if trouble]
    hurt = [(at, how, trouble) for at, how in cuts for trouble in [disks.trouble(at, how)] if trouble]
    return unsynced, broken, hurt


def main():
    build = os.path.abspath(os.environ.get("YUBIN_BUILD", os.path.join(TOP, "build")))
    with open(os.path.join(build, "lmtpd", "yubin-lmtpd"), "rb") as f:
        if b"YB_BOOT_ID" not in f.read():
            print("skipped: not a build with --enable-faults")
            return 77
    seed = int(os.environ.get("YUBIN_SEED", "0")) or random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    for portable in (False, True):
        with record(portable) as (rec, story, disks):
            named = [i + 1 for i, e in enumerate(rec.events) if e[0] in "LR"]
            cuts = [(at, how) for how in (powercut.MOST, rec.hardest) for at in rng.sample(named, min(len(named), CUTS // 4))]
            cuts += [(rng.randrange(len(rec.events)), rng.choice((powercut.LEAST, powercut.MOST, rec.hardest)))
                     for _ in range(CUTS // 2)]
            for what in judge(rec, story, disks, cuts):
                assert not what, what[:5]
        with record(portable, syncs=False) as (rec, story, disks):
            unsynced, broken, _ = judge(rec, story, disks, [])
            assert unsynced, "with the syncs off this test must fail"
            assert {b[1] for b in broken} == {powercut.MOST, rec.hardest}, broken[:5]
        print("ok", "portable, strict" if portable else "one sync, journal", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
