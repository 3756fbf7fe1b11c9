"""The process dies exactly at each fault point of the store (L1-L5 of docs/delivery.md and those of the
other changes), once each, in a workload that passes all of them. Every point must be hit; afterwards
nothing that was promised is lost or twice, and nothing a client saw has changed its meaning."""
import imaplib
import os
import poplib
import re
import shutil
import ssl
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
import harness  # noqa: E402
import load  # noqa: E402

GONE = (OSError, imaplib.IMAP4.abort, poplib.error_proto, ssl.SSLError, EOFError)
QUICK = {d: {"restart_wait": "20ms", "restart_wait_max": "50ms"} for d in harness.trial.daemons(harness.build_folder())}


def points_in_source():
    """Every yb_fault("…") of the store."""
    found = set()
    for folder, _, files in os.walk(os.path.join(TOP, "lib", "store")):
        for name in files:
            if name.endswith(".c"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    found |= set(re.findall(r'yb_fault\("([^"]+)"\)', f.read()))
    return found


class World:
    """What was promised to the clients so far."""

    def __init__(self, p, address):
        self.p, self.address = p, address
        self.ledger = load.Ledger(p, "pt")
        self.reader = load.Reader(p, address)
        self.appended, self.moved, self.copied, self.removed, self.foreign = set(), set(), set(), set(), set()

    def deliver(self):
        self.ledger.send([self.address])

    def imap(self):
        """Append, flag, copy, move, folders, expunge: each promise is noted when it was given."""
        n = "a-%d" % (len(self.appended) + len(self.ledger.fate) * 100)
        text = b"Subject: number-%s\r\n\r\nx\r\n" % n.encode()
        with self.p.imap(self.address) as c:
            if c.append("INBOX", None, None, text)[0] == "OK":
                self.appended.add(n)
            c.create("Work")
            c.select("INBOX")
            uids = c.uid("SEARCH", None, "SUBJECT", "number-" + n)[1][0].split()
            c.uid("STORE", uids[-1], "+FLAGS", "(\\Flagged Important)")
            if c.uid("COPY", uids[-1], "Work")[0] == "OK":
                self.copied.add(n)
            if c.uid("MOVE", uids[-1], "Work")[0] == "OK":
                self.moved.add(n)
            c.create("Old/Deep")
            c.rename("Old", "New")
            c.subscribe("New/Deep")
            c.delete("New/Deep")
            c.delete("New")
            c.append("INBOX", "(\\Deleted)", None, b"Subject: number-dead-%s\r\n\r\nx\r\n" % n.encode())
            c.expunge()

    def pop3(self):
        """Deletes the newest message; what QUIT promised stays away."""
        c = self.p.pop3(self.address)
        count = c.stat()[0]
        lines = c.retr(count)[1]
        number = next(load.ID.search(x).group(1).decode() for x in lines if load.ID.search(x))
        c.dele(count)
        self.unsure = number
        if c.quit().startswith(b"+OK"):
            self.removed.add(number)

    def damage(self):
        """Another program's message, then a lost index: a new UID, then one above the ceiling."""
        maildir = self.p.yubin("mailbox", "path", self.address).strip()
        for n in ("f-%d" % len(self.foreign), "g-%d" % len(self.foreign)):
            path = os.path.join(maildir, "tmp", n)
            with open(path, "w", encoding="ascii") as f:
                f.write("Subject: number-%s\r\n\r\nx\r\n" % n)
            shutil.chown(path, os.stat(maildir).st_uid, os.stat(maildir).st_gid)
            os.rename(path, os.path.join(maildir, "new", n))
            self.foreign.add(n)
            if n[0] == "f":
                self.reader.try_to_look()
                os.unlink(os.path.join(maildir, "yubin-index"))
            self.deliver()
            self.reader.look()

    def run(self):
        for step in (self.deliver, self.imap, self.deliver, self.pop3, self.deliver, self.damage):
            try:
                step()
            except GONE:
                pass

    def folder(self, name):
        with self.p.imap(self.address) as c:
            if c.select(name, readonly=True)[0] != "OK":
                return []
            answer = c.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return [load.ID.search(part[1]).group(1).decode() for part in answer if isinstance(part, tuple)]

    def check(self):
        load.wait_for_queue(self.p)
        here = self.reader.look()
        work = self.folder("Work")
        for number in set(here):
            assert here.count(number) == 1, "%s is there %d times" % (number, here.count(number))
        for number in self.ledger.kept(self.address):
            if number not in self.removed and number != getattr(self, "unsure", None):
                assert here.count(number) == 1, "%s is there %d times" % (number, here.count(number))
            if number in self.removed:
                assert number not in here, "%s was removed and is there" % number
        for number in self.appended:
            assert number in here or number in work, "%s was appended and is lost" % number
        for number in self.foreign:
            assert here.count(number) == 1, "%s came from elsewhere and is there %d times" % (number, here.count(number))
        for number in self.copied | self.moved:
            assert number in work, "%s was copied and is lost" % number
        for number in self.moved:
            assert number not in here, "%s was moved and is still there" % number
        load.check_usage(self.p, self.address)
        card = self.p.yubin_json("store", "check", self.address)
        assert card["lost"] == 0 and card["foreign"] == 0, card


def one(p, address, point, folder):
    """A life in which a daemon dies the first time it comes to `point`; returns the points visited."""
    trial = p.own()
    log = os.path.join(folder, "visits." + point)
    with open(log, "w", encoding="ascii"):
        os.chmod(log, 0o666)  # the daemons have users of their own: whoever came first would keep the others out
    trial.environment = {"YB_FAULT_LOG": log, "YB_FAULT_ONCE": folder, "YB_FAULT": "%s:kill:1" % point}
    trial.start()
    p.ends.update(trial.endpoints([]))
    p.account(address, harness.PASSWORD, "--quota", "100000000")
    world = World(p, address)
    world.run()
    if os.path.exists(os.path.join(folder, point)):
        world.run()
    world.check()
    world.run()  # life goes on
    world.check()
    trial.stop(keep_database=True)
    with open(log, encoding="ascii") as f:
        return set(f.read().split())


def main():
    build = os.path.abspath(os.environ.get("YUBIN_BUILD", os.path.join(TOP, "build")))
    with open(os.path.join(build, "lmtpd", "yubin-lmtpd"), "rb") as f:
        if b"YB_FAULT_ONCE" not in f.read():
            print("skipped: not a build with --enable-faults")
            return 77
    want = points_in_source()
    assert {"store.L%d" % n for n in range(1, 6)} <= want, want
    folder = tempfile.mkdtemp(prefix="yb-once-", dir="/var/tmp")
    os.chmod(folder, 0o1777)
    try:
        with harness.platform(QUICK, start=False) as p:
            p.tenant("points", "points.test")
            visited = one(p, "nobody-dies@points.test", "none", folder)
            assert want <= visited, "the workload never comes to %s" % sorted(want - visited)
            for point in sorted(want & set(sys.argv[1:] or want)):
                one(p, point + "@points.test", point, folder)
                assert os.path.exists(os.path.join(folder, point)), "%s was not reached" % point
                print("ok", point, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
