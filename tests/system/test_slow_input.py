"""Who says nothing, half a line, or a byte now and then, on every port: slowly typed words are served, and nobody keeps a
connection for ever."""
import time

import harness
from rough import HONEST, IMPLICIT, PLAIN, SHORT, abuse, connect, flood, read_to_end


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


def scenario(p):
    abuse(p, PLAIN + IMPLICIT, half_open, byte_at_a_time)


if __name__ == "__main__":
    harness.main(scenario, SHORT)
