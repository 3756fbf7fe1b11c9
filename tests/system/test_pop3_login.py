"""Ways into POP3 and reasons to stay out: no password in clear, every mechanism, wrong and suspended, the
limit for guessing, an imported hash, and a client that hears nothing of who exists."""
import base64
import imaplib
import poplib
import socket
import smtplib
import subprocess

import harness
import scram

ANN, BOB = "ann@one.test", "bob@one.test"


def error(do):
    try:
        do()
    except poplib.error_proto as e:
        return e.args[0].decode()
    raise AssertionError("logged in")


def login(p, user, password):
    c = p.pop3()
    c.user(user)
    c.pass_(password)
    return c


def in_clear(p):
    """Neither the password nor the mechanism is asked for before TLS, and nothing sent early survives it."""
    c = poplib.POP3(p.ends["host"], p.ends["pop3"], timeout=30)
    for command in ("USER " + ANN, "AUTH PLAIN", "AUTH LOGIN"):
        assert "STLS" in error(lambda: c._shortcmd(command)), command
    c.close()
    with socket.create_connection((p.ends["host"], p.ends["pop3"]), timeout=30) as s:
        s.recv(100)
        s.sendall(b"STLS\r\nCAPA\r\nQUIT\r\n")  # injected before the handshake
        assert s.recv(100).startswith(b"+OK")
        with p.tls().wrap_socket(s, server_hostname=p.ends["host"]) as t:
            t.sendall(b"NOOP\r\n")
            assert t.recv(1000) == b"-ERR Log in first\r\n"


def mechanisms(p):
    for mechanism in ("PLAIN", "LOGIN"):  # SCRAM: test_scram.py
        done = subprocess.run(
            ["curl", "-sS", "--cacert", p.ends["ca"], "--user", "%s:%s" % (ANN, p.passwords[ANN]), "--login-options",
             "AUTH=" + mechanism, "pop3s://%s:%d/" % (p.ends["host"], p.ends["pop3s"])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, (mechanism, done.stderr)
    c = p.pop3()
    text = base64.b64encode(("\0%s\0%s" % (ANN, p.passwords[ANN])).encode()).decode()
    assert c._shortcmd("AUTH PLAIN " + text).startswith(b"+OK")
    c.quit()


def nobody_learns(p):
    """Who exists, and in which domain, is the same words."""
    answers = {error(lambda: login(p, user, "wrong")) for user in
               (ANN, "nobody@one.test", "ann@two.test", "ann", "ann@", "@", "x" * 400 + "@one.test")}
    assert answers == {"-ERR [AUTH] Wrong user name or password"}, answers


def suspended(p):
    p.yubin("account", "suspend", BOB, "--reason", "für heute")
    assert "suspended: f?r heute" in error(lambda: login(p, BOB, p.passwords[BOB]))
    # No protocol is shown more than ASCII that did not ask for it.
    try:
        p.imap(BOB)
        raise AssertionError("a suspended account logs in")
    except imaplib.IMAP4.error as e:
        assert "suspended: f?r heute" in str(e), e
    try:
        p.submission(BOB)
        raise AssertionError("a suspended account logs in")
    except smtplib.SMTPAuthenticationError as e:
        assert b"suspended: f?r heute" in e.smtp_error, e
    assert "suspended" not in error(lambda: login(p, BOB, "wrong"))
    p.yubin("account", "resume", BOB)
    login(p, BOB, p.passwords[BOB]).quit()


def imported(p):
    """A hash from elsewhere opens PLAIN at once and, replaced by then, SCRAM the second time; an app password
    opens beside it and is no SCRAM password."""
    made = subprocess.run(["openssl", "passwd", "-6", "old horse"], stdout=subprocess.PIPE, text=True, check=True)
    p.yubin("account", "add", "old@one.test", "--verifier", "{SHA512-CRYPT}" + made.stdout.strip())
    assert "[AUTH]" in scram_login(p, "old@one.test", "old horse")
    login(p, "old@one.test", "old horse").quit()
    assert harness.wait_until(lambda: "+OK" in scram_login(p, "old@one.test", "old horse"))
    word = p.yubin_json("account", "app-password", "old@one.test", "--label", "phone")["app_password"]
    harness.wait_until(lambda: opens(p, "old@one.test", word))
    assert "[AUTH]" in error(lambda: login(p, ANN, word))
    p.yubin("account", "app-revoke", "old@one.test", "--label", "phone")
    harness.wait_until(lambda: not opens(p, "old@one.test", word))


def opens(p, user, password):
    try:
        login(p, user, password).quit()
    except poplib.error_proto:
        return False
    return True


def scram_login(p, user, password):
    c, client = p.pop3(), scram.Client(user, password)
    try:
        challenge = c._shortcmd("AUTH SCRAM-SHA-256 " + client.first())
        c._putcmd(client.final(challenge[2:].decode()))
        c._shortcmd("") if c._getresp().startswith(b"+ ") else None
        return "+OK"
    except poplib.error_proto as e:
        return e.args[0].decode()
    finally:
        c.close()


def limit(p):
    """Ten guesses, then not even the right password is told from a wrong one; other accounts go on."""
    c, told = None, []
    for k in range(14):
        told.append(error(lambda: login(p, BOB, "guess %d" % k)))
    assert ["AUTH" in t for t in told] == [True] * 9 + [False] * 5, told  # one was guessed above
    assert "[SYS/TEMP]" in error(lambda: login(p, BOB, p.passwords[BOB]))
    login(p, ANN, p.passwords[ANN]).quit()
    c = p.pop3()  # three wrong passwords end a connection
    for k in range(3):
        c.user(ANN)
        error(lambda: c.pass_("wrong"))
    assert c.sock.recv(1) == b""


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    p.account(BOB)
    in_clear(p)
    mechanisms(p)
    nobody_learns(p)
    suspended(p)
    imported(p)
    limit(p)


if __name__ == "__main__":
    harness.main(scenario)
