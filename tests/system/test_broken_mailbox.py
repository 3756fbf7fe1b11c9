"""One of two recipients' mailboxes is broken, and there is no relayd: the sender's tries add no copy at the good one, whose
mail does not wait for it either; mended, it takes mail at once. Several addresses of one mailbox get one message."""
import os

import harness

GOOD, BAD, BOTH = "good@broken.test", "bad@broken.test", "both@broken.test"


def send(p, *recipients):
    """Answers to RCPT and to the message, as a sender hears them who goes on with those who were taken."""
    with p.smtp() as s:
        s.ehlo("client.test")
        s.mail("stranger@example.net")
        answers = [s.docmd("RCPT TO:<%s>" % r)[0] for r in recipients]
        if 250 in answers:
            answers.append(s.data("Subject: x\r\n\r\nx\r\n")[0])
    return answers


def copies(p, address):
    with p.imap(address) as c:
        return int(c.select("INBOX", readonly=True)[1][0])


def told(p, trial):
    """What lmtpd's log says, at a level that is looked at, of the mailbox: which it is, and what is wrong."""
    account = "account=%s" % p.yubin_json("account", "show", BAD)["account_id"]
    return harness.log_lines(trial.daemons["lmtpd"], "level=warn", "event=lmtpd.refused", account, "Permission denied")


def scenario(p):
    trial = p.own()
    p.tenant("one", "broken.test")
    p.account(GOOD)
    p.account(BAD)
    p.yubin("alias", "add", BOTH, GOOD, BAD)
    assert send(p, BAD, GOOD) == [250, 250, 250]

    new = os.path.join(p.yubin("mailbox", "path", BAD).strip(), "new")
    owner = os.stat(new)
    os.chown(new, 0, 0)  # as a restore by root leaves it
    first = send(p, BAD, GOOD)
    assert first[:2] == [250, 250] and 400 <= first[2] < 500, first
    assert copies(p, GOOD) == 1, "a try that failed left a copy"
    assert len(told(p, trial)) == 1
    for tries in range(3):
        answers = send(p, BAD, GOOD)
        assert 400 <= answers[0] < 500 and answers[1:] == [250, 250], answers
        assert copies(p, GOOD) == 2 + tries  # each was a message of its own for the good one
        assert len(told(p, trial)) == 2 + tries
    os.chown(new, owner.st_uid, owner.st_gid)
    assert send(p, BAD, GOOD) == [250, 250, 250]
    assert (copies(p, BAD), copies(p, GOOD)) == (2, 5)

    # One mailbox, whatever leads there; the others of the alias get theirs.
    assert send(p, GOOD, BOTH, GOOD.upper()) == [250, 250, 250, 250]
    assert (copies(p, BAD), copies(p, GOOD)) == (3, 6)


if __name__ == "__main__":
    harness.main(scenario, {"smtpd": {"relayd": ""}})
