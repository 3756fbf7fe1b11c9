"""Exit codes of the operator's command: 1 refused, 2 not understood, 75 come again later, each with a reason."""
import os
import subprocess

import harness

ANN, BOB = "ann@one.test", "bob@one.test"


def scenario(p):
    trial = p.own()
    p.tenant("one", "one.test")
    p.account(ANN)
    p.fails(2, "nonsense")
    p.fails(2, "account", "show")
    p.fails(1, "tenant", "show", "nobody")
    p.fails(1, "account", "add", "--from", "-", BOB)
    p.fails(1, "account", "add", "--from", "/tmp")
    p.fails(1, "account", "retire", ANN, "--tell")
    assert "no daemon nothing" in p.fails(1, "control", "status", "nothing")
    assert "no daemon ../run/smtpd" in p.fails(1, "control", "metrics", "../run/smtpd")
    conf = os.path.join(trial.home, "away.conf")
    with open(trial.conf, encoding="utf-8") as f, open(conf, "w", encoding="utf-8") as to:
        to.write(f.read().replace("host=%s" % trial.database.socket, "host=/nowhere").replace(
            "run_dir = ", "run_dir = /nowhere"))
    done = subprocess.run([trial.control, "-c", conf, "tenant", "list"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 75, done
    done = subprocess.run([trial.control, "-c", conf, "control", "status", "smtpd"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 75, done
    with open(conf, "a", encoding="utf-8") as to:
        to.write("[smtpd]\nno_such_option = 1\n")
    done = subprocess.run([trial.control, "-c", conf, "config", "check"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "no_such_option" in done.stderr, done
    p.yubin("config", "check")


if __name__ == "__main__":
    harness.main(scenario)
