"""Folders by IMAP: those a new account has, names, subscriptions, special uses, LIST as its extensions have it."""
import harness

CAT, EVE = "cat@folders.test", "eve@folders.test"
MESSAGE = b"Subject: x\r\n\r\n" + b"y" * 9000 + b"\r\n"


def fresh(p):
    """A new account has the mailboxes that mail programs look for, whoever comes first."""
    for account, first in ((CAT, None), (EVE, "delivery")):
        if first is not None:
            with p.smtp() as s:
                s.sendmail("x@example.net", [account], "Subject: x\r\n\r\nx\r\n")
        c = p.imap(account)
        names = c.list()[1]
        for name in (b"Drafts", b"Sent", b"Junk", b"Trash", b"Archive"):
            assert b'(\\HasNoChildren \\%s) "/" "%s"' % (name, name) in names, names
        assert len(names) == 6 and len(c.lsub()[1]) == 5, (names, c.lsub())
        assert c.append("Sent", "\\Seen", None, MESSAGE)[0] == "OK" and c.select("Sent")[1] == [b"1"]
        assert c.store("1", "+FLAGS", "\\Deleted")[0] == "OK" and c.close()[0] == "OK"
        assert c.delete("Archive")[0] == "OK"
        c.logout()
        c = p.imap(account)
        assert len(c.list()[1]) == 5, c.list()
        c.logout()


def folders(c):
    c.create("Work/&ZeVnLIqe-")
    names = c.list()[1]
    assert b'(\\HasNoChildren) "/" "Work/&ZeVnLIqe-"' in names, names
    assert any(b"\\HasChildren" in n and n.endswith(b'"Work"') for n in names), names
    assert b'(\\HasNoChildren \\Sent) "/" "Sent"' in c.list('""', "*")[1], c.list()
    assert [n for n in c.list('""', "%")[1] if b"&ZeVnLIqe-" in n] == []
    c.subscribe("Work/&ZeVnLIqe-")
    assert b'(\\Noselect) "/" "Work"' in c.lsub('""', "%")[1], c.lsub('""', "%")
    assert c.rename("Work", "Play")[0] == "OK" and any(b"Play/&ZeVnLIqe-" in n for n in c.list()[1])
    assert b"ALREADYEXISTS" in c.create("Play/&ZeVnLIqe-")[1][0], c.list()
    got = c.delete("Work")
    assert b"NONEXISTENT" in got[1][0], (got, c.list())
    assert b"CANNOT" in c.create('"bad&name"')[1][0]
    assert c.delete("INBOX")[0] == "NO"
    assert c.namespace()[1] == [b'(("" "/")) NIL NIL']


def told(c, command, *arguments):
    answer, text = c._simple_command(command, *arguments)
    return answer, text, c.untagged_responses.pop("LIST", []), c.untagged_responses.pop("STATUS", [])


def extended(c):
    """RFC 5258, 6154, 5819, 7889."""
    assert c._simple_command("CREATE", "Raus", "(USE (\\All))")[1][0].startswith(b"[USEATTR]")
    assert c._simple_command("CREATE", "Fruit/Apple")[0] == "OK" and c.subscribe("Fruit/Apple")[0] == "OK"
    names = told(c, "LIST", "(SUBSCRIBED RECURSIVEMATCH)", '""', "%")[2]
    assert any(n.endswith(b'"Fruit" ("CHILDINFO" ("SUBSCRIBED"))') for n in names), names
    answer, text, names, status = told(c, "LIST", '""', '(INBOX "Fruit/%")', "RETURN (STATUS (MESSAGES APPENDLIMIT))")
    assert answer == "OK" and len(names) == 2, (answer, text, names)
    assert status == [b'"INBOX" (MESSAGES 0 APPENDLIMIT 52428800)', b'"Fruit/Apple" (MESSAGES 0 APPENDLIMIT 52428800)'], status


def scenario(p):
    p.tenant("folders", "folders.test")
    p.account(CAT)
    p.account(EVE)
    fresh(p)
    c = p.imap(CAT)
    folders(c)
    extended(c)
    c.logout()


if __name__ == "__main__":
    harness.main(scenario)
