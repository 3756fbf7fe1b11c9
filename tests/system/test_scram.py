"""SCRAM over the wire by a client of our own: with a right and a wrong password, for nobody, and bound to the
TLS connection as seen by another library's keying material (openssl s_client)."""
import subprocess

import harness
import scram

ANN = "ann@one.test"


class Line:
    """A POP3 connection that is read line by line."""

    def __init__(self, f_in, f_out):
        self.f_in, self.f_out = f_in, f_out

    def ask(self, text):
        self.f_out.write(text.encode() + b"\r\n")
        self.f_out.flush()
        return self.answer()

    def answer(self):
        return self.f_in.readline().decode().rstrip("\r\n")


def exchange(line, client, mechanism):
    """The server's last word."""
    said = line.ask("AUTH " + mechanism)
    assert said == "+ ", said
    said = line.ask(client.first())
    if not said.startswith("+ "):
        return said
    said = line.ask(client.final(said[2:]))
    if not said.startswith("+ "):
        return said
    assert client.check(said[2:]), "the server does not know the password"
    return line.ask("")


def unbound(p):
    for user, password, word in ((ANN, p.passwords[ANN], "+OK"), (ANN, "wrong", "-ERR [AUTH]"),
                                 ("nobody@one.test", "wrong", "-ERR [AUTH]"), (ANN.upper(), p.passwords[ANN], "+OK")):
        with p.raw("pop3s", tls=True) as s, s.makefile("rwb") as f:
            line = Line(f, f)
            line.answer()
            said = exchange(line, scram.Client(user, password), "SCRAM-SHA-256")
            assert said.startswith(word), (user, said)


def bound(p, version, binding_of, word, header=None, mechanism="SCRAM-SHA-256-PLUS"):
    """`binding_of` makes the client's binding from the true one."""
    command = ["openssl", "s_client", "-connect", "%s:%d" % (p.ends["host"], p.ends["pop3s"]), "-CAfile", p.ends["ca"],
               "-verify_return_error", "-ign_eof", version, "-keymatexport", "EXPORTER-Channel-Binding",
               "-keymatexportlen", "32"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as c:
        try:
            line, key = Line(c.stdout, c.stdin), None
            while not (said := line.answer()).startswith("+OK"):
                assert said or c.poll() is None, "s_client ended"
                if "Keying material:" in said:
                    key = bytes.fromhex(said.split(":")[1].strip())
            client = scram.Client(ANN, p.passwords[ANN], binding_of(key), header)
            said = exchange(line, client, mechanism)
            assert said.startswith(word), (version, said)
        finally:
            c.kill()


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    unbound(p)
    with p.imap() as c, p.submission() as s:  # by default without channel binding, which is asked for in pop3d
        s.ehlo()
        assert "AUTH=SCRAM-SHA-256" in c.capabilities and not any("PLUS" in w and "AUTH" in w for w in c.capabilities)
        assert s.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"], s.esmtp_features
    if p.trial is None:
        return  # channel binding is not offered unless somebody asks for it
    for version in ("-tls1_2", "-tls1_3"):
        bound(p, version, lambda key: key, "+OK")
        bound(p, version, lambda key: bytes(32), "-ERR")  # somebody in the middle
    # A client that could bind, told by somebody in the middle that we cannot (RFC 5802 §6). However often it
    # says so, it has not guessed a password: the account stays open to it (ten wrong ones would close it).
    for _ in range(11):
        bound(p, "-tls1_3", lambda key: None, "-ERR SCRAM-SHA-256-PLUS is offered", "y,,", "SCRAM-SHA-256")
    p.pop3(ANN).quit()
    assert len(harness.log_lines(p.own().daemons["pop3d"], "event=auth.downgrade")) == 11


if __name__ == "__main__":
    harness.main(scenario, {"pop3d": {"auth_mechanisms": "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"}})
