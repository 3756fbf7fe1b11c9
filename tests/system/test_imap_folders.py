"""Folders, subscriptions, special uses, quota, CONDSTORE, ENABLE, NAMESPACE, ID: each capability is used."""
import re

import harness

CAT, DAN, EVE = "cat@folders.test", "dan@folders.test", "eve@folders.test"
MESSAGE = b"Subject: x\r\n\r\n" + b"y" * 9000 + b"\r\n"
USED = set("IMAP4REV1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE SPECIAL-USE ESEARCH CONDSTORE "
           "QUOTA QUOTA=RES-STORAGE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS APPENDLIMIT=52428800".split())


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


def condstore(c):
    assert c.enable("CONDSTORE")[0] == "OK"
    for _ in range(3):
        c.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
    c.select()
    highest = int(re.search(rb"\d+", c.response("HIGHESTMODSEQ")[1][0]).group())
    changed = c.store("2", "+FLAGS", "\\Seen")[1][0]
    modseq = int(re.search(rb"MODSEQ \((\d+)\)", changed).group(1))
    assert modseq > highest
    got = c._simple_command("FETCH", "1:*", "(FLAGS)", "(CHANGEDSINCE %d)" % highest)
    assert got[0] == "OK" and [f.split()[0] for f in c.response("FETCH")[1]] == [b"2"]
    got = c._simple_command("STORE", "1:3", "(UNCHANGEDSINCE %d)" % highest, "+FLAGS.SILENT", "(\\Flagged)")
    assert b"[MODIFIED 2]" in got[1][0], got
    assert c.search(None, "MODSEQ", str(modseq))[1][0].startswith(b"1 2 3 (MODSEQ ")
    assert b"HIGHESTMODSEQ" in c.status("INBOX", "(HIGHESTMODSEQ)")[1][0]


def quota(p):
    c = p.imap(DAN)
    root, resources = c.getquotaroot("INBOX")[1]
    assert root == [b'"INBOX" ""'] and resources == [b'"" (STORAGE 0 20)'], (root, resources)
    assert c.append("INBOX", None, None, MESSAGE)[0] == "OK" and c.append("INBOX", None, None, MESSAGE)[0] == "OK"
    assert c.getquota('""')[1] == [b'"" (STORAGE 18 20)'], c.getquota('""')
    answer, text = c.append("INBOX", None, None, MESSAGE)
    assert answer == "NO" and b"OVERQUOTA" in text[0], text
    c.select()
    assert b"OVERQUOTA" in c.copy("1", "INBOX")[1][0]
    assert c.setquota('""', "(STORAGE 999)")[0] == "NO"
    c.logout()


def scenario(p):
    p.tenant("folders", "folders.test")
    p.account(CAT)
    p.account(EVE)
    p.account(DAN, harness.PASSWORD, "--quota", "20K")
    fresh(p)
    c = p.imap(CAT)
    said = set(c.capability()[1][0].decode().upper().split())
    assert said == USED, said ^ USED
    assert c.xatom("ID", '("name" "test")')[0] == "OK"
    folders(c)
    extended(c)
    condstore(c)
    c.logout()
    quota(p)
    # Before TLS there is no login, and what came before the handshake does not count.
    plain = p.raw("imap")
    plain.sendall(b"a CAPABILITY\r\nb LOGIN %s x\r\nc STARTTLS\r\nd NOOP\r\n" % CAT.encode())
    got = b""
    while b"c OK" not in got:
        got += plain.recv(4096)
    assert b"LOGINDISABLED" in got and b"AUTH=" not in got and b"b NO [PRIVACYREQUIRED]" in got, got
    safe = p.tls().wrap_socket(plain, server_hostname=p.ends["host"])
    safe.sendall(b"e CAPABILITY\r\n")
    assert b"AUTH=SCRAM-SHA-256" in safe.recv(4096)
    safe.close()


if __name__ == "__main__":
    harness.main(scenario)
