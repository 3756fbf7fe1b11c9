"""Who speaks before the greeting hears it, then 503 with the reason, and may begin again; nothing it said has
been done. A header of PROXY v2 and the hello of TLS come first and are no early talk (RFC 5321 4.3.1)."""
import glob
import os
import signal
import struct

import harness
from talk import Talk

ANN = "ann@one.test"
PROXY = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + bytes([192, 0, 2, 7, 192, 0, 2, 25])
         + struct.pack("!HH", 40000, 25))
OPTIONS = {"smtpd": {"proxy_from": "127.0.0.0/8"}}


def stop(pid):
    """Stopped are its threads one after the other: the one that accepts may be the last."""
    os.kill(pid, signal.SIGSTOP)

    def is_stopped(stat):
        with open(stat, encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[0] == "T"

    harness.wait_until(lambda: all(map(is_stopped, glob.glob("/proc/%d/task/*/stat" % pid))), 20)


class Early(Talk):
    def __init__(self, p, daemon, service, said, tls=False):
        """What it says has come before the daemon sees the connection."""
        pid = p.own().daemons[daemon].child_pid()
        if not tls:
            stop(pid)
        try:
            super().__init__(p, service, tls, said)
        finally:
            os.kill(pid, signal.SIGCONT)


def early_lines(p, daemon):
    return len(harness.log_lines(p.own().daemons[daemon], ".early "))


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    mail = b"MAIL FROM:<x@example.net>\r\n"
    c = Early(p, "smtpd", "smtp", PROXY + b"EHLO c.test\r\n")
    assert c.answer().startswith("220 ")
    assert c.answer() == "503 5.5.1 You spoke before the greeting: wait for it, then begin again"
    assert c.ask(mail).startswith("503 5.5.1"), "the hello was none"
    assert c.ask(b"EHLO c.test\r\n").startswith("250 ")
    assert c.ask(mail).startswith("250 ")
    c = Early(p, "submitd", "submission", b"HELO c.test\r\n")
    assert c.answer().startswith("220 ") and c.answer().startswith("503 5.5.1 You spoke")
    assert (early_lines(p, "smtpd"), early_lines(p, "submitd")) == (1, 1)
    # Not early: the header alone, and the hello of TLS.
    c = Early(p, "smtpd", "smtp", PROXY)
    assert c.answer().startswith("220 ") and c.ask(b"EHLO c.test\r\n").startswith("250 ")
    c = Early(p, "submitd", "submissions", b"EHLO c.test\r\n", tls=True)
    assert c.answer().startswith("220 ") and c.answer().startswith("250 ")
    assert (early_lines(p, "smtpd"), early_lines(p, "submitd")) == (1, 1)


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
