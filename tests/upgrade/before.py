"""The version before, from the history: its tree, and a build of it."""
import os
import shutil
import subprocess

import harness
from harness import TOP

# The first migration that the version before does not have.
FIRST_NEW = "0017_scope.sql"
BUILD_SECONDS = 1800


def _git(*words, **more):
    return subprocess.run(["git", "-C", TOP, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)


def commit():
    """The state before FIRST_NEW. Skips where there is no history: in a release's tree, in a shallow clone."""
    there = _git("rev-parse", "--git-dir") if shutil.which("git") else None
    if there is None or there.returncode != 0:
        why = there.stderr.decode().strip().splitlines() if there else ["there is no git"]
        raise harness.Skip("the version before is built from the history of a checkout: %s" % (why or ["none"])[0])
    came = _git("log", "--diff-filter=A", "--format=%H", "--", "schema/" + FIRST_NEW).stdout.decode().split()
    if not came:
        raise harness.Skip("the history does not say when schema/%s came" % FIRST_NEW)
    found = _git("rev-parse", "--verify", "--quiet", came[-1] + "^").stdout.decode().strip()
    if not found:
        raise harness.Skip("the history of this clone begins behind the version before: git fetch --unshallow")
    return found


def build(work):
    """(tree, build folder) of it, made in `work`; YUBIN_BEFORE names one that an earlier run left."""
    before = commit()
    tree = os.path.join(os.environ.get("YUBIN_BEFORE", work), "before-" + before[:12])
    folder, done = os.path.join(tree, "build"), os.path.join(tree, "built")
    if os.path.exists(done):
        return tree, folder
    os.makedirs(folder, mode=0o755, exist_ok=True)
    archive = _git("archive", before)
    if archive.returncode != 0:
        raise harness.TrialError("git archive %s: %s" % (before, archive.stderr.decode()))
    subprocess.run(["tar", "-C", tree, "--no-same-owner", "-xf", "-"], input=archive.stdout, check=True)
    log = os.path.join(tree, "build.log")
    with open(log, "wb") as f:
        for command in (["../autogen.sh"], ["../configure", "CFLAGS=-O1 -g"], ["make", "-j%d" % os.cpu_count(), "all"]):
            if subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=f, stderr=f, check=False,
                              timeout=BUILD_SECONDS).returncode != 0:
                with open(log, encoding="utf-8", errors="replace") as text:
                    raise harness.TrialError("%s of %s failed:\n%s" % (
                        command[0], before[:12], "".join(text.readlines()[-20:])))
    with open(done, "w", encoding="ascii"):
        pass
    return tree, folder
