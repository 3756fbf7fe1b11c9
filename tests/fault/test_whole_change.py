"""The operator's command is killed before each of its statements in turn, the commit too, and behind it: what was to
be changed and its row in the audit are both there, or neither."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402

ROWS = ('{"address": "%d.one@one.test"}\n{"address": "%d.two@one.test"}\n')


def run(p, fault, arguments, given=None):
    """Whether it was killed there."""
    done = subprocess.run([*p.ends["ctl"], *arguments], input=given, text=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False, env=dict(os.environ, YB_FAULT=fault))
    assert done.returncode in (0, -9), done
    return done.returncode == -9


def each(p, arguments, is_there, action, rows, given=None):
    """The change under another number each time, until it comes to its end; is_there(number): was it made?"""
    reached = 0
    for n in range(1, 60):
        for fault in ("db.statement:kill:%d" % n, "db.committed:kill:1"):
            number = 1000 * n + len(fault)
            before = len(p.yubin_json("audit", "list", "--limit", "1000"))
            killed = run(p, fault, [a.replace("%d", str(number)) for a in arguments],
                         given and given.replace("%d", str(number)))
            new = p.yubin_json("audit", "list", "--limit", "1000")[before:]
            assert len(new) == (rows if is_there(number) else 0), (fault, arguments, new)
            assert not new or action in [r["action"] for r in new], new
            if fault.startswith("db.statement") and not killed:
                assert reached >= 3, reached  # there are some, and they were reached
                return
            assert killed, (fault, arguments)
        reached = n
    raise AssertionError("it never came to its end")


def scenario(p):
    p.tenant("one", "one.test")
    p.account("ann@one.test")

    def account(local):
        return any(c["address"].startswith(local) for c in p.yubin_json("account", "list", "one.test"))
    each(p, ["account", "add", "u%d@one.test", "--no-password", "--quota", "1G"], lambda n: account("u%d@" % n),
         "account.add", 1)
    each(p, ["alias", "add", "a%d@one.test", "ann@one.test", "x@far.test"],
         lambda n: any(c["address"] == "a%d@one.test" % n for c in p.yubin_json("alias", "list")), "alias.add", 1)
    each(p, ["account", "set", "ann@one.test", "--quota", "%d"],
         lambda n: p.yubin_json("account", "show", "ann@one.test")["quota_bytes"] == n, "account.set", 1)
    each(p, ["account", "add", "--from", "-"], lambda n: account("%d.one@" % n) and account("%d.two@" % n),
         "account.import", 3, ROWS)


if __name__ == "__main__":
    harness.main(scenario)
