"""Every command and option that `yubin --help` names does what it says: here each is used, and its effect is looked
at where it counts, at the ports. What sets a machine up is in test_ctl."""
import imaplib
import itertools
import json
import poplib
import re
import smtplib

import harness
from harness import wait_until

ANN, BOB = "ann@words.test", "bob@words.test"
STRANGER = "stranger@example.net"
ELSEWHERE = {("schema", "migrate"), ("session", "list"), ("session", "kick"), ("node", "init"),
             ("store", "init"), ("store", "remove"), ("account", "delete"), ("--files",),
             ("--user",), ("--owner",), ("--name", "node init"), ("--host", "node init")}
used_verbs, used_options = set(), set()
numbers = itertools.count()


def note(arguments):
    used_verbs.add(arguments[:2])
    used_options.update(("%s %s" % arguments[:2], a) for a in arguments if a.startswith("--"))


def run(p, *arguments, given=None):
    note(arguments)
    return p.yubin(*arguments, given=given)


def as_json(p, *arguments):
    note(arguments)
    return p.yubin_json(*arguments)


def refuses(p, *arguments, given=None):
    try:
        run(p, *arguments, given=given)
    except harness.TrialError as e:
        return str(e)
    raise AssertionError("not refused: %s" % (arguments,))


def rcpt(p, address):
    with p.smtp() as s:
        s.ehlo("client.example")
        s.mail(STRANGER)
        code, text = s.rcpt(address)
        return code, text.decode()


def answers(p, address, code, text=""):
    wait_until(lambda: rcpt(p, address)[0] == code and text in rcpt(p, address)[1])


def logs_in(way, address, password):
    try:
        way(address, password)
        return True
    except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError) as e:
        return str(e)


def tenants(p):
    run(p, "tenant", "add", "words", "--contact", "it@words.test", "--max-domains", "1", "--max-accounts", "2",
        "--max-bytes", "4K")
    card = as_json(p, "tenant", "show", "words")
    assert (card["contact"], card["max_domains"], card["max_accounts"], card["max_bytes"]) == (
        "it@words.test", 1, 2, 4096), card
    run(p, "domain", "add", "words", "words.test")
    assert "domain" in refuses(p, "domain", "add", "words", "more.test")
    for address in (ANN, BOB):
        run(p, "account", "add", address, given=harness.PASSWORD + "\n")
        p.passwords[address] = harness.PASSWORD
    refuses(p, "account", "add", "third@words.test", "--no-password")
    with p.smtp() as s:
        s.sendmail(STRANGER, [ANN], "Subject: big\r\n\r\n" + ("x" * 70 + "\r\n") * 60)
    answers(p, BOB, 452)  # all mailboxes of the customer together are full
    run(p, "tenant", "set", "words", "--contact", "none", "--max-domains", "none", "--max-accounts", "none",
        "--max-bytes", "none")
    card = as_json(p, "tenant", "show", "words")
    assert [card[k] for k in ("contact", "max_domains", "max_accounts", "max_bytes")] == [None] * 4, card
    answers(p, BOB, 250)
    run(p, "tenant", "add", "zeta")
    assert [t["name"] for t in as_json(p, "tenant", "list", "--limit", "1")] == ["words"]
    assert [t["name"] for t in as_json(p, "tenant", "list", "--after", "words")] == ["zeta"]
    run(p, "tenant", "suspend", "words", "--reason", "not paid")
    answers(p, ANN, 450)
    wait_until(lambda: "not paid" in str(logs_in(p.imap, ANN, p.passwords[ANN])))
    assert as_json(p, "account", "show", ANN)["warnings"] == ["its tenant is suspended: not paid"]
    run(p, "tenant", "resume", "words")
    assert "warnings" not in as_json(p, "account", "show", ANN)
    answers(p, ANN, 250)
    assert "domain" in refuses(p, "tenant", "delete", "words")
    run(p, "tenant", "delete", "zeta")
    assert [t["name"] for t in p.yubin_json("tenant", "list")] == ["words"]


