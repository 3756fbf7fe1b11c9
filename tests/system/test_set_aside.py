"""Folders of an account are moved away while mail comes: what is answered 250 is what a reader finds afterwards; nothing
goes to where no name leads."""
import os
import shutil

import harness
from aside import ANN, Senders


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


def scenario(p):
    trial = p.own()
    p.tenant("aside", "aside.test")
    p.account(ANN)
    senders = Senders(p)
    assert senders.send() == 250
    set_aside(p, senders, trial.mail_root + ".aside")


if __name__ == "__main__":
    harness.main(scenario)
