"""Numbered mail under load, and what must be true of it afterwards.

A Ledger knows of every message what its sender was told: "kept" (250), "refused", or "unknown" (the
connection ended before an answer). A Reader remembers every (UIDVALIDITY, UID, message) it ever saw.
"""
import imaplib
import os
import re
import smtplib
import ssl
import threading

import harness

ID = re.compile(rb"number-([0-9a-z-]+)")


class Ledger:
    def __init__(self, platform, prefix):
        self.p, self.prefix = platform, prefix
        self.lock = threading.Lock()
        self.next, self.fate = 0, {}

    def message(self, number, to):
        return ("From: <load@example.net>\r\nTo: <%s>\r\nSubject: number-%s\r\n\r\n%s\r\n"
                % (to, number, "All work and no play. " * 150)).encode()

    def send(self, recipients):
        """One message over a connection of its own; never raises for what a kill can cause."""
        with self.lock:
            self.next += 1
            number = "%s-%d" % (self.prefix, self.next)
            self.fate[number] = ("unknown", tuple(recipients))
        fate = "refused"
        try:
            with smtplib.SMTP(self.p.ends["host"], self.p.ends["smtp"], timeout=60) as s:
                s.ehlo()
                s.mail("load@example.net")
                if all(s.rcpt(r)[0] == 250 for r in recipients):
                    code, _ = s.docmd("DATA")
                    if code == 354:
                        fate = "unknown"
                        s.send(self.message(number, recipients[0]) + b".\r\n")
                        code, _ = s.getreply()
                        # A 4xx after the dot is honest: nothing was promised, a copy may be there.
                        fate = "kept" if code == 250 else "unknown"
        except (OSError, smtplib.SMTPException):
            pass
        with self.lock:
            self.fate[number] = (fate, tuple(recipients))
        return fate

    def kept(self, address):
        return {n for n, (fate, to) in self.fate.items() if fate == "kept" and address in to}

    def refused(self, address):
        return {n for n, (fate, to) in self.fate.items() if fate == "refused" and address in to}

    def check(self, address, found):
        """`found`: the numbers in the mailbox, each as often as it is there."""
        lost = self.kept(address) - set(found)
        assert not lost, "%s: answered 250 and lost: %s" % (address, sorted(lost)[:5])
        twice = {n for n in self.kept(address) if found.count(n) > 1}
        assert not twice, "%s: answered 250 once and there twice: %s" % (address, sorted(twice)[:5])
        ghosts = set(found) & self.refused(address)
        assert not ghosts, "%s: refused and there: %s" % (address, sorted(ghosts)[:5])


class Reader:
    """Looks at one mailbox again and again; nothing it saw may change its meaning."""

    def __init__(self, platform, address):
        self.p, self.address = platform, address
        self.seen = {}  # (uidvalidity, uid) -> number

    def look(self):
        """Returns all numbers in the inbox now."""
        with self.p.imap(self.address) as c:
            c.select("INBOX", readonly=True)
            validity = int(c.response("UIDVALIDITY")[1][0])
            answer = c.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        found = []
        for part in answer:
            if not isinstance(part, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
            number = ID.search(part[1]).group(1).decode()
            found.append(number)
            before = self.seen.setdefault((validity, uid), number)
            assert before == number, "UID %d of %s was %s and is %s" % (uid, self.address, before, number)
        return found

    def try_to_look(self):
        """The same while things are being killed: nothing is known when it fails."""
        try:
            return self.look()
        except (OSError, imaplib.IMAP4.error, ssl.SSLError):
            return None


def wait_for_queue(p):
    """A 250 may stand for a place in the queue: what waits is on its way, at once and not when it is due."""
    def is_empty():
        p.run("queue", "retry", "--all")  # its exit code says whether anything was there
        return p.yubin_json("queue", "list") == []
    harness.wait_until(is_empty, 120)


def check_usage(p, address):
    """What the account's quota counts is what lies on disk. The account has a quota."""
    with p.imap(address) as c:
        used = int(re.search(rb"STORAGE (\d+)", c.getquotaroot("INBOX")[1][1][0]).group(1))
    size = 0
    for folder, _, files in os.walk(p.yubin("mailbox", "path", address).strip()):
        if os.path.basename(folder) in ("new", "cur"):
            size += sum(os.path.getsize(os.path.join(folder, name)) for name in files)
    assert used == (size + 1023) // 1024, "%s: quota counts %d KiB, there are %d bytes" % (address, used, size)
