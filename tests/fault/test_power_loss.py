"""The power is cut while mail flows: the store lies on a loop device of its own, and copies of what the device holds
at random moments are what a machine finds when it comes up again. The file system is checked and mounted, the store
opened after another boot; every message that was answered before the copy was begun is there, whole.

ext4 without a journal, ext4 with one, XFS, btrfs: each in the form that the store finds for it. Needs root, loop
devices, and mkfs of each kind; what is missing is skipped with the reason. YUBIN_LONG=1: more copies.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
import harness  # noqa: E402

ANN = "ann@loss.test"
OTHER_BOOT = "0123456789abcdef" * 2
LONG = os.environ.get("YUBIN_LONG") == "1"
COPIES = int(os.environ.get("YUBIN_CUTS", "30" if LONG else "4"))
KINDS = {  # mkfs, MiB (the least that XFS and btrfs take), the form that is to be found
    "ext4 without a journal": (("mkfs.ext4", "-q", "-O", "^has_journal"), 64, "portable"),
    "ext4": (("mkfs.ext4", "-q"), 64, "linked"),
    "XFS": (("mkfs.xfs", "-q"), 320, "linked"),
    "btrfs": (("mkfs.btrfs", "-q"), 128, "portable"),
}


def run(*command, fine=(0,)):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode not in fine:
        raise harness.Skip("%s: %s" % (" ".join(command), done.stdout.strip()))
    return done.stdout.strip()


class Device:
    """An image, its loop device, and the folder it is mounted on."""

    def __init__(self, image, folder):
        self.image, self.folder = image, folder
        self.loop = run("losetup", "--find", "--show", image)

    def mount(self):
        run("mount", self.loop, self.folder)

    def end(self):
        subprocess.run(["umount", self.folder], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", self.loop], check=True)

    def writes(self):
        """(writes done, requests under way)"""
        with open("/sys/block/%s/stat" % os.path.basename(self.loop), encoding="ascii") as f:
            words = f.read().split()
        return int(words[4]), int(words[8])

    def copy(self, to):
        """True when nothing was written meanwhile: only then it is what the device held at one moment."""
        before = self.writes()
        shutil.copyfile(self.image, to + ".part")
        os.replace(to + ".part", to)
        return before[1] == 0 and self.writes() == before


class Traffic:
    """Deliveries, and a session that takes, flags and moves what came. `kept` was answered."""

    def __init__(self, p, rng):
        self.p, self.rng = p, rng
        self.kept, self.n, self.ended = [], 0, False
        self.step = threading.Lock()  # held for each thing that is done

    def message(self, n):
        return "From: <a@b.test>\r\nSubject: loss-%d\r\n\r\n%s\r\nend-%d\r\n" % (n, "x" * (500 + n % 7 * 900), n)

    def deliver(self, smtp):
        self.n += 1
        smtp.sendmail("a@b.test", [ANN], self.message(self.n))
        self.kept.append(self.n)

    def read(self, c):
        c.select("INBOX")
        uids = c.uid("SEARCH", "ALL")[1][0].split()[-20:]
        for uid in self.rng.sample(uids, min(self.rng.randrange(3), len(uids))):
            flag = self.rng.choice(("\\Seen", "\\Flagged", "\\Answered", "Important"))
            assert c.uid("STORE", uid, "+FLAGS.SILENT", "(%s)" % flag)[0] == "OK"
        if len(uids) > 5 and self.rng.random() < 0.1:
            assert c.uid("MOVE", self.rng.choice(uids), "Work")[0] == "OK"

    def run(self):
        try:
            with self.p.smtp() as smtp, self.p.imap(ANN) as c:
                c.create("Work")
                while not self.ended:
                    with self.step:
                        if self.rng.random() < 0.7:
                            self.deliver(smtp)
                        else:
                            self.read(c)
        finally:
            self.ended = True


def take(device, traffic, folder, count, rng):
    """[(copy, what had been answered before)]"""
    taken = []
    while len(taken) < count and not traffic.ended:
        harness.wait_until(lambda more=traffic.n + rng.randrange(2, 20): traffic.n >= more or traffic.ended, 60, 0.001)
        to = os.path.join(folder, "copy%d" % len(taken))
        for _ in range(2):  # in the middle of things, if the device is still for so long
            known = list(traffic.kept)
            if device.copy(to):
                break
        else:
            with traffic.step:
                harness.wait_until(lambda: device.copy(to), 60, 0)
                known = list(traffic.kept)
        taken.append((to, known))
    return taken


def found_in(root):
    """Numbers of the whole messages that lie in the mailboxes."""
    numbers = []
    for path, _, files in os.walk(root):
        for name in files if os.path.basename(path) in ("new", "cur") else ():
            with open(os.path.join(path, name), encoding="ascii") as f:
                text = f.read()
            n = int(re.search(r"Subject: loss-(\d+)", text).group(1))
            assert text.endswith("end-%d\n" % n), name
            numbers.append(n)
    return numbers


def look(trial, kind, copy, known, account, folder):
    device = Device(copy, folder)
    try:
        if kind.startswith("ext4"):
            run("e2fsck", "-fy", device.loop, fine=(0, 1, 2, 3))
        device.mount()
        with open(os.path.join(trial.home, "node"), encoding="ascii") as f:
            node = f.read().strip()
        done = subprocess.run([os.path.join(trial.build, "tests", "fault", "dump_store"), folder, node, account],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              env=dict(os.environ, YB_BOOT_ID=OTHER_BOOT))
        if not known:
            return
        assert done.returncode == 0, done.stderr
        there = found_in(folder)
        lost = sorted(set(known) - set(there))
        assert not lost, "%s: answered and lost: %s of %d" % (kind, lost, len(known))
        # The MOVE that was under way, which nobody answered for, may have done the first half of it.
        twice = sorted({n for n in there if there.count(n) > 1})
        assert len(twice) <= 1, "%s: twice: %s" % (kind, twice)
    finally:
        device.end()


def cut(kind, rng):
    mkfs, mib, form = KINDS[kind]
    if shutil.which(mkfs[0]) is None:
        raise harness.Skip("no " + mkfs[0])
    with harness.platform({"common": {"mail_reserve": "0"}}, start=False) as p:
        trial = p.own()
        folder = os.path.join(trial.home, "disks")
        os.mkdir(folder)
        run("mount", "-t", "tmpfs", "none", folder)  # copies are quick, and what the images do is not written twice
        image, kept, again = (os.path.join(folder, name) for name in ("image", "kept", "again"))
        with open(image, "wb") as f:
            f.truncate(mib << 20)
        run(*mkfs, image)
        os.mkdir(again)
        run("cp", "-aT", trial.mail_root, kept)
        shutil.rmtree(trial.mail_root)
        os.mkdir(trial.mail_root)
        device = Device(image, trial.mail_root)
        try:
            device.mount()
            run("cp", "-aT", kept, trial.mail_root)
            os.sync()
            trial.start()
            p.ends.update(trial.endpoints([]))
            with open(trial.daemons["lmtpd"].log, encoding="utf-8") as f:
                assert "event=store.form form=%s" % form in f.read(), kind
            p.tenant("loss", "loss.test")
            p.account(ANN)
            account = p.yubin_json("account", "show", ANN)["account_id"]
            traffic = Traffic(p, rng)
            taken = []

            def work(k):
                if k == 0:
                    traffic.run()
                    return
                try:
                    taken.extend(take(device, traffic, folder, COPIES, rng))
                finally:
                    traffic.ended = True
            harness.in_threads(2, work)
        finally:
            trial.stop(keep_database=True)
            device.end()
        for copy, known in taken:
            look(trial, kind, copy, known, account, again)
        print("ok", kind, json.dumps([len(known) for _, known in taken]), flush=True)
        run("umount", folder)


def main():
    build = harness.build_folder()
    with open(os.path.join(build, "lmtpd", "yubin-lmtpd"), "rb") as f:
        if b"YB_BOOT_ID" not in f.read():
            print("skipped: not a build with --enable-faults")
            return 77
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):
        print("skipped: needs root and loop devices")
        return 77
    if "YB_OWN_MOUNTS" not in os.environ:
        os.execvpe("unshare", ["unshare", "-m", sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
                   dict(os.environ, YB_OWN_MOUNTS="1"))
    seed = int(os.environ.get("YUBIN_SEED", "0")) or random.randrange(1 << 30)
    print("seed", seed)
    ran = 0
    for kind in sys.argv[1:] or KINDS:
        try:
            cut(kind, random.Random(seed))
            ran += 1
        except harness.Skip as e:
            print("skipped: %s: %s" % (kind, e), flush=True)
    return 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())
