"""A mail store whose file system has octets left but no inodes: deliveries hear 452 4.3.1 wherever that shows, users
can still flag and delete, and mail flows again when there is room. Needs root (tmpfs with nr_inodes)."""
import os
import shutil
import smtplib
import subprocess
import sys

import harness

ANN, BOB = "ann@inodes.test", "bob@inodes.test"


def answer(p, to):
    """(code, text) to a whole message."""
    with p.smtp() as s:
        try:
            s.sendmail("x@example.net", [to], "Subject: x\r\n\r\nx\r\n")
        except smtplib.SMTPRecipientsRefused as e:
            return e.recipients[to]
        except smtplib.SMTPResponseException as e:
            return e.smtp_code, e.smtp_error
    return 250, b""


def use_up(root):
    """The last inodes."""
    os.mkdir(os.path.join(root, "ballast"))
    try:
        for n in range(100000):
            os.mkdir(os.path.join(root, "ballast", str(n)))
    except OSError:
        return
    raise AssertionError("the inodes do not end")


def full(p, root):
    p.tenant("inodes", "inodes.test")
    p.account(ANN)
    p.account(BOB)
    for _ in range(6):
        assert answer(p, ANN)[0] == 250
    use_up(root)
    for to in (ANN, BOB):  # a message that has no file, an account that has no folder
        code, text = answer(p, to)
        assert code == 452 and b"4.3.1" in text, (to, code, text)
    with p.imap(ANN) as c:
        assert c.select()[0] == "OK"
        assert c.store("1:6", "+FLAGS", "(\\Flagged)")[0] == "OK"
        assert c.append("INBOX", None, None, b"Subject: y\r\n\r\ny\r\n")[0] == "NO"
        for spare in ("0", "1"):  # a link of tmpfs costs one for a moment
            os.rmdir(os.path.join(root, "ballast", spare))
        assert c.append("INBOX", "(\\Seen)", None, b"Subject: y\r\n\r\ny\r\n")[0] == "OK"
        assert answer(p, ANN)[0] == 452
        assert c.store("1:2", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
        assert c.expunge()[0] == "OK"
        assert c.search(None, "FLAGGED")[1][0].split() == [b"1", b"2", b"3", b"4"]
    assert answer(p, ANN)[0] == 250
    assert any(answer(p, ANN)[0] == 452 for _ in range(10))
    c = p.pop3(ANN)
    for k in range(1, 4):
        c.dele(k)
    assert c.quit().startswith(b"+OK")
    assert answer(p, ANN)[0] == 250
    shutil.rmtree(os.path.join(root, "ballast"))
    assert answer(p, BOB)[0] == 250
    card = p.yubin_json("store", "check", ANN)
    assert card["lost"] == 0 and card["foreign"] == 0, card


def main():
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        print("skipped: only root mounts file systems")
        return 77
    if "YB_OWN_MOUNTS" not in os.environ:
        os.execvpe("unshare", ["unshare", "-m", sys.executable, os.path.abspath(__file__)],
                   dict(os.environ, YB_OWN_MOUNTS="1"))
    with harness.platform({"common": {"mail_reserve": "0"}}, start=False) as p:
        trial = p.own()
        kept = trial.mail_root + ".kept"
        os.rename(trial.mail_root, kept)
        os.mkdir(trial.mail_root)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=300", "none", trial.mail_root],
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            print("skipped: " + done.stderr.strip())
            return 77
        try:
            subprocess.run(["cp", "-aT", kept, trial.mail_root], check=True)
            trial.start()
            p.ends.update(trial.endpoints([]))
            full(p, trial.mail_root)
        finally:
            trial.stop(keep_database=True)
            subprocess.run(["umount", trial.mail_root], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
