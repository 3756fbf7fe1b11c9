"""Ways into POP3: no password in clear, nothing sent early survives STLS, and every mechanism under TLS. (SCRAM is
test_scram's.)"""
import base64
import poplib
import socket
import subprocess

import harness
from harness import raises

ANN = "ann@one.test"


def in_clear(p):
    """Neither the password nor the mechanism is asked for before TLS, and nothing sent early survives it."""
    c = poplib.POP3(p.ends["host"], p.ends["pop3"], timeout=30)
    for command in ("USER " + ANN, "AUTH PLAIN", "AUTH LOGIN"):
        assert "STLS" in str(raises(poplib.error_proto, lambda: c._shortcmd(command))), command
    c.close()
    with socket.create_connection((p.ends["host"], p.ends["pop3"]), timeout=30) as s:
        s.recv(100)
        s.sendall(b"STLS\r\nCAPA\r\nQUIT\r\n")  # injected before the handshake
        assert s.recv(100).startswith(b"+OK")
        with p.tls().wrap_socket(s, server_hostname=p.ends["host"]) as t:
            t.sendall(b"NOOP\r\n")
            assert t.recv(1000) == b"-ERR Log in first\r\n"


def mechanisms(p):
    for mechanism in ("PLAIN", "LOGIN"):
        done = subprocess.run(
            ["curl", "-sS", "--cacert", p.ends["ca"], "--user", "%s:%s" % (ANN, p.passwords[ANN]), "--login-options",
             "AUTH=" + mechanism, "pop3s://%s:%d/" % (p.ends["host"], p.ends["pop3s"])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, (mechanism, done.stderr)
    c = p.pop3()
    text = base64.b64encode(("\0%s\0%s" % (ANN, p.passwords[ANN])).encode()).decode()
    assert c._shortcmd("AUTH PLAIN " + text).startswith(b"+OK")
    c.quit()


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    in_clear(p)
    mechanisms(p)


if __name__ == "__main__":
    harness.main(scenario)
