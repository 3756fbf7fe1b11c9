"""A bare connection that is read line by line, for what no library would say, or tell of what it heard."""


class Talk:
    def __init__(self, p, service, tls=False, said=b""):
        self.s = p.raw(service, tls)
        if said:
            self.say(said)
        self.f = self.s.makefile("rb")

    def say(self, octets):
        self.s.sendall(octets)

    def line(self):
        line = self.f.readline()
        assert line.endswith(b"\n"), "the connection ended: %r" % line
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def reply(self):
        """Of SMTP: its lines."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return lines

    def answer(self):
        """Of SMTP: the last line of a reply."""
        return self.reply()[-1]

    def code(self):
        return int(self.answer()[:3])

    def ask(self, octets):
        self.say(octets)
        return self.answer()

    def until(self, words):
        """Of IMAP: the lines up to the one that begins so."""
        lines = [self.line()]
        while not lines[-1].startswith(words):
            lines.append(self.line())
        return lines

    def command(self, text):
        """Of IMAP: what is told up to the answer to a command (with its tag)."""
        self.say(text.encode() + b"\r\n")
        return self.until(text.split()[0] + " ")

    def login(self, address, password, *commands):
        """Of IMAP, from the greeting on; returns itself."""
        self.until("* OK")
        for command in ('a LOGIN %s "%s"' % (address, password), *commands):
            assert self.command(command)[-1].split()[1] == "OK", command
        return self

    def close(self):
        self.f.close()
        self.s.close()
