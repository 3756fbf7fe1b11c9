"""Folders are moved away and a store is lazily unmounted while mail comes: what is answered 250 is what a reader
finds afterwards; nothing goes to where no name leads, nor below the folder that the store was mounted on."""
import imaplib
import os
import shutil
import subprocess
import sys

import harness

ANN = "ann@aside.test"


class Senders:
    def __init__(self, p):
        self.p, self.n, self.kept = p, 0, []

    def send(self):
        """The answer to a whole message."""
        self.n += 1
        with self.p.smtp() as s:
            s.ehlo()
            s.mail("x@example.net")
            code = s.rcpt(ANN)[0]
            if code == 250:
                code = s.data(b"Subject: %d\r\n\r\nx\r\n" % self.n)[0]
        assert code == 250 or 400 <= code < 500, code
        if code == 250:
            self.kept.append(str(self.n))
        return code

    def again(self):
        """What a sender does: some tries."""
        return any(self.send() == 250 for _ in range(3))

    def check(self):
        assert self.p.subjects(ANN) == self.kept, (self.p.subjects(ANN), self.kept)


def set_aside(p, senders, aside):
    """Each part of the account moved away, an empty one of the same owner in its place, or none."""
    maildir = p.yubin("mailbox", "path", ANN).strip()
    for part in ("new", "cur", ".", ".."):
        for made in (True, False):
            path = os.path.normpath(os.path.join(maildir, part))
            owner = os.stat(path)
            shutil.rmtree(aside, ignore_errors=True)
            assert senders.again()
            os.rename(path, aside)
            if made:
                os.mkdir(path, 0o700)
                os.chown(path, owner.st_uid, owner.st_gid)
            # What was there went away with the folder, but for what a session had taken to cur/ (nobody did).
            if part != "cur":
                senders.kept.clear()
            assert senders.again(), (part, made)
            senders.check()
    shutil.rmtree(aside)


def unmounted(p, trial, senders):
    root, kept = trial.mail_root, trial.mail_root + ".kept"

    def mounts(*command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise harness.Skip("%s: %s" % (" ".join(command), done.stdout.strip()))
    os.mkdir(kept)
    mounts("mount", "-t", "tmpfs", "none", kept)
    try:
        trial.stop(keep_database=True)
        mounts("cp", "-aT", root, kept)
        shutil.rmtree(root)
        os.mkdir(root)
        mounts("mount", "--bind", kept, root)
        trial.start()
        p.ends.update(trial.endpoints([]))
        assert senders.send() == 250
        mounts("umount", "-l", root)
        assert [senders.send() for _ in range(4)] == [451] * 4
        assert not os.listdir(root), "something was written below the empty folder"
        try:
            with p.imap(ANN) as c:
                assert c.select()[0] == "NO"
        except imaplib.IMAP4.error as e:
            assert "UNAVAILABLE" in str(e), e
        mounts("mount", "--bind", kept, root)
        assert senders.send() == 250, "it comes back by itself"
        senders.check()
    finally:
        trial.stop(keep_database=True)
        subprocess.run(["umount", "-l", root], check=False)
        subprocess.run(["umount", "-l", kept], check=False)


def scenario(p):
    trial = p.own()
    p.tenant("aside", "aside.test")
    p.account(ANN)
    senders = Senders(p)
    assert senders.send() == 250
    set_aside(p, senders, trial.mail_root + ".aside")
    if os.geteuid() == 0:
        unmounted(p, trial, senders)
    else:
        print("skipped: only root mounts file systems")


if __name__ == "__main__":
    if os.geteuid() == 0 and shutil.which("unshare") and "YB_OWN_MOUNTS" not in os.environ:
        os.execvpe("unshare", ["unshare", "-m", sys.executable, os.path.abspath(__file__)],
                   dict(os.environ, YB_OWN_MOUNTS="1"))
    harness.main(scenario)
