"""What POP3 promises about a mailbox: one session has it, nothing goes without QUIT, unique ids are for ever:
through flags, other sessions, a restart and a lost index."""
import os
import poplib

import harness

ANN = "ann@one.test"


def ids(c):
    return [line.split()[1] for line in c.uidl()[1]]


def one_session(p):
    first = p.pop3(ANN)
    second = p.pop3()
    second.user(ANN)
    e = harness.raises(poplib.error_proto, lambda: second.pass_(p.passwords[ANN]))
    assert e.args[0].startswith(b"-ERR [IN-USE] "), e
    first.quit()
    # The lock is back before QUIT is answered, so this needs no waiting.
    second.user(ANN)
    second.pass_(p.passwords[ANN])
    # A new message is not in an open session, and its deletion there is another's business.
    with p.smtp() as s:
        s.sendmail("x@example.net", [ANN], "Subject: late\r\n\r\nx\r\n")
    assert len(second.list()[1]) == 3
    second.quit()


def only_quit(p):
    before = p.pop3(ANN)
    known = ids(before)
    before.dele(1)
    before.close()  # the line breaks: nothing is removed (RFC 1939 §6)
    c = harness.wait_until(lambda: free(p))
    assert ids(c) == known
    c.dele(1)
    c.dele(4)
    c.quit()
    c = p.pop3(ANN)
    assert ids(c) == known[1:3]
    c.quit()
    return known[1:3]


def free(p):
    """A session, once the server has seen that the last one is gone."""
    try:
        return p.pop3(ANN)
    except poplib.error_proto as e:
        assert b"[IN-USE]" in e.args[0], e
        return None


def for_ever(p, known):
    trial = p.own()
    trial.daemons["pop3d"].stop()
    lost = 0
    for folder, _, names in os.walk(trial.mail_root):
        for name in names:
            if name in ("yubin-index", "yubin-cache"):
                os.unlink(os.path.join(folder, name))
                lost += 1
    assert lost > 0
    trial.daemons["pop3d"].start()
    c = p.pop3(ANN)
    assert ids(c) == known
    c.quit()


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    for subject in ("one", "two", "three"):
        with p.smtp() as s:
            s.sendmail("x@example.net", [ANN], "Subject: %s\r\n\r\nx\r\n" % subject)
    one_session(p)
    for_ever(p, only_quit(p))


if __name__ == "__main__":
    harness.main(scenario)
