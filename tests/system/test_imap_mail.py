"""Messages by IMAP: APPEND, FETCH, SEARCH, COPY, MOVE, UIDPLUS, literals, 8-bit, \\Seen, a large message."""
import re

import harness

BOB = "bob@mail.test"
PLAIN = b"From: =?utf-8?q?Andr=C3=A9?= <a@b.test>\r\nSubject: caf\xc3\xa9\r\nDate: Sat, 1 Jan 2000 10:00:00 +0000\r\n\r\n\xe6\x9d\xb1\xe4\xba\xac\r\n"
MIXED = (b"Subject: mixed\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
         b"Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: base64\r\n\r\nGyRCRnxLXBsoQg==\r\n--b--\r\n")


def uid_of(code, answer):
    return [int(n) for n in re.search(code + rb" \d+ (\d+)", answer).groups()]


def scenario(p):
    p.tenant("mail", "mail.test")
    p.account(BOB)
    c = p.imap(BOB)
    assert b"UIDPLUS" in c.capability()[1][0] and b"LITERAL+" in c.capability()[1][0]
    big = b"Subject: big\r\n\r\n" + b"x" * 76 * 40000
    for text in (PLAIN, MIXED, big):
        answer, data = c.append("INBOX", "(\\Flagged $Note)", '" 1-Feb-2020 10:20:30 +0100"', text)
        assert answer == "OK" and b"APPENDUID" in data[0], data
    assert c.select() == ("OK", [b"3"])
    # Bytes come back as they were, whole and in parts, and are read once.
    assert c.fetch("1", "(BODY.PEEK[] FLAGS INTERNALDATE RFC822.SIZE)")[1][0][1] == PLAIN
    assert c.fetch("3", "(BODY.PEEK[])")[1][0][1] == big
    assert c.fetch("3", "(BODY.PEEK[TEXT]<100.50000>)")[1][0][1] == b"x" * 50000
    assert c.fetch("2", "(BODY.PEEK[1])")[1][0][1] == b"one"
    assert c.fetch("2", "(BODY.PEEK[2.MIME])")[1][0][1].startswith(b"Content-Type: text/plain; charset=iso-2022-jp")
    assert c.fetch("1", "(BODY.PEEK[HEADER.FIELDS (DATE)])")[1][0][1] == b"Date: Sat, 1 Jan 2000 10:00:00 +0000\r\n\r\n"
    flags, date = c.fetch("1", "(FLAGS)")[1][0], c.fetch("1", "(INTERNALDATE)")[1][0]
    assert b"\\Flagged" in flags and b"$Note" in flags and b"\\Seen" not in flags, flags
    assert b"01-Feb-2020 09:20:30 +0000" in date, date
    assert b"\\Seen" in c.fetch("1", "(BODY[TEXT])")[1][0][0]
    envelope = c.fetch("2", "(ENVELOPE)")[1][0]
    assert b'"mixed"' in envelope and b'"text" "plain"' in c.fetch("2", "(BODYSTRUCTURE)")[1][0]
    # Searches find what people read, not its encoding.
    for key, text, found in (("TEXT", "東京", b"1"), ("BODY", "日", b"2"), ("SUBJECT", "CAFÉ", b"1"), ("FROM", "andré", b"1"),
                             ("BODY", "nowhere", b"")):
        c.literal = text.encode()
        assert c.search("UTF-8", key)[1] == [found], (key, text)
    assert c.search("X-KLINGON", "ALL")[0] == "NO"
    assert c.search(None, "LARGER", "100000", "UNSEEN")[1] == [b"3"]
    assert c.search(None, "SENTON", "1-Jan-2000")[1] == [b"1"]
    c._simple_command("SEARCH", "RETURN", "(MIN COUNT)", "ALL")
    assert b"MIN 1 COUNT 3" in c.response("ESEARCH")[1][0]
    # COPY and MOVE say where things went.
    assert b"TRYCREATE" in c.copy("1", "Else")[1][0]
    c.create("Else")
    assert b"COPYUID" in c.copy("1:2", "Else")[1][0]
    answer, _ = c._simple_command("UID", "MOVE", "3", "Else")
    assert answer == "OK" and c.response("EXPUNGE")[1] == [b"3"]
    assert c.status("Else", "(MESSAGES UIDNEXT)")[1][0].endswith(b"(MESSAGES 3 UIDNEXT 4)")
    # UID EXPUNGE removes what it names, CLOSE the rest.
    c.store("1:2", "+FLAGS.SILENT", "\\Deleted")
    assert c.uid("EXPUNGE", "2")[0] == "OK" and c.search(None, "ALL")[1] == [b"1"]
    c.unselect()
    assert c.select() == ("OK", [b"1"])
    c.close()
    assert c.select() == ("OK", [b"0"])
    c.logout()


if __name__ == "__main__":
    harness.main(scenario)
