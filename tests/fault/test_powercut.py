"""Nothing is promised before it is on disk. lmtpd, imapd and pop3d run with libyb_watch.so, which writes
down every change, sync and answer; then, for every promise (250 of a delivery, OK to APPEND, COPY and
MOVE, +OK to QUIT):

 - what it speaks of was synced after its last change (ext4/XFS: one fsync keeps a linked file's name);
 - on the disk that a power cut right after it would have left, both the least and the most of it, the
   store gives back every message that was promised, whole, with the UID it was given.

With the syncs off (the control of this test) both must fail.
"""
import hashlib
import os
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
# An answer that promises; lmtpd's 250 to the dot, IMAP's tagged OK, POP3's to QUIT.
PROMISE = r"^250 2\.[0-9.]+ .*(stored|delivered)|^[A-Z]+[0-9]+ OK \[(APPENDUID|COPYUID)|^[A-Z]+[0-9]+ OK .*MOVE|^\+OK .*bye"


def message(n):
    return ("From: <a@b.test>\r\nTo: <%s>\r\nSubject: cut-%d\r\n\r\n%s\r\n" % (ANN, n, "x" * (3000 + n))).encode()


class Story:
    """What clients did, and after which event of the record each thing was promised."""

    def __init__(self, p, watch, account):
        self.p, self.log, self.account = p, os.path.join(watch, "log"), account
        self.facts = []  # (number of events by then, kind, (mailbox, message))
        self.hashes = {}

    def now(self):
        with open(self.log, "rb") as f:
            return f.read().count(b"\n")

    def fact(self, kind, mailbox, n):
        if kind == "there" and n not in self.hashes:
            self.hashes[n] = sha_of(self.p.own(), self.account, n)
        self.facts.append((self.now(), kind, (mailbox, n)))

    def inbox(self, c, number):
        return c.uid("SEARCH", None, "SUBJECT", '"cut-%d"' % number)[1][0].split()[-1].decode()

    def tell(self):
        with self.p.smtp() as s:
            for n in range(8):
                s.sendmail("a@b.test", [ANN], message(n))
                self.fact("there", "INBOX", n)
        with self.p.imap(ANN) as c:
            c.create("Work")
            for n in range(20, 24):
                assert c.append("INBOX", None, None, message(n))[0] == "OK"
                self.fact("there", "INBOX", n)
            c.select("INBOX")
            for n in (1, 2, 21):
                assert c.uid("COPY", self.inbox(c, n), "Work")[0] == "OK"
                self.fact("there", "Work", n)
            for n in (3, 22):
                assert c.uid("MOVE", self.inbox(c, n), "Work")[0] == "OK"
                self.fact("gone", "INBOX", n)
                self.fact("there", "Work", n)
        c = self.p.pop3(ANN)
        for k in range(1, c.stat()[0] + 1):
            if b"cut-5" in b"\n".join(c.top(k, 0)[1]):
                c.dele(k)
        c.quit()
        self.fact("gone", "INBOX", 5)
        with self.p.smtp() as s:
            s.sendmail("a@b.test", [ANN], message(9))
            self.fact("there", "INBOX", 9)


def contents(trial, root, account):
    """{(folder, subject's number): (uidvalidity, uid)} of a rebuilt disk after another boot."""
    tool = os.path.join(trial.build, "tests", "fault", "dump_store")
    with open(os.path.join(trial.home, "node"), encoding="ascii") as f:
        node = f.read().strip()
    done = subprocess.run([tool, root, node, account], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, env=dict(os.environ, YB_BOOT_ID="0" * 32))
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        folder, validity, uid, _, _, _, sha = line.rsplit(" ", 6)
        found.setdefault((folder, sha), []).append((int(validity), int(uid)))
    return found


def sha_of(trial, account, number):
    """Of the stored form, found in the live store by its subject."""
    base = os.path.join(trial.mail_root, account[:2], account, "Maildir")
    for folder, _, files in os.walk(base):
        for name in files:
            if not name.startswith("yubin") and os.path.basename(folder) in ("new", "cur"):
                with open(os.path.join(folder, name), "rb") as f:
                    data = f.read()
                if re.search(rb"Subject: cut-%d\r\n" % number, data):
                    return hashlib.sha256(data).hexdigest()
    return None


def record(watch, environment):
    """Tells the story on a platform that is watched."""
    with harness.platform(start=False) as p:
        trial = p.own()
        build = trial.build
        base = os.path.join(trial.home, "base")
        subprocess.run(["cp", "-a", trial.mail_root, base], check=True)
        inodes = powercut.inodes_of(trial.mail_root)
        trial.environment = {"LD_PRELOAD": os.path.join(build, "tests", "fault", "libyb_watch.so"),
                             "YB_WATCH": watch, "YB_WATCH_ROOT": trial.mail_root, **environment}
        trial.start()
        p.ends.update(trial.endpoints([]))
        p.tenant("cut", "cut.test")
        p.account(ANN)
        account = p.yubin_json("account", "show", ANN)["account_id"]
        story = Story(p, watch, account)
        story.tell()
        rec = powercut.Record(base, inodes, watch)
        promises = rec.promises(PROMISE)
        print("%d events, %d promises, %d facts" % (len(rec.events), len(promises), len(story.facts)))
        # What counts is the disk at the moment of the promise, not at that of the client's next step.
        story.facts = [(max(i for i in promises if i < at) + 1, kind, data) for at, kind, data in story.facts]
        yield rec, story, trial, account


def check_syncs(rec, facts):
    """Messages that some promise of the story may lose."""
    found = []
    for at, kind, data in facts:
        found += [(kind, data, why) for why in rec.unsynced(at)]
    return found


def check_disks(rec, story, trial, account, everything):
    """Promises that the disks do not keep."""
    broken, facts = [], story.facts
    for k, (at, _, _) in enumerate(facts):
        with tempfile.TemporaryDirectory(dir=trial.home) as folder:
            root = os.path.join(folder, "root")
            rec.disk(at, root, everything)
            subprocess.run(["chown", "-R", "--reference=" + trial.mail_root, root], check=True)
            try:
                found = contents(trial, root, account)
            except AssertionError as e:
                broken.append((k, "the store does not open: %s" % e))
                continue
            state = {}
            for _, kind, (mailbox, n) in facts[:k + 1]:
                state[(mailbox, n)] = kind
            for (mailbox, n), kind in state.items():
                copies = len(found.get((mailbox, story.hashes[n]), []))
                if (kind == "there") != (copies == 1):
                    broken.append((k, "cut-%d in %s should be %s: %d copies" % (n, mailbox, kind, copies)))
    return broken


def main():
    for syncs in (True, False):
        watch = tempfile.mkdtemp(prefix="yb-watch-", dir="/var/tmp")
        os.chmod(watch, 0o1777)
        try:
            for rec, story, trial, account in record(watch, {} if syncs else {"YB_WATCH_NO_SYNC": "1"}):
                unsynced = check_syncs(rec, story.facts)
                least = check_disks(rec, story, trial, account, everything=False)
                most = check_disks(rec, story, trial, account, everything=True)
                if syncs:
                    assert not unsynced, unsynced[:5]
                    assert not least, least[:5]
                    assert not most, most[:5]
                else:
                    assert unsynced and least and most, "with the syncs off this test must fail"
        finally:
            shutil.rmtree(watch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
