"""5 000 half-open connections and 500 senders that declare 50 MB, send 2 MB and stall: smtpd stays under
200 MiB and honest mail flows. Then 5 000 users wait in IDLE over TLS: each takes one descriptor and a few KiB,
hears of a message, and others are served."""
import json
import os
import resource
import socket
import ssl

import harness

ANN = "ann@crowd.test"
USERS = 2500  # with two sessions each
LIMITS = {"max_connections": "12000", "max_connections_per_network": "12000"}
OPTIONS = {"smtpd": dict(LIMITS), "imapd": dict(LIMITS, open_accounts="100")}


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


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def until(s, words):
    """Reads until a line of the answer begins so."""
    got = b""
    while b"\r\n" + words not in b"\r\n" + got:
        more = s.recv(65536)
        assert more, got
        got += more


def idler(p, context, user):
    """A user who has INBOX selected and waits in IDLE."""
    s = context.wrap_socket(socket.create_connection((p.ends["host"], p.ends["imaps"]), timeout=60),
                            server_hostname="localhost")
    until(s, b"* OK")
    s.sendall(b"a LOGIN u%d@crowd.test %s\r\n" % (user, harness.PASSWORD.replace(" ", "_").encode()))
    until(s, b"a OK")
    s.sendall(b"b SELECT INBOX\r\nc IDLE\r\n")
    until(s, b"+ ")
    return s


def imap_crowd(p, trial):
    context = p.tls()
    imapd = trial.daemons["imapd"].child_pid()
    rows = ({"address": "u%d@crowd.test" % i, "password": harness.PASSWORD.replace(" ", "_")} for i in range(USERS))
    p.yubin("account", "add", "--from", "-", given="".join(json.dumps(row) + "\n" for row in rows))
    before = memory(imapd)
    idle = [idler(p, context, i % USERS) for i in range(2 * USERS)]
    used = memory(imapd)
    print("imapd: %.1f KiB for each of %d users in IDLE, %d descriptors" %
          ((used - before) * 1024 / len(idle), len(idle), descriptors(imapd)))
    # Sockets, and what open_accounts lets it keep; no account, mailbox or index for who only waits.
    assert descriptors(imapd) < len(idle) + 8 * int(OPTIONS["imapd"]["open_accounts"]) + 500
    for user in range(0, USERS, 250):
        with p.smtp() as s:
            s.sendmail("friend@example.net", ["u%d@crowd.test" % user], "Subject: for you\r\n\r\nHello.\r\n")
        for s in idle[user::USERS]:
            until(s, b"* 1 EXISTS")
    assert len(p.subjects(ANN)) == 3
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
