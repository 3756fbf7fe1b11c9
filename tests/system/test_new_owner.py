"""Whoever gets an address next starts empty, and the old mail can be removed only when nobody has it."""
import os

import harness

ANN = "ann@one.test"


def folder(p):
    return p.yubin("mailbox", "path", ANN).strip()


def scenario(p):
    p.own()
    p.tenant("one", "one.test")
    p.account(ANN)
    assert p.send(ANN, "for the first")[0] == 250
    first, path = p.yubin_json("account", "show", ANN)["account_id"], folder(p)
    assert p.subjects(ANN) == ["for the first"] and os.path.isdir(path)
    assert p.yubin_json("mailbox", "path", ANN) == {"path": path}
    assert p.yubin_json("store", "check", ANN)["messages"] == 1
    assert p.yubin_json("store", "check")["messages"] == 1
    assert "delete it first" in p.fails(1, "store", "remove", first)
    p.fails(1, "store", "remove", "nonsense")
    assert p.yubin_json("account", "delete", ANN)["account_id"] == first
    p.fails(1, "mailbox", "path", ANN)
    p.account(ANN, "another password 1")
    assert folder(p) != path
    assert p.subjects(ANN) == [] and os.path.isdir(path)
    assert p.send(ANN, "for the second")[0] == 250
    p.yubin("store", "remove", first)
    assert not os.path.exists(path)
    assert p.subjects(ANN) == ["for the second"]


if __name__ == "__main__":
    harness.main(scenario)
