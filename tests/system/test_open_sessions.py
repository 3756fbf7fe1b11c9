"""Who may not log in any more does not go on either: a suspension, a deletion, another password, a protocol that is
switched off end what is open, with the reason; others stay."""
import harness
from sessions import gone, let_in, pop_gone, reader

ANN, BEN, CARL, DORA = "ann@open.test", "ben@open.test", "carl@open.test", "dora@shut.test"


def scenario(p):
    p.tenant("open", "open.test")
    p.tenant("shut", "shut.test")
    for address in (ANN, BEN, CARL, DORA):
        p.account(address)
    idle, quiet, pop, other = reader(p, ANN), reader(p, ANN, False), p.pop3(ANN), reader(p, BEN, False)
    p.yubin("account", "suspend", ANN, "--reason", "unpaid bill")
    for c in (idle, quiet):
        gone(c, b"This account is suspended: unpaid bill")
    pop_gone(pop, b"suspended: unpaid bill")
    p.yubin("account", "resume", ANN)

    app = p.yubin_json("account", "app-password", ANN, "--label", "phone")["app_password"]
    phone, mine = let_in(p, ANN, app), reader(p, ANN)
    submission = p.submission(ANN)
    assert submission.mail(ANN)[0] == 250
    p.yubin("account", "password", ANN, given="another horse 42\n")
    p.passwords[ANN] = "another horse 42"
    gone(mine, b"Your password was changed")
    submission.rset()
    assert submission.mail(ANN)[0] == 550, "the next message of it"
    assert phone.noop()[0] == "OK", "it has a password of its own"
    p.yubin("account", "app-revoke", ANN)
    gone(phone, b"Your password was changed")

    off = reader(p, ANN)
    p.yubin("account", "set", ANN, "--imap", "no")
    gone(off, b"switched off")
    p.yubin("account", "set", ANN, "--imap", "yes")

    carl, dora = reader(p, CARL), reader(p, DORA)
    p.yubin("account", "delete", CARL)
    gone(carl, b"This account is no more")
    p.yubin("domain", "suspend", "shut.test")
    gone(dora, b"This domain is suspended")
    assert other.noop()[0] == "OK", "nobody else"
    p.yubin("tenant", "suspend", "open")
    gone(other, b"This customer is suspended")
    p.yubin("tenant", "resume", "open")


if __name__ == "__main__":
    harness.main(scenario)
