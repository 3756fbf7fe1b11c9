"""A hash from elsewhere opens PLAIN at once and, replaced by then, SCRAM the second time; an app password opens beside it
and is no SCRAM password."""
import poplib

import harness
import scram
from harness import login_error, wait_until

ANN, OLD = "ann@one.test", "old@one.test"


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


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    made = harness.trial.run("openssl", "passwd", "-6", "old horse")
    p.yubin("account", "add", OLD, "--verifier", "{SHA512-CRYPT}" + made.strip())
    assert "[AUTH]" in scram_login(p, OLD, "old horse")
    assert login_error(p.pop3, OLD, "old horse") is None
    assert wait_until(lambda: "+OK" in scram_login(p, OLD, "old horse"))
    word = p.yubin_json("account", "app-password", OLD, "--label", "phone")["app_password"]
    wait_until(lambda: login_error(p.pop3, OLD, word) is None)
    assert "[AUTH]" in scram_login(p, OLD, word)
    assert "[AUTH]" in login_error(p.pop3, ANN, word)
    p.yubin("account", "app-revoke", OLD, "--label", "phone")
    wait_until(lambda: login_error(p.pop3, OLD, word))


if __name__ == "__main__":
    harness.main(scenario)
