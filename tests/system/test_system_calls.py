"""Every daemon lives under the system calls that its unit allows: the platform runs with the units' filters, each call
that is not listed kills, and all that users do is done."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from filters import allowed, numbers, program, put_wrapper, unit
from waiting import Queue


def use(p):
    """What users do, and operators."""
    p.tenant("u", "u.test")
    for who in ("ann@u.test", "bob@u.test"):
        p.account(who)
    big = "Subject: big\r\n\r\n" + ("x" * 70 + "\r\n") * 40000
    with p.smtp() as s:
        s.starttls(context=p.tls())
        s.sendmail("x@example.net", ["ann@u.test", "bob@u.test"], "Subject: one\r\n\r\nx\r\n")
        s.sendmail("x@example.net", ["ann@u.test"], big)
    with p.submission("ann@u.test") as s:
        s.sendmail("ann@u.test", ["bob@u.test"], "From: ann@u.test\r\nSubject: two\r\n\r\nx\r\n")
    with p.imap("ann@u.test") as c:
        c.create("Work/Deep")
        c.append("INBOX", "(\\Flagged)", None, b"Subject: mine\r\n\r\nx\r\n")
        c.select("INBOX")
        assert c.search(None, "TEXT", "mine")[1] != [b""]
        assert c.fetch("1:*", "(ENVELOPE BODYSTRUCTURE BODY[])")[0] == "OK"
        assert c.store("1", "+FLAGS", "(Important \\Deleted)")[0] == "OK"
        assert c.copy("2:3", "Work")[0] == "NO" and c.copy("2:3", "Work/Deep")[0] == "OK"
        assert c.uid("MOVE", "3", "Work/Deep")[0] == "OK"
        c.expunge()
        c.rename("Work/Deep", "Old")
        c.delete("Old")
        c.send(b"i IDLE\r\n")
        assert c.readline().startswith(b"+")
        with p.smtp() as s:
            s.sendmail("x@example.net", ["ann@u.test"], "Subject: three\r\n\r\nx\r\n")
        while b"EXISTS" not in c.readline():
            pass
        c.send(b"DONE\r\n")
        while not c.readline().startswith(b"i OK"):
            pass
    c = p.pop3("bob@u.test")
    assert c.stat()[0] == 2
    c.retr(1)
    c.dele(1)
    c.quit()
    p.yubin("store", "check", "ann@u.test")


def wait(p):
    """Mail that waits, small and large, and what the operator does with it."""
    q = Queue(p)
    q.trial.daemons["lmtpd"].stop()
    q.put("x@example.net", "ann@u.test", subject="small")
    large = q.put("x@example.net", "ann@u.test", subject="large", body=("x" * 70 + "\r\n") * 4000)
    lost = q.put("x@example.net", "ann@u.test", subject="lost")
    p.yubin("queue", "hold", "--all")
    assert len(p.yubin("queue", "show", str(large), "--body")) > 4000 * 71
    p.yubin("queue", "delete", "--message", str(lost), "--yes")
    p.yubin("queue", "release", "--all")
    q.trial.daemons["lmtpd"].start()
    p.yubin("queue", "retry", "--all")
    q.until(0)
    assert {"small", "large"} <= set(p.subjects("ann@u.test"))


def live(p):
    trial = p.own()
    use(p)
    wait(p)
    for daemon in trial.daemons.values():
        p.yubin("control", "metrics", daemon.name)
        daemon.process.send_signal(signal.SIGHUP)
        harness.wait_until(lambda d=daemon: "conf.reloaded" in d.tail(50))
        child = daemon.child_pid()
        os.kill(child, signal.SIGKILL)
        harness.wait_until(lambda d=daemon, c=child: d.child_pid() not in (None, c))
    assert p.subjects("bob@u.test") == ["two"]
    trial.stop(keep_database=True)
    for daemon in trial.daemons.values():
        assert daemon.process.returncode == 0, (daemon.name, daemon.process.returncode)
        with open(daemon.log, encoding="utf-8") as f:
            deaths = re.findall(r"event=daemon.child_died (.*)", f.read())
        assert len(deaths) == 1 and deaths[0].startswith("signal=9 "), (daemon.name, deaths)


def main():
    if shutil.which("systemd-analyze") is None:
        print("skipped: no systemd-analyze, which knows what the groups of system calls hold")
        return 77
    real = harness.build_folder()
    of = numbers()
    with tempfile.TemporaryDirectory(prefix="yb-units-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        os.symlink(os.path.join(real, "ctl"), os.path.join(folder, "ctl"))
        for name in harness.trial.daemons(real):
            calls = allowed(unit(name)["SystemCallFilter"])
            put_wrapper(os.path.join(folder, name, "yubin-" + name), program(calls, of),
                        os.path.join(real, name, "yubin-" + name))
            put_wrapper(os.path.join(folder, "mean"), program(calls, of), shutil.which("unshare"))
            done = subprocess.run([os.path.join(folder, "mean"), "--mount", "true"], check=False)
            assert done.returncode == -signal.SIGSYS, "the filter lets everything pass: %d" % done.returncode
        os.environ["YUBIN_BUILD"] = folder
        with harness.platform() as p:
            live(p)
    return 0


if __name__ == "__main__":
    sys.exit(main())
