"""What CAPABILITY says is there, and used: ID, ENABLE and CONDSTORE, QUOTA; before TLS it has no login."""
import re

import harness

CAT, DAN = "cat@folders.test", "dan@folders.test"
MESSAGE = b"Subject: x\r\n\r\n" + b"y" * 9000 + b"\r\n"
USED = set("IMAP4REV1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE SPECIAL-USE ESEARCH CONDSTORE "
           "QUOTA QUOTA=RES-STORAGE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS APPENDLIMIT=52428800".split())


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


def before_tls(p):
    """There is no login, and what came before the handshake does not count."""
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


def scenario(p):
    p.tenant("folders", "folders.test")
    p.account(CAT)
    p.account(DAN, harness.PASSWORD, "--quota", "20K")
    c = p.imap(CAT)
    said = set(c.capability()[1][0].decode().upper().split())
    assert said == USED, said ^ USED
    assert c.xatom("ID", '("name" "test")')[0] == "OK"
    condstore(c)
    c.logout()
    quota(p)
    before_tls(p)


if __name__ == "__main__":
    harness.main(scenario)
