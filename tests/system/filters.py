"""What a unit of systemd says of system calls, as a filter of the kernel's that lets those pass and kills for others."""
import os
import re
import struct
import subprocess
import sys

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


def unit(name):
    """The lines of a unit as {option: [value, …]}."""
    path = os.path.join(harness.TOP, "packaging", "systemd", "yubin-%s.service.in" % name)
    options = {}
    with open(path, encoding="utf-8") as f:
        for key, value in re.findall(r"^(\w+)=(.*)$", f.read(), re.M):
            options.setdefault(key, []).append(value)
    return options


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
