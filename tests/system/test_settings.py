"""Settings at each level: what counts and why, locks, several in one change, columns of accounts, what is refused, and the
whole of it told as people and as scripts read it."""
import json
import subprocess

import harness

ANN, BOB = "ann@one.test", "bob@one.test"
ZONE = "time_zone"


def counting(p, key, *of):
    return {r["key"]: (r["value"], r["from"], r["locked"]) for r in p.yubin_json("setting", "list", *of, "--effective")}[key]


def levels(p):
    assert counting(p, ZONE, "--account", ANN) == ("UTC", "default", False)
    for of, zone in (((), "Asia/Tokyo"), (("--tenant", "one"), "Asia/Seoul"), (("--domain", "one.test"), "Europe/Rome"),
                     (("--account", ANN), "America/Lima")):
        said = p.yubin_json("setting", "set", ZONE, zone, *of)
        level = of[0][2:] if of else "platform"
        assert said == [{"key": ZONE, "value": zone, "from": level, "locked": False, "counts": True}], said
        assert counting(p, ZONE, "--account", ANN) == (zone, level, False)
    assert counting(p, ZONE, "--account", BOB) == ("Europe/Rome", "domain", False)
    assert counting(p, ZONE, "--tenant", "one") == ("Asia/Seoul", "tenant", False)
    assert counting(p, ZONE) == ("Asia/Tokyo", "platform", False)
    # The highest lock counts; what is below stays, and is said to be ignored.
    p.yubin("setting", "set", ZONE, "Europe/Rome", "--domain", "one.test", "--lock")
    assert counting(p, ZONE, "--account", ANN) == ("Europe/Rome", "domain", True)
    p.yubin("setting", "set", ZONE, "Asia/Seoul", "--tenant", "one", "--lock")
    assert counting(p, ZONE, "--account", ANN) == ("Asia/Seoul", "tenant", True)
    assert p.yubin_json("setting", "list", "--account", ANN) == [
        {"key": ZONE, "value": "America/Lima", "from": "account", "locked": False, "counts": False}]
    assert [r["counts"] for r in p.yubin_json("setting", "list", "--domain", "one.test")] == [False]
    assert [r["counts"] for r in p.yubin_json("setting", "list", "--tenant", "one")] == [True]
    assert [(r["from"], r["counts"]) for r in p.yubin_json("setting", "list")] == [("platform", True)]
    rows = p.yubin_json("setting", "explain", ZONE, ANN)
    assert [(r["level"], r["of"], r["value"], r["locked"], r["counts"]) for r in rows] == [
        ("default", None, "UTC", False, False), ("platform", None, "Asia/Tokyo", False, False),
        ("tenant", "one", "Asia/Seoul", True, True), ("domain", "one.test", "Europe/Rome", True, False),
        ("account", ANN, "America/Lima", False, False)], rows
    said = p.yubin("setting", "explain", ZONE, ANN)
    assert "counts: locked" in said and "ignored: a higher level locked it" in said, said
    # Another value leaves the lock, --unlock takes it away.
    assert p.yubin_json("setting", "set", ZONE, "Asia/Dubai", "--tenant", "one")[0]["locked"]
    assert p.yubin_json("setting", "set", ZONE, "Asia/Dubai", "--tenant", "one", "--unlock")[0]["locked"] is False
    assert p.yubin_json("setting", "unset", ZONE, "--domain", "one.test")[0]["from"] == "tenant"
    assert counting(p, ZONE, "--account", ANN) == ("America/Lima", "account", False)
    for of in (("--account", ANN), ("--tenant", "one"), ()):
        p.yubin("setting", "unset", ZONE, *of)
    assert counting(p, ZONE, "--account", ANN) == ("UTC", "default", False)


def columns(p):
    """The same as `account set`, in one row of the audit with whatever else is set."""
    rows = p.yubin_json("audit", "list", ANN)
    p.yubin("setting", "set", "imap", "off", ZONE, "Asia/Tokyo", "keep_copy", "no", "--account", ANN)
    card = p.yubin_json("account", "show", ANN)
    assert (card["imap"], card["keep_copy"], card["pop3"], card["submission"]) == (False, False, True, True), card
    new = p.yubin_json("audit", "list", ANN)[len(rows):]
    assert [r["action"] for r in new] == ["setting.set"], new
    assert {k: v["value"] for k, v in new[0]["after"].items()} == {"imap": False, "keep_copy": False, ZONE: "Asia/Tokyo"}, new
    assert {k: v["value"] for k, v in new[0]["before"].items()} == {"imap": True, "keep_copy": True}, new
    assert counting(p, "imap", "--account", ANN) == (False, "account", False)
    assert counting(p, "pop3", "--account", ANN) == (True, "default", False)
    p.yubin("account", "set", ANN, "--imap", "yes", "--keep-copy", "yes")
    assert counting(p, "imap", "--account", ANN) == (True, "default", False)
    rows = {r["level"]: r for r in p.yubin_json("setting", "explain", "imap", ANN)}
    assert rows["default"]["counts"] and not rows["account"]["counts"] and rows["account"]["why"] == "is the default", rows


