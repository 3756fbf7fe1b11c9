"""postmaster@ and abuse@ of a domain whose contact is gone are the operator's; whoever sets or removes an address hears
where it leads, and a circle is refused."""
import harness

OPERATOR, CONTACT = "operator@house.test", "boss@one.test"


def send(p, recipient):
    return p.send(recipient, recipient)[0]


def told(p, *arguments):
    """Exit code and standard error."""
    done = p.run(*arguments)
    assert "warning" not in done.stdout, done.stdout
    return done.returncode, done.stderr


def scenario(p):
    p.own()
    p.tenant("house", "house.test")
    p.account(OPERATOR)
    p.yubin("tenant", "add", "one")
    code, text = told(p, "domain", "add", "one", "one.test", "--contact", CONTACT)
    assert code == 0 and "there is no such address" in text, (code, text)
    p.account(CONTACT)
    assert send(p, "postmaster@one.test") == 250
    assert p.subjects(CONTACT) == ["postmaster@one.test"]

    code, text = told(p, "account", "delete", CONTACT)
    assert code == 0 and "still the contact of one.test" in text, (code, text)
    harness.wait_until(lambda: send(p, "abuse@one.test") == 250 and p.subjects(OPERATOR), 20)
    assert p.subjects(OPERATOR)[-1] == "abuse@one.test"
    assert send(p, "postmaster@one.test") == 250
    assert p.subjects(OPERATOR)[-1] == "postmaster@one.test"
    assert send(p, "nobody@one.test") == 550

    code, text = told(p, "domain", "set", "one.test", "--contact", "abuse@one.test")
    assert code == 1 and "back to itself" in text, (code, text)
    code, text = told(p, "alias", "add", "a@one.test", "b@one.test", OPERATOR)
    assert code == 0 and text.count("warning") == 1 and "b@one.test" in text, (code, text)


if __name__ == "__main__":
    harness.main(scenario, {"common": {"postmaster": OPERATOR}})
