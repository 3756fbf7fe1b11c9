"""The operator's command as a script sees it: exit codes, JSON, secrets by standard input only, set-up twice, the
store's verbs, and an address that gets a new owner."""
import json
import os
import pty
import subprocess

import harness

ANN, BOB = "ann@one.test", "bob@one.test"


def yubin(p, *arguments, given="", exit_code=0):
    done = subprocess.run([*p.ends["ctl"], *arguments], input=given, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    assert done.returncode == exit_code, (arguments, done.returncode, done.stdout, done.stderr)
    assert (done.stderr == "") == (exit_code == 0) or arguments[0] == "schema", (arguments, done.stderr)
    return done.stdout if exit_code == 0 else done.stderr


def as_json(p, *arguments, **more):
    return json.loads(yubin(p, "--json", *arguments, **more))


def exit_codes(p, trial):
    yubin(p, "nonsense", exit_code=2)
    yubin(p, "account", "show", exit_code=2)
    yubin(p, "account", "add", BOB, "--password", "secret", exit_code=2)  # never in arguments
    yubin(p, "tenant", "show", "nobody", exit_code=1)
    yubin(p, "account", "add", BOB, given="", exit_code=1)
    for bad in ("x" * 2000 + "\n", "x" * 513, "half\0less\n", "half\0less", "half\rless\n", "\r\n"):
        yubin(p, "account", "add", BOB, given=bad, exit_code=1)
    yubin(p, "account", "add", "long@one.test", given="x" * 512 + "\r\n")
    p.imap("long@one.test", "x" * 512).logout()
    yubin(p, "account", "delete", "long@one.test")
    yubin(p, "account", "add", "--from", "-", BOB, exit_code=1)
    yubin(p, "account", "add", "--from", "/tmp", exit_code=1)
    yubin(p, "account", "retire", ANN, "--tell", exit_code=1)
    assert "no daemon nothing" in yubin(p, "control", "status", "nothing", exit_code=1)
    assert "no daemon ../run/smtpd" in yubin(p, "control", "metrics", "../run/smtpd", exit_code=1)
    conf = os.path.join(trial.home, "away.conf")
    with open(trial.conf, encoding="utf-8") as f, open(conf, "w", encoding="utf-8") as to:
        to.write(f.read().replace("host=%s" % trial.database.socket, "host=/nowhere").replace(
            "run_dir = ", "run_dir = /nowhere"))
    done = subprocess.run([trial.control, "-c", conf, "tenant", "list"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 75, done
    done = subprocess.run([trial.control, "-c", conf, "control", "status", "smtpd"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 75, done
    with open(conf, "a", encoding="utf-8") as to:
        to.write("[smtpd]\nno_such_option = 1\n")
    done = subprocess.run([trial.control, "-c", conf, "config", "check"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "no_such_option" in done.stderr, done
    yubin(p, "config", "check")


def shapes(p):
    assert {"name", "tenant_id", "accounts", "bytes", "suspended"} <= set(as_json(p, "tenant", "show", "one"))
    assert [t["name"] for t in as_json(p, "tenant", "list")] == ["one"]
    card, = as_json(p, "account", "list", "one.test")
    assert card["address"] == ANN and card == as_json(p, "account", "show", ANN), card
    assert card["quota_bytes"] == 1 << 30 and card["has_password"] and card["forwards"] == []
    assert as_json(p, "alias", "list") == [] and as_json(p, "account", "retired") == []
    assert as_json(p, "node", "list")[0]["store_id"]
    assert yubin(p, "account", "list").split()[:2] == ["address", "tenant"]
    for noun in ("tenant", "domain", "account", "alias", "node", "event"):
        assert len(yubin(p, noun, "list").splitlines()) == 1 + len(as_json(p, noun, "list")), noun
    text = "".join(yubin(p, "account", "show", ANN))
    assert "SCRAM" not in text and p.passwords[ANN] not in text
    made = as_json(p, "account", "app-password", ANN, "--label", "phone")
    p.imap(ANN, made["app_password"]).logout()
    assert "app_password" not in as_json(p, "account", "show", ANN)


def set_up_twice(p, trial):
    schema = os.path.join(harness.TOP, "schema")
    again = as_json(p, "schema", "migrate", "--user", "postgres", "--files", schema)
    assert again["applied"] == 0 and again["already"] > 0, again
    assert "already" in yubin(p, "node", "init", exit_code=1)
    before = as_json(p, "node", "list")
    yubin(p, "store", "init", exit_code=1)
    assert as_json(p, "node", "list") == before
    assert os.path.isdir(trial.mail_root)


def folder(p, address):
    return yubin(p, "mailbox", "path", address).strip()


def send(p, subject):
    with p.smtp() as s:
        s.sendmail("stranger@example.net", [ANN], "Subject: %s\r\n\r\nx\r\n" % subject)


def new_owner(p):
    """Whoever gets the address next starts empty, and the old mail can be removed only when nobody has it."""
    send(p, "for the first")
    first, path = as_json(p, "account", "show", ANN)["account_id"], folder(p, ANN)
    assert p.subjects(ANN) == ["for the first"] and os.path.isdir(path)
    assert as_json(p, "mailbox", "path", ANN) == {"path": path}
    assert as_json(p, "store", "check", ANN)["messages"] == 1
    assert as_json(p, "store", "check")["messages"] == 1
    assert "delete it first" in yubin(p, "store", "remove", first, exit_code=1)
    yubin(p, "store", "remove", "nonsense", exit_code=1)
    assert as_json(p, "account", "delete", ANN)["account_id"] == first
    yubin(p, "mailbox", "path", ANN, exit_code=1)
    p.account(ANN, "another password 1")
    assert folder(p, ANN) != path
    assert p.subjects(ANN) == [] and os.path.isdir(path)
    send(p, "for the second")
    yubin(p, "store", "remove", first)
    assert not os.path.exists(path)
    assert p.subjects(ANN) == ["for the second"]


def odd_names(p):
    """An address that needs quotes is shown with them, so that what is shown can be given back."""
    p.tenant("odd", "odd.test")
    p.account('"two words"@odd.test', harness.PASSWORD)
    shown = [card["address"] for card in as_json(p, "account", "list", "odd.test")]
    assert shown == ['"two words"@odd.test'], shown
    assert as_json(p, "account", "show", shown[0])["address"] == shown[0]
    assert as_json(p, "account", "list", "odd.test", "--after", shown[0]) == []
    yubin(p, "store", "check")
    yubin(p, "domain", "set", "odd.test", "--catch-all", shown[0])
    with p.smtp() as s:
        s.ehlo()
        s.mail("x@example.net")
        assert s.rcpt("whoever@odd.test")[0] == 250


def typed(p, *passwords):
    """`account add` at a terminal: what a person sees, and how it ended."""
    person, terminal = pty.openpty()
    done = subprocess.Popen([*p.ends["ctl"], "account", "add", "typed@one.test"], stdin=terminal, stdout=subprocess.PIPE,
                            stderr=terminal, start_new_session=True)
    os.close(terminal)
    seen = b""
    for password in passwords:
        while not seen.endswith(b": "):
            seen += os.read(person, 1)
        os.write(person, password.encode() + b"\n")
        seen += os.read(person, 1)
    done.stdout.read()
    code = done.wait(30)
    try:
        while more := os.read(person, 1000):
            seen += more
    except OSError:
        pass  # the other end is closed
    os.close(person)
    assert not any(x.encode() in seen for x in passwords), seen
    return seen.decode(), code


def at_a_terminal(p):
    """The password is asked for twice and not shown."""
    seen, code = typed(p, "a typed secret", "a typed sekret")
    assert code == 1 and seen.startswith("Password: ") and "Once more: " in seen and "differ" in seen, (seen, code)
    seen, code = typed(p, "a typed secret", "a typed secret")
    assert code == 0, seen
    p.imap("typed@one.test", "a typed secret").logout()


def scenario(p):
    trial = p.own()
    p.tenant("one", "one.test")
    p.account(ANN, harness.PASSWORD, "--quota", "1G")
    exit_codes(p, trial)
    shapes(p)
    set_up_twice(p, trial)
    new_owner(p)
    at_a_terminal(p)
    odd_names(p)


if __name__ == "__main__":
    harness.main(scenario)
