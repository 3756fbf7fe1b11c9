"""What `yubin` of the version before says of each of its verbs, on its own schema and on the new one: the same."""
import json
import os
import re

# What cards grew. Who shows them all shows these too.
GREW = {"address_key", "store"}
# Not the same twice: ids and moments.
SINGLE = ((re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b([0-9a-f]{32}|[0-9a-f]{16})\b"), "#"),
          (re.compile(r"\b\d{4}-\d\d-\d\d[T ][0-9:.]+([+-]\d\d(:\d\d)?|Z)?"), "@"))

HASHED = '{"address": "%s@T.test", "verifier": "{SSHA256}%s", "name": "Im Port", "quota": 1000000, "forwards": ["b@T.test"]}'
SSHA256 = "+qLE+nC9o03+C2g1GYTZrrH8SbDHDVRZ+shGecGswpZzYWx0"  # of "old horse", with salt

# Words, and what is given; T stands for a name of this run. What fails is here as well.
STEPS = [line if isinstance(line, tuple) else (line, None) for line in (
    "tenant add T --contact it@T.test --max-domains 3 --max-accounts 12 --max-bytes 1G",
    "tenant add T",
    "tenant set T --max-bytes none --contact none",
    "tenant set T --max-domains -1",
    "tenant show T",
    "tenant show T-none",
    "domain add T T.test --contact c@T.test --catch-all a@T.test --separator - --subdomains one --full-days 4",
    "domain add T T.test",
    "domain add T-none x.T.test",
    "domain add T two.T.test --max-accounts 1 --max-bytes 1M",
    "domain alias T.test alias.T.test",
    "domain alias T.test two.T.test",
    "domain add T alias.T.test",
    "domain add T three.T.test",
    "domain add T four.T.test",
    "domain set T.test --catch-all none --separator + --max-accounts 100",
    "domain set T.test --subdomains some",
    ("account add a@T.test --name Ann --quota 2G", "secret a\n"),
    ("account add b@T.test", "secret b\n"),
    ("account add a@T.test", "secret\n"),
    ("account add x@T-none.test", "secret\n"),
    "account add n@T.test --no-password",
    "account add h@T.test --no-password --home 0123456789abcdef",
    ("account add one@two.T.test", "secret\n"),
    ("account add two@two.T.test", "secret\n"),
    ("account add --from -", "\n".join(HASHED % ("i%d" % k, SSHA256) for k in range(3))),
    ("account add --from -", "\n".join(HASHED % ("i%d" % k, SSHA256) for k in range(2, 5))),
    ("account add --from -", "\n".join(HASHED % ("j%d" % k, SSHA256) for k in range(9))),
    "account set a@T.test --name Anna --quota 1G --imap no --pop3 no --submission no --keep-copy no",
    "account set a@T.test --imap yes --pop3 yes --submission yes --keep-copy yes --quota none",
    ("account password a@T.test", "another secret\n"),
    "account app-password a@T.test --label phone",
    "account app-revoke a@T.test --label phone",
    "account forward a@T.test b@T.test",
    "account forward b@T.test a@T.test",
    "account forward a@T.test away@example.org",
    "account unforward b@T.test a@T.test",
    "account allow-sender a@T.test b@T.test",
    "account allow-sender a@T.test @two.T.test",
    "account deny-sender a@T.test b@T.test",
    "account suspend a@T.test --reason late",
    "account show a@T.test",
    "account resume a@T.test",
    "alias add all@T.test a@T.test b@T.test away@example.org --note everybody",
    "alias add all@T.test a@T.test",
    "alias add a@T.test b@T.test",
    ("account add all@T.test", "secret\n"),
    "alias add loop@T.test loop@T.test",
    "alias set all@T.test b@T.test --until 2100-01-01 --enabled no",
    "alias show all@T.test",
    "alias list T.test",
    "account retire b@T.test --moved-to a@T.test --until 2100-01-01",
    "account retired T.test",
    "account show b@T.test",
    "account restore b@T.test",
    "account retire gone@T.test",
    "account list T.test",
    "account list T.test --after b@T.test --limit 2",
    "domain list T",
    "domain suspend T.test --reason late",
    "account show n@T.test",
    "domain resume T.test",
    "tenant suspend T",
    "domain show T.test",
    "tenant resume T",
    "domain delete T.test",
    "tenant delete T",
    "alias delete all@T.test",
    "alias delete all@T.test",
    *("account delete %s" % a for a in ("a@T.test", "b@T.test", "n@T.test", "i0@T.test", "i1@T.test", "i2@T.test",
                                        "one@two.T.test", "one@two.T.test")),
    "domain unalias T.test alias.T.test",
    "domain delete two.T.test",
    "domain delete three.T.test",
    "domain show T.test",
    "domain delete T.test",
    "tenant show T",
    "tenant delete T",
    "node init --name node-T --host T.example",
    "store init",
    "store init",
    "node set node-T --state leaving --host other.T.example",
    "node show node-T",
    "mailbox path ann@acme.test",
    "session list nobody@acme.test",
)]
# These say what is going on elsewhere: that they work is enough.
ALIVE = ("tenant list", "domain list", "account list", "alias list", "node list", "event list --limit 5", "session list",
         "control status smtpd", "control status lmtpd", "control status imapd", "control metrics submitd",
         "control metrics pop3d", "store check carol@globex.test")
# At another machine: these would be refused at one that is a node.
ELSEWHERE = ("node init", "store init")


def plain(value, tag):
    """A card without what is never the same."""
    if isinstance(value, dict):
        return {k: "*" if k == "app_password" else plain(v, tag) for k, v in value.items() if k not in GREW}
    if isinstance(value, list):
        return [plain(v, tag) for v in value]
    if isinstance(value, str):
        value = value.replace(tag, "T")
        for pattern, put in SINGLE:
            value = pattern.sub(put, value)
    return value


def elsewhere(p, tag):
    """A configuration of a machine that is no node yet."""
    home = os.path.join(p.own().home, "elsewhere-" + tag)
    os.makedirs(os.path.join(home, "mail"), exist_ok=True)
    path = os.path.join(home, "yubin.conf")
    with open(p.own().conf, encoding="utf-8") as f:
        text = f.read()
    for option, value in (("node_id_file", "node"), ("mail_root", "mail"), ("state_dir", "state")):
        text = re.sub(r"(?m)^%s = .*$" % option, "%s = %s" % (option, os.path.join(home, value)), text)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def said(p, tag):
    """What each step says: [(words, exit code, what it printed, what it said of it)]."""
    conf, found = elsewhere(p, tag), []
    for words, given in STEPS:
        line = words.replace("T", tag).split()
        where = ["-c", conf] if words.startswith(ELSEWHERE) else []
        done = p.run(*where, "--json", *line, given=(given or "").replace("T.test", tag + ".test"))
        out = json.loads(done.stdout) if done.stdout.strip() else None
        found.append((words, done.returncode, plain(out, tag), plain(done.stderr, tag)))
    for words in ALIVE:
        done = p.run(*words.split())
        found.append((words, done.returncode, None, plain(done.stderr, tag) if "shown" not in done.stderr else ""))
    return found


def differences(before, after):
    return ["%s\n  before: exit %d %s %s\n  after:  exit %d %s %s" % (a[0], *a[1:], *b[1:])
            for a, b in zip(before, after, strict=True) if a != b]
