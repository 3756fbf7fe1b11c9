"""What was written down about messages is there after any daemon was killed, and goes on."""
import os
import signal
import smtplib

import harness
from harness import wait_until

ANN, BOB = "ann@one.test", "bob@two.test"


def events(p, *options):
    return p.yubin_json("event", "list", *options)


def sent(p):
    try:
        return p.send(ANN, "after")[0] == 250
    except smtplib.SMTPServerDisconnected:
        return False


def scenario(p):
    p.tenant("one", "one.test")
    p.tenant("two", "two.test")
    p.account(ANN)
    p.account(BOB)
    assert p.send(ANN)[0] == 250
    with p.submission(ANN) as s:
        s.sendmail(ANN, [BOB], "From: %s\r\nSubject: x\r\n\r\nx\r\n" % ANN)
    trial = p.own()
    before = events(p)
    assert before
    for name in ("smtpd", "submitd", "lmtpd"):
        pid = trial.daemons[name].child_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda d=trial.daemons[name], old=pid: d.child_pid() not in (None, old))
    with p.smtp() as s:
        wait_until(lambda: s.noop()[0] == 250)
    assert events(p)[:len(before)] == before
    wait_until(lambda: sent(p))
    assert len(events(p)) > len(before)


if __name__ == "__main__":
    harness.main(scenario)
