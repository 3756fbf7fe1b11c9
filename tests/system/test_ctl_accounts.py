"""`yubin account`: what an account is, how it gets in and what it may do is as its words and options say."""
import json

import harness
from harness import login_error, wait_until

ANN, BOB = "ann@words.test", "bob@words.test"


def accounts(p):
    node = p.yubin_json("node", "list")[0]["node_id"]
    verifier = "{SHA512-CRYPT}$6$saltsalt$" + harness.trial.run(
        "openssl", "passwd", "-6", "-salt", "saltsalt", "a crypt password").strip().rsplit("$", 1)[1]
    p.yubin("account", "add", "cid@words.test", "--name", "Cid", "--quota", "1M", "--home", node, "--verifier", verifier)
    card = p.yubin_json("account", "show", "cid@words.test")
    assert (card["name"], card["quota_bytes"], card["home_node"]) == ("Cid", 1 << 20, node), card
    assert login_error(p.imap, "cid@words.test", "a crypt password") is None
    p.yubin("account", "set", "cid@words.test", "--name", "Sid", "--quota", "none", "--imap", "no", "--pop3", "no",
        "--submission", "no", "--keep-copy", "no")
    card = p.yubin_json("account", "show", "cid@words.test")
    assert card["name"] == "Sid" and card["quota_bytes"] == 0, card
    assert not (card["imap"] or card["pop3"] or card["submission"] or card["keep_copy"]), card
    ways = (p.imap, p.pop3, p.submission)
    for way in ways:
        wait_until(lambda w=way: login_error(w, "cid@words.test", "a crypt password"))
    p.yubin("account", "set", "cid@words.test", "--imap", "yes", "--pop3", "yes", "--submission", "yes")
    for way in ways:
        wait_until(lambda w=way: login_error(w, "cid@words.test", "a crypt password") is None)
    p.yubin("account", "password", "cid@words.test", given="another password\n")
    wait_until(lambda: login_error(p.imap, "cid@words.test", "another password") is None)
    wait_until(lambda: login_error(p.imap, "cid@words.test", "a crypt password"))
    rows = "".join(json.dumps({"address": "m%d@words.test" % i, "password": harness.PASSWORD}) + "\n" for i in (1, 2))
    p.yubin("account", "add", "--from", "-", given=rows)
    assert login_error(p.imap, "m2@words.test", harness.PASSWORD) is None
    cursor = p.cursor("account", "list", "words.test", "--q", "m")
    names = [a["address"] for a in p.yubin_json("account", "list", "words.test", "--q", "m", "--after", cursor)]
    assert names == ["m2@words.test"], names
    p.yubin("account", "suspend", "m1@words.test", "--reason", "on leave")
    p.until_rcpt("m1@words.test", 450)
    wait_until(lambda: "on leave" in str(login_error(p.imap, "m1@words.test", harness.PASSWORD)))
    p.yubin("account", "resume", "m1@words.test")
    p.until_rcpt("m1@words.test", 250)


def app_passwords(p):
    made = [p.yubin_json("account", "app-password", ANN, "--label", label)["app_password"] for label in ("phone", "desk")]
    assert [login_error(p.imap, ANN, m) for m in made] == [None, None]
    p.yubin("account", "app-revoke", ANN, "--label", "phone")
    wait_until(lambda: login_error(p.imap, ANN, made[0]))
    assert login_error(p.imap, ANN, made[1]) is None
    p.yubin("account", "app-revoke", ANN)
    wait_until(lambda: login_error(p.imap, ANN, made[1]))


def senders(p):
    def may(sender):
        with p.submission(ANN) as s:
            s.ehlo()
            return s.mail(sender)[0] == 250
    assert not may(BOB)
    p.yubin("account", "allow-sender", ANN, BOB)
    wait_until(lambda: may(BOB))
    p.yubin("account", "deny-sender", ANN, BOB)
    wait_until(lambda: not may(BOB))


def scenario(p):
    p.tenant("words", "words.test")
    p.account(ANN)
    p.account(BOB)
    for step in (accounts, app_passwords, senders):
        step(p)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario)
