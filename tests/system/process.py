"""What the kernel tells of a process (/proc), and allows it."""
import os
import resource

import harness


def status(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def memory(pid):
    """Proportional set size in MiB."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def allow_descriptors(n):
    """To this process, which holds the other ends of many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < n:
        raise harness.Skip("the system allows only %d descriptors" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n), hard))
