"""Who guesses at POP3 learns nothing: who exists, and in which domain, is the same words, and behind ten wrong passwords
not even the right one is told from them. Others go on."""
import poplib

import harness
from harness import login_error

ANN, BOB = "ann@one.test", "bob@one.test"


def nobody_learns(p):
    answers = {login_error(p.pop3, user, "wrong") for user in
               (ANN, "nobody@one.test", "ann@two.test", "ann", "ann@", "@", "x" * 400 + "@one.test")}
    assert answers == {"-ERR [AUTH] Wrong user name or password"}, answers


def limit(p):
    told = [login_error(p.pop3, BOB, "guess %d" % k) for k in range(15)]
    assert ["AUTH" in t for t in told] == [True] * 10 + [False] * 5, told
    assert "[SYS/TEMP]" in login_error(p.pop3, BOB)
    assert login_error(p.pop3, ANN) is None
    c = p.pop3()  # three wrong passwords end a connection
    for _ in range(3):
        c.user(ANN)
        harness.raises(poplib.error_proto, lambda: c.pass_("wrong"))
    assert c.sock.recv(1) == b""


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    p.account(BOB)
    nobody_learns(p)
    limit(p)


if __name__ == "__main__":
    harness.main(scenario)
