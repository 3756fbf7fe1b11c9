"""relayd ends, or says no, in the middle of what was ordered: what it did before is in the audit, and what nobody knows is
told as such; without the database nothing is ordered at all. A stand-in answers in its place."""
import json
import os
import socket
import struct
import subprocess
import threading

import harness

OK, LATER = 0x52, 0x56


class StandIn:
    """Serves relayd's control socket: an answer for each question, in order; None: it hangs up."""

    def __init__(self, trial, *answers):
        self.path = os.path.join(trial.run_dir, "relayd.control")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.asked, self.answers = [], answers
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(5)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        for answer in self.answers:
            try:
                s = self.socket.accept()[0]
            except OSError:  # it was shut down: nobody asks any more
                return
            with s, s.makefile("rb") as f:
                size, _ = struct.unpack(">II", f.read(8))
                self.asked.append(f.read(size).decode())
                if answer is not None:
                    kind, text = answer
                    s.sendall(struct.pack(">II", len(text), kind) + text.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()
        os.unlink(self.path)


def part(matched, changed, after=None):
    return OK, json.dumps({"matched": matched, "changed": changed, "underway": 0, "next": after})


def rows(p):
    return [r for r in p.yubin_json("audit", "list") if r["action"].startswith("queue.")]


def scenario(p):
    trial = p.own()
    trial.daemons["relayd"].stop()
    # In parts: one after the other, one row.
    with StandIn(trial, part(5, 4, "7.0"), part(3, 3)) as s:
        assert p.yubin_json("queue", "hold", "--sender", "<>") == {"matched": 8, "changed": 7, "underway": 0}
    commands = [(words.split(" ")[0], json.loads(words.split(" ", 1)[1])) for words in s.asked]
    assert [c[0] for c in commands] == ["queue-hold"] * 2 and "after" not in commands[0][1], commands
    assert commands[1][1]["after"] == "7.0" and commands[1][1]["sender"] == "<>" and commands[1][1]["by"], commands
    assert [(r["after"]["matched"], r["after"]["changed"]) for r in rows(p)] == [(8, 7)]
    # It hangs up: the first part is done, of the second nobody knows.
    with StandIn(trial, part(5, 4, "7.0"), None):
        assert "(4 were changed before; the rest may be)" in p.fails(75, "queue", "delete", "--all", "--yes")
    assert {k: v for k, v in rows(p)[-1]["after"].items() if k != "filter"} == {
        "matched": 5, "changed": 4, "underway": 0, "outcome": "unknown"}
    # It says that it cannot now: it may have done some.
    with StandIn(trial, (LATER, "The disk is full")):
        assert "The disk is full" in p.fails(75, "queue", "release", "--all")
    assert rows(p)[-1]["action"] == "queue.release" and rows(p)[-1]["after"]["outcome"] == "unknown"
    # It says what is none.
    with StandIn(trial, (OK, "[]")):
        p.fails(75, "queue", "list")
    with StandIn(trial, part(0, 0)):
        p.yubin("queue", "retry", "--older", "1h")
    assert len(rows(p)) == 3
    # Without the database nobody asks it.
    conf = os.path.join(trial.home, "away.conf")
    with open(trial.conf, encoding="utf-8") as f, open(conf, "w", encoding="utf-8") as to:
        to.write(f.read().replace("host=%s" % trial.database.socket, "host=/nowhere"))
    with StandIn(trial, (OK, '{"rows": [], "next": null}')) as s:
        for words in (("hold", "--all"), ("list", "--tenant", "one"), ("list",)):
            done = subprocess.run([trial.control, "-c", conf, "queue", *words], stderr=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, check=False)
            assert done.returncode == (75 if len(words) > 1 else 0), done
    assert [words.split()[0] for words in s.asked] == ["queue-list"], s.asked


if __name__ == "__main__":
    harness.main(scenario)
