"""While tools/install-packages installs, no service is started: policy-rc.d says no, and is gone afterwards; one that
was there stays. The package tools are stand-ins, and /usr/sbin is a folder of ours in a mount namespace."""
import os
import subprocess
import sys
import tempfile

import harness

TOOLS = {"dpkg-query": "exit 1", "apt-get": 'case $* in *install*) /usr/sbin/policy-rc.d; echo "$?" >>"$TOLD"; esac\nexit $FAILS'}


def install(work, sbin, fails=0):
    """What policy-rc.d said when packages were installed, and the exit code."""
    told = os.path.join(work, "told")
    with open(told, "w", encoding="ascii"):
        pass
    listed = os.path.join(work, "list")
    with open(listed, "w", encoding="ascii") as f:
        f.write("# a list\nno-such-package\n")
    inside = 'mount --bind "$0" /usr/sbin && mount --bind "$0" /etc/postgresql-common 2>/dev/null; exec "$1" "$2"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", inside, sbin, os.path.join(harness.TOP, "tools", "install-packages"),
                           listed], env={"PATH": work + ":/usr/bin:/bin", "TOLD": told, "FAILS": str(fails)}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    with open(told, encoding="ascii") as f:
        return f.read().split(), done.returncode


def scenario(work):
    for name, text in TOOLS.items():
        with open(os.path.join(work, name), "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n%s\n" % text)
        os.chmod(f.name, 0o755)
    sbin = os.path.join(work, "sbin")
    os.mkdir(sbin)
    policy = os.path.join(sbin, "policy-rc.d")
    assert install(work, sbin) == (["101"], 0)
    assert not os.path.exists(policy), "services may start again"
    assert install(work, sbin, fails=1)[1] != 0 and not os.path.exists(policy)
    with open(policy, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nexit 42\n")
    os.chmod(policy, 0o755)
    assert install(work, sbin) == (["42"], 0)
    assert os.path.exists(policy), "not ours to remove"


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: not root")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="yb-", dir="/var/tmp") as where:
        scenario(where)
    sys.exit(0)
