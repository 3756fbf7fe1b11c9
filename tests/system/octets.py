"""A sender of messages octet for octet, for the scenarios of what they become."""
from talk import Talk

TO = "Ann@octets.test"
ENVELOPE = b"MAIL FROM:<Sender+x@example.net> BODY=8BITMIME\r\nRCPT TO:<Ann@octets.test>\r\n"


class Octets(Talk):
    """A sender of messages as they are, whole or octet by octet."""

    def __init__(self, p, chunk=0):
        super().__init__(p, "smtp")
        self.chunk = chunk
        assert self.code() == 220
        self.say(b"EHLO x.example.net\r\n")
        assert self.code() == 250

    def say(self, data):
        for k in range(0, len(data), self.chunk or len(data) or 1):
            super().say(data[k:k + (self.chunk or len(data))])

    def envelope(self):
        self.say(ENVELOPE)
        assert [self.code(), self.code()] == [250, 250]

    def data(self, octets):
        """DATA with `octets` as they are; the caller ends them."""
        self.say(b"DATA\r\n")
        assert self.code() == 354
        self.say(octets)
        return self.code()
