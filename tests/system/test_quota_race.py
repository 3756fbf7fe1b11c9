"""64 deliveries and 8 APPENDs at once into a mailbox with 1 MB left: whoever is answered yes is stored, the
others hear 452 or NO [OVERQUOTA], and not one byte is over the quota."""
import smtplib
import threading

import harness

ANN = "ann@quota.test"
QUOTA = 3000000
SIZE = 100000


def deliver(p, n):
    with p.smtp() as s:
        try:
            s.sendmail("a@b.test", [ANN], "Subject: race-%d\r\n\r\n%s" % (n, ("x" * 78 + "\r\n") * (SIZE // 80)))
            return True
        except smtplib.SMTPRecipientsRefused as e:
            code, text = e.recipients[ANN]
        except smtplib.SMTPDataError as e:
            code, text = e.smtp_code, e.smtp_error
    assert code == 452 and text.startswith(b"4.2.2"), (code, text)
    return False


def append(p, n):
    with p.imap(ANN) as c:
        answer = c.append("INBOX", None, None, b"Subject: race-%d\r\n\r\n" % n + b"x" * SIZE + b"\r\n")
    assert answer[0] == "OK" or b"[OVERQUOTA]" in answer[1][0], answer
    return answer[0] == "OK"


def scenario(p):
    p.own()
    p.tenant("quota", "quota.test")
    p.account(ANN, harness.PASSWORD, "--quota", str(QUOTA))
    before = 0
    maildir = p.yubin("mailbox", "path", ANN).strip()
    while before == 0 or QUOTA - harness.sizes_in(maildir)[1] > 1000000:
        assert deliver(p, before)
        before += 1
    told, gate = [], threading.Barrier(72)

    def one(n):
        gate.wait()
        told.append(append(p, 1000 + n) if n % 9 == 0 else deliver(p, 1000 + n))
    harness.in_threads(72, one)
    messages, used = harness.sizes_in(maildir)
    print("%d of %d said yes; %d of %d bytes used" % (sum(told), len(told), used, QUOTA))
    assert used <= QUOTA, "%d bytes over" % (used - QUOTA)
    assert messages == before + sum(told), (messages, before, sum(told))
    assert QUOTA - used < SIZE + 1000, "some that would fit were refused"
    harness.wait_until(lambda: not deliver(p, 3000), 20)  # RCPT knows it soon
    with p.imap(ANN) as c:
        assert c.getquotaroot("INBOX")[0] == "OK"
        c.select()
        c.store("1:5", "+FLAGS.SILENT", "(\\Deleted)")
        c.expunge()
    harness.wait_until(lambda: deliver(p, 4000), 20, 0.2)


if __name__ == "__main__":
    harness.main(scenario)
