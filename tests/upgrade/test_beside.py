"""The version before goes on beside the new schema, and is replaced a daemon at a time, while mail comes and goes.

Its tree is taken from the history and built; its daemons serve its own schema, with customers of all kinds. Under load
(load.py) the new `yubin schema migrate` runs, somebody's long transaction in its way; each verb of the old `yubin` says
what it said before (verbs.py); what either `yubin` changes is heard by the old daemons, by each mixture of old and new
ones, and by the new ones (heard.py); old daemons start on the new schema, also after new ones. In the end each message
that was answered 250 is in its mailbox once, and what the database says of sizes is what lies on disk.
"""
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))
import harness  # noqa: E402
import sessions  # noqa: E402
from harness import PASSWORD, Platform, wait_until  # noqa: E402

import before  # noqa: E402
import heard  # noqa: E402
import load as loads  # noqa: E402
import verbs  # noqa: E402

ANN, BEN, CAROL, DAVE, TAKER = ("ann@acme.test", "ben@acme.test", "carol@globex.test", "dave@globex.test",
                                "taker@globex.test")
KEEPERS = (ANN, BEN, CAROL, DAVE)
IDLE = "idle@acme.test"
# What comes in, and in whose mailboxes it is then.
ROUTES = ((ANN, (ANN,)), ("team@acme.test", (ANN, BEN)), ("fred@acme.test", (BEN,)), ("ann+lists@acme.test", (ANN,)),
          ("whoever@globex.test", (CAROL,)), ("dave@globex.example", (DAVE,)), (TAKER, (TAKER,)),
          ("keeps@globex.test", (DAVE,)), (TAKER, (TAKER,)), ("dave@sub.globex.test", (DAVE,)))
OLD_HASH = "{SSHA256}" + verbs.SSHA256
# smtpd meets an old lmtpd, submitd a new one; imapd hears of mail from either.
ORDER = ("smtpd", "imapd", "lmtpd", "submitd", "pop3d")


def customers(p):
    """Whoever there is with the version before; returns an app password of BEN's."""
    p.tenant("acme", "acme.test")
    p.tenant("globex", "globex.test")
    for address in (*KEEPERS, TAKER, IDLE, "off@acme.test", "late@acme.test"):
        p.account(address)
    for address in ("fred@acme.test", "keeps@globex.test", "left@globex.test"):
        p.yubin("account", "add", address, "--no-password")
    p.yubin("account", "forward", "fred@acme.test", BEN)
    p.yubin("account", "set", "fred@acme.test", "--keep-copy", "no")
    p.yubin("account", "forward", "keeps@globex.test", DAVE)
    p.yubin("account", "set", "off@acme.test", "--imap", "no", "--submission", "no")
    p.yubin("account", "suspend", "late@acme.test", "--reason", "late")
    p.yubin("account", "retire", "left@globex.test", "--moved-to", "left@example.org")
    p.yubin("account", "allow-sender", ANN, BEN)
    p.yubin("alias", "add", "team@acme.test", ANN, BEN)
    p.yubin("domain", "set", "globex.test", "--catch-all", CAROL, "--subdomains", "one")
    p.yubin("domain", "alias", "globex.test", "globex.example")
    p.yubin("account", "add", "--from", "-", given="".join(
        json.dumps({"address": "import%d@acme.test" % k, "verifier": OLD_HASH, "name": "Im Port %d" % k}) + "\n"
        for k in range(loads.IMPORTED)))
    assert p.send(ANN, "before all")[0] == 250
    with p.imap(ANN) as c:
        c.select()
        assert c.store("1", "+FLAGS", r"(\Seen $Kept)")[0] == "OK"
    return p.yubin_json("account", "app-password", BEN, "--label", "phone")["app_password"]


def same_customers(p, app):
    """They are answered as ever."""
    assert p.codes(*(to for to, _ in ROUTES), "nobody@acme.test") == [250] * len(ROUTES) + [550]
    (moved, text), (late, _) = p.rcpts("left@globex.test", "late@acme.test")
    assert (moved, late) == (550, 450) and "left@example.org" in text, text
    heard.logs_in(p, "off@acme.test", PASSWORD, p.pop3)
    heard.refused(p, "late@acme.test", PASSWORD, "suspended: late")
    heard.logs_in(p, BEN, app, p.imap, p.pop3, p.submission)
    with p.imap(ANN) as c:
        c.select(readonly=True)
        assert b"$Kept" in c.fetch("1", "(FLAGS)")[1][0], "flags of the first message"
    with p.submission(ANN) as s:
        loads.answer("MAIL as allowed", s.mail(BEN), 250)
        loads.answer("MAIL as nobody allowed", (s.rset(), s.mail(CAROL))[1], 550, 553)


def upgraded(p, database, k):
    """An imported hash is replaced at the first login, by each daemon that asks for a password."""
    for way in (p.imap, p.pop3, p.submission):
        address, k = "import%d@acme.test" % k, k + 1
        assert harness.login_error(way, address, "old horse") is None, (way, address)
        wait_until(lambda a=address: database.sql(
            "SELECT verifier FROM yubin.credentials JOIN yubin.accounts a USING (account_id)"
            " WHERE a.local = '%s'" % a.split("@")[0]).startswith("SCRAM-SHA-256"), 10)
    return k


