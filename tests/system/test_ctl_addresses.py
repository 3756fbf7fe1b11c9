"""`yubin account forward` and `retire`, `yubin alias`: mail for an address goes where their words and options say."""
import itertools

import harness
from harness import wait_until

ANN, BOB = "ann@words.test", "bob@words.test"
MORE = ("m1@words.test", "m2@words.test")
numbers = itertools.count()


def goes(p, to, *boxes):
    """Mail to the address arrives in these boxes and in no other; a change takes a moment to be heard of."""
    def arrives():
        subject = "message %d" % next(numbers)
        p.send(to, subject)
        return tuple(b for b in (ANN, BOB) if subject in p.subjects(b)) == boxes
    wait_until(arrives)


def forwards(p):
    p.yubin("account", "forward", ANN, BOB)
    goes(p, ANN, ANN, BOB)
    p.yubin("account", "set", ANN, "--keep-copy", "no")
    goes(p, ANN, BOB)
    p.yubin("account", "unforward", ANN, BOB)
    p.yubin("account", "set", ANN, "--keep-copy", "yes")
    goes(p, ANN, ANN)


def retired(p):
    p.yubin("account", "retire", BOB, "--moved-to", ANN)
    assert "retired" in p.yubin_json("account", "show", BOB)["warnings"][0]
    p.yubin("account", "restore", BOB)
    p.until_rcpt(BOB, 250)
    p.yubin("account", "retire", "m1@words.test")
    p.until_rcpt("m1@words.test", 550, "5.1.1")
    p.yubin("account", "retire", "m1@words.test", "--moved-to", "m1@new.test", "--until", "2099-01-31")
    p.until_rcpt("m1@words.test", 550, "m1@new.test")
    p.yubin("account", "retire", "m2@words.test", "--forward-to", BOB, "--tell")
    goes(p, "m2@words.test", BOB)
    first, = p.yubin_json("account", "retired", "words.test", "--limit", "1")
    assert first["new_address"] == "m1@new.test" and first["expires_at"].startswith("2099-01-31"), first
    cursor = p.cursor("account", "retired")
    assert [r["address"] for r in p.yubin_json("account", "retired", "--after", cursor)] == ["m2@words.test"]
    assert [r["address"] for r in p.yubin_json("account", "retired", "--q", "m2", "--all")] == ["m2@words.test"]
    for name in ("m1@words.test", "m2@words.test"):
        p.yubin("account", "restore", name)
    p.until_rcpt("m1@words.test", 250)


def aliases(p):
    p.yubin("alias", "add", "all@words.test", ANN, BOB, "--note", "the office", "--until", "2099-01-31")
    card = p.yubin_json("alias", "show", "all@words.test")
    assert sorted(card["targets"]) == [ANN, BOB] and card["note"] == "the office", card
    assert card["expires_at"].startswith("2099-01-31"), card
    goes(p, "all@words.test", ANN, BOB)
    p.yubin("alias", "set", "all@words.test", BOB, "--note", "by IT", "--until", "none")
    card = p.yubin_json("alias", "show", "all@words.test")
    assert card["targets"] == [BOB] and card["expires_at"] is None and card["note"] == "by IT", card
    p.yubin("alias", "set", "all@words.test", "--note", "none")
    assert not p.yubin_json("alias", "show", "all@words.test")["note"]
    goes(p, "all@words.test", BOB)
    p.yubin("alias", "set", "all@words.test", "--enabled", "no")
    p.until_rcpt("all@words.test", 550)
    assert p.yubin_json("alias", "show", "all@words.test")["targets"] == [BOB]
    p.yubin("alias", "set", "all@words.test", "--until", "2020-01-31", "--enabled", "yes")
    p.until_rcpt("all@words.test", 550)
    p.yubin("alias", "add", "off@words.test", BOB, "--enabled", "no")
    p.until_rcpt("off@words.test", 550)
    assert [a["address"] for a in p.yubin_json("alias", "list", "words.test", "--limit", "1")] == ["all@words.test"]
    cursor = p.cursor("alias", "list")
    assert [a["address"] for a in p.yubin_json("alias", "list", "--after", cursor)] == ["off@words.test"]
    assert [a["address"] for a in p.yubin_json("alias", "list", "--q", "off", "--all")] == ["off@words.test"]
    p.yubin("alias", "delete", "off@words.test")
    assert "no such" in p.fails(1, "alias", "show", "off@words.test")


def scenario(p):
    p.tenant("words", "words.test")
    for address in (ANN, BOB, *MORE):
        p.account(address)
    for step in (forwards, retired, aliases):
        step(p)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario)
