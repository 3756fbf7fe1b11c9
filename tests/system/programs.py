"""What the scenarios of real mail programs share: two customers, a home folder, programs that run in it."""
import os
import subprocess
import tempfile

import harness

ANN, BEN = "ann@clients.test", "ben@other.test"


def run(*command, given=None, home=None, fails=False, **environment):
    done = subprocess.run(command, input=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, check=False, env=dict(os.environ, HOME=home or "/nonexistent", **environment))
    if (done.returncode != 0) != fails:
        raise AssertionError("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stdout))
    return done.stdout


def private(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def main(before, *steps):
    """Each step(p, home) is a program at work and returns the subjects of what it sent to ANN, who has those messages
    and the ones in `before` in the end."""
    def scenario(p):
        p.tenant("clients", "clients.test")
        p.tenant("other", "other.test")
        p.account(ANN)
        p.account(BEN)
        sent = list(before)
        for subject in before:
            assert p.send(ANN, subject)[0] == 250
        with tempfile.TemporaryDirectory() as home:
            for step in steps:
                sent += step(p, home) or []
                print("ok", step.__name__)
        got = p.subjects(ANN)
        assert sorted(got) == sorted(sent), (got, sent)
    harness.main(scenario)
