"""Least rights per process (docs/architecture.md, processes): each child runs as its daemon's user, without
capabilities and unable to gain any; keys and mail are out of reach of those that need them not; no secret
stands in a command line or an environment."""
import grp
import os
import pwd

import harness
from process import status


def may_read(user, path):
    """Tried by a process that is that user."""
    who = pwd.getpwnam(user)
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(who.pw_gid)
        os.setuid(who.pw_uid)
        os._exit(0 if os.access(path, os.R_OK) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def scenario(p):
    if os.geteuid() != 0:
        raise harness.Skip("not root: the daemons run as one user")
    trial = p.own()
    rows = harness.trial.daemons(trial.build)
    mail_user = rows["lmtpd"]["user"]
    p.tenant("rights", "rights.test")
    p.account("ann@rights.test")
    with p.smtp() as s:
        s.sendmail("x@example.net", ["ann@rights.test"], "Subject: x\r\n\r\nx\r\n")
    p.subjects("ann@rights.test")
    for name, daemon in trial.daemons.items():
        child = daemon.child_pid()
        seen = status(child)
        user = pwd.getpwnam(rows[name]["user"])
        assert seen["Uid"].split() == [str(user.pw_uid)] * 4, (name, seen["Uid"])
        groups = {grp.getgrgid(int(g)).gr_name for g in seen["Groups"].split()}
        assert groups == {grp.getgrgid(user.pw_gid).gr_name, *rows[name]["groups"]}, (name, groups)
        assert seen["NoNewPrivs"] == "1", name
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(seen[kind], 16) == 0, (name, kind, seen[kind])
        for pid in (daemon.pid, child):
            for what in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, what), "rb") as f:
                    text = f.read()
                assert p.passwords["ann@rights.test"].encode() not in text and b"PRIVATE KEY" not in text, (name, what)
    maildir = p.yubin("mailbox", "path", "ann@rights.test").strip()
    key = os.path.join(trial.home, "tls", "server.key")
    assert may_read(mail_user, maildir)
    for user in {row["user"] for row in rows.values()}:
        assert not may_read(user, key), "%s reads the private key" % user
        assert user == mail_user or not may_read(user, maildir), "%s reads mail" % user
    for folder, _, files in os.walk(trial.mail_root):
        for path in [folder] + [os.path.join(folder, f) for f in files]:
            assert os.lstat(path).st_mode & 0o077 == 0, "%s is open to others" % path


if __name__ == "__main__":
    harness.main(scenario)
