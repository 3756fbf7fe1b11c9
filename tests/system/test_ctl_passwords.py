"""A password is given by standard input and never in arguments; at a terminal it is asked for twice and not shown."""
import os
import pty
import subprocess

import harness

BOB = "bob@one.test"


def by_input(p):
    p.fails(2, "account", "add", BOB, "--password", "secret")  # never in arguments
    p.fails(1, "account", "add", BOB, given="")
    for bad in ("x" * 2000 + "\n", "x" * 513, "half\0less\n", "half\0less", "half\rless\n", "\r\n"):
        p.fails(1, "account", "add", BOB, given=bad)
    p.yubin("account", "add", "long@one.test", given="x" * 512 + "\r\n")
    p.imap("long@one.test", "x" * 512).logout()



def typed(p, *passwords):
    """`account add` at a terminal: what a person sees, and how it ended."""
    person, terminal = pty.openpty()
    done = subprocess.Popen([*p.ends["ctl"], "account", "add", "typed@one.test"], stdin=terminal, stdout=subprocess.PIPE,
                            stderr=terminal, start_new_session=True)
    os.close(terminal)
    seen = b""
    for password in passwords:
        while not seen.endswith(b": "):
            seen += os.read(person, 1)
        os.write(person, password.encode() + b"\n")
        seen += os.read(person, 1)
    done.stdout.read()
    code = done.wait(30)
    try:
        while more := os.read(person, 1000):
            seen += more
    except OSError:
        pass  # the other end is closed
    os.close(person)
    assert not any(x.encode() in seen for x in passwords), seen
    return seen.decode(), code


def at_a_terminal(p):
    seen, code = typed(p, "a typed secret", "a typed sekret")
    assert code == 1 and seen.startswith("Password: ") and "Once more: " in seen and "differ" in seen, (seen, code)
    seen, code = typed(p, "a typed secret", "a typed secret")
    assert code == 0, seen
    p.imap("typed@one.test", "a typed secret").logout()


def scenario(p):
    p.tenant("one", "one.test")
    by_input(p)
    at_a_terminal(p)


if __name__ == "__main__":
    harness.main(scenario)
