"""A sender who tries again, for scenarios in which folders or whole disks go away."""
ANN = "ann@aside.test"


class Senders:
    def __init__(self, p):
        self.p, self.n, self.kept = p, 0, []

    def send(self):
        """The answer to a whole message."""
        self.n += 1
        code, _ = self.p.send(ANN, str(self.n))
        assert code == 250 or 400 <= code < 500, code
        if code == 250:
            self.kept.append(str(self.n))
        return code

    def again(self):
        """What a sender does: some tries."""
        return any(self.send() == 250 for _ in range(3))

    def check(self):
        assert self.p.subjects(ANN) == self.kept, (self.p.subjects(ANN), self.kept)
