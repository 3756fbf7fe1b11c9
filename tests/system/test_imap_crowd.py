"""5 000 users wait in IDLE over TLS: each takes one descriptor and a few KiB, hears of a message, and others are
served."""
import json
import socket
import ssl

import harness
from process import allow_descriptors, descriptors, memory

USERS = 2500  # with two sessions each
OPTIONS = {"imapd": {"max_connections": "12000", "max_connections_per_network": "12000", "open_accounts": "100"}}


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


def scenario(p):
    allow_descriptors(12000)
    p.tenant("crowd", "crowd.test")
    context = p.tls()
    imapd = p.own().daemons["imapd"].child_pid()
    rows = ({"address": "u%d@crowd.test" % i, "password": harness.PASSWORD.replace(" ", "_")} for i in range(USERS))
    p.yubin("account", "add", "--from", "-", given="".join(json.dumps(row) + "\n" for row in rows))
    before = memory(imapd)
    idle = [idler(p, context, i % USERS) for i in range(2 * USERS)]
    used = memory(imapd)
    each = (used - before) * 1024 / len(idle)
    print("imapd: %.1f KiB for each of %d users in IDLE, %d descriptors" % (each, len(idle), descriptors(imapd)))
    assert each < 18, "14 KiB are the TLS library's, and what we keep is less than 4"
    # Sockets, and what open_accounts lets it keep; no account, mailbox or index for who only waits.
    assert descriptors(imapd) < len(idle) + 8 * int(OPTIONS["imapd"]["open_accounts"]) + 500
    for user in range(0, USERS, 250):
        assert p.send("u%d@crowd.test" % user)[0] == 250
        for s in idle[user::USERS]:
            until(s, b"* 1 EXISTS")
    for s in idle:
        try:
            s.close()
        except ssl.SSLError:
            pass


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
