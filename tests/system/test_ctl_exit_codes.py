"""Exit codes of the operator's command: 1 refused, 2 not understood, 75 come again later, each with a reason."""
import json
import os
import subprocess

import harness

ANN, BOB = "ann@one.test", "bob@one.test"


def not_let_in(p):
    """A database that lets nobody in so, or that is not there, is not away: it stays so. A superuser's right that is not
    there is none the next time either. JSON has the reason as standard error has it."""
    files = ("--files", os.path.join(harness.TOP, "schema"))
    for words, why in ((("schema", "migrate", "--user", "nobody_there", *files), "authentication failed"),
                       (("schema", "migrate", "--user", "postgres dbname=nowhere", *files), '"nowhere" does not exist'),
                       (("schema", "migrate", "--user", "yubin_smtpd", *files), "permission denied")):
        assert why in p.fails(1, *words), words
        done = p.run("--json", *words)
        problem = json.loads(done.stdout)
        assert done.returncode == 1 and why in problem["detail"], (words, problem)
        assert problem["detail"] == done.stderr.splitlines()[-1][len("yubin: "):], (done, problem)
    ident = os.path.join(p.own().database.data, "pg_ident.conf")
    with open(ident, encoding="utf-8") as f:
        kept = f.read()
    with open(ident, "w", encoding="utf-8") as f:
        f.write("".join(line for line in kept.splitlines(True) if "yubin_operator" not in line))
    p.own().database.sql("SELECT pg_reload_conf()")
    harness.wait_until(lambda: p.run("tenant", "list").returncode == 1)
    assert "authentication failed" in p.fails(1, "tenant", "list")
    with open(ident, "w", encoding="utf-8") as f:
        f.write(kept)
    p.own().database.sql("SELECT pg_reload_conf()")
    harness.wait_until(lambda: p.run("tenant", "list").returncode == 0)


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
    p.fails(2, "queue", "list", "--state", "asleep")
    p.fails(2, "queue", "hold")
    p.fails(1, "queue", "show", "1")
    p.fails(1, "queue", "list", "--tenant", "nobody")
    assert "no daemon nothing" in p.fails(1, "control", "status", "nothing")
    assert "no daemon ../run/smtpd" in p.fails(1, "control", "metrics", "../run/smtpd")
    not_let_in(p)
    conf = os.path.join(trial.home, "away.conf")
    with open(trial.conf, encoding="utf-8") as f, open(conf, "w", encoding="utf-8") as to:
        to.write(f.read().replace("host=%s" % trial.database.socket, "host=/nowhere").replace(
            "run_dir = ", "run_dir = /nowhere"))
    done = subprocess.run([trial.control, "-c", conf, "tenant", "list"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 75, done
    done = subprocess.run([trial.control, "--json", "-c", conf, "schema", "migrate", "--files", os.path.join(harness.TOP, "schema")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 75 and "/nowhere" in json.loads(done.stdout)["detail"], done
    done = subprocess.run([trial.control, "-c", conf, "control", "status", "smtpd"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 75, done
    done = subprocess.run([trial.control, "-c", conf, "queue", "list"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 75 and "yubin-relayd does not run" in done.stderr, done
    with open(conf, "a", encoding="utf-8") as to:
        to.write("[smtpd]\nno_such_option = 1\n")
    done = subprocess.run([trial.control, "-c", conf, "config", "check"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "no_such_option" in done.stderr, done
    p.yubin("config", "check")


if __name__ == "__main__":
    harness.main(scenario)
