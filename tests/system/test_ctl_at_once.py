"""Changes of one thing by several at once: each comes to its end, the audit tells them in their order, and who removes a
domain while accounts come into it waits for them, or they find it gone: nobody is told to try again."""
import harness

ANN = "ann@one.test"
AT_ONCE = 6


def in_order(p):
    """What one left is what the next found."""
    harness.in_threads(AT_ONCE, lambda k: p.yubin("account", "set", ANN, "--name", "N%d" % k))
    rows = [r for r in p.yubin_json("audit", "list", ANN) if r["action"] == "account.set"]
    assert len(rows) == AT_ONCE
    for one, two in zip(rows, rows[1:]):
        assert one["after"] == two["before"], rows
    assert rows[0]["before"] == {"name": ""}


def retired(p):
    """The second finds what the first made."""
    harness.in_threads(AT_ONCE, lambda k: p.yubin("account", "retire", ANN, "--moved-to", "n%d@far.test" % k))
    rows = [r for r in p.yubin_json("audit", "list", ANN) if r["action"] == "account.retire"]
    assert [r["before"] is None for r in rows] == [True] + [False] * (AT_ONCE - 1), rows


def removed(p):
    ends = []
    for n in range(4):
        domain = "gone%d.test" % n
        p.yubin("domain", "add", "one", domain)

        def work(k):
            if k == AT_ONCE - 1:
                done = p.run("domain", "delete", domain)
            elif k % 2:
                done = p.run("domain", "set", domain, "--full-days", str(k))
            else:
                done = p.run("account", "add", "u%d@%s" % (k, domain), "--no-password")
            ends.append((done.returncode, done.stderr))
        harness.in_threads(AT_ONCE, work)
    assert len(ends) == 4 * AT_ONCE and all(code in (0, 1) for code, _ in ends), ends


def scenario(p):
    p.tenant("one", "one.test")
    p.account(ANN)
    in_order(p)
    retired(p)
    removed(p)


if __name__ == "__main__":
    harness.main(scenario)
