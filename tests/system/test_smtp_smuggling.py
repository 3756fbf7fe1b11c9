"""What two servers could read in two ways is refused behind its true end: no message is smuggled in another."""
import harness
from octets import TO, Octets

EVIL = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<ann@octets.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n"
# What stands where a dot line would: none of it may end the data.
FALSE_ENDS = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r.\r\n", b"\r\r\n.\r\r\n",
              b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\n\n.\r\n", b"\r\n.\r\r\n", b"\r\n.\n\r\n")


def scenario(p):
    p.tenant("octets", "octets.test")
    p.account(TO)
    for end in FALSE_ENDS:
        for chunk in (0, 1):
            before = len(p.new_files())
            talk = Octets(p, chunk)
            talk.envelope()
            code = talk.data(b"Subject: outer\r\n\r\nx" + end + EVIL + b"y\r\n.\r\n")
            assert code == 550, (end, code)
            talk.say(b"NOOP\r\n")
            assert talk.code() == 250, "in step after %r" % end
            assert len(p.new_files()) == before, end


if __name__ == "__main__":
    harness.main(scenario)