def refused(p):
    before = p.yubin_json("audit", "list", "--limit", "100000")
    said = p.fails(2, "setting", "set", ZONE, "Asia/Tokio", "imap", "perhaps", "pop3", "no", "--account", ANN)
    assert [line.split(": ")[1] for line in said.splitlines()] == [ZONE, "imap"] and "yes or no" in said, said
    problem = json.loads(p.run("--json", "setting", "set", "no.such", "1", ZONE, "x", "imap", "no", "--domain", "one.test").stdout)
    assert [e["pointer"] for e in problem["errors"]] == ["/no.such", "/" + ZONE, "/imap"], problem
    assert p.run("setting", "set", "imap", "no").returncode == 1  # of accounts only
    assert p.run("setting", "set", ZONE, "UTC", "--lock", "--account", ANN).returncode == 1
    assert p.run("setting", "set", ZONE, "UTC", "--domain", "none.test").returncode == 1
    assert p.run("setting", "set", ZONE, "UTC", "--tenant", "one", "--domain", "one.test").returncode == 2
    assert p.run("setting", "set", ZONE, "UTC", "imap").returncode == 2
    assert p.run("setting", "set", ZONE, "UTC", "--lock", "--unlock").returncode == 2
    assert p.run("setting", "unset", ZONE, "--tenant", "one").returncode == 1  # is not set there
    assert p.run("setting", "unset", "imap", "--account", ANN).returncode == 1
    assert p.run("setting", "explain", "no.such", ANN).returncode == 1
    for verb, words in (("set", (ZONE, "Asia/Tokyo", ZONE, "Asia/Seoul")), ("set", ("imap", "no", "pop3", "no", "imap", "no")),
                        ("unset", (ZONE, ZONE))):
        assert p.fails(1, "setting", verb, *words, "--account", ANN) == "yubin: %s is there twice\n" % words[0]
    for zone in ("posixrules", "localtime", "leapseconds", "tzdata.zi", "posix/Asia/Tokyo", "right/Asia/Tokyo", "Factory"):
        assert zone in p.fails(2, "setting", "set", ZONE, zone)
    assert p.run("audit", "list", "--since", "foo").returncode == 2
    assert p.yubin_json("audit", "list", "--limit", "100000") == before
    assert counting(p, "pop3", "--account", ANN)[0] is True


def keys(p):
    rows = {r["key"]: r for r in p.yubin_json("setting", "keys")}
    assert set(rows) >= {"imap", "pop3", "submission", "keep_copy", ZONE}, rows
    assert rows[ZONE]["levels"] == {"platform": "O", "tenant": "T", "domain": "D", "account": "U"} and rows[ZONE]["lockable"]
    with open(p.own().control, "rb") as f:
        assert bool([k for k in rows if k.startswith("trial.")]) == (b"YB_FAULT_LOG" in f.read()), rows


def looks(p):
    """Whoever only looks waits for nobody who changes."""
    command = ["psql", "-X", "-q", "-h", p.own().database.socket, "-U", "postgres", "-d", "yubin", "-At"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdin.write("BEGIN; SET search_path = yubin; SELECT FROM accounts FOR UPDATE; SELECT FROM domains FOR UPDATE;"
                          " SELECT FROM tenants FOR UPDATE; SELECT FROM settings FOR UPDATE; SELECT 'locked';\n")
        other.stdin.flush()
        while other.stdout.readline() != "locked\n":
            pass
        for of in ([], ["--tenant", "one"], ["--domain", "one.test"], ["--account", ANN]):
            p.yubin("setting", "list", *of)
            p.yubin("setting", "list", "--effective", *of)
        p.yubin("setting", "explain", ZONE, ANN)
        assert p.run("setting", "set", ZONE, "UTC", "--account", ANN).returncode == 75  # behind the other, in vain
        other.stdin.close()


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    p.account(BOB)
    levels(p)
    columns(p)
    refused(p)
    keys(p)
    looks(p)


if __name__ == "__main__":
    harness.main(scenario)
