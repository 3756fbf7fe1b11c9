"""Each verb of the operator's command that changes something leaves exactly one row of the audit, with who did it, from
where, and what was before and after; one that only looks, or is refused, leaves none."""
import base64
import getpass
import json
import os
import re

import harness
from waiting import Queue

ANN = "ann@one.test"
SCRAM = ("SCRAM-SHA-256$8192:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
CHANGES = [
    ("tenant", "add", "two"), ("tenant", "set", "two", "--max-domains", "2"), ("tenant", "suspend", "two", "--reason", "why"),
    ("tenant", "resume", "two"), ("domain", "add", "two", "two.test"), ("domain", "set", "two.test", "--full-days", "1"),
    ("domain", "alias", "two.test", "zwei.test"), ("domain", "unalias", "two.test", "zwei.test"),
    ("domain", "suspend", "two.test"), ("domain", "resume", "two.test"),
    ("account", "add", "u@two.test", "--verifier", SCRAM, "--keep-copy", "no",
     "--imap", "no", "--pop3", "no", "--submission", "no"),
    ("account", "set", "u@two.test", "--name", "U", "--imap", "yes"),
    ("setting", "set", "time_zone", "Asia/Tokyo", "--account", "u@two.test"),
    ("setting", "unset", "time_zone", "--account", "u@two.test"),
    ("account", "password", "u@two.test"), ("account", "app-password", "u@two.test", "--label", "phone"),
    ("account", "app-revoke", "u@two.test"), ("account", "forward", "u@two.test", "x@far.test"),
    ("account", "unforward", "u@two.test", "x@far.test"), ("account", "allow-sender", "u@two.test", "@two.test"),
    ("account", "deny-sender", "u@two.test", "@two.test"), ("account", "suspend", "u@two.test"),
    ("account", "resume", "u@two.test"), ("account", "retire", "u@two.test"), ("account", "restore", "u@two.test"),
    ("alias", "add", "a@two.test", "u@two.test"), ("alias", "set", "a@two.test", "--note", "n"), ("alias", "delete", "a@two.test"),
    ("account", "delete", "u@two.test"), ("domain", "delete", "two.test"), ("tenant", "delete", "two"),
    ("node", "set", "NODE", "--host", "there.test"), ("store", "set", "STORE", "--weight", "50", "--state", "live"),
]
QUEUE = ("hold", "release", "retry", "delete")
# What changes no row, or not those of the directory; `store init` and `node init` are how this platform was made.
OTHERS = {"list", "show", "check", "status", "metrics", "retired", "path", "migrate", "roles", "docs", "init", "keys", "explain"}


def rows(p):
    return p.yubin_json("audit", "list", "--limit", "100000")


def all_verbs(p):
    """None is forgotten."""
    told = {" ".join(m) for m in re.findall(r"^  (\w+) +([\w-]+)  ", p.run("--help").stdout, re.M)}
    here = {" ".join(c[:2]) for c in CHANGES} | {"store remove", "session kick", *("queue " + v for v in QUEUE)}
    assert told >= here, here - told
    assert {v for v in told - here if v.split()[1] not in OTHERS} == set(), told - here


def each(p):
    names = {"NODE": p.yubin_json("node", "list")[0]["name"], "STORE": p.yubin_json("store", "list")[0]["name"]}
    for change in CHANGES:
        before = len(rows(p))
        noun, verb, *words = [names.get(w, w) for w in change]
        p.yubin(noun, verb, *words, given="another secret 7\n" if "password" in verb else "")
        new = rows(p)[before:]
        assert len(new) == 1 and new[0]["action"] == "%s.%s" % (noun, verb), (change, new)
        assert new[0]["by"].split(":")[0] == getpass.getuser() and new[0]["via"] == "cli", new
        assert new[0]["object"] in (words[0], words[-1]), new
        assert (verb in ("delete", "restore")) == (new[0]["after"] is None), new
        assert (verb in ("add", "retire")) == (new[0]["before"] is None), new
    account_id = "0" * 31 + "1"
    before = len(rows(p))
    p.yubin("store", "remove", account_id)
    assert [(r["action"], r["object"]) for r in rows(p)[before:]] == [("store.remove", account_id)]
    before = len(rows(p))
    p.fails(1, "session", "kick", ANN)
    session = p.imap(ANN)
    p.yubin("session", "kick", ANN)
    session.shutdown()
    assert [(r["action"], r["object"]) for r in rows(p)[before:]] == [("session.kick", ANN)]
    text = json.dumps(rows(p))
    assert "SCRAM" not in text and "another secret" not in text and text.count("(changed)") == 3, text


def queue(p):
    """Of what waits: who did what with which of it, and how much; what changes nothing leaves nothing."""
    q = Queue(p)
    q.trial.daemons["lmtpd"].stop()
    q.put(harness.STRANGER, ANN)
    tenant = p.yubin_json("account", "show", ANN)["tenant"]
    for verb in QUEUE:
        before = len(rows(p))
        p.fails(2, "queue", verb)
        p.yubin("queue", verb, "--domain", "two.test", *(["--yes"] if verb == "delete" else []))
        assert len(rows(p)) == before
        p.yubin("queue", verb, "--account", ANN, "--sender", "@example.net", *(["--yes"] if verb == "delete" else []))
        row, = rows(p)[before:]
        card = p.yubin_json("account", "show", ANN)
        assert (row["action"], row["object"], row["kind"], row["tenant"]) == ("queue." + verb, ANN, "change", tenant), row
        assert row["after"]["filter"] == {"sender": "@example.net", "account": card["account_id"]}, row
        assert row["after"]["matched"] == 1 and row["after"]["changed"] + row["after"]["underway"] == 1, row
    q.trial.daemons["lmtpd"].start()


def many(p):
    """An import: one row, and one for each account."""
    before = len(rows(p))
    p.yubin("account", "add", "--from", "-", given='{"address": "i1@one.test"}\n{"address": "i2@one.test", "quota": 7}\n')
    new = rows(p)[before:]
    assert [(r["action"], r["object"]) for r in new if r["after"].get("accounts") == 2] == [("account.import", "")], new
    assert sorted(r["object"] for r in new if r["action"] == "account.add") == ["i1@one.test", "i2@one.test"], new


def nothing(p):
    before = len(rows(p))
    p.fails(1, "tenant", "add", "one")
    p.fails(1, "account", "add", "x@nowhere.test", "--no-password")
    p.fails(1, "alias", "add", "loop@one.test", "loop@one.test")
    said = p.fails(2, "domain", "set", "one.test", "--full-days", "soon", "--max-bytes", "1X", "--separator", "!")
    assert [line.split(": ")[1] for line in said.splitlines()] == ["--separator", "--full-days", "--max-bytes"], said
    refused = p.run("--json", "account", "set", ANN, "--quota", "much", "--imap", "perhaps")
    problem = json.loads(refused.stdout)
    assert refused.returncode == 2 and problem["code"] == "invalid", problem
    assert [e["pointer"] for e in problem["errors"]] == ["/quota_bytes", "/imap"], problem
    refused = p.run("--json", "alias", "add", "loop@one.test", "loop@one.test")
    assert refused.returncode == 1 and json.loads(refused.stdout)["code"] == "loop", refused
    p.fails(2, "account", "retire", ANN, "--until", "soon")
    p.fails(2, "alias", "set", "a@one.test", "--until", "-infinity")
    p.yubin("account", "show", ANN)
    p.yubin("tenant", "list")
    assert len(rows(p)) == before


def again(p):
    """What is set to what it was is no change."""
    names = {"NODE": p.yubin_json("node", "list")[0]["name"], "STORE": p.yubin_json("store", "list")[0]["name"]}
    for words in [("setting", "set", "time_zone", "Asia/Tokyo", *of) for of in
                  ((), ("--tenant", "one"), ("--domain", "one.test"), ("--account", ANN), ("--lock",), ("--unlock",))] + [
            ("setting", "set", "imap", "yes", "--account", ANN), ("tenant", "set", "one", "--max-domains", "2"),
            ("domain", "set", "one.test", "--full-days", "1", "--contact", ANN), ("account", "set", ANN, "--name", "A"),
            ("account", "set", ANN, "--quota", "1G", "--imap", "yes"), ("alias", "set", "a@one.test", ANN, "--note", "n"),
            ("node", "set", "NODE", "--host", "here.test"), ("store", "set", "STORE", "--weight", "70"),
            ("account", "suspend", ANN, "--reason", "why"), ("account", "resume", ANN), ("tenant", "suspend", "one"),
            ("tenant", "resume", "one"), ("domain", "suspend", "one.test"), ("domain", "resume", "one.test"),
            ("account", "forward", ANN, "x@far.test"), ("account", "retire", ANN, "--moved-to", "n@far.test"),
            ("account", "set", ANN)]:
        words = [names.get(w, w) for w in words]
        p.yubin(*words)
        before = rows(p)
        at = p.own().database.sql("SELECT max(changed_at) FROM yubin.settings")
        p.yubin(*words)
        assert rows(p) == before, words
        assert p.own().database.sql("SELECT max(changed_at) FROM yubin.settings") == at, words
    assert [r for r in rows(p) if r["before"] == r["after"] == {}] == []
    p.yubin("setting", "unset", "time_zone")
    before = rows(p)
    assert "no such setting there" in p.fails(1, "setting", "unset", "time_zone")
    assert rows(p) == before
    p.yubin("account", "restore", ANN)


def forged(cursor, key):
    """The cursor with another key in it: behind the list's name, a hash of what is asked for, and a digit."""
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    return base64.urlsafe_b64encode(raw[:raw.index(b"\0") + 1 + 8 + 1] + key).rstrip(b"=").decode()


def cursors(p):
    for asked_for in ((), ("--by", getpass.getuser()), ("--tenant", "one"), (ANN,)):
        cursor = p.cursor("audit", "list", *asked_for)
        at, row = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).split(b"\0")[-2:]
        at = at[-16:]
        assert forged(cursor, at + b"\0" + row) == cursor
        for key in (b"soon\0001", b"2026-13-45T25:00:00Z\0001", b"today\0001", b"\0", b"1\0", b"\0001", at + b"\0x", b"-1\0001",
                    at + b"\0-1", b"9" * 30 + b"\0001", b"9" * 18 + b"\0001", at + b"\0" + b"9" * 30, at + b"'\0001", b"\xff\0001"):
            said = p.fails(2, "audit", "list", *asked_for, "--after", forged(cursor, key))
            assert said == "yubin: This is no cursor of this list and what is asked for\n", (key, said)


