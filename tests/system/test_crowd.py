"""5 000 half-open connections and 500 senders that declare 50 MB, send 2 MB and stall: smtpd stays under
200 MiB and honest mail flows. Then 5 000 idle IMAP connections over TLS, and a new one is served."""
import resource
import socket
import ssl

import harness

ANN = "ann@crowd.test"
LIMITS = {"max_connections": "12000", "max_connections_per_network": "12000"}
OPTIONS = {"smtpd": dict(LIMITS), "imapd": dict(LIMITS)}


def memory(pid):
    """Proportional set size of a process in MiB."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def honest(p, subject):
    with p.smtp() as s:
        s.sendmail("friend@example.net", [ANN], "Subject: %s\r\n\r\nHello.\r\n" % subject)


def stall(p):
    """A sender in the middle of a large message."""
    s = p.raw("smtp")
    f = s.makefile("rb")
    for words in (b"", b"EHLO x\r\n", b"MAIL FROM:<a@b.test> SIZE=50000000\r\n", b"RCPT TO:<%s>\r\n" % ANN.encode(),
                  b"DATA\r\n"):
        s.sendall(words)
        while True:
            line = f.readline()
            if line[3:4] == b" ":
                break
        assert line[:1] in b"23", line
    f.detach()
    line = b"y" * 76 + b"\r\n"
    s.sendall(line * (2000000 // len(line)))
    return s


def smtp_crowd(p, trial):
    half_open = [p.raw("smtp") for _ in range(5000)]
    honest(p, "among the half-open")
    stalled = [stall(p) for _ in range(500)]
    honest(p, "among the stalled")
    used = memory(trial.daemons["smtpd"].child_pid())
    print("smtpd with %d connections: %.0f MiB" % (len(half_open) + len(stalled), used))
    assert used < 200, "smtpd takes %.0f MiB" % used
    for s in half_open + stalled:
        s.close()
    honest(p, "afterwards")


def imap_crowd(p, trial):
    context = p.tls()
    idle = []
    before = memory(trial.daemons["imapd"].child_pid())
    for _ in range(5000):
        s = context.wrap_socket(socket.create_connection((p.ends["host"], p.ends["imaps"])),
                                server_hostname="localhost")
        assert s.recv(4096).startswith(b"* OK")
        idle.append(s)
    used = memory(trial.daemons["imapd"].child_pid())
    print("imapd: %.1f KiB for each of %d idle connections" % ((used - before) * 1024 / len(idle), len(idle)))
    assert len(p.subjects(ANN)) == 3
    for s in idle[::500]:
        s.sendall(b"a NOOP\r\n")
        assert s.recv(4096).startswith(b"a OK")
    for s in idle:
        try:
            s.close()
        except ssl.SSLError:
            pass


def scenario(p):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12000:
        raise harness.Skip("the system allows only %d descriptors" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 12000), hard))
    trial = p.own()
    p.tenant("crowd", "crowd.test")
    p.account(ANN)
    smtp_crowd(p, trial)
    imap_crowd(p, trial)


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
