"""Every command and option that `yubin --help` names is used by some test, with its effect looked at there."""
import ast
import glob
import os
import re
import subprocess
import sys

import harness

ANY = {"--files", "--user", "--owner"}  # of commands that set up a database of their own (quickstart, the harness)
SET_UP = {"node init --name", "node init --host"}  # as above


def used():
    """Commands and their options as they stand in calls and lists of the tests, and of what starts a platform."""
    verbs, options = set(), set()
    here = os.path.dirname(os.path.abspath(__file__))
    for path in [*glob.glob(os.path.join(here, "*.py")), harness.trial.__file__]:
        with open(path, encoding="utf-8") as f:
            tree = ast.parse(f.read())
        for node in ast.walk(tree):
            parts = getattr(node, "args", None) if isinstance(node, ast.Call) else getattr(node, "elts", None)
            words = [x.value for x in parts or () if isinstance(x, ast.Constant) and isinstance(x.value, str)]
            for noun, verb in zip(words, words[1:]):
                verbs.add((noun, verb))
                options.update("%s %s %s" % (noun, verb, w) for w in words if w.startswith("--"))
    return verbs, options


def told(*arguments):
    return subprocess.run([os.path.join(harness.build_folder(), "ctl", "yubin"), *arguments, "--help"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout


def main():
    used_verbs, used_options = used()
    verbs = set()
    for line in told().splitlines():
        m = re.match(r"  (\w+) +([\w-]+) +\w", line)
        if m and not line.startswith("  -"):
            verbs.add(m.groups())
    assert len(verbs) > 40, verbs
    assert verbs <= used_verbs, verbs - used_verbs
    missing = []
    for noun in {v[0] for v in verbs}:
        command = None
        for line in told(noun).splitlines():
            m = re.match(r"yubin (\w+ [\w-]+)", line)
            command = m.group(1) if m else command
            m = re.match(r" +(--[\w-]+)", line)
            option = m and "%s %s" % (command, m.group(1))
            if m and m.group(1) not in ANY and option not in SET_UP | used_options:
                missing.append(option)
    assert not missing, missing


if __name__ == "__main__":
    sys.exit(main())
