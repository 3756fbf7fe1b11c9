"""Clients that are none: connections to every port, what an honest one hears there, and much that no server wants."""
import concurrent.futures
import socket
import ssl

# Time-outs of minutes, made short.
SHORT = {"smtpd": {"command_timeout": "2s"}, "submitd": {"command_timeout": "2s"},
         "imapd": {"login_timeout": "2s"}, "pop3d": {"login_timeout": "2s"}}
PLAIN = ("smtp", "submission", "imap", "pop3")
IMPLICIT = ("submissions", "imaps", "pop3s")
# A line each protocol answers, and what an honest answer begins with.
HONEST = {"smtp": (b"NOOP\r\n", b"250"), "submission": (b"NOOP\r\n", b"250"), "submissions": (b"NOOP\r\n", b"250"),
          "imap": (b"a NOOP\r\n", b"a OK"), "imaps": (b"a NOOP\r\n", b"a OK"),
          "pop3": (b"CAPA\r\n", b"+OK"), "pop3s": (b"CAPA\r\n", b"+OK")}


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


def abuse(p, services, *ways):
    """Each way(p, service) at each service, all services at once. Then each serves, and no daemon has died."""
    daemons = p.own().daemons
    before = {n: d.child_pid() for n, d in daemons.items()}

    def one(service):
        for way in ways:
            way(p, service)
        alive(p, service)
        print("ok", service, flush=True)
    with concurrent.futures.ThreadPoolExecutor(len(services)) as pool:
        for _ in pool.map(one, services):
            pass
    after = {n: d.child_pid() for n, d in daemons.items()}
    assert before == after, "a daemon died: %r, %r" % (before, after)
