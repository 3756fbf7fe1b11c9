"""Nobody can tell a user who does not exist from one who does: SCRAM shows both a salt, the same on every service,
before and after a restart; and the refusals are alike."""
import base64

import harness
import scram

ANN, NOBODY = "ann@one.test", "nobody@one.test"


class Dialogue:
    """A SASL exchange on one service: what the server challenges, and its last word."""

    def __init__(self, p, service):
        self.service, self.socket = service, p.raw(service, tls=True)
        self.file = self.socket.makefile("rwb")
        self.line()
        if service == "submissions":
            self.say("EHLO client.test")
            while not self.line().startswith("250 "):
                pass
        self.say({"imaps": "a AUTHENTICATE SCRAM-SHA-256", "pop3s": "AUTH SCRAM-SHA-256",
                  "submissions": "AUTH SCRAM-SHA-256"}[service])
        self.line()

    def say(self, text):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()

    def line(self):
        return self.file.readline().decode().rstrip("\r\n")

    def close(self):
        self.file.close()
        self.socket.close()


def ask(p, service, user):
    """Salt and iterations, and how a wrong password is refused."""
    d, client = Dialogue(p, service), scram.Client(user, "wrong password")
    d.say(client.first())
    challenge = d.line().split(" ", 1)[1]
    fields = dict(f.split("=", 1) for f in base64.b64decode(challenge).decode().split(","))
    d.say(client.final(challenge))
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
