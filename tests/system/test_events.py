"""What was decided about messages is written down: from the answer to the client to the mailbox under one message id,
refusals with their reason."""
import smtplib

import harness
from harness import STRANGER

ANN, BOB = "ann@one.test", "bob@two.test"


def events(p, *options):
    return p.yubin_json("event", "list", *options)


def chain(found):
    return [(e["daemon"], e["event"], e["decision"], e.get("to")) for e in found]


def delivered(p):
    assert p.send(ANN)[0] == 250
    message = events(p, "--address", ANN)[-1]["message"]
    found = events(p, "--message", message)
    assert chain(found) == [("smtpd", "smtp.rcpt.accept", "accept", ANN), ("lmtpd", "lmtpd.delivered", "store", ANN),
                            ("smtpd", "smtp.accept", "accept", ANN)], found
    card = p.yubin_json("account", "show", ANN)
    tenant = p.yubin_json("tenant", "show", "one")["tenant_id"]
    assert len({e["session"] for e in found}) == 1 and {e["tenant"] for e in found} == {tenant}, found
    assert found[1]["account"] == card["account_id"] and found[0]["client"] == "127.0.0.1", found
    assert {e["from"] for e in found} == {STRANGER}, found


def refused(p):
    with p.smtp() as s:
        s.ehlo("client.test")
        s.mail(STRANGER)
        s.rcpt("nobody@one.test")
        s.rcpt(ANN)
        s.data("Bad\0: message\r\n\r\nx\r\n")
    no, = (e for e in events(p, "--address", "nobody@one.test"))
    assert (no["event"], no["decision"], no["code"], no["status"]) == ("smtp.rcpt.reject", "refuse", 550, "5.1.1"), no
    assert no["reason"] and no["tenant"], no
    last = events(p, "--address", ANN)[-1]
    assert (last["event"], last["decision"]) == ("smtp.data.reject", "refuse") and "NUL" in last["reason"], last


def submitted(p):
    """The sender's side belongs to his customer, the mailbox to the other."""
    with p.submission(ANN) as s:
        s.sendmail(ANN, [BOB], "From: %s\r\nSubject: x\r\n\r\nx\r\n" % ANN)
        harness.raises(smtplib.SMTPSenderRefused, lambda: s.sendmail(BOB, [BOB], "From: %s\r\n\r\nx\r\n" % BOB))
    found = events(p, "--message", [e for e in events(p, "--address", BOB) if e["event"] == "submit.accept"][0]["message"])
    assert [e[:3] for e in chain(found)] == [("submitd", "submit.rcpt.accept", "accept"),
                                             ("lmtpd", "lmtpd.delivered", "store"),
                                             ("submitd", "submit.accept", "accept")], found
    one, two = (p.yubin_json("tenant", "show", t)["tenant_id"] for t in ("one", "two"))
    assert [e["tenant"] for e in found] == [one, two, one], found
    assert any(e["event"] == "submit.mail.reject" and e["from"] == BOB for e in events(p)), events(p)


def read_by_people(p):
    """A column that an event does not have is "-"."""
    head, *rows = p.yubin("event", "list").splitlines()
    assert head.split() == ["time", "daemon", "event", "decision", "status", "message", "from", "to", "reason"], head
    found = events(p)
    assert len(rows) == len(found) and any("reason" not in e for e in found), (rows, found)
    for row, e in zip(rows, found):
        assert row.split()[:4] == [e[k] for k in ("time", "daemon", "event", "decision")], (row, e)
        assert row.split()[5] == e["message"], (row, e)  # with which the next question is asked
        assert "reason" in e or row.split()[-1] == "-", (row, e)


def scenario(p):
    p.tenant("one", "one.test")
    p.tenant("two", "two.test")
    p.account(ANN)
    p.account(BOB)
    delivered(p)
    refused(p)
    submitted(p)
    read_by_people(p)


if __name__ == "__main__":
    harness.main(scenario)
