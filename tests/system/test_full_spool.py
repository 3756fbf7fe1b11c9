"""A full spool is told at MAIL, by the size that is announced; mail flows again when there is room (R-A88). Needs root
and a loop device."""
import os

import disks
import harness
from disks import MIB
from full import ANN, Senders

# Six MiB of the spool's small file system stay free; what is over 64 KiB is spooled.
OPTIONS = {"common": {"mail_reserve": "0"}, "smtpd": {"disk_reserve": "6M", "memory_per_message": "64K"}}


def scenario(p):
    spool = os.path.join(p.own().home, "state", "smtpd")
    os.makedirs(spool, exist_ok=True)
    with disks.small(p, spool, 24):
        p.tenant("full", "full.test")
        p.account(ANN)
        senders = Senders(p)
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


if __name__ == "__main__":
    harness.main(scenario, OPTIONS, start=False)
