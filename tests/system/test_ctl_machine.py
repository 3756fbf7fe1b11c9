"""A node, its store and its schema are set up once; what the operator looks at is there: roles, figures, files,
events."""
import os

import harness

ANN, BOB = "ann@words.test", "bob@words.test"


def set_up_twice(p, trial):
    schema = os.path.join(harness.TOP, "schema")
    again = p.yubin_json("schema", "migrate", "--user", "postgres", "--files", schema)
    assert again["applied"] == 0 and again["already"] > 0, again
    assert "already" in p.fails(1, "node", "init")
    before = p.yubin_json("node", "list")
    p.fails(1, "store", "init")
    assert p.yubin_json("node", "list") == before == p.yubin_json("node", "list", "--all")
    assert p.yubin_json("node", "list", "--limit", "1") == before
    p.fails(2, "node", "list", "--after", before[0]["name"])
    assert os.path.isdir(trial.mail_root)


def looked_at(p):
    name = p.yubin_json("node", "list")[0]["name"]
    p.yubin("node", "set", name, "--host", "mx9.words.test", "--state", "leaving")
    card = p.yubin_json("node", "show", name)
    assert (card["host"], card["state"]) == ("mx9.words.test", "leaving"), card
    p.yubin("node", "set", name, "--state", "live")
    rows = p.yubin_json("config", "roles")
    assert {r["user"] for r in rows} == {"yubin-smtp", "yubin-submit", "yubin-relay", "yubin-mail"}, rows
    assert [r["daemon"] for r in rows if r["hands_over"]] == ["smtpd", "submitd", "relayd"], rows
    assert rows[0]["state_dir"] == "/var/lib/yubin/smtpd" and rows[0]["listen"] == {"listen": ["0.0.0.0:25", "[::]:25"]}
    for daemon in (r["daemon"] for r in rows):
        card = p.yubin_json("control", "status", daemon)
        assert card["name"] == daemon and card["pid"] > 1 and card["uptime_s"] >= 0, card
        assert "pid" in p.yubin("control", "status", daemon).split()
        assert "yubin_connections_total" in p.yubin("control", "metrics", daemon)
    assert "Maildir" in p.yubin("mailbox", "path", ANN)
    assert p.yubin_json("store", "check", ANN)["messages"] > 0
    server = "%s:%d" % (p.ends["host"], p.ends["smtp"])
    assert p.yubin_json("relay", "check", ANN, "--server", server)["accepted"] == 0
    last, = p.yubin_json("event", "list", "--address", BOB, "--limit", "1")
    assert len(p.yubin_json("event", "list", "--message", last["message"])) >= 1
    assert p.yubin("config", "check").endswith(": OK\n")
    shown = p.yubin("config", "show")
    assert "mail_root" in shown and len(p.yubin("config", "show", "--set-only")) < len(shown)
    for form, text in (("markdown", "| `mail_root` |"), ("man", ".BR mail_root"), ("sample", "[common]"),
                       ("settings", "| `time_zone` |")):
        assert text in p.yubin("config", "docs", form), form


def scenario(p):
    p.tenant("words", "words.test")
    p.account(ANN)
    p.account(BOB)
    for address in (ANN, BOB):
        assert p.send(address)[0] == 250
    set_up_twice(p, p.own())
    looked_at(p)


if __name__ == "__main__":
    harness.main(scenario)
