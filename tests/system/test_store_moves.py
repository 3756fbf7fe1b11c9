"""A store is at home on another node by now: one row, heard of within a second. Mail for it waits at the sender (451),
logins are told to come again, lmtpd takes nothing of what was accepted before, `yubin` says where it is. When it is
back all goes on. Accounts are placed where there is room, as their domain's setting or `--store` says, and never in a
store that is full; a store in use cannot be gone."""
import imaplib
import json
import poplib

import harness

ANN, BOB = "ann@moves.test", "bob@moves.test"
OTHER = "\\x0202020202020202"


def login(p):
    try:
        with p.imap(ANN):
            return "OK"
    except imaplib.IMAP4.error as e:
        return str(e)


def pop(p):
    try:
        p.pop3(ANN).quit()
        return "OK"
    except poplib.error_proto as e:
        return str(e)


def ended(say):
    """The server has said goodbye, or is gone."""
    try:
        say()
        return False
    except (imaplib.IMAP4.abort, poplib.error_proto, OSError):
        return True


def accepted(p):
    """A session whose recipient was accepted, and that has sent nothing yet."""
    s = p.smtp()
    s.ehlo()
    s.mail("x@example.net")
    assert s.rcpt(ANN)[0] == 250
    return s


def moves(p, sql, name):
    path = p.yubin("mailbox", "path", ANN).strip()
    assert p.codes(ANN) == [250] and login(p) == "OK" and pop(p) == "OK"
    mine = sql("SELECT node_id FROM yubin.copies").strip()
    open_imap, open_pop3 = p.imap(ANN), p.pop3(ANN)
    early = [accepted(p) for _ in range(60)]  # recipients of before; lmtpd hears of it by itself, within a second
    sql("INSERT INTO yubin.nodes (node_id, name, host) VALUES ('%s', 'other', 'other.example')" % OTHER)
    sql("UPDATE yubin.copies SET node_id = '%s'" % OTHER)
    harness.wait_until(lambda: p.codes(ANN) == [451], 10)
    harness.wait_until(lambda: early.pop().data("Subject: early\r\n\r\nx\r\n")[0] == 451, 10, 0.1)
    assert {s.data("Subject: late\r\n\r\nx\r\n")[0] for s in early[:3]} == {451}
    for s in early:
        s.close()
    # Who was logged in ends, before he writes where nobody will look.
    harness.wait_until(lambda: ended(lambda: open_imap.append("INBOX", None, None, b"Subject: late\r\n\r\nx\r\n")), 10)
    harness.wait_until(lambda: ended(open_pop3.noop), 10)
    harness.wait_until(lambda: "UNAVAILABLE" in login(p), 10)
    harness.wait_until(lambda: "SYS/TEMP" in pop(p), 10)
    assert p.yubin_json("store", "list")[0]["node"] == "other"
    assert p.yubin_json("account", "show", ANN)["home_node"] == OTHER[2:]
    for verb in (("mailbox", "path"), ("store", "check")):
        assert name in p.fails(1, *verb, ANN)
    sql("UPDATE yubin.copies SET node_id = '%s'" % mine)
    harness.wait_until(lambda: p.codes(ANN) == [250], 10)
    harness.wait_until(lambda: login(p) == "OK" and pop(p) == "OK", 10)
    assert p.send(ANN)[0] == 250
    assert p.yubin("mailbox", "path", ANN).strip() == path
    subjects = p.subjects(ANN)
    assert subjects[-1] == "x" and set(subjects) <= {"early", "late", "x"}, subjects


def placement(p, sql, name):
    """lmtpd told the room of the real store; the second one has none, and so gets nothing by itself."""
    harness.wait_until(lambda: p.yubin_json("store", "show", name)["room"] is not None, 15)
    sql("UPDATE yubin.nodes SET store_id = repeat('02', 16) WHERE name = 'other'")
    card = p.yubin_json("store", "set", "other", "--name", "second", "--weight", "10000")
    assert (card["name"], card["weight"], card["state"], card["room"]) == ("second", 10000, "live", None), card
    p.account(BOB)
    assert p.yubin_json("account", "show", BOB)["store"] == name
    card = p.yubin_json("account", "add", "named@moves.test", "--no-password", "--store", "second")
    assert (card["store"], card["home_node"]) == ("second", OTHER[2:]), card
    lines = [{"address": "i%d@moves.test" % i} for i in range(4)] + [{"address": "in@moves.test", "store": "second"}]
    p.yubin("account", "add", "--from", "-", given="\n".join(json.dumps(o) for o in lines))
    stores = {a["address"]: a["store"] for a in p.yubin_json("account", "list", "moves.test")}
    assert {stores["i%d@moves.test" % i] for i in range(4)} == {name} and stores["in@moves.test"] == "second"
    row = p.yubin_json("audit", "list", "in@moves.test")[-1]
    assert row["after"]["store"] == "second", row


def setting(p, name):
    """The store that a domain's setting names, whatever room it has."""
    p.yubin("setting", "set", "store", name, "--tenant", "moves")
    p.yubin("setting", "set", "store", "second", "--domain", "moves.test")
    assert p.yubin_json("account", "add", "set@moves.test", "--no-password")["store"] == "second"
    p.yubin("account", "add", "--from", "-", given='{"address": "set2@moves.test"}')
    assert p.yubin_json("account", "show", "set2@moves.test")["store"] == "second"
    assert "no live store third" in p.fails(1, "setting", "set", "store", "third", "--domain", "moves.test")
    assert "keeps its name" in p.fails(1, "store", "set", "second", "--name", "other")
    p.yubin("store", "set", "second", "--state", "full")
    assert "takes no new mailboxes" in p.fails(1, "account", "add", "x@moves.test", "--no-password")
    assert "second is full" in p.fails(1, "account", "add", "--from", "-", given='{"address": "x@moves.test"}')
    p.yubin("store", "set", "second", "--state", "live")
    p.yubin("setting", "unset", "store", "--domain", "moves.test")
    p.yubin("setting", "unset", "store", "--tenant", "moves")


def refusals(p, name):
    assert "Accounts live in the store" in p.fails(1, "store", "set", "second", "--state", "gone")
    assert "already" in p.fails(1, "store", "set", "second", "--name", name)
    assert "0 to 10000" in p.fails(1, "store", "set", "second", "--weight", "10001")
    wrong = p.fails(2, "store", "set", "second", "--weight", "x", "--state", "odd")
    assert "x is not a number" in wrong and "odd is not one of" in wrong
    assert "There is no such store" in p.fails(1, "store", "show", "third")
    p.yubin("store", "set", "second", "--state", "full")
    assert "The store second is full" in p.fails(1, "account", "add", "x@moves.test", "--no-password", "--store", "second")
    line = json.dumps({"address": "x@moves.test", "store": "second"})
    assert "second is full" in p.fails(1, "account", "add", "--from", "-", given=line)
    p.yubin("store", "set", name, "--state", "full")
    assert "No store takes" in p.fails(1, "account", "add", "x@moves.test", "--no-password")
    for address in ("named@moves.test", "in@moves.test", "set@moves.test", "set2@moves.test"):
        p.yubin("account", "delete", address)
    assert p.yubin_json("store", "set", "second", "--state", "gone")["state"] == "gone"


def scenario(p):
    sql = p.own().database.sql
    p.tenant("moves", "moves.test")
    p.account(ANN)
    name = p.yubin_json("store", "list")[0]["name"]
    moves(p, sql, name)
    placement(p, sql, name)
    setting(p, name)
    refusals(p, name)


if __name__ == "__main__":
    harness.main(scenario)
