"""Two customers with the same local part never meet: not in SMTP, submission, IMAP, POP3, `yubin`, nor in
SQL as any daemon's role."""
import imaplib
import poplib
import smtplib
import subprocess

import harness
from harness import raises

ONE, TWO = "info@one.test", "info@two.test"
TABLES = ("tenants", "domains", "accounts", "credentials", "aliases", "alias_targets", "forwards", "usage",
          "settings", "nodes", "tenant_cards", "account_cards")


def mail(p):
    for address, text in ((ONE, "for one"), (TWO, "for two"), ("INFO@One.Test", "for one, loudly")):
        with p.smtp() as s:
            s.sendmail("x@example.net", [address], "Subject: %s\r\n\r\nx\r\n" % text)
    assert p.subjects(ONE) == ["for one", "for one, loudly"]
    assert p.subjects(TWO) == ["for two"]


def logins(p):
    """Each password opens its own mailbox only; a bare local part opens none (R-A107)."""
    for address, other in ((ONE, TWO), (TWO, ONE)):
        raises(imaplib.IMAP4.error, lambda: p.imap(address, p.passwords[other]))
        raises(poplib.error_proto, lambda: p.pop3(address, p.passwords[other]))
        raises(smtplib.SMTPAuthenticationError, lambda: p.submission(address, p.passwords[other]))
        raises(imaplib.IMAP4.error, lambda: p.imap("info", p.passwords[address]))
    with p.imap(TWO) as c:
        for name in ("../one", "~info@one.test", "user/info@one.test", "/", "Other Users/info@one.test"):
            assert c.select('"%s"' % name)[0] == "NO", name


def submission(p):
    """Nobody sends as a neighbour, neither in the envelope nor in any From."""
    ok = "From: <%s>\r\nSubject: own\r\n\r\nx\r\n" % ONE
    with p.submission(ONE) as s:
        s.sendmail(ONE, [TWO], ok)
        raises(smtplib.SMTPSenderRefused, lambda: s.sendmail(TWO, [TWO], ok))
        for head in ("From: <%s>" % TWO, "From: <%s>, <%s>" % (ONE, TWO), "From: <%s>\r\nFrom: <%s>" % (ONE, TWO),
                     "From: <%s>\r\nSender: <%s>" % (ONE, TWO), "From: <%s>\r\nResent-From: <%s>" % (ONE, TWO),
                     "From: g: <%s>;" % TWO, "From: =?utf-8?q?info=40one=2Etest?= <%s>" % TWO):
            raises(smtplib.SMTPDataError, lambda: s.sendmail(ONE, [TWO], head + "\r\nSubject: no\r\n\r\nx\r\n"))
    assert p.subjects(TWO)[-1] == "own"


def command(p):
    """Lists and limits end at the tenant that was named."""
    assert [a["address"] for a in p.yubin_json("account", "list", "one.test")] == [ONE]
    assert [d["name"] for d in p.yubin_json("domain", "list", "second")] == ["two.test"]
    # A right to send as another tenant's address cannot even be written down.
    raises(harness.TrialError, lambda: p.yubin("account", "allow-sender", ONE, TWO))
    raises(harness.TrialError, lambda: p.yubin("domain", "add", "second", "one.test"))


def sql(p):
    """As each role: no table of anybody, but for yubin_admin (which yubin_api becomes) those of the tenant it
    was given."""
    trial = p.own()
    psql = ["psql", "-X", "-At", "-h", trial.database.socket, "-d", "yubin"]
    for role in set(harness.trial.database_logins(trial.build)) - {"postgres", "yubin_operator"}:
        for table in TABLES:
            done = subprocess.run([*psql, "-U", role, "-c", "SELECT * FROM yubin.%s" % table], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            rows = done.stdout.strip()
            assert (done.returncode != 0 and "permission denied" in rows) or rows == "", (role, table, rows)
    tenant = trial.database.sql("SELECT tenant_id FROM yubin.tenants WHERE name = 'first'").strip()
    # Its scope is signed by the superuser, which takes the place of a session's.
    scope = "'T', '%s', NULL, NULL, 'account', '%s', 'session', NULL, NULL, 'r', '60 s'" % (tenant, tenant)
    seen = subprocess.run([*psql, "-U", "postgres", "-c", "BEGIN; "
                           "SELECT set_config('yubin.scope', yubin.yb_scope_sign(%s), true) IS NULL; "
                           "SET LOCAL SESSION AUTHORIZATION yubin_api; SET LOCAL ROLE yubin_admin; "
                           "SELECT name FROM yubin.domains; UPDATE yubin.accounts SET quota_bytes = 1; COMMIT" % scope],
                          text=True, stdout=subprocess.PIPE, check=True).stdout
    assert "one.test" in seen and "two.test" not in seen, seen
    assert p.yubin_json("account", "show", TWO)["quota_bytes"] == 0
    assert p.yubin_json("account", "show", ONE)["quota_bytes"] == 1


def scenario(p):
    p.tenant("first", "one.test")
    p.tenant("second", "two.test")
    p.account(ONE, "secret of one")
    p.account(TWO, "secret of two")
    for step in (mail, logins, submission, command, sql):
        step(p)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario)
