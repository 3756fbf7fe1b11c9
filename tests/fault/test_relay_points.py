"""relayd dies exactly at each point of a hand-over and of a delivery (docs/delivery.md, Q1-Q4), once each: what was
answered 250 is in its mailbox once, what was repeated with XREPEAT as well, and no body is left behind."""
import glob
import os
import shutil
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
import handing  # noqa: E402
import harness  # noqa: E402

# Before the commit, after it, after lmtpd's answer, after the commit of that; the log written back.
POINTS = ("relay.Q1", "relay.Q2", "relay.commit", "relay.answered", "relay.Q4", "relay.checkpoint")
QUICK = {d: {"restart_wait": "20ms", "restart_wait_max": "50ms"} for d in harness.trial.daemons(harness.build_folder())}
QUICK["relayd"].update({"sleep_most": "1s", "wal_size": "1M", "inline_body": "64K"})
USERS = ("a@points.test", "b@points.test")
MESSAGES = 40


def hand_over(h, name, octets):
    """As smtpd does it: a lost hand-over is repeated with the same ids until it is answered."""
    ids, tries = [os.urandom(16).hex() for _ in USERS], []

    def answered():
        tries.append(None)
        try:
            return h.give(name, *USERS, deliveries=ids, octets=octets, repeat=len(tries) > 1) == [250, 250]
        except handing.GONE:
            return False
    harness.wait_until(answered, 60)


def one(p, point, folder):
    """A life in which relayd dies the first time it comes to `point`; returns the points visited."""
    trial = p.own()
    log = os.path.join(folder, "visits." + point)
    with open(log, "w", encoding="ascii"):
        os.chmod(log, 0o666)
    trial.environment = {"YB_FAULT_LOG": log, "YB_FAULT_ONCE": folder, "YB_FAULT": "%s:kill:2" % point}
    trial.start()
    p.ends.update(trial.endpoints([]))
    h = handing.Handing(p)
    names = ["%s-%d" % (point, n) for n in range(MESSAGES)]
    for n, name in enumerate(names):
        hand_over(h, name, 200000 if n % 2 else 60000)
    h.until(0, seconds=60)
    found = h.stored()
    wrong = {name: found[name] for name in names if found[name] != len(USERS)}
    assert not wrong, "each was answered 250 for two, and is there so often: %r" % wrong
    bodies = os.path.join(trial.home, "state", "relayd", "queue", "body", "*", "*")
    harness.wait_until(lambda: not glob.glob(bodies))
    trial.stop(keep_database=True)
    with open(log, encoding="ascii") as f:
        return set(f.read().split())


def main():
    with open(os.path.join(harness.build_folder(), "relayd", "yubin-relayd"), "rb") as f:
        if b"YB_FAULT_ONCE" not in f.read():
            print("skipped: not a build with --enable-faults")
            return 77
    folder = tempfile.mkdtemp(prefix="yb-once-", dir="/var/tmp")
    os.chmod(folder, 0o1777)
    try:
        with harness.platform(QUICK, start=False) as p:
            p.tenant("points", "points.test")
            for user in USERS:
                p.account(user)
            visited = one(p, "none", folder)
            assert set(POINTS) <= visited, "the workload never comes to %s" % sorted(set(POINTS) - visited)
            for point in POINTS:
                one(p, point, folder)
                assert os.path.exists(os.path.join(folder, point)), "%s was not reached" % point
                print("ok", point, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