def domains(p):
    run(p, "domain", "add", "words", "full.test", "--contact", ANN, "--catch-all", BOB, "--separator", "-",
        "--subdomains", "one", "--full-days", "5", "--max-accounts", "1", "--max-bytes", "1G")
    card = as_json(p, "domain", "show", "full.test")
    assert (card["contact"], card["catch_all"], card["separator"], card["subdomains"], card["full_days"],
            card["max_accounts"], card["max_bytes"]) == (ANN, BOB, "-", "one", 5, 1, 1 << 30), card
    run(p, "account", "add", "eve@full.test", "--no-password")
    refuses(p, "account", "add", "two@full.test", "--no-password")
    answers(p, "anything@full.test", 250)
    run(p, "domain", "set", "full.test", "--contact", "none", "--catch-all", "none", "--full-days", "3",
        "--max-accounts", "none", "--max-bytes", "none")
    answers(p, "anything@full.test", 550)
    answers(p, "eve-list@full.test", 250)
    answers(p, "eve@a.full.test", 250)
    answers(p, "eve@a.b.full.test", 550)
    run(p, "domain", "set", "full.test", "--separator", "none", "--subdomains", "any")
    answers(p, "eve-list@full.test", 550)
    answers(p, "eve@a.b.full.test", 250)
    run(p, "domain", "alias", "full.test", "also.test")
    answers(p, "eve@also.test", 250)
    run(p, "domain", "unalias", "full.test", "also.test")
    answers(p, "eve@also.test", 550)
    run(p, "domain", "suspend", "full.test", "--reason", "moving")
    answers(p, "eve@full.test", 450)
    run(p, "domain", "resume", "full.test")
    answers(p, "eve@full.test", 250)
    assert [d["name"] for d in as_json(p, "domain", "list", "words", "--limit", "1")] == ["full.test"]
    assert [d["name"] for d in as_json(p, "domain", "list", "--after", "full.test")] == ["words.test"]
    refuses(p, "domain", "delete", "full.test")
    p.yubin("account", "delete", "eve@full.test")
    run(p, "domain", "delete", "full.test")
    answers(p, "eve@full.test", 550)


def accounts(p):
    node = as_json(p, "node", "list")[0]["node_id"]
    verifier = "{SHA512-CRYPT}$6$saltsalt$" + harness.trial.run(
        "openssl", "passwd", "-6", "-salt", "saltsalt", "a crypt password").strip().rsplit("$", 1)[1]
    run(p, "account", "add", "cid@words.test", "--name", "Cid", "--quota", "1M", "--home", node, "--verifier", verifier)
    card = as_json(p, "account", "show", "cid@words.test")
    assert (card["name"], card["quota_bytes"], card["home_node"]) == ("Cid", 1 << 20, node), card
    assert logs_in(p.imap, "cid@words.test", "a crypt password") is True
    run(p, "account", "set", "cid@words.test", "--name", "Sid", "--quota", "none", "--imap", "no", "--pop3", "no",
        "--submission", "no", "--keep-copy", "no")
    card = as_json(p, "account", "show", "cid@words.test")
    assert card["name"] == "Sid" and card["quota_bytes"] == 0, card
    assert not (card["imap"] or card["pop3"] or card["submission"] or card["keep_copy"]), card
    ways = (p.imap, p.pop3, p.submission)
    for way in ways:
        wait_until(lambda w=way: logs_in(w, "cid@words.test", "a crypt password") is not True)
    run(p, "account", "set", "cid@words.test", "--imap", "yes", "--pop3", "yes", "--submission", "yes")
    for way in ways:
        wait_until(lambda w=way: logs_in(w, "cid@words.test", "a crypt password") is True)
    run(p, "account", "password", "cid@words.test", given="another password\n")
    wait_until(lambda: logs_in(p.imap, "cid@words.test", "another password") is True)
    wait_until(lambda: logs_in(p.imap, "cid@words.test", "a crypt password") is not True)
    rows = "".join(json.dumps({"address": "m%d@words.test" % i, "password": harness.PASSWORD}) + "\n" for i in (1, 2))
    run(p, "account", "add", "--from", "-", given=rows)
    assert logs_in(p.imap, "m2@words.test", harness.PASSWORD) is True
    names = [a["address"] for a in as_json(p, "account", "list", "words.test", "--after", BOB, "--limit", "2")]
    assert names == ["cid@words.test", "m1@words.test"], names
    run(p, "account", "suspend", "m1@words.test", "--reason", "on leave")
    answers(p, "m1@words.test", 450)
    wait_until(lambda: "on leave" in str(logs_in(p.imap, "m1@words.test", harness.PASSWORD)))
    run(p, "account", "resume", "m1@words.test")
    answers(p, "m1@words.test", 250)


