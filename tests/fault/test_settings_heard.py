"""A change of a setting at each level is heard by every daemon that acts by settings, soon and without a restart: the
lowest row counts, a locked one of a higher level before it, and what may not be locked never is. By the settings that only
a build with --enable-faults has: there the directory tells the log what it answers."""
import os
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))

import harness  # noqa: E402

ANN, BEA = "ann@one.test", "bea@two.test"
LEVELS = (("platform", ()), ("tenant", ("--tenant", "one")), ("domain", ("--domain", "one.test")), ("account", ("--account", ANN)))


def ask_smtpd(p, who):
    with p.smtp() as s:
        s.ehlo()
        s.mail("x@far.test")
        s.rcpt(who)


def ask_submitd(p, who):
    p.submission(who).quit()


def ask_imapd(p, who):
    p.imap(who).logout()


def ask_pop3d(p, who):
    p.pop3(who).quit()


ASK = {"smtpd": ask_smtpd, "submitd": ask_submitd, "imapd": ask_imapd, "pop3d": ask_pop3d}


def answered(p, name, who):
    """What this daemon's directory says of him now: the last line that it logs when it is asked."""
    log = p.own().daemons[name].log
    before = os.path.getsize(log)
    ASK[name](p, who)
    with open(log, encoding="utf-8", errors="replace") as f:
        f.seek(before)
        lines = [line for line in f if "event=directory.trial of=%s " % who in line]
    return {k: v.strip('"') for k, v in re.findall(r'(\w+)=("[^"]*"|\S*)', lines[-1])}


def heard(p, begun, who=ANN, **want):
    for name in ASK:
        harness.wait_until(lambda n=name: all(answered(p, n, who)[k] == v for k, v in want.items()), 10)
    print("all four say %s of %s after %.2f s" % (want, who, time.monotonic() - begun))


def change(p, *words):
    assert p.run("setting", *words).returncode == 0, words  # where a lock is above, it says so
    return time.monotonic()


def scenario(p):
    for who, tenant in ((ANN, "one"), (BEA, "two")):
        p.tenant(tenant, tenant + ".test")
        p.account(who)
        heard(p, time.monotonic(), who, level="3", own="1", choice="mild", list="80 95", words="", size="1048576", days="30", text="")
    for n, (_, of) in enumerate(LEVELS):
        heard(p, change(p, "set", "trial.level", str(-n), *of), level=str(-n))
    heard(p, time.monotonic(), BEA, level="0")  # the platform's, and nothing of another tenant
    # Locked above: each higher one counts before those below it.
    for n, (_, of) in reversed(list(enumerate(LEVELS[:3]))):
        heard(p, change(p, "set", "trial.level", str(5 + n), "--lock", *of), level=str(5 + n))
        heard(p, change(p, "set", "trial.level", "9", "--account", ANN), level=str(5 + n))
    heard(p, time.monotonic(), BEA, level="5")
    for n, (_, of) in enumerate(LEVELS[:3]):
        after = str(5 + n + 1) if n < 2 else "9"
        heard(p, change(p, "set", "trial.level", str(5 + n), "--unlock", *of), level=after)
    for n, (_, of) in reversed(list(enumerate(LEVELS))):
        heard(p, change(p, "unset", "trial.level", *of), level=("3", "5", "6", "7")[n])
    # Never locked, by whatever level; the user's own counts.
    for _, of in LEVELS:
        assert "cannot be locked" in p.fails(1, "setting", "set", "trial.own", "no", "--lock", *of)
    change(p, "set", "trial.own", "no")
    change(p, "set", "trial.own", "no", "--tenant", "one")
    heard(p, change(p, "set", "trial.own", "no", "--domain", "one.test"), own="0")
    heard(p, change(p, "set", "trial.own", "yes", "--account", ANN), own="1")
    # Each type, several in one change.
    begun = change(p, "set", "trial.choice", "hot", "trial.list", "7, 8", "trial.words", "red blue", "trial.size", "2K", "--tenant", "one")
    heard(p, begun, choice="hot", list="7 8", words="red blue", size="2048")
    heard(p, change(p, "set", "trial.days", "7"), days="7")
    heard(p, change(p, "set", "trial.text", "so do I", "--account", ANN), text="so do I")
    heard(p, change(p, "set", "trial.words", "none", "--domain", "one.test"), words="", choice="hot")
    assert "the platform only" in p.fails(1, "setting", "set", "trial.days", "7", "--tenant", "one")


def main():
    build = os.path.abspath(os.environ.get("YUBIN_BUILD", os.path.join(TOP, "build")))
    with open(os.path.join(build, "smtpd", "yubin-smtpd"), "rb") as f:
        if b"directory.trial" not in f.read():
            print("skipped: not a build with --enable-faults")
            return 77
    return harness.main(scenario)


if __name__ == "__main__":
    sys.exit(main())
