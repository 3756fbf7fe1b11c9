"""What the operator's command shows, to people and as JSON: all of a thing, no secrets, names that can be given back."""
import json

import harness

ANN = "ann@one.test"


def shapes(p):
    assert {"name", "tenant_id", "accounts", "bytes", "suspended"} <= set(p.yubin_json("tenant", "show", "one"))
    assert [t["name"] for t in p.yubin_json("tenant", "list")] == ["one"]
    card, = p.yubin_json("account", "list", "one.test")
    assert card["address"] == ANN and card == p.yubin_json("account", "show", ANN), card
    assert card["name"] == "Ann" and p.yubin("account", "list").splitlines()[-1].split()[-1] == "Ann", card
    assert p.yubin("account", "list").split("\n")[0].split()[-1] == "name"
    assert card["quota_bytes"] == 1 << 30 and card["has_password"] and card["forwards"] == []
    assert p.yubin_json("alias", "list") == [] and p.yubin_json("account", "retired") == []
    assert p.yubin_json("node", "list")[0]["store_id"]
    assert p.yubin("account", "list").split()[:2] == ["address", "tenant"]
    for noun in ("tenant", "domain", "account", "alias", "node", "store", "event", "queue"):
        assert len(p.yubin(noun, "list").splitlines()) == 1 + len(p.yubin_json(noun, "list")), noun
    text = "".join(p.yubin("account", "show", ANN))
    assert "SCRAM" not in text and p.passwords[ANN] not in text
    made = p.yubin_json("account", "app-password", ANN, "--label", "phone")
    p.imap(ANN, made["app_password"]).logout()
    assert "app_password" not in p.yubin_json("account", "show", ANN)


def pages(p, first):
    """A list in pages: the shape of --json stays, lines of JSON end with the cursor, nothing else is one."""
    words = ("account", "list", "odd.test", "--limit", "1")
    assert [card["address"] for card in p.yubin_json(*words)] == [first]
    card, cursor = p.yubin_lines(*words)
    assert card["address"] == first and set(cursor) == {"next"}, cursor
    card, = p.yubin_lines(*words, "--after", cursor["next"])
    assert card["address"] == "zoe@odd.test", card
    p.fails(2, "account", "list", "--after", cursor["next"])
    p.fails(2, "account", "list", "odd.test", "--after", "zoe@odd.test")
    p.fails(2, "account", "list", "--all", "--limit", "1")
    everybody = p.yubin_json("account", "list")
    assert everybody == p.yubin_json("account", "list", "--all") == p.yubin_lines("account", "list", "--all")
    assert p.yubin("account", "list", "--all").split() == p.yubin("account", "list").split()
    for q in ("zoe", "late", "LAT", "zoe@odd", "l zo"):
        assert [card["address"] for card in p.yubin_json("account", "list", "--q", q, "--all")] == ["zoe@odd.test"], q


def nobodys(p):
    """A list of what is not there is none; of what has nothing, empty."""
    none = (("account", "list", "x.test"), ("alias", "list", "x.test"), ("account", "retired", "x.test"), ("domain", "list", "x"),
            ("account", "list", "x.test", "--all"), ("account", "list", "x.test", "--q", "a"))
    for words in none:
        said = "There is no %s %s" % ("tenant" if words[0] == "domain" else "domain", words[2])
        assert p.fails(1, *words) == "yubin: %s\n" % said, words
        for form in ("--json", "--jsonl"):
            done = p.run(form, *words)
            problem = json.loads(done.stdout)
            assert done.returncode == 1 and (problem["status"], problem["code"], problem["detail"]) == (404, "not_found", said)
            assert problem["errors"] == [{"detail": said, "pointer": "/" + said.split()[3]}], problem
    for of in (("--account", "no@one.test"), ("--account", "ann@x.test"), ("--domain", "x.test"), ("--tenant", "x")):
        for more in ((), ("--effective",)):
            done = p.run("--json", "setting", "list", *of, *more)
            assert done.returncode == 1 and json.loads(done.stdout)["code"] == "not_found", (of, more, done)
    p.yubin("domain", "add", "one", "empty.test")
    p.yubin("tenant", "add", "empty")
    for words in (("account", "list", "EMPTY.test"), ("alias", "list", "empty.test"), ("account", "retired", "empty.test"),
                  ("domain", "list", "empty"), ("domain", "list", "one", "--q", "zzz"), ("account", "list", "one.test", "--q", "zzz"),
                  ("setting", "list", "--domain", "empty.test"), ("setting", "list", "--tenant", "empty")):
        assert p.yubin_json(*words) == [], words
    p.yubin("domain", "delete", "empty.test")
    p.yubin("tenant", "delete", "empty")


def many(p):
    """However long, it is one document, of the same octets; each row is there, once."""
    p.yubin("domain", "add", "odd", "many.test")
    p.yubin("account", "add", "--from", "-", given="".join('{"address": "u%04d@many.test"}\n' % n for n in range(2100)))
    for words in (("--limit", "2000"), ("--limit", "60000"), ("--all",), ()):
        text = p.run("--json", "account", "list", "many.test", *words).stdout
        found = json.loads(text)
        assert [card["address"] for card in found] == ["u%04d@many.test" % n for n in range(2000 if "2000" in words else 2100)], words
        assert text == json.dumps(found, indent=2, ensure_ascii=False) + "\n", words
        assert p.yubin("account", "list", "many.test", *words).count("address") == 1, words
    *found, cursor = p.yubin_lines("account", "list", "many.test", "--limit", "2000")
    rest = p.yubin_lines("account", "list", "many.test", "--after", cursor["next"])
    assert len(found) == 2000 and [card["address"] for card in rest] == ["u%04d@many.test" % n for n in range(2000, 2100)]


def odd_names(p):
    """An address that needs quotes is shown with them, so that what is shown can be given back."""
    p.tenant("odd", "odd.test")
    p.account('"two words"@odd.test', harness.PASSWORD)
    shown = [card["address"] for card in p.yubin_json("account", "list", "odd.test")]
    assert shown == ['"two words"@odd.test'], shown
    assert p.yubin_json("account", "show", shown[0])["address"] == shown[0]
    p.account("zoe@odd.test", harness.PASSWORD, "--name", "Zoe Late")
    pages(p, shown[0])
    p.yubin("store", "check")
    p.yubin("domain", "set", "odd.test", "--catch-all", shown[0])
    assert p.codes("whoever@odd.test") == [250]


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN, harness.PASSWORD, "--quota", "1G", "--name", "Ann")
    shapes(p)
    nobodys(p)
    odd_names(p)
    many(p)


if __name__ == "__main__":
    harness.main(scenario)
