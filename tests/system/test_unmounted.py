"""A store is lazily unmounted while mail comes: nothing goes below the folder that it was mounted on, and mail flows by
itself when it is back. Needs root."""
import imaplib
import os
import shutil
import subprocess

import disks
import harness
from aside import ANN, Senders


def scenario(p):
    trial = p.own()
    p.tenant("aside", "aside.test")
    p.account(ANN)
    senders = Senders(p)
    assert senders.send() == 250
    root, kept = trial.mail_root, trial.mail_root + ".kept"
    os.mkdir(kept)
    disks.do("mount", "-t", "tmpfs", "none", kept)
    try:
        trial.stop(keep_database=True)
        disks.do("cp", "-aT", root, kept)
        shutil.rmtree(root)
        os.mkdir(root)
        disks.do("mount", "--bind", kept, root)
        trial.start()
        p.ends.update(trial.endpoints([]))
        assert senders.send() == 250
        disks.do("umount", "-l", root)
        assert [senders.send() for _ in range(4)] == [451] * 4
        assert not os.listdir(root), "something was written below the empty folder"
        try:
            with p.imap(ANN) as c:
                assert c.select()[0] == "NO"
        except imaplib.IMAP4.error as e:
            assert "UNAVAILABLE" in str(e), e
        disks.do("mount", "--bind", kept, root)
        assert senders.send() == 250, "it comes back by itself"
        senders.check()
    finally:
        trial.stop(keep_database=True)
        subprocess.run(["umount", "-l", root], check=False)
        subprocess.run(["umount", "-l", kept], check=False)


if __name__ == "__main__":
    disks.own_mounts()
    harness.main(scenario)
