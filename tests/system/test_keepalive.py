"""A silent client is asked by TCP whether it is there, on every port, so that boxes on the way keep the flow: the
kernel's timer is on the sockets of all daemons, set as the option says, and not where it says never."""
import contextlib
import re
import subprocess

import harness


def timer(p, service):
    """Seconds until the kernel asks the client of a new connection; None: it never does."""
    with contextlib.closing(p.raw(service)) as s, s.makefile("rb") as f:
        if not service.endswith("s"):
            f.readline()  # greeted: accepted, and the greeting is out
        here, there = s.getsockname()[1], s.getpeername()[1]

        def look():
            rows = subprocess.run(["ss", "-Htno", "sport = :%d and dport = :%d" % (there, here)], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            return None if "timer:(on," in rows or not rows else rows

        row = harness.wait_until(look)
    found = re.search(r"timer:\(keepalive,(?:(\d+)min)?(?:(\d+)(?:\.\d+)?sec)?", row)
    return found and int(found.group(1) or 0) * 60 + int(found.group(2) or 0)


def scenario(p):
    p.own()
    for service in ("submission", "submissions", "imap", "imaps"):
        assert 60 <= (timer(p, service) or 0) <= 120, (service, timer(p, service))
    assert 600 <= timer(p, "pop3s") <= 900, timer(p, "pop3s")
    assert timer(p, "smtp") is None


if __name__ == "__main__":
    harness.main(scenario, {"pop3d": {"keepalive": "15m"}, "smtpd": {"keepalive": "0s"}})
