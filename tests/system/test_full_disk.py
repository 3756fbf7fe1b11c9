"""A mail store on a small file system that fills up: 4xx, nothing lost, nothing truncated; what is there
can be read, deleting works, and mail flows again when there is room. A full spool is told at MAIL
(R-A88). Needs root and a loop device."""
import contextlib
import hashlib
import os
import re
import smtplib
import subprocess

import harness

ANN = "ann@full.test"
MIB = 1 << 20


def do(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise harness.Skip("%s: %s" % (" ".join(command), done.stdout.strip()))


@contextlib.contextmanager
def small_file_system(trial, folder, mib):
    """`folder` with what is in it on an ext4 of its own; the daemons are stopped before it is unmounted."""
    if os.geteuid() != 0:
        raise harness.Skip("only root mounts file systems")
    image, kept = folder + ".img", folder + ".kept"
    with open(image, "wb") as f:
        f.truncate(mib * MIB)
    do("mkfs.ext4", "-q", "-m", "0", image)
    os.rename(folder, kept)
    os.mkdir(folder)
    do("mount", "-o", "loop", image, folder)
    try:
        do("cp", "-aT", kept, folder)
        yield
    finally:
        trial.stop(keep_database=True)
        subprocess.run(["umount", folder], check=True)
        os.rmdir(folder)
        os.rename(kept, folder)


def message(n, size):
    return "From: <a@b.test>\r\nSubject: full-%d\r\n\r\n%s\r\n" % (n, ("%07d\r\n" % n) * (size // 9))


class Senders:
    """What was answered for each message."""

    def __init__(self, p):
        self.p, self.n, self.kept, self.refused = p, 0, {}, set()

    def send(self, size):
        self.n += 1
        text = message(self.n, size)
        try:
            with self.p.smtp() as s:
                s.sendmail("a@b.test", [ANN], text)
            self.kept[self.n] = hashlib.sha256(text.encode()).hexdigest()
            return 250
        except smtplib.SMTPResponseException as e:
            self.refused.add(self.n)
            code = e.smtp_code
        except smtplib.SMTPRecipientsRefused as e:
            self.refused.add(self.n)
            code = e.recipients[ANN][0]
        assert 400 <= code < 500, code
        return code

    def check(self):
        """Every message answered 250 is there once and whole, none that was refused."""
        found = {}
        with self.p.imap(ANN) as c:
            c.select("INBOX", readonly=True)
            for part in c.uid("FETCH", "1:*", "(UID BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    text = part[1][part[1].index(b"From: <a@b"):]
                    number = int(re.search(rb"full-(\d+)", text).group(1))
                    assert number not in found, "%d is there twice" % number
                    found[number] = hashlib.sha256(text).hexdigest()
        assert not set(found) & self.refused, "refused and there"
        assert found == self.kept, (len(found), len(self.kept), set(found) ^ set(self.kept))


def fill(senders):
    """Until not even a small message fits."""
    for size in (300000, 20000, 1000):
        for _ in range(400):
            if senders.send(size) != 250:
                break
        else:
            raise AssertionError("the file system does not fill up")


def use_up(folder):
    """The last block, which only root may have."""
    with open(os.path.join(folder, "ballast"), "wb", buffering=0) as f:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"x" * size)


def delete_by_pop3(p, senders, n):
    c = p.pop3(ANN)
    assert c.stat()[0] == len(senders.kept)
    for k in range(n):
        c.dele(k + 1)
    assert c.quit().startswith(b"+OK"), "deleting works on a full disk"
    for number in sorted(senders.kept)[:n]:
        del senders.kept[number]
    senders.check()


def store_full(p, trial):
    with small_file_system(trial, trial.mail_root, 20):
        trial.start()
        p.ends.update(trial.endpoints([]))
        p.tenant("full", "full.test")
        p.account(ANN)
        senders = Senders(p)
        fill(senders)
        senders.check()
        use_up(trial.mail_root)
        with p.imap(ANN) as c:  # what cannot be done is NO, and the session goes on
            assert c.append("INBOX", None, None, message(0, 100000).encode())[0] == "NO"
            assert c.select()[0] == "OK"
            for flags in ("\\Flagged", "\\Flagged \\Seen \\Answered", "\\Deleted"):
                answer = c.store("1:*", "FLAGS", "(%s)" % flags)
                assert answer[0] == "OK", answer
            assert c.store("2:*", "FLAGS", "()")[0] == "OK"
            assert c.expunge()[0] == "OK"
        del senders.kept[min(senders.kept)]
        senders.check()
        delete_by_pop3(p, senders, 1)
        senders.check()
        harness.wait_until(lambda: senders.send(1000) == 250, 20, 0.2)
        senders.check()
        fill(senders)
        senders.check()
        # A restart while it is full, and all is as it was.
        trial.stop(keep_database=True)
        trial.start()
        senders.check()
        delete_by_pop3(p, senders, 12)
        trial.stop(keep_database=True)

        # With a reserve deliveries end earlier, and users of IMAP can clean up.
        trial.options["common"] = {"mail_reserve": "1M"}
        trial.write_conf()
        trial.start()
        fill(senders)
        senders.check()
        with p.imap(ANN) as c:
            c.select()
            assert c.store("1:20", "+FLAGS", "(\\Flagged)")[0] == "OK"
            assert c.store("1:10", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
            assert c.expunge()[0] == "OK"
        for n in sorted(senders.kept)[:10]:
            del senders.kept[n]
        harness.wait_until(lambda: senders.send(100000) == 250, 20, 0.2)
        senders.check()
        card = p.yubin_json("store", "check", ANN)
        assert card["lost"] == 0 and card["foreign"] == 0, card
        print("ok", "store:", len(senders.kept), "kept,", len(senders.refused), "refused")


def spool_full(p, trial):
    spool = os.path.join(trial.home, "state", "smtpd")
    with small_file_system(trial, spool, 24):
        trial.start()
        senders = Senders(p)
        senders.n = 10000
        assert senders.send(MIB) == 250
        with open(os.path.join(spool, "ballast"), "wb") as f:
            f.write(b"x" * (12 * MIB))
            f.flush()
            os.fsync(f.fileno())

        def answer(size):
            with p.smtp() as s:
                s.ehlo()
                return s.mail("a@b.test", ["SIZE=%d" % size])
        harness.wait_until(lambda: answer(5 * MIB)[0] == 452, 5)
        assert answer(5 * MIB)[1].startswith(b"4.3.1"), answer(5 * MIB)
        os.unlink(os.path.join(spool, "ballast"))
        harness.wait_until(lambda: answer(5 * MIB)[0] == 250, 5)
        assert senders.send(MIB) == 250
        print("ok", "spool")


def main():
    # Six MiB of the spool's small file system stay free; what is over 64 KiB is spooled.
    options = {"common": {"mail_reserve": "0"}, "smtpd": {"disk_reserve": "6M", "memory_per_message": "64K"}}
    try:
        with harness.platform(options, start=False) as p:
            trial = p.own()
            store_full(p, trial)
            spool_full(p, trial)
    except harness.Skip as e:
        print("skipped: %s" % e)
        return 77
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
