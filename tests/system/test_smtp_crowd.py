"""5 000 half-open connections and 500 senders that declare 50 MB, send 2 MB and stall: smtpd stays under 200 MiB and
honest mail flows."""
import harness
from process import allow_descriptors, memory
from talk import Talk

ANN = "ann@crowd.test"
LIMITS = {"max_connections": "12000", "max_connections_per_network": "12000"}


def honest(p, subject):
    with p.smtp() as s:
        s.sendmail("friend@example.net", [ANN], "Subject: %s\r\n\r\nHello.\r\n" % subject)


def stall(p):
    """A sender in the middle of a large message."""
    talk = Talk(p, "smtp")
    for words in (b"", b"EHLO x\r\n", b"MAIL FROM:<a@b.test> SIZE=50000000\r\n", b"RCPT TO:<%s>\r\n" % ANN.encode(),
                  b"DATA\r\n"):
        line = talk.ask(words)
        assert line[:1] in "23", line
    line = b"y" * 76 + b"\r\n"
    talk.say(line * (2000000 // len(line)))
    return talk


def scenario(p):
    allow_descriptors(12000)
    p.tenant("crowd", "crowd.test")
    p.account(ANN)
    half_open = [p.raw("smtp") for _ in range(5000)]
    honest(p, "among the half-open")
    stalled = [stall(p) for _ in range(500)]
    honest(p, "among the stalled")
    used = memory(p.own().daemons["smtpd"].child_pid())
    print("smtpd with %d connections: %.0f MiB" % (len(half_open) + len(stalled), used))
    assert used < 200, "smtpd takes %.0f MiB" % used
    for s in half_open + stalled:
        s.close()
    honest(p, "afterwards")
    assert len(p.subjects(ANN)) == 3


if __name__ == "__main__":
    harness.main(scenario, {"smtpd": LIMITS})