class InTheWay:
    """Somebody's import: a transaction that wrote accounts, and is not over."""

    def __init__(self, database):
        self.psql = subprocess.Popen(["psql", "-X", "-At", "-h", database.socket, "-U", "yubin_operator", "yubin"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.say("BEGIN; UPDATE yubin.accounts SET display_name = 'Late' WHERE local = 'keeps'; SELECT 'there';")
        assert any(line == "there\n" for line in self.psql.stdout), "it ended"

    def say(self, sql):
        self.psql.stdin.write(sql + "\n")
        self.psql.stdin.flush()

    def end(self):
        self.psql.communicate("COMMIT;\n")
        assert self.psql.returncode == 0


def migrate(new, load, database):
    """The upgrade of the schema, beside everything."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'yubin schema migrate' AND wait_event_type = 'Lock'"
    way = InTheWay(database)
    with load.window("the migration", loads.LATER):
        run = subprocess.Popen([*new.ends["ctl"], "schema", "migrate", "--user", "postgres", "--files",
                                os.path.join(TOP, "schema")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_until(lambda: database.sql(waits).strip() != "0")
        load.turned(3)  # however long somebody is in its way, nobody else waits for that
        assert run.poll() is None, run.communicate()
        way.end()
        said, _ = run.communicate(timeout=600)
        assert run.returncode == 0, said
    last = sorted(os.listdir(os.path.join(TOP, "schema")))
    assert database.sql("SELECT max(number) FROM yubin.schema_migrations").strip() == str(
        max(int(name[:4]) for name in last if name[:4].isdigit()))


def from_before(new, idle):
    """A session from before the migration hears of mail, is on the new list, and hears that it ends."""
    assert new.send(IDLE)[0] == 250
    assert [idle.readline(), idle.readline()] == [b"* 1 EXISTS\r\n", b"* 1 RECENT\r\n"]
    assert [r["daemon"] for r in new.yubin_json("session", "list", IDLE)] == ["imapd"]
    assert new.yubin_json("session", "kick", IDLE) == {"ended": 1}
    sessions.gone(idle, b"The administrator ended this session")


def replace(t, load, name, build):
    """One daemon, while all others go on."""
    # Its own clients are cut off; whoever needs it comes later.
    with load.window("%s is %s" % (name, "old" if build != harness.build_folder() else "new"), loads.CUT, loads.LATER):
        assert t.daemons[name].stop() == 0, name
        t.build = build
        t.start([name])


def sizes(p, database):
    """What daemons of either version reported is what is there."""
    for address in (*KEEPERS, TAKER):
        path = p.yubin("mailbox", "path", address).strip()
        wait_until(lambda a=address, d=path: tuple(p.yubin_json("account", "show", a)[x] for x in ("messages", "bytes"))
                   == harness.sizes_in(d), 30)
    assert database.sql("SELECT count(*) FROM yubin.tenant_cards k WHERE accounts <> (SELECT count(*) FROM"
                        " yubin.account_cards a WHERE a.tenant = k.name)").strip() == "0"


def scenario(p, tree, old_build):
    t, database, new_build = p.own(), p.own().database, harness.build_folder()
    new = Platform(dict(p.ends, ctl=[os.path.join(new_build, "ctl", "yubin"), "-c", t.conf]), t)
    new.passwords = p.passwords
    p.patience = new.patience = loads.TURN_SECONDS
    app = customers(p)
    same_customers(p, app)
    first = verbs.said(p, "sweepa")
    k = upgraded(p, database, 0)
    idle = sessions.reader(p, IDLE)
    print("ok the version before, by itself")

    load = loads.Load()
    loads.from_outside(load, p, ROUTES)
    loads.from_users(load, p, ((ANN, None), (BEN, app), (CAROL, None)), DAVE)
    loads.readers(load, p, KEEPERS)
    loads.takers(load, p, TAKER)
    loads.changes(load, p, "old yubin", "o")
    load.turned(2)
    migrate(new, load, database)
    print("ok the migration")

    loads.changes(load, new, "new yubin", "n")
    differences = verbs.differences(first, verbs.said(p, "sweepb"))
    assert not differences, "%d of the old yubin's answers are others:\n%s" % (len(differences), "\n".join(differences))
    assert "newer" in p.fails(1, "schema", "migrate", "--user", "postgres", "--files", os.path.join(tree, "schema"))
    same_customers(p, app)
    from_before(new, idle)
    k = upgraded(p, database, k)
    print("ok the old yubin")
    heard.all_of_it(p, "h-old")
    heard.all_of_it(new, "h-new")
    print("ok both, heard by old daemons")

    for name in ORDER:
        replace(t, load, name, old_build)
    print("ok old daemons start on the new schema")
    for n, name in enumerate(ORDER):
        replace(t, load, name, new_build)
        heard.an_account(p, "r%d-old" % n)
        heard.an_account(new, "r%d-new" % n)
        same_customers(p, app)
    heard.all_of_it(p, "g-old")
    heard.all_of_it(new, "g-new")
    k = upgraded(p, database, k)
    print("ok one by one, heard by every mixture")
    for name in ORDER:
        replace(t, load, name, old_build)
        same_customers(p, app)
    heard.an_account(new, "back")
    k = upgraded(p, database, k)
    for name in ORDER:
        replace(t, load, name, new_build)
    print("ok back, and forward again")

    load.stop()
    same_customers(new, app)
    n = load.ledger.compare({a: [s for s in new.subjects(a) if s != "before all"] for a in (*KEEPERS, TAKER)})
    assert new.subjects(ANN).count("before all") == 1
    sizes(new, database)
    print("ok the ledger: %d messages were promised, all are there once" % n)
    load.tell()


def main():
    try:
        with harness.tempfile.TemporaryDirectory(prefix="yb-", dir=os.environ.get("YUBIN_TEST_DIR", "/var/tmp")) as work:
            os.chmod(work, 0o755)
            tree, build = before.build(work)
            with harness.platform({"lmtpd": {"usage_interval": "1s"}}, build=build, schema=os.path.join(tree, "schema")) as p:
                scenario(p, tree, build)
    except harness.Skip as e:
        print("skipped: %s" % e)
        sys.exit(77)


if __name__ == "__main__":
    main()
