"""Who has logged in is no stranger any more: a house full of users behind one address is not held back by what
one network may have, and one account has its own bound, told with how to get out of it."""
import imaplib

import harness
from harness import login_error

USERS = ["u%d@house.test" % i for i in range(6)]
LIMITS = {"max_connections_per_network": "3", "max_connections_per_account": "2"}


def scenario(p):
    p.tenant("house", "house.test")
    for user in USERS:
        p.account(user)
    # More sessions than strangers of the network would have.
    imap = [p.imap(user) for user in USERS]
    pop3 = [p.pop3(user) for user in USERS]
    smtp = [p.submission(user) for user in USERS]
    imap.append(p.imap(USERS[0]))
    smtp.append(p.submission(USERS[0]))
    assert "[LIMIT]" in login_error(p.imap, USERS[0])
    assert "[IN-USE]" in login_error(p.pop3, USERS[0])
    told = login_error(p.submission, USERS[0])
    assert "454" in told and "4.7.0" in told and "close one" in told, told
    # It ends with the session that was too many, on the same connection too.
    waiting = p.imap()
    harness.raises(imaplib.IMAP4.error, lambda: waiting.login(USERS[0], harness.PASSWORD))
    imap.pop().logout()
    harness.wait_until(lambda: waiting.login(USERS[0], harness.PASSWORD)[0] == "OK", 10)
    # Strangers are still counted.
    strangers = [p.raw("imap") for _ in range(4)]
    greetings = [s.recv(200) for s in strangers]
    assert sum(g.startswith(b"* OK") for g in greetings) == 3, greetings
    for c in [*imap, waiting]:
        c.logout()
    for c in [*pop3, *smtp]:
        c.quit()


if __name__ == "__main__":
    harness.main(scenario, {"imapd": LIMITS, "pop3d": LIMITS, "submitd": LIMITS})