def app_passwords(p):
    made = [as_json(p, "account", "app-password", ANN, "--label", label)["app_password"] for label in ("phone", "desk")]
    assert [logs_in(p.imap, ANN, m) for m in made] == [True, True]
    run(p, "account", "app-revoke", ANN, "--label", "phone")
    wait_until(lambda: logs_in(p.imap, ANN, made[0]) is not True)
    assert logs_in(p.imap, ANN, made[1]) is True
    run(p, "account", "app-revoke", ANN)
    wait_until(lambda: logs_in(p.imap, ANN, made[1]) is not True)


def goes(p, to, *boxes):
    """Mail to the address arrives in these boxes and in no other; a change takes a moment to be heard of."""
    def arrives():
        subject = "message %d" % next(numbers)
        with p.smtp() as s:
            s.sendmail(STRANGER, [to], "Subject: %s\r\n\r\nx\r\n" % subject)
        return tuple(b for b in (ANN, BOB) if subject in p.subjects(b)) == boxes
    wait_until(arrives)


def forwards(p):
    run(p, "account", "forward", ANN, BOB)
    goes(p, ANN, ANN, BOB)
    run(p, "account", "set", ANN, "--keep-copy", "no")
    goes(p, ANN, BOB)
    run(p, "account", "unforward", ANN, BOB)
    run(p, "account", "set", ANN, "--keep-copy", "yes")
    goes(p, ANN, ANN)


def senders(p):
    def may(sender):
        with p.submission(ANN) as s:
            s.ehlo()
            return s.mail(sender)[0] == 250
    assert not may(BOB)
    run(p, "account", "allow-sender", ANN, BOB)
    wait_until(lambda: may(BOB))
    run(p, "account", "deny-sender", ANN, BOB)
    wait_until(lambda: not may(BOB))


def retired(p):
    run(p, "account", "retire", BOB, "--moved-to", ANN)
    assert "retired" in as_json(p, "account", "show", BOB)["warnings"][0]
    run(p, "account", "restore", BOB)
    answers(p, BOB, 250)
    run(p, "account", "retire", "m1@words.test")
    answers(p, "m1@words.test", 550, "5.1.1")
    run(p, "account", "retire", "m1@words.test", "--moved-to", "m1@new.test", "--until", "2099-01-31")
    answers(p, "m1@words.test", 550, "m1@new.test")
    run(p, "account", "retire", "m2@words.test", "--forward-to", BOB, "--tell")
    goes(p, "m2@words.test", BOB)
    first, = as_json(p, "account", "retired", "words.test", "--limit", "1")
    assert first["new_address"] == "m1@new.test" and first["expires_at"].startswith("2099-01-31"), first
    assert [r["address"] for r in as_json(p, "account", "retired", "--after", "m1@words.test")] == ["m2@words.test"]
    for name in ("m1@words.test", "m2@words.test"):
        run(p, "account", "restore", name)
    answers(p, "m1@words.test", 250)