def asked(p):
    assert {r["tenant"] for r in p.yubin_json("audit", "list", "--tenant", "one")} == {"one"}
    assert [r["action"] for r in p.yubin_json("audit", "list", ANN.upper())] == ["account.add", "session.kick", *("queue." + v for v in QUEUE)]
    assert p.yubin_json("audit", "list", "--by", "nobody-here") == []
    assert p.yubin_json("audit", "list", "--until", "2026-01-01") == []
    assert p.yubin_json("audit", "list", "--since", "2026-01-01", "--limit", "1000") == rows(p)
    assert p.yubin_json("audit", "list", "--tenant", "two")[-1]["action"] == "tenant.delete"
    assert {r["by"] for r in rows(p)} == {getpass.getuser()}, rows(p)  # `store init` gives root's rights away
    assert len(p.yubin_json("audit", "list", "--limit", "2")) == 2
    assert "only 2 are shown" in p.run("audit", "list", "--limit", "2").stderr
    before = p.yubin_json("audit", "list", "--after", p.cursor("audit", "list"))
    assert before == rows(p)[-101:-1], before
    assert p.yubin_json("audit", "list", "--all") == rows(p)[::-1]


def scenario(p):
    os.environ.pop("SUDO_USER", None)
    p.tenant("one", "one.test")
    p.account(ANN, harness.PASSWORD)
    p.yubin("alias", "add", "a@one.test", ANN)
    assert "targets=%s" % ANN in p.yubin("audit", "list", "a@one.test")
    all_verbs(p)
    each(p)
    queue(p)
    many(p)
    nothing(p)
    asked(p)
    again(p)
    cursors(p)


if __name__ == "__main__":
    harness.main(scenario)
