"""The units bound what a daemon may take and reach: systemd's own checks like them, and each says what all have to
say."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import harness
from filters import unit

BOOT = ("relayd", "lmtpd", "imapd", "pop3d")
EVERY = ("MemoryHigh", "MemoryMax", "OOMPolicy", "OOMScoreAdjust", "TasksMax", "ProtectProc", "ProcSubset")


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


def main():
    if shutil.which("systemd-analyze") is None:
        print("skipped: no systemd-analyze")
        return 77
    with tempfile.TemporaryDirectory(prefix="yb-units-", dir="/var/tmp") as folder:
        for name in harness.trial.daemons(harness.build_folder()):
            options = unit(name)
            assert not set(EVERY) - set(options), (name, set(EVERY) - set(options))
            assert options["OOMPolicy"] == ["continue"]
            assert name not in BOOT or options["ProcSubset"] == ["all"], "store and queue have to see the boot's id"
            check_with_systemd(name, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
