"""File systems of a scenario's own, for root; where nobody may mount the scenario is skipped."""
import contextlib
import os
import shutil
import subprocess
import sys

import harness

MIB = 1 << 20


def do(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise harness.Skip("%s: %s" % (" ".join(command), done.stdout.strip()))


def own_mounts():
    """Begins this program again where its mounts are nobody else's; exits with 77 where that cannot be."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        print("skipped: only root mounts file systems")
        sys.exit(77)
    if "YB_OWN_MOUNTS" not in os.environ:
        os.execvpe("unshare", ["unshare", "-m", sys.executable, os.path.abspath(sys.argv[0])],
                   dict(os.environ, YB_OWN_MOUNTS="1"))


@contextlib.contextmanager
def mounted(p, folder, *arguments):
    """`folder` with what is in it on what `mount` makes of these arguments. The daemons start when it is there, and
    are stopped before it is unmounted."""
    trial, kept = p.own(), folder + ".kept"
    os.rename(folder, kept)
    os.mkdir(folder)
    try:
        do("mount", *arguments, folder)
        try:
            do("cp", "-aT", kept, folder)
            trial.start()
            p.ends.update(trial.endpoints([]))
            yield
        finally:
            trial.stop(keep_database=True)
            subprocess.run(["umount", folder], check=True)
    finally:
        os.rmdir(folder)
        os.rename(kept, folder)


def small(p, folder, mib):
    """mounted() on an ext4 of so many MiB."""
    if os.geteuid() != 0:
        raise harness.Skip("only root mounts file systems")
    image = folder + ".img"
    with open(image, "wb") as f:
        f.truncate(mib * MIB)
    do("mkfs.ext4", "-q", "-m", "0", image)
    return mounted(p, folder, "-o", "loop", image)


def use_up(folder):
    """The last block, which only root may have."""
    with open(os.path.join(folder, "ballast"), "wb", buffering=0) as f:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"x" * size)
