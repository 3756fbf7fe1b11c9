"""Forms in which servers once relayed, over a real socket and as four senders: every one is 5xx, none leads
to a connection or a file outside, and the exceptions for <postmaster> hold (R-A7 … R-A9, R-A18, R-A20, R-A57)."""
import json
import os
import socket
import threading

import harness

OURS, ALSO = "bob@relay.test", '"a/b"@relay.test'
REFUSED = (
    "<x@other.test>", "<x%other.test@relay.test>", "<x%other.test@[127.0.0.1]>", "<x%other.test>",
    "<bob%relay.test@relay.test>", "<x%y%other.test@relay.test>", '<"x%other.test"@relay.test>',
    '<"x%other.test">', '<"x@other.test"@relay.test>', '<"x@other.test">', '<"x@other.test"@[127.0.0.1]>',
    "<x@other.test@relay.test>", "<@relay.test:x@other.test>", "<@relay.test,@third.test:x@other.test>",
    "<@[127.0.0.1]:x@other.test>", "<@x.test:bob@relay.test>", "<@relay.test:x%other.test@relay.test>",
    "<other.test!x>", "<other.test!x@relay.test>", "<other.test!x@[127.0.0.1]>", "<relay.test!other.test!x>",
    '<"other.test!x"@relay.test>', "<x@[127.0.0.1]>", "<bob@[127.0.0.1]>", "<x@127.0.0.1>", "<bob@127.0.0.1>",
    "<postmaster@[127.0.0.2]>", "<postmaster@[IPv6:::1]>", "<postmaster@127.0.0.1>", "<x@localhost>", "<x>",
    "<bob>", "<x@>", "<@other.test>", "<x@.other.test>", "<x@relay.test.other.test>", "<x@evil-relay.test>", "<>",
    "<bob@relay.test>,<x@other.test>", "bob@relay.test", "Bob <bob@relay.test>", '<"|sh"@relay.test>', "<|sh>",
    "</etc/x@relay.test>", "<../../x@relay.test>", '<"../../x"@relay.test>', "<:include:/etc/x@relay.test>",
    "<x@relay.test>", "<nobody@relay.test>",
)
ACCEPTED = ("<bob@relay.test>", "<BOB@Relay.Test>", "<bob@relay.test.>", '<"a/b"@relay.test>', "<a/b@relay.test>",
            "<postmaster>", "<PostMaster>", "<postmaster@[127.0.0.1]>", "<postmaster@relay.test>", "<abuse@relay.test>")
SENDERS = ("<x@example.net>", "<bob@relay.test>", "<>", "<postmaster@relay.test>")


def check_replies(text):
    """R-A2: three digits, and an enhanced code of the same class."""
    for line in text.split("\r\n")[:-1]:
        assert line[:3].isdigit() and line[4] == line[0] and line[5] == ".", line


def answers(p, sender, recipients):
    with p.raw("smtp") as s, s.makefile("rw", encoding="utf-8", newline="") as f:
        assert f.readline().startswith("220 ")
        f.write("EHLO x.example.net\r\n")
        f.flush()
        while f.readline()[3] == "-":
            pass
        f.write("MAIL FROM:%s\r\n" % sender + "".join("RCPT TO:%s\r\n" % r for r in recipients) + "QUIT\r\n")
        f.flush()
        lines = f.read()
        check_replies(lines)
        assert lines.startswith("250 2.1.0"), lines
        return dict(zip(recipients, lines.split("\r\n")[1:]))


def believer(answer):
    """A server that says `answer` to every recipient. Its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            s, _ = listener.accept()
            with s, s.makefile("rw", encoding="utf-8", newline="") as f:
                f.write("220 x\r\n")
                f.flush()
                for line in f:
                    f.write((answer if line.startswith("RCPT") else "250 x") + "\r\n")
                    f.flush()
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def asked(p, port):
    """What the operator's own check says of a server: exit code and figures."""
    done = p.run("--json", "relay", "check", OURS, "--server", "127.0.0.1:%d" % port)
    found = json.loads(done.stdout)
    return done.returncode, found["asked"] > 200, found["accepted"], found["undecided"], len(found["answers"])


def scenario(p):
    p.tenant("relay", "relay.test")
    p.account(OURS)
    p.account(ALSO)
    p.yubin("domain", "set", "relay.test", "--contact", OURS)
    for sender in SENDERS:
        for recipient, answer in answers(p, sender, REFUSED).items():
            assert answer[0] == "5", "%s, from %s: %s" % (recipient, sender, answer)
        for recipient, answer in answers(p, sender, ACCEPTED).items():
            assert answer.startswith("250 2.1.5"), "%s, from %s: %s" % (recipient, sender, answer)
    assert asked(p, p.ends["smtp"]) == (0, True, 0, 0, 0)
    code, many, accepted, undecided, told = asked(p, believer("250 2.1.5 x"))
    assert (code, many, undecided) == (1, True, 0) and accepted == told > 200
    code, many, accepted, undecided, told = asked(p, believer("451 4.7.1 x"))
    assert (code, many, accepted) == (75, True, 0) and undecided == told > 200
    if p.trial is not None:
        assert not any("x" in d for _, d, _ in os.walk(p.trial.mail_root)), "a file where none may be"


if __name__ == "__main__":
    harness.main(scenario, {"common": {"postmaster": OURS}})
