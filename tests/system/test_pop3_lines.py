"""POP3 sends lines that end by CRLF and counts them so, whatever is stored; IMAP keeps the octets."""
import os

import harness

BOB = "bob@mail.test"
BARE = b"Subject: lf\n\nline\n.\n..\nlast\n"
SENT = b"Subject: lf\r\n\r\nline\r\n.\r\n..\r\nlast\r\n"


def look(p, sizes, wanted):
    c = p.pop3(BOB)
    assert c.stat() == (len(sizes), sum(sizes)), c.stat()
    assert c.list()[1] == [b"%d %d" % (i + 1, n) for i, n in enumerate(sizes)]
    answer, lines, _ = c.retr(wanted)
    assert answer.startswith(b"+OK %d " % len(SENT)) and b"\r\n".join(lines) + b"\r\n" == SENT, (answer, lines)
    assert c.top(wanted, 2)[1] == [b"Subject: lf", b"", b"line", b"."]
    c.quit()


def append(c, text):
    c.literal = text  # imaplib's append() would mend line ends
    assert c._simple_command("APPEND", "INBOX")[0] == "OK"


def scenario(p):
    p.tenant("mail", "mail.test")
    p.account(BOB)
    c = p.imap(BOB)
    whole = b"Subject: crlf\r\n\r\nx\r\n"
    for text in (whole, BARE):
        append(c, text)
    look(p, [len(whole), len(SENT)], 2)
    # A later session knows it from before, and counts what came since.
    append(c, b"no end")
    for _ in range(2):
        look(p, [len(whole), len(SENT), 8], 2)
    found = [os.path.join(d, f) for d, _, files in os.walk(p.own().home) for f in files if f == "yubin-pop3"]
    assert len(found) == 1 and os.stat(found[0]).st_size == 16 + 16 + 2 * 16, found
    # Without it, or with another's, it is made again.
    with open(found[0], "r+b") as f:
        f.seek(20)
        f.write(b"\xff")
    look(p, [len(whole), len(SENT), 8], 2)
    os.unlink(found[0])
    look(p, [len(whole), len(SENT), 8], 2)
    c.select()
    assert c.fetch("2", "(BODY.PEEK[] RFC822.SIZE)")[1][0][1] == BARE
    assert b"RFC822.SIZE %d" % len(BARE) in c.fetch("2", "(RFC822.SIZE)")[1][0]
    c.logout()


if __name__ == "__main__":
    harness.main(scenario)
