"""Bad input on every port: oversized, binary, endless, malformed, no TLS where TLS is spoken. Each is answered or ended;
the daemons live on and serve the next client."""
import os
import random
import socket
import ssl

import harness
from rough import HONEST, IMPLICIT, PLAIN, SHORT, abuse, connect, flood, read_to_end

MALFORMED = (b"\r\n", b"\0\0\0\r\n", b"\xff\xfe\xfd\r\n", b"A" * 600 + b"\r\n", b"a {99999999999999999999}\r\n",
             b"a LOGIN {5\r\n", b"MAIL FROM:<\x80@x>\r\n", b"EHLO\r\n", b"USER \x01\r\n", b"a FETCH ((((((((\r\n",
             b"AUTH PLAIN =====\r\n", b"a AUTHENTICATE PLAIN\r\n*\r\n", b"BDAT 18446744073709551616 LAST\r\n",
             b"\n\n\n\r\r\r\n", b"a UID SEARCH " + b"(" * 500 + b"\r\n", b"DATA\r\n", b"RCPT TO:<@@@@>\r\n")


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


def gone_at_once(p, service):
    with connect(p, service, greeting=False):
        pass


def no_tls(p, service):
    with p.raw(service) as s:
        flood(s, [b"EHLO x\r\n" * 100])
        read_to_end(s)


def scenario(p):
    seed = int(os.environ.get("YUBIN_SEED", "0")) or random.randrange(1 << 30)
    print("seed", seed)
    abuse(p, PLAIN + IMPLICIT, endless_line, malformed, lambda p, s: garbage(p, s, random.Random(seed)), gone_at_once)
    abuse(p, IMPLICIT, no_tls)


if __name__ == "__main__":
    harness.main(scenario, SHORT)
