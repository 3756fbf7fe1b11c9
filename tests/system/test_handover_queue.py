"""What some mailboxes of a message do not take while others do goes to relayd: 250 to the client, one copy for everybody.
relayd that is lost with it is asked again; when it is full, the log says who has the message, and away, nobody has it."""
import glob
import os
import re

import harness
from lmtp_stub import Stub

DOMAIN = "queue.test"
BIG = ("z" * 74 + "\r\n") * 80


def send(p, subject, *names, body="x\r\n"):
    with p.smtp() as s:
        s.ehlo("client.test")
        s.mail(harness.STRANGER)
        assert {s.rcpt("%s@%s" % (n, DOMAIN))[0] for n in names} == {250}
        return s.data("Subject: %s\r\n\r\n%s" % (subject, body))[0]


def word(line, key):
    return re.search(r" %s=([\w.]+)" % key, line).group(1)


def queued(p, trial, stub):
    """What lmtpd refused for good, too; then no event but a mailbox's says that it is over."""
    assert send(p, "one", "good", "tiny", body=BIG) == 250
    (mail, (rcpt,), octets), = stub.taken
    card = p.yubin_json("account", "show", "tiny@" + DOMAIN)
    assert "<tiny@%s>" % DOMAIN in rcpt and " XACCEPTED" in rcpt and " XREPEAT" not in rcpt, rcpt
    assert (word(rcpt, "XACCOUNT"), word(rcpt, "XQUOTA")) == (card["account_id"], "4000"), rcpt
    assert word(rcpt, "XHOME") == p.yubin_json("store", "list")[0]["store_id"], rcpt
    assert b"Subject: one\r\n" in octets and octets.endswith(BIG.encode()) and "XWHOLE" not in mail, mail
    assert harness.log_lines(trial.daemons["smtpd"], "event=smtp.accept ", " stored=1 queued=1 ")
    mid = word(mail, "XSESSION").split(".")[1]
    found = p.yubin_json("event", "list", "--message", mid)
    assert [e["reason"] for e in found if e["event"] == "smtp.accept"] == ["stored for 1, queued for 1"] * 2, found
    assert "lmtp.rcpt.reject" in [e["event"] for e in found], found
    final = [line for name in glob.glob(trial.home + "/events/*/final-*") for line in open(name, encoding="utf-8")
             if "mid=" + mid in line]
    assert [word(line, "event") for line in final] == ["lmtpd.delivered"], final


def lost(p, stub):
    """It has the message and dies: the repeat has the same ids, and says that it is one."""
    stub.mode = "lose"
    assert send(p, "two", "good", "tiny2", body=BIG) == 250
    (_, (first,), _), = stub.lost
    _, (again,), _ = stub.taken[-1]
    assert word(first, "XDELIVERY") == word(again, "XDELIVERY") and " XREPEAT" in again and " XREPEAT" not in first


def full(p, trial, stub):
    stub.mode = "full"
    assert send(p, "three", "good", "tiny3", body=BIG) == 451
    named, = harness.log_lines(trial.daemons["smtpd"], "event=smtp.data.maybe_twice ")
    assert " to=good@%s " % DOMAIN in named and " stored=yes" in named, named


def scenario(p):
    trial = p.own()
    p.tenant("queue", DOMAIN)
    p.account("good@" + DOMAIN)
    for name in ("tiny", "tiny2", "tiny3", "tiny4"):
        p.account("%s@%s" % (name, DOMAIN), harness.PASSWORD, "--quota", "4000")
    stub = Stub(os.path.join(trial.run_dir, "stub.lmtp"))
    trial.options["smtpd"] = {"relayd": "unix:" + stub.path}
    trial.write_conf()
    trial.daemons["smtpd"].stop()
    trial.daemons["smtpd"].start()
    queued(p, trial, stub)
    assert p.codes("tiny@" + DOMAIN) == [250]  # it is not remembered for what only did not fit
    lost(p, stub)
    full(p, trial, stub)
    stub.close()
    before = len(p.new_files())
    assert send(p, "four", "good", "tiny4", body=BIG) == 451 and len(p.new_files()) == before


if __name__ == "__main__":
    harness.main(scenario)
