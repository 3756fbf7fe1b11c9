"""100 kills (SIGKILL) of smtpd, lmtpd, relayd, imapd and pop3d under load: no message that was answered 250 is
lost or there twice, no UID changes its meaning, and the platform comes back by itself each time."""
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
import load  # noqa: E402

KILLS = int(os.environ.get("YUBIN_KILLS", "100"))
VICTIMS = ("smtpd", "lmtpd", "relayd", "imapd", "pop3d")
USERS = ["u%d@kills.test" % n for n in range(6)]
SEED = int(os.environ.get("YUBIN_SEED", "0")) or random.randrange(1 << 30)


def kill_one(trial, rng):
    daemon = trial.daemons[rng.choice(VICTIMS)]
    pid = harness.wait_until(daemon.child_pid)
    os.kill(pid, signal.SIGKILL)
    harness.wait_until(lambda: daemon.child_pid() not in (None, pid), 60)


def poll_pop3(p, stop):
    while not stop.is_set():
        try:
            c = p.pop3(USERS[0])
            c.stat()
            c.quit()
        except Exception:  # noqa: BLE001 (killed under it: that is the point)
            pass


def scenario(p):
    trial = p.own()
    rng = random.Random(SEED)
    print("seed", SEED)
    p.tenant("kills", "kills.test")
    for user in USERS:
        p.account(user, harness.PASSWORD, "--quota", "1000000000")
    ledger = load.Ledger(p, "k")
    readers = [load.Reader(p, user) for user in USERS]
    stop = threading.Event()

    def work(k):
        try:
            if k < 4:
                while not stop.is_set():
                    to = rng.sample(USERS, 1 if rng.random() < 0.8 else 3)
                    if ledger.send(to) == "refused":
                        time.sleep(0.05)  # greeted by nobody: the parent is starting a child
            elif k < 6:
                while not stop.is_set():
                    rng.choice(readers).try_to_look()
            elif k == 6:
                poll_pop3(p, stop)
            else:
                for _ in range(KILLS):
                    kill_one(trial, rng)
                    stop.wait(rng.random() * 0.3)
        finally:
            if k == 7:
                stop.set()
    harness.in_threads(8, work)

    kept = sum(1 for fate, _ in ledger.fate.values() if fate == "kept")
    print("%d kills, %d messages, %d kept" % (KILLS, len(ledger.fate), kept))
    assert kept > KILLS, "too little got through to prove anything"
    load.wait_for_queue(p)
    for reader in readers:
        harness.wait_until(lambda: reader.try_to_look() is not None, 60)
        ledger.check(reader.address, reader.look())
        load.check_usage(p, reader.address)
        with p.imap(reader.address) as c:  # and it goes on
            c.select()
            assert c.search(None, "ALL")[0] == "OK"
    assert ledger.send([USERS[0]]) == "kept"


if __name__ == "__main__":
    # A child that dies is started again ever later: here it dies a hundred times.
    harness.main(scenario, {d: {"restart_wait": "20ms", "restart_wait_max": "50ms"} for d in VICTIMS})
