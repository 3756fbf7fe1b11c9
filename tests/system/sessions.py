"""Sessions that stay open, and how they end."""
import imaplib

import harness


def let_in(p, address, password=None):
    """An IMAP session, as soon as the login is: the second change within a second is heard of at its end."""
    def login():
        try:
            return p.imap(address, password)
        except imaplib.IMAP4.error:
            return None
    return harness.wait_until(login, 10, every=0.2)


def reader(p, address, idle=True):
    """An IMAP session that waits in IDLE, or between two commands."""
    c = let_in(p, address)
    c.select()
    if idle:
        c.send(b"i IDLE\r\n")
        assert c.readline().startswith(b"+ ")
    return c


def gone(c, reason):
    line = c.readline()
    assert line.startswith(b"* BYE ") and reason in line, line
    assert c.readline() == b"", "closed behind the BYE"


def pop_gone(c, reason):
    """The line comes unasked, and is the answer to the next command."""
    line = c.file.readline()
    assert line.startswith(b"-ERR [SYS/PERM] ") and reason in line and c.file.readline() == b"", line
