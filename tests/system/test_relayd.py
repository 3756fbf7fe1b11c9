"""relayd takes what is handed over, delivers it at once, keeps it while lmtpd is away, through kills and stops, and
delivers it once; what does not fit is refused before its octets; others than our daemons are not heard."""
import grp
import os
import pwd
import signal
import socket

import harness
from handing import Handing

ANN, BOB = "ann@relayd.test", "bob@relayd.test"
OPTIONS = {"relayd": {"max_bytes": "1M", "retry_first": "1s", "restart_wait": "20ms", "sleep_most": "1s",
                      "stop_timeout": "1s"}}


def at_once(h):
    """Each recipient of a message once; what happened to it is told from one daemon to the next."""
    assert h.give("first", ANN, BOB) == [250, 250]
    h.until(0)
    assert h.stored()["first"] == 2
    queued, stored = h.events(ANN)
    assert (queued["event"], queued["decision"]) == ("relayd.queued", "queue"), queued
    assert (stored["event"], stored["decision"]) == ("lmtpd.delivered", "store"), stored
    for same in ("message", "session", "delivery", "account", "tenant", "from", "to"):
        assert queued[same] == stored[same], same
    assert h.figures()['attempts_total{result="stored"}'] == 2
    assert h.figures()["commit_seconds_count"] >= 2


def known(h):
    """A hand-over that is repeated is answered, and is the same; small and large."""
    for octets in (10, 100000):
        ids = [os.urandom(16).hex() for _ in range(2)]
        name = "known-%d" % octets
        assert h.give(name, ANN, BOB, deliveries=ids, octets=octets) == [250, 250]
        assert h.give(name, ANN, BOB, deliveries=ids, octets=octets, repeat=True) == [250, 250]
        h.until(0)
        assert h.stored()[name] == 2


def lmtpd_away(h):
    """Nothing is written down while it is away; kill -9 and an orderly stop of relayd change nothing."""
    relayd, lmtpd = h.trial.daemons["relayd"], h.trial.daemons["lmtpd"]
    lmtpd.stop()
    for k in range(5):
        assert h.give("away-%d" % k, ANN, BOB, octets=30000 * (k % 2)) == [250, 250]
    h.until(10)
    harness.wait_until(lambda: h.said("relayd.site.asleep", "lmtpd"))
    assert h.figures()['away{site="lmtpd"}'] == 1
    child = relayd.child_pid()
    os.kill(child, signal.SIGKILL)
    harness.wait_until(lambda: relayd.child_pid() not in (None, child), 20)
    h.until(10)
    relayd.stop()
    relayd.start()
    h.until(10)
    assert not h.said("relayd.deferred"), "an attempt counted"
    lmtpd.start()
    h.until(0)
    found = h.stored()
    assert [found["away-%d" % k] for k in range(5)] == [2] * 5, found
    assert h.said("relayd.site.awake")


def lmtpd_hangs(h):
    """An orderly stop of relayd waits for an attempt under way, but not for ever; nothing comes twice of it."""
    relayd, lmtpd = h.trial.daemons["relayd"], h.trial.daemons["lmtpd"]
    child = lmtpd.child_pid()
    os.kill(child, signal.SIGSTOP)
    try:
        assert h.give("hangs", ANN, BOB) == [250, 250]
        harness.wait_until(lambda: h.figures()["underway"] == 1)
        assert relayd.stop() == 0
        assert h.said("relayd.stop.late") and not h.said("daemon.stop_late")
    finally:
        os.kill(child, signal.SIGCONT)
    relayd.start()
    h.until(0)
    assert h.stored()["hangs"] == 2


def refused_for_now(h):
    """A mailbox that takes nothing: its recipient waits, and is told so; the other has it."""
    new = os.path.join(h.p.yubin("mailbox", "path", BOB).strip(), "new")
    owner = os.stat(new)
    os.chown(new, 0, 0)
    assert h.give("later", ANN, BOB) == [250, 250]
    h.until(1)
    harness.wait_until(lambda: h.said("relayd.deferred", "attempt=2"))
    os.chown(new, owner.st_uid, owner.st_gid)
    h.until(0)
    assert h.stored()["later"] == 2
    told = [e for e in h.events(BOB) if e["event"] == "relayd.deferred"]
    assert [e["attempt"] for e in told[:2]] == [1, 2] and told[0]["code"] // 100 == 4 and told[0]["reason"], told
    assert all(e["next"] > e["time"] for e in told), told


def full(h):
    """Half of 1 MiB is what one tenant may have queued: then MAIL is 452, until there is room."""
    h.trial.daemons["lmtpd"].stop()
    answers = []
    while len(answers) < 30 and (not answers or answers[-1] == [250]):
        answers.append(h.give("full-%d" % len(answers), ANN, octets=60000))
    assert answers[-1] == [452] and len(answers) > 5, answers
    h.trial.daemons["lmtpd"].start()
    h.until(0)
    assert h.give("room", ANN) == [250]
    h.until(0)
    assert h.stored()["room"] == 1 and h.stored()["full-%d" % (len(answers) - 2)] == 1


def greeting_for_nobody(h):
    """What a process of this node hears whose user is in the socket's group and not in `peers`."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(grp.getgrnam("yubin-lmtp").gr_gid)
        os.setuid(pwd.getpwnam("nobody").pw_uid)
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(h.socket)
            os.write(write, s.recv(500))
        os._exit(0)
    os.close(write)
    with open(read, "rb") as f:
        said = f.read()
    os.waitpid(child, 0)
    return said


def strangers(h):
    """A user who is not in `peers` is turned away, though he may connect; nonsense ends nothing."""
    if os.geteuid() == 0:
        said = greeting_for_nobody(h)
        assert said.startswith(b"554 5.7.1 "), said
        assert h.said("relayd.peer.refused")
    for octets in (b"\0" * 5000, b"\r\n" * 500, b"MAIL FROM:<" + b"x" * 9000 + b">\r\n", os.urandom(20000),
                   b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nBDAT 18446744073709551615 LAST\r\n"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(h.socket)
            try:
                s.sendall(octets)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass
    assert h.give("alive", ANN) == [250]
    h.until(0)


def scenario(p):
    p.tenant("relayd", "relayd.test")
    p.account(ANN)
    p.account(BOB)
    h = Handing(p)
    for step in (at_once, known, lmtpd_away, lmtpd_hangs, refused_for_now, full, strangers):
        step(h)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
