"""Senders who remember what they were told, for scenarios of disks that fill up."""
import hashlib
import re
import smtplib

ANN = "ann@full.test"


def message(n, size):
    return "From: <a@b.test>\r\nSubject: full-%d\r\n\r\n%s\r\n" % (n, ("%07d\r\n" % n) * (size // 9))


class Senders:
    """What was answered for each message."""

    def __init__(self, p):
        self.p, self.n, self.kept, self.refused = p, 0, {}, set()

    def send(self, size):
        self.n += 1
        text = message(self.n, size)
        try:
            with self.p.smtp() as s:
                s.sendmail("a@b.test", [ANN], text)
            self.kept[self.n] = hashlib.sha256(text.encode()).hexdigest()
            return 250
        except smtplib.SMTPResponseException as e:
            self.refused.add(self.n)
            code = e.smtp_code
        except smtplib.SMTPRecipientsRefused as e:
            self.refused.add(self.n)
            code = e.recipients[ANN][0]
        assert 400 <= code < 500, code
        return code

    def check(self):
        """Every message answered 250 is there once and whole, none that was refused."""
        found = {}
        with self.p.imap(ANN) as c:
            c.select("INBOX", readonly=True)
            for part in c.uid("FETCH", "1:*", "(UID BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    text = part[1][part[1].index(b"From: <a@b"):]
                    number = int(re.search(rb"full-(\d+)", text).group(1))
                    assert number not in found, "%d is there twice" % number
                    found[number] = hashlib.sha256(text).hexdigest()
        assert not set(found) & self.refused, "refused and there"
        assert found == self.kept, (len(found), len(self.kept), set(found) ^ set(self.kept))


def fill(senders):
    """Until not even a small message fits."""
    for size in (300000, 20000, 1000):
        for _ in range(400):
            if senders.send(size) != 250:
                break
        else:
            raise AssertionError("the file system does not fill up")
