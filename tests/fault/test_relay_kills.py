"""40 kills (SIGKILL) of relayd and lmtpd while messages are handed over, each repeated with its ids until it is
answered: every one is in its mailboxes once, whatever died between, and the queue is empty in the end."""
import os
import random
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import handing  # noqa: E402
import harness  # noqa: E402

KILLS = int(os.environ.get("YUBIN_KILLS", "40"))
SEED = int(os.environ.get("YUBIN_SEED", "0")) or random.randrange(1 << 30)
USERS = ["u%d@kills.test" % n for n in range(4)]
QUICK = {d: {"restart_wait": "20ms", "restart_wait_max": "50ms"} for d in ("relayd", "lmtpd")}
QUICK["relayd"].update({"sleep_first": "100ms", "sleep_most": "1s", "wal_size": "1M", "retry_first": "1s"})


def kill_one(trial, rng):
    daemon = trial.daemons[rng.choice(("relayd", "relayd", "lmtpd"))]
    pid = harness.wait_until(daemon.child_pid)
    os.kill(pid, signal.SIGKILL)
    harness.wait_until(lambda: daemon.child_pid() not in (None, pid), 60)


def scenario(p):
    trial = p.own()
    rng = random.Random(SEED)
    print("seed", SEED)
    p.tenant("kills", "kills.test")
    for user in USERS:
        p.account(user)
    h = handing.Handing(p)
    for user in USERS:
        h.params(user, "")
    stop, told, lock = threading.Event(), {}, threading.Lock()

    def hand_over(name, to, octets):
        ids = [os.urandom(16).hex() for _ in to]
        repeat = False
        while True:
            try:
                codes = h.give(name, *to, deliveries=ids, octets=octets, repeat=repeat)
            except handing.GONE:
                codes = None
            if codes is not None and set(codes) == {250}:
                with lock:
                    told[name] = len(to)
                return
            assert codes is None or all(c // 100 == 4 for c in codes), codes
            repeat = True
            stop.wait(0.02)

    def work(k):
        try:
            if k == 0:
                for _ in range(KILLS):
                    kill_one(trial, rng)
                    stop.wait(rng.random() * 0.3)
            n = 0
            while k > 0 and not stop.is_set():
                hand_over("k%d-%d" % (k, n), rng.sample(USERS, rng.choice((1, 2, 4))), rng.choice((10, 3000, 40000)))
                n += 1
        finally:
            stop.set()
    harness.in_threads(6, work)
    h.until(0, seconds=60)
    found = h.stored()
    wrong = {name: (n, found[name]) for name, n in told.items() if found[name] != n}
    print("%d kills, %d messages" % (KILLS, len(told)))
    assert not wrong, "answered 250 for so many, and there so often: %r" % wrong
    assert len(told) > KILLS, "too little got through to prove anything"


if __name__ == "__main__":
    harness.main(scenario, QUICK)
