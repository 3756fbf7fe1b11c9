"""`make install` puts everything where README's "Install it" goes on from, and leaves a configuration that is there."""
import os
import re
import subprocess
import sys
import tempfile

import harness
from harness import trial


def install(build, root):
    trial.run("make", "-C", build, "-s", "install", "DESTDIR=" + root)


def configured(build, name):
    """What ./configure was told, or its default."""
    with open(os.path.join(build, "Makefile"), encoding="utf-8") as f:
        value = re.search(r"^%s = (.*)$" % name, f.read(), re.M).group(1)
    return re.sub(r"\$\{(\w+)\}", lambda m: configured(build, m.group(1)), value)


def scenario(build, root):
    prefix, etc = configured(build, "prefix"), configured(build, "sysconfdir")

    def read(path):
        with open(root + path, encoding="utf-8") as f:
            return f.read()

    install(build, root)
    for name, row in trial.daemons(build).items():
        assert os.access("%s%s/sbin/yubin-%s" % (root, prefix, name), os.X_OK), name
        unit = read("%s/lib/systemd/system/yubin-%s.service" % (prefix, name))
        assert "\nExecStart=%s/sbin/yubin-%s -c %s/yubin/yubin.conf\n" % (prefix, name, etc) in unit, unit
        assert "u %s " % row["user"] in read(prefix + "/lib/sysusers.d/yubin.conf")
        ident = [line.split() for line in read(prefix + "/share/yubin/postgresql/pg_ident.conf").splitlines()]
        assert ["yubin", row["user"], row["database_role"]] in ident, name
        sample = read(etc + "/yubin/yubin.conf")
        assert "\n[%s]\n" % name in sample
    for path in ("/lib/tmpfiles.d/yubin.conf", "/share/man/man1/yubin.1", "/share/man/man5/yubin.conf.5",
                 "/share/yubin/schema/0001_roles.sql"):
        assert os.path.exists(root + prefix + path), path
    shown = [os.path.join(build, "ctl", "yubin"), "-c", root + etc + "/yubin/yubin.conf", "config", "show"]
    assert subprocess.run(shown, stdout=subprocess.PIPE, check=False).returncode == 0, "the sample is no configuration"

    with open(root + etc + "/yubin/yubin.conf", "w", encoding="utf-8") as f:
        f.write("# mine\n")
    install(build, root)
    assert read(etc + "/yubin/yubin.conf") == "# mine\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="yb-", dir="/var/tmp") as where:
        scenario(harness.build_folder(), where)
    sys.exit(0)
