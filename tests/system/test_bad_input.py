"""Bad input on every port: oversized, binary, endless, half-open, malformed, a byte at a time. Each is
answered or timed out as documented; the daemons live on and serve the next client."""
import concurrent.futures
import os
import random
import socket
import ssl
import time

import harness

# Time-outs of minutes, made short.
SHORT = {"smtpd": {"command_timeout": "2s"}, "submitd": {"command_timeout": "2s"},
         "imapd": {"login_timeout": "2s"}, "pop3d": {"login_timeout": "2s"}}
PLAIN = ("smtp", "submission", "imap", "pop3")
IMPLICIT = ("submissions", "imaps", "pop3s")
# A line each protocol answers, and what an honest answer begins with.
HONEST = {"smtp": (b"NOOP\r\n", b"250"), "submission": (b"NOOP\r\n", b"250"), "submissions": (b"NOOP\r\n", b"250"),
          "imap": (b"a NOOP\r\n", b"a OK"), "imaps": (b"a NOOP\r\n", b"a OK"),
          "pop3": (b"CAPA\r\n", b"+OK"), "pop3s": (b"CAPA\r\n", b"+OK")}
MALFORMED = (b"\r\n", b"\0\0\0\r\n", b"\xff\xfe\xfd\r\n", b"A" * 600 + b"\r\n", b"a {99999999999999999999}\r\n",
             b"a LOGIN {5\r\n", b"MAIL FROM:<\x80@x>\r\n", b"EHLO\r\n", b"USER \x01\r\n", b"a FETCH ((((((((\r\n",
             b"AUTH PLAIN =====\r\n", b"a AUTHENTICATE PLAIN\r\n*\r\n", b"BDAT 18446744073709551616 LAST\r\n",
             b"\n\n\n\r\r\r\n", b"a UID SEARCH " + b"(" * 500 + b"\r\n", b"DATA\r\n", b"RCPT TO:<@@@@>\r\n")


def connect(p, service, greeting=True):
    s = p.raw(service, tls=service in IMPLICIT)
    s.settimeout(30)
    if greeting:
        assert s.recv(4096), "%s greets" % service
    return s


def read_to_end(s):
    """Until the server closes; what it says may be lost in a reset, which is an end as well."""
    try:
        while s.recv(65536):
            pass
    except (ConnectionError, ssl.SSLError):
        pass


def alive(p, service):
    """An honest client is served."""
    ask, answer = HONEST[service]
    with connect(p, service) as s:
        s.sendall(ask)
        got = b""
        while answer not in got:
            more = s.recv(4096)
            assert more, "%s: no %r in %r" % (service, answer, got)
            got += more


def flood(s, pieces):
    """Sends until the server has had enough; returns whether it closed."""
    try:
        for piece in pieces:
            s.sendall(piece)
        return False
    except (ConnectionError, ssl.SSLError, socket.timeout):
        return True


def endless_line(p, service):
    with connect(p, service) as s:
        flood(s, (b"x" * 65536 for _ in range(160)))  # 10 MB and no line end
        flood(s, [b"\r\n"])
        ask, answer = HONEST[service]
        flood(s, [ask])
        s.settimeout(10)
        try:
            got = s.recv(65536)
        except (ConnectionError, ssl.SSLError):
            got = b""
        assert got == b"" or got[:1] in b"5*+-a2", got[:80]


def garbage(p, service, rng):
    with connect(p, service) as s:
        flood(s, (bytes(rng.randrange(256) for _ in range(997)) for _ in range(200)))
        try:
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        read_to_end(s)


def malformed(p, service):
    for line in MALFORMED:
        with connect(p, service) as s:
            flood(s, [line])
            s.settimeout(5)
            try:
                s.recv(4096)
            except (socket.timeout, ConnectionError, ssl.SSLError):
                pass  # waiting for more (a literal, AUTH) is an answer, too


def half_open(p, service):
    """Says nothing, or half a line, and is let go in time."""
    for words in (b"", b"NO"):
        with connect(p, service) as s:
            begun = time.monotonic()
            if words:
                s.sendall(words)
            read_to_end(s)
            took = time.monotonic() - begun
            assert 1 < took < 20, "%s let go after %.1f s" % (service, took)


def byte_at_a_time(p, service):
    """Slowly typed words are served, and do not hold a connection for ever."""
    ask, answer = HONEST[service]
    with connect(p, service) as s:
        for k in range(len(ask)):
            s.sendall(ask[k:k + 1])
            time.sleep(0.01)
        assert answer in s.recv(4096)
        begun = time.monotonic()
        while time.monotonic() - begun < 20 and not flood(s, [b"x"]):
            time.sleep(0.2)
        assert time.monotonic() - begun < 20, "%s: a byte now and then keeps it for ever" % service


def abuse_service(p, service, rng):
    for abuse in (endless_line, malformed, half_open, byte_at_a_time):
        abuse(p, service)
    garbage(p, service, rng)
    with connect(p, service, greeting=False):
        pass  # gone at once
    alive(p, service)
    print("ok", service, flush=True)


def scenario(p):
    seed = int(os.environ.get("YUBIN_SEED", "0")) or random.randrange(1 << 30)
    print("seed", seed)
    trial = p.own()
    before = {n: d.child_pid() for n, d in trial.daemons.items()}
    services = PLAIN + IMPLICIT
    with concurrent.futures.ThreadPoolExecutor(len(services)) as pool:
        for _ in pool.map(lambda service: abuse_service(p, service, random.Random(seed)), services):
            pass
    for service in IMPLICIT:  # no TLS where TLS is spoken
        with p.raw(service) as s:
            flood(s, [b"EHLO x\r\n" * 100])
            read_to_end(s)
        alive(p, service)
    after = {n: d.child_pid() for n, d in trial.daemons.items()}
    assert before == after, "a daemon died: %r, %r" % (before, after)


if __name__ == "__main__":
    harness.main(scenario, SHORT)
