"""lmtpd dies, hangs and is away while smtpd hands over, and there is no relayd: nothing that was answered 250 is lost or
doubled, nothing is 5xx, and who may get a message twice is named in the log (docs/delivery.md, 2 and 4)."""
import collections
import os
import signal
import threading

import harness

TO = "ann@handover.test"


def files(p):
    """How often each subject is there."""
    found = collections.Counter()
    for name in p.new_files():
        with open(name, encoding="utf-8") as f:
            found.update(line.split()[1] for line in f if line.startswith("Subject: "))
    return found


def send(p, subject):
    """The code of the reply to the message, or to what came before."""
    return p.send(TO, subject)[0]


def killed(p, trial):
    """kill -9 of lmtpd's child, again and again, under load: the retry with XREPEAT stores once."""
    answers, done = {}, threading.Event()

    def load(k):
        for i in range(60):
            answers["k%d-%d" % (k, i)] = send(p, "k%d-%d" % (k, i))

    threads = [threading.Thread(target=load, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    lmtpd = trial.daemons["lmtpd"]
    for _ in range(4):
        child = harness.wait_until(lmtpd.child_pid, 10)
        done.wait(0.15)
        os.kill(child, signal.SIGKILL)
        harness.wait_until(lambda gone=child: lmtpd.child_pid() not in (None, gone), 20)
    for t in threads:
        t.join()
    found = files(p)
    assert set(answers.values()) <= {250, 451}, set(answers.values())
    lost = [s for s, code in answers.items() if code == 250 and s not in found]
    assert not lost, "answered 250 and not there: %r" % lost
    twice = [s for s, n in found.items() if n > 1]
    assert not twice, "there twice: %r" % twice
    print("%d of %d answered 250 through 4 kills" % (list(answers.values()).count(250), len(answers)))


def hanging(p, trial):
    """No answer in time: 451, and the log names the recipient; a later try is stored."""
    child = trial.daemons["lmtpd"].child_pid()
    # Calls into the gaps between two kills may have opened the gate's breaker, for 5 s.
    harness.wait_until(lambda: send(p, "warm") == 250, 15)
    os.kill(child, signal.SIGSTOP)
    try:
        assert send(p, "hangs") == 451
    finally:
        os.kill(child, signal.SIGCONT)
    named = harness.log_lines(trial.daemons["smtpd"], "event=smtp.data.maybe_twice ")
    assert named and " to=%s " % TO in named[-1] and "stored=unknown" in named[-1], named
    assert send(p, "hangs") == 250
    assert files(p)["hangs"] == 1, "the first was stored although nobody waited for it any more"


def away(p, trial):
    trial.daemons["lmtpd"].stop()
    assert send(p, "away") == 451
    trial.daemons["lmtpd"].start()
    harness.wait_until(lambda: send(p, "away") == 250, 20)
    assert files(p)["away"] == 1


def degraded(p, trial):
    """The mail root is not mounted, or another's: nothing is written under it, 451 until it is back."""
    marker = trial.mail_root + "/.yubin-store"
    os.rename(marker, marker + ".away")
    harness.wait_until(lambda: send(p, "noticed") == 451, 20)
    assert send(p, "degraded") == 451
    os.rename(marker + ".away", marker)
    harness.wait_until(lambda: send(p, "degraded") == 250, 20)
    assert files(p)["degraded"] == 1


def scenario(p):
    trial = p.own()
    p.tenant("handover", "handover.test")
    p.account(TO)
    for step in (killed, hanging, away, degraded):
        step(p, trial)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario, {"smtpd": {"lmtpd_timeout": "1s", "relayd": ""}})
