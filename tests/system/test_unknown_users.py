"""Nobody can tell a user who does not exist from one who does: SCRAM shows both a salt, the same on every service,
before and after a restart; and the refusals are alike."""
import base64

import harness
import scram
from talk import Talk

ANN, NOBODY = "ann@one.test", "nobody@one.test"


def dialogue(p, service):
    """A SASL exchange on one service, begun."""
    talk = Talk(p, service, tls=True)
    talk.line()
    if service == "submissions":
        talk.ask(b"EHLO client.test\r\n")
    talk.say({"imaps": b"a AUTHENTICATE SCRAM-SHA-256\r\n"}.get(service, b"AUTH SCRAM-SHA-256\r\n"))
    talk.line()
    return talk


def ask(p, service, user):
    """Salt and iterations, and how a wrong password is refused."""
    d, client = dialogue(p, service), scram.Client(user, "wrong password")
    d.say(client.first().encode() + b"\r\n")
    challenge = d.line().split(" ", 1)[1]
    fields = dict(f.split("=", 1) for f in base64.b64decode(challenge).decode().split(","))
    d.say(client.final(challenge).encode() + b"\r\n")
    refusal = d.line()
    d.close()
    return (fields["s"], fields["i"]), refusal


def scenario(p):
    services = [s for s in ("imaps", "pop3s", "submissions") if s in p.ends]
    p.tenant("one", "one.test")
    p.account(ANN)
    seen = {s: {u: ask(p, s, u) for u in (ANN, NOBODY, "other@one.test")} for s in services}
    for service, users in seen.items():
        assert users[NOBODY][1] == users[ANN][1], (service, users)
        assert users[NOBODY][0] == seen["imaps"][NOBODY][0], ("another salt", service, users)
        assert len({users[u][0][0] for u in users}) == 3, users
        assert len({len(users[u][0][0]) for u in users}) == 1 and len({users[u][0][1] for u in users}) == 1, users
    trial = p.own()
    for name in ("imapd", "pop3d", "submitd"):
        if name in trial.daemons:
            trial.daemons[name].stop()
            trial.daemons[name].start()
    for service in services:
        assert ask(p, service, NOBODY)[0] == seen["imaps"][NOBODY][0], "another salt after a restart"


if __name__ == "__main__":
    harness.main(scenario)
