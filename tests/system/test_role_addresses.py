"""Addresses that every domain answers (RFC 5321 4.5.1, RFC 2142): a new domain's go to its contact, else to the
operator; <postmaster> and postmaster@[our address] are the operator's; a domain may have its own."""
import harness

OPERATOR, CONTACT, OWN = "operator@house.test", "boss@old.test", "abuse@own.test"


def send(p, *recipients):
    """Answers to RCPT; the message goes to those who were taken."""
    with p.smtp() as s:
        s.ehlo("client.test")
        s.mail("stranger@example.net")
        answers = [s.docmd("RCPT TO:<%s>" % r) for r in recipients]
        if any(code == 250 for code, _ in answers):
            code, text = s.data("Subject: %s\r\n\r\nx\r\n" % " ".join(recipients))
            assert code == 250, (code, text)
    return [code for code, _ in answers]


def scenario(p):
    p.own()  # whose [common] postmaster is ours
    p.tenant("house", "house.test")
    p.account(OPERATOR)
    p.tenant("one", "new.test", "old.test", "own.test")
    p.account(CONTACT)
    p.account(OWN)
    p.yubin("domain", "set", "old.test", "--contact", CONTACT)
    p.yubin("domain", "alias", "old.test", "alias.test")

    # A domain nobody told a contact, made a moment ago.
    for address in ("postmaster@new.test", "abuse@new.test", "PostMaster@NEW.test", "postmaster", "Postmaster",
                    "postmaster@[127.0.0.1]"):
        assert send(p, address) == [250], address
        assert p.subjects(OPERATOR)[-1] == address, address
    # Its contact; also by another name of the domain.
    for address in ("postmaster@old.test", "abuse@old.test", "hostmaster@old.test", "postmaster@alias.test"):
        assert send(p, address) == [250], address
        assert p.subjects(CONTACT)[-1] == address, address
    # A mailbox of that name is what it says.
    assert send(p, OWN) == [250]
    assert p.subjects(OWN) == [OWN]
    # And nothing else of the kind.
    assert send(p, "postmaster@[192.0.2.1]", "abuse@[127.0.0.1]", "abuse", "postmaster@elsewhere.test",
                "webmaster@new.test") == [550, 550, 501, 550, 550]


if __name__ == "__main__":
    harness.main(scenario, {"common": {"postmaster": OPERATOR}})