def aliases(p):
    run(p, "alias", "add", "all@words.test", ANN, BOB, "--note", "the office", "--until", "2099-01-31")
    card = as_json(p, "alias", "show", "all@words.test")
    assert sorted(card["targets"]) == [ANN, BOB] and card["note"] == "the office", card
    assert card["expires_at"].startswith("2099-01-31"), card
    goes(p, "all@words.test", ANN, BOB)
    run(p, "alias", "set", "all@words.test", BOB, "--note", "by IT", "--until", "none")
    card = as_json(p, "alias", "show", "all@words.test")
    assert card["targets"] == [BOB] and card["expires_at"] is None and card["note"] == "by IT", card
    run(p, "alias", "set", "all@words.test", "--note", "none")
    assert not as_json(p, "alias", "show", "all@words.test")["note"]
    goes(p, "all@words.test", BOB)
    run(p, "alias", "set", "all@words.test", "--enabled", "no")
    answers(p, "all@words.test", 550)
    assert as_json(p, "alias", "show", "all@words.test")["targets"] == [BOB]
    run(p, "alias", "set", "all@words.test", "--until", "2020-01-31", "--enabled", "yes")
    answers(p, "all@words.test", 550)
    run(p, "alias", "add", "off@words.test", BOB, "--enabled", "no")
    answers(p, "off@words.test", 550)
    assert [a["address"] for a in as_json(p, "alias", "list", "words.test", "--limit", "1")] == ["all@words.test"]
    assert [a["address"] for a in as_json(p, "alias", "list", "--after", "all@words.test")] == ["off@words.test"]
    run(p, "alias", "delete", "off@words.test")
    assert "no such" in refuses(p, "alias", "show", "off@words.test")


def node(p):
    name = as_json(p, "node", "list")[0]["name"]
    run(p, "node", "set", name, "--host", "mx9.words.test", "--state", "leaving")
    card = as_json(p, "node", "show", name)
    assert (card["host"], card["state"]) == ("mx9.words.test", "leaving"), card
    run(p, "node", "set", name, "--state", "live")
    rows = as_json(p, "config", "roles")
    assert {r["user"] for r in rows} == {"yubin-smtp", "yubin-submit", "yubin-mail"}, rows
    assert [r["daemon"] for r in rows if r["hands_over"]] == ["smtpd", "submitd"], rows
    assert rows[0]["state_dir"] == "/var/lib/yubin/smtpd" and rows[0]["listen"] == {"listen": ["0.0.0.0:25", "[::]:25"]}
    for daemon in (r["daemon"] for r in rows):
        card = as_json(p, "control", "status", daemon)
        assert card["name"] == daemon and card["pid"] > 1 and card["uptime_s"] >= 0, card
        assert "pid" in run(p, "control", "status", daemon).split()
        assert "yubin_connections_total" in run(p, "control", "metrics", daemon)
    assert "Maildir" in run(p, "mailbox", "path", ANN)
    assert as_json(p, "store", "check", ANN)["messages"] > 0
    server = "%s:%d" % (p.ends["host"], p.ends["smtp"])
    assert as_json(p, "relay", "check", ANN, "--server", server)["accepted"] == 0
    last, = as_json(p, "event", "list", "--address", BOB, "--limit", "1")
    assert len(as_json(p, "event", "list", "--message", last["message"])) >= 1
    assert run(p, "config", "check").endswith(": OK\n")
    shown = run(p, "config", "show")
    assert "mail_root" in shown and len(run(p, "config", "show", "--set-only")) < len(shown)
    for form, text in (("markdown", "| `mail_root` |"), ("man", ".BR mail_root"), ("sample", "[common]")):
        assert text in run(p, "config", "docs", form), form


def everything_used(p):
    """What --help names and nothing above used."""
    verbs = set()
    for line in p.yubin("--help").splitlines():
        m = re.match(r"  (\w+) +([\w-]+) +\w", line)
        if m and not line.startswith("  -"):
            verbs.add(m.groups())
    assert len(verbs) > 40, verbs
    assert verbs - ELSEWHERE <= used_verbs, verbs - ELSEWHERE - used_verbs
    missing = []
    for noun in {v[0] for v in verbs}:
        command = None
        for line in p.yubin(noun, "--help").splitlines():
            m = re.match(r"yubin (\w+ [\w-]+)", line)
            command = m.group(1) if m else command
            m = re.match(r" +(--[\w-]+)", line)
            if m and not {m.groups(), (m.group(1), command)} & ELSEWHERE and (command, m.group(1)) not in used_options:
                missing.append("%s %s" % (command, m.group(1)))
    assert not missing, missing


def scenario(p):
    for step in (tenants, domains, accounts, app_passwords, forwards, senders, retired, aliases, node, everything_used):
        step(p)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario)
