"""What the checks in this folder share: the tree's C files, and C text without comments and strings."""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRODUCT = ("lib", "smtpd", "submitd", "relayd", "lmtpd", "pop3d", "imapd", "admin-api", "logd", "ctl")
OTHERS = ("tests", "fuzz", "bench")


def files(folders=PRODUCT + OTHERS, ends=(".c", ".h")):
    """Paths relative to the top, sorted; build folders are not looked at."""
    found = []
    for folder in folders:
        for where, names, plain in os.walk(os.path.join(TOP, folder)):
            names[:] = [n for n in names if n not in ("corpus", "found", "__pycache__")]
            found += [os.path.relpath(os.path.join(where, n), TOP) for n in plain if n.endswith(ends)]
    return sorted(found)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """The text with comments and the contents of strings blanked; line numbers stay."""
    def blank(m):
        s = m.group()
        return re.sub(r"[^\n]", " ", s) if s[0] == "/" else s[0] + " " * (len(s) - 2) + s[-1]
    return _TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def finish(name, problems):
    """Prints the problems; the exit code of the check."""
    for p in problems:
        print(p)
    print("%s: %s" % (name, "%d problems" % len(problems) if problems else "fine"))
    return 1 if problems else 0
