"""Texts as senders and users mean them: Japanese of any label, boundaries in sections, days of the users' zone."""
import subprocess

import harness

BOB = "bob@mail.test"
KAIGI = "会議"
PART = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n"
NEC = b"Subject: =?iso-2022-jp?B?GyRCLSEycTVEO3FOQRsoQg==?=\r\n" + PART % (b"iso-2022-jp", b"GyRCLSEycTVEO3FOQRsoQg==")
SJIS = b"Subject: =?x-sjis?B?ie+LYw==?=\r\n" + PART % (b"x-sjis", b"ie+LYw==")
RAW = b"Subject: \x1b$B2q5D\x1b(B\r\n\r\n\x1b$B2q5D\x1b(B\r\n"
CONTINUED = (b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary*0=\"ab\";\r\n boundary*1=\"cd\"\r\n\r\n"
             b"--abcd\r\nContent-Type: text/plain\r\n\r\none\r\n--abcd\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--abcd--\r\n")
NO_PART = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"zz\"\r\n\r\nhello text\r\n"


def scenario(p):
    p.tenant("mail", "mail.test")
    p.account(BOB)
    p.yubin("setting", "set", "time_zone", "Asia/Tokyo", "--account", BOB)
    c = p.imap(BOB)
    for text, date in ((NEC, "31-Dec-2019 15:30:00 +0000"), (SJIS, "31-Dec-2019 14:59:59 +0000"), (RAW, "01-Jan-2020 23:59:59 +0900"),
                       (CONTINUED, "02-Jan-2020 00:00:00 +0900"), (NO_PART, "02-Jan-2020 00:00:00 +0900")):
        assert c.append("INBOX", None, '"%s"' % date, text)[0] == "OK"
    c.select()
    for charset, encoding in (("UTF-8", "utf-8"), ("x-sjis", "cp932"), ("ISO-2022-JP", "iso2022_jp"), ("eucjp", "euc_jp")):
        for key in ("SUBJECT", "BODY"):
            c.literal = KAIGI.encode(encoding)
            assert c.search(charset, key)[1] == [b"1 2 3"], (charset, key)
    c.literal = ("①" + KAIGI).encode()
    assert c.search("UTF-8", "TEXT")[1] == [b"1"]
    assert b'"html"' in c.fetch("4", "(BODYSTRUCTURE)")[1][0] and c.fetch("4", "(BODY.PEEK[2])")[1][0][1] == b"<p>two"
    assert b'"7BIT" 12 1 ' in c.fetch("5", "(BODYSTRUCTURE)")[1][0]
    assert c.fetch("5", "(BODY.PEEK[1])")[1][0][1] == b"hello text\r\n" and c.search(None, "BODY", "hello")[1] == [b"5"]
    # A day is one of Tokyo, whatever zone a date was written in; INTERNALDATE tells the same day.
    for keys, found in ((("ON", "1-Jan-2020"), b"1 3"), (("BEFORE", "1-Jan-2020"), b"2"), (("SINCE", "2-Jan-2020"), b"4 5")):
        assert c.search(None, *keys)[1] == [found], keys
    assert b'INTERNALDATE "01-Jan-2020 00:30:00 +0900"' in c.fetch("1", "(INTERNALDATE)")[1][0]
    c.logout()
    # A name that is none is told before it does harm; where the zone once stood, what to do now is told.
    assert "there is no time zone Asia/Tokio" in p.fails(2, "setting", "set", "time_zone", "Asia/Tokio", "--account", BOB)
    t = p.own()
    with open(t.conf + ".old", "w", encoding="utf-8") as f:
        f.write(t.conf_text() + "\n[imapd]\ntime_zone = Asia/Tokyo\n")
    told = subprocess.run([t.control, "-c", t.conf + ".old", "config", "check"], stderr=subprocess.PIPE, check=False, text=True)
    assert told.returncode == 1 and "yubin setting set time_zone" in told.stderr, told


if __name__ == "__main__":
    harness.main(scenario)
