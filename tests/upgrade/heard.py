"""A change by `yubin`, of either version, is heard by each daemon, of either version."""
import sessions
from harness import login_error, wait_until

SECONDS = 20
FIRST, SECOND = "first horse 11", "second horse 22"


def in_force(what, is_so):
    """Now and then: the second change within a second of the first is heard of at the end of that second."""
    is_so.__name__ = what
    wait_until(is_so, SECONDS, every=0.2)


def logs_in(p, address, password, *ways):
    """Each of these lets in, no other does."""
    for way in (p.imap, p.pop3, p.submission):
        in_force("%s by %s: %s" % (address, way.__name__, way in ways),
                 lambda way=way: (login_error(way, address, password) is None) == (way in ways))


def refused(p, address, password, text):
    for way in (p.imap, p.pop3, p.submission):
        in_force("%s by %s: %s" % (address, way.__name__, text),
                 lambda way=way: text in (login_error(way, address, password) or ""))


def an_account(p, tag):
    """From nobody to nobody: each daemon knew him as unknown before he came."""
    one, ways = "%s@acme.test" % tag, (p.imap, p.pop3, p.submission)
    p.until_rcpt(one, 550)
    logs_in(p, one, FIRST)
    p.yubin("account", "add", one, given=FIRST + "\n")
    p.until_rcpt(one, 250)
    logs_in(p, one, FIRST, *ways)
    p.yubin("account", "password", one, given=SECOND + "\n")
    logs_in(p, one, FIRST)
    logs_in(p, one, SECOND, *ways)
    for option, way in (("--imap", p.imap), ("--pop3", p.pop3), ("--submission", p.submission)):
        p.yubin("account", "set", one, option, "no")
        logs_in(p, one, SECOND, *(w for w in ways if w != way))
        p.yubin("account", "set", one, option, "yes")
        logs_in(p, one, SECOND, *ways)
    word = p.yubin_json("account", "app-password", one, "--label", "phone")["app_password"]
    logs_in(p, one, word, *ways)
    p.yubin("account", "app-revoke", one, "--label", "phone")
    logs_in(p, one, word)
    p.passwords[one] = SECOND
    there = sessions.reader(p, one)
    p.yubin("account", "suspend", one, "--reason", "late")
    p.until_rcpt(one, 450)
    refused(p, one, SECOND, "suspended: late")
    sessions.gone(there, b"suspended")
    p.yubin("account", "resume", one)
    p.until_rcpt(one, 250)
    logs_in(p, one, SECOND, *ways)
    p.yubin("account", "retire", one, "--moved-to", "ann@acme.test")
    p.until_rcpt(one, 550, "ann@acme.test")
    p.yubin("account", "restore", one)
    p.until_rcpt(one, 250)
    p.yubin("account", "delete", one)
    p.until_rcpt(one, 550)
    logs_in(p, one, SECOND)


def addresses(p, tag):
    """What leads somewhere, and what a domain takes."""
    one, domain = "%s-all@acme.test" % tag, "%s.test" % tag
    p.until_rcpt(one, 550)
    p.yubin("alias", "add", one, "ann@acme.test")
    p.until_rcpt(one, 250)
    p.yubin("alias", "set", one, "--enabled", "no")
    p.until_rcpt(one, 550)
    p.yubin("alias", "delete", one)
    assert p.codes("x@" + domain, "ann@other-" + domain) == [550, 550]
    p.yubin("domain", "add", "acme", domain)
    p.yubin("account", "add", "own@" + domain, "--no-password")
    p.until_rcpt("own@" + domain, 250)
    p.yubin("domain", "alias", domain, "other-" + domain)
    p.until_rcpt("own@other-" + domain, 250)
    assert p.send("own@" + domain)[0] == 250
    p.yubin("domain", "set", domain, "--max-bytes", "1")
    p.until_rcpt("own@" + domain, 452)  # by the size that lmtpd reported
    p.yubin("domain", "set", domain, "--max-bytes", "none")
    p.until_rcpt("own@" + domain, 250)
    p.yubin("domain", "set", domain, "--catch-all", "ann@acme.test")
    p.until_rcpt("x@" + domain, 250)
    p.yubin("domain", "set", domain, "--catch-all", "none")
    p.until_rcpt("x@" + domain, 550)
    p.yubin("domain", "suspend", domain)
    p.until_rcpt("own@" + domain, 450)
    p.yubin("domain", "resume", domain)
    p.until_rcpt("own@" + domain, 250)
    # So many at once are told as their domain.
    p.until_rcpt("i7@" + domain, 550)
    p.yubin("account", "add", "--from", "-", given="".join('{"address": "i%d@%s"}\n' % (k, domain) for k in range(20)))
    p.until_rcpt("i7@" + domain, 250)
    for name in ("own", *("i%d" % k for k in range(20))):
        p.yubin("account", "delete", "%s@%s" % (name, domain))
    p.until_rcpt("own@" + domain, 550)
    p.yubin("domain", "unalias", domain, "other-" + domain)
    p.yubin("domain", "delete", domain)
    p.until_rcpt("own@" + domain, 550)


def a_tenant(p, tag):
    """Of one with more domains than are told one by one, where the new schema tells the tenant."""
    tenant, domains = tag + "-many", ["%s-%d.test" % (tag, k) for k in range(20)]
    one = "u@" + domains[-1]
    p.until_rcpt(one, 550)
    p.yubin("tenant", "add", tenant)
    for domain in domains:
        p.yubin("domain", "add", tenant, domain)
    p.yubin("account", "add", one, given=FIRST + "\n")
    p.until_rcpt(one, 250)
    logs_in(p, one, FIRST, p.imap, p.pop3, p.submission)
    p.yubin("tenant", "suspend", tenant, "--reason", "unpaid")
    p.until_rcpt(one, 450)
    refused(p, one, FIRST, "suspended: unpaid")
    p.yubin("tenant", "resume", tenant)
    p.until_rcpt(one, 250)
    logs_in(p, one, FIRST, p.imap, p.pop3, p.submission)
    p.yubin("account", "delete", one)
    for domain in domains:
        p.yubin("domain", "delete", domain)
    p.yubin("tenant", "delete", tenant)


def all_of_it(p, tag):
    for part in (an_account, addresses, a_tenant):
        part(p, tag)
