"""Every daemon lives under the system calls that its unit allows: the platform runs with the units' filters,
each call that is not listed kills, and all that users do is done. systemd's own checks like the units too."""
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

import harness

# Run as: wrapper PROGRAM ARGUMENTS; the filter lies beside it.
WRAPPER = """#!%s
import ctypes, os, sys
with open(%r, "rb") as f:
    code = f.read()
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(Program(len(code) // 8, code))) != 0:
    sys.exit("no filter: errno %%d" %% ctypes.get_errno())
os.execv(%r, [%r, *sys.argv[1:]])
"""
STORE = ("lmtpd", "imapd", "pop3d")
EVERY = ("MemoryHigh", "MemoryMax", "OOMPolicy", "OOMScoreAdjust", "TasksMax", "ProtectProc", "ProcSubset")


def unit(name):
    """The lines of a unit as {option: [value, …]}."""
    path = os.path.join(harness.TOP, "packaging", "systemd", "yubin-%s.service.in" % name)
    options = {}
    with open(path, encoding="utf-8") as f:
        for key, value in re.findall(r"^(\w+)=(.*)$", f.read(), re.M):
            options.setdefault(key, []).append(value)
    return options


def check_with_systemd(name, folder):
    """verify finds nothing to say about the unit; its exposure is what it was, or less."""
    path = os.path.join(folder, "yubin-%s.service" % name)
    with open(os.path.join(harness.TOP, "packaging", "systemd", "yubin-%s.service.in" % name), encoding="utf-8") as f:
        text = re.sub(r"^ExecStart=.*", "ExecStart=/bin/true", re.sub(r"^Documentation=.*\n", "", f.read(), flags=re.M),
                      flags=re.M)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run(["systemd-analyze", "verify", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    assert done.returncode == 0 and name not in done.stdout, done.stdout
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=30", "--no-pager", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def group(name, seen=()):
    """The calls of a group of systemd's, those inside it included."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(group(n, (*seen, name)) for n in names if n not in (*seen, name)))


def allowed(lines):
    calls = group("@default")
    for line in lines:
        of_line = set().union(*(group(w) for w in line.lstrip("~").split()))
        calls = calls - of_line if line.startswith("~") else calls | of_line
    return calls


def numbers():
    """What the kernel's headers call each system call."""
    text = subprocess.run([os.environ.get("CC", "cc"), "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(n) for name, n in re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.M)}


def program(calls, of):
    """load nr; { is it this? allow }; kill."""
    code = struct.pack("=HBBI", 0x20, 0, 0, 0)
    for n in sorted(of[c] for c in calls if c in of):
        code += struct.pack("=HBBI", 0x15, 0, 1, n) + struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
    return code + struct.pack("=HBBI", 0x06, 0, 0, 0x80000000)


def put_wrapper(path, code, real):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".bpf", "wb") as f:
        f.write(code)
    with open(path, "w", encoding="utf-8") as f:
        f.write(WRAPPER % (sys.executable, path + ".bpf", real, real))
    os.chmod(path, 0o755)


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


def live(p):
    trial = p.own()
    use(p)
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
            options = unit(name)
            assert not set(EVERY) - set(options), (name, set(EVERY) - set(options))
            assert options["OOMPolicy"] == ["continue"]
            assert name not in STORE or options["ProcSubset"] == ["all"], "the store has to see the boot's id"
            check_with_systemd(name, folder)
            calls = allowed(options["SystemCallFilter"])
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
