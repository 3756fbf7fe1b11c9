"""What every system test begins with: a platform of its own, or one that runs already.

    import harness

    def scenario(p):                       # p: Platform
        p.tenant("one", "one.test")
        p.account("ann@one.test")
        with p.smtp() as s:
            s.sendmail("stranger@example.net", ["ann@one.test"], "Subject: x\r\n\r\nx\r\n")
        ...

    if __name__ == "__main__":
        harness.main(scenario)

Environment: YUBIN_BUILD (default build), YUBIN_PORT_BASE (default: a free block),
YUBIN_ENDPOINTS=endpoints.json runs the scenario on that platform instead (its `ctl` must work here;
scenarios that kill or stop things skip themselves by p.own()), YUBIN_KEEP=1 leaves the folder.
Exit: 0 passed, 1 failed, 77 skipped.
"""
import base64
import contextlib
import glob
import imaplib
import json
import os
import poplib
import random
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools"))
import trial  # noqa: E402
from trial import HOST, PORTS, TOP, TrialError, wait_until  # noqa: E402,F401 (tests take them from here)

PASSWORD = "correct horse 42"
HOSTNAME = "mail.yubin.test"
STRANGER = "stranger@example.net"


class Skip(Exception):
    """The scenario cannot run here; the text says why."""


claims = []  # sockets that say which blocks of ports are this process's


def free_port_base():
    """A block of ports nobody listens on, below what the kernel gives to clients. Blocks 100 apart
    have no port in common; one that another test has taken is known by a name of its own."""
    for base in random.sample(range(10000, 31000, 100), 210):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0yubin-test-ports-%d" % base)
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        with contextlib.ExitStack() as stack:
            try:
                for offset in PORTS.values():
                    s = stack.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((HOST, base + offset))
                return base
            except OSError:
                continue
    raise TrialError("no free ports")


def raises(kind, do):
    """The exception of this kind that do() has to end with."""
    try:
        do()
    except kind as e:
        return e
    raise AssertionError("no %s" % kind)


def login_error(way, address, password=None):
    """Why p.imap, p.pop3 or p.submission does not let in; None if it does."""
    try:
        way(address, password)
        return None
    except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError) as e:
        return e.args[0].decode() if isinstance(e.args[0], bytes) else str(e)


def in_threads(n, work):
    """Runs work(k) in n threads; the first exception of any is raised here."""
    troubles = []

    def body(k):
        try:
            work(k)
        except BaseException as e:  # noqa: BLE001 (told below)
            troubles.append(e)
    threads = [threading.Thread(target=body, args=(k,)) for k in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if troubles:
        raise troubles[0]


def sizes_in(maildir):
    """(messages, bytes) that are really there."""
    sizes = [e.stat().st_size for folder in ("new", "cur") if os.path.isdir(os.path.join(maildir, folder))
             for e in os.scandir(os.path.join(maildir, folder))]
    return len(sizes), sum(sizes)


def log_lines(daemon, *words):
    """The lines of its log in which all these words are."""
    with open(daemon.log, encoding="utf-8", errors="replace") as f:
        return [line for line in f if all(w in line for w in words)]


class Platform:
    """The running platform as a scenario sees it."""

    patience = 30  # seconds that a client waits

    def __init__(self, ends, running=None):
        self.ends, self.trial = ends, running
        self.passwords = {a["address"]: a["password"] for a in ends["accounts"]}

    def own(self):
        """The Trial behind it, for scenarios that kill, stop and break things."""
        if self.trial is None:
            raise Skip("not on a platform that is not ours")
        return self.trial

    # --- provisioning ---

    def run(self, *arguments, given=None):
        """The operator's command, however it ends."""
        return subprocess.run([*self.ends["ctl"], *arguments], input=given, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def yubin(self, *arguments, given=None):
        """What it prints. It has said nothing else, but for warnings, that a list goes on, and what `schema` applies."""
        done = self.run(*arguments, given=given)
        if done.returncode != 0 or (done.stderr and not any(w in done.stderr for w in ("warning", "are shown: "))
                                    and "schema" not in arguments):
            raise TrialError("yubin %s: exit %d\n%s" % (" ".join(arguments), done.returncode, done.stderr))
        return done.stdout

    def fails(self, code, *arguments, given=""):
        """What it says of it."""
        done = self.run(*arguments, given=given)
        assert done.returncode == code and done.stderr != "", (arguments, done)
        return done.stderr

    def yubin_json(self, *arguments, given=None):
        return json.loads(self.yubin("--json", *arguments, given=given))

    def yubin_lines(self, *arguments):
        """Lines of JSON; of a list that goes on the last one has the cursor."""
        return [json.loads(line) for line in self.yubin("--jsonl", *arguments).splitlines()]

    def cursor(self, *arguments):
        """Behind the first row of a list."""
        return self.yubin_lines(*arguments, "--limit", "1")[-1]["next"]

    def tenant(self, name, *domains):
        self.yubin("tenant", "add", name)
        for domain in domains:
            self.yubin("domain", "add", name, domain)

    def account(self, address, password=PASSWORD, *options):
        self.yubin("account", "add", address, *options, given=password + "\n")
        self.passwords[address] = password

    # --- clients, each with a timeout ---

    def tls(self):
        return ssl.create_default_context(cafile=self.ends["ca"])

    def smtp(self):
        return smtplib.SMTP(self.ends["host"], self.ends["smtp"], timeout=self.patience)

    def submission(self, address=None, password=None):
        s = smtplib.SMTP(self.ends["host"], self.ends["submission"], timeout=self.patience)
        s.starttls(context=self.tls())
        if address:
            s.login(address, password or self.passwords[address])
        return s

    def imap(self, address=None, password=None):
        c = imaplib.IMAP4_SSL(self.ends["host"], self.ends["imaps"], ssl_context=self.tls(), timeout=self.patience)
        if address:
            c.login(address, password or self.passwords[address])
        return c

    def pop3(self, address=None, password=None):
        c = poplib.POP3_SSL(self.ends["host"], self.ends["pop3s"], context=self.tls(), timeout=self.patience)
        if address:
            c.user(address)
            c.pass_(password or self.passwords[address])
        return c

    def raw(self, service, tls=False):
        """A bare connection, for what no library would send."""
        s = socket.create_connection((self.ends["host"], self.ends[service]), timeout=self.patience)
        return self.tls().wrap_socket(s, server_hostname=self.ends["host"]) if tls else s

    # --- what a stranger hears, and what is there then ---

    def rcpts(self, *recipients):
        """(code, text) for each, in one session without a message."""
        with self.smtp() as s:
            s.ehlo("client.test")
            s.mail(STRANGER)
            found = [s.rcpt(r) for r in recipients]
        return [(code, text.decode()) for code, text in found]

    def codes(self, *recipients):
        return [code for code, _ in self.rcpts(*recipients)]

    def until_rcpt(self, address, code, *parts):
        """Waits for this answer: a change is heard of within a second or so."""
        def said():
            (got, text), = self.rcpts(address)
            return got == code and all(part in text for part in parts)
        wait_until(said, 10)

    def send(self, to, subject="x", body="x\r\n"):
        """(code, text) to a whole message, or to the RCPT that refuses it."""
        with self.smtp() as s:
            s.ehlo("client.test")
            s.mail(STRANGER)
            code, text = s.rcpt(to)
            if code == 250:
                code, text = s.data("Subject: %s\r\n\r\n%s" % (subject, body))
        return code, text.decode()

    def new_files(self):
        """Of everybody, what nobody has read."""
        return glob.glob(self.own().mail_root + "/*/*/Maildir/new/*")

    def stored(self, word=b""):
        """The octets of the newest of them that has this word."""
        for name in sorted(self.new_files(), key=lambda n: int(n.rsplit(".", 1)[1]), reverse=True):
            with open(name, "rb") as f:
                text = f.read()
            if word in text:
                return name, text
        raise AssertionError("no %r" % word)

    def subjects(self, address):
        """Of the messages in the inbox, in order."""
        with self.imap(address) as c:
            c.select("INBOX", readonly=True)
            found = c.uid("SEARCH", "ALL")[1][0].split()
            heads = [c.uid("FETCH", u, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1] for u in found]
        return [h.decode().split(":", 1)[1].strip() for h in heads]


# What no scenario may leave in a log, whatever it did.
BAD_LINES = ("class=bug", "assertion failed", "AddressSanitizer", "ThreadSanitizer", "runtime error:")


def check_logs(running, passwords):
    """No daemon was wrong about itself, and none wrote down a password, in any form that can be read back."""
    secrets = set()
    for address, password in passwords.items():
        plain = ("\0%s\0%s" % (address, password)).encode()
        secrets |= {password, *(base64.b64encode(x).decode() for x in (password.encode(), plain))}
    for daemon in running.daemons.values():
        with open(daemon.log, encoding="utf-8", errors="replace") as f:
            for line in f:
                if any(b in line for b in BAD_LINES) or any(s in line for s in secrets):
                    raise TrialError("%s log: %s" % (daemon.name, line))


def build_folder():
    return os.path.abspath(os.environ.get("YUBIN_BUILD", os.path.join(TOP, "build")))


@contextlib.contextmanager
def platform(options=None, start=True, environment=None, build=None, **more):
    """A new platform; `options` are sections of yubin.conf, `more` is Trial's. Everything is gone afterwards, also
    when somebody (timeout) ends us by SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp(prefix="yb-", dir=os.environ.get("YUBIN_TEST_DIR", "/var/tmp"))
    os.chmod(work, 0o755)
    base = int(os.environ.get("YUBIN_PORT_BASE") or free_port_base())
    running = trial.Trial(work, build or build_folder(), base, options, durable=False, hostname=HOSTNAME, **more)
    running.environment = environment or {}
    if os.access(build_folder(), os.W_OK):
        running.database.kept = os.path.join(build_folder(), "tests")
    try:
        running.write_conf()
        running.prepare([HOSTNAME, "localhost"])
        if start:
            running.start()
        seen = Platform(running.endpoints([]), running)
        yield seen
        check_logs(running, seen.passwords)
    except BaseException:
        for daemon in running.daemons.values():
            print("--- end of %s" % daemon.log, daemon.tail(25), sep="\n", file=sys.stderr)
        raise
    finally:
        try:
            running.stop()
        finally:
            running.database.stop("immediate")
            if not os.environ.get("YUBIN_KEEP"):
                shutil.rmtree(work, ignore_errors=True)


def main(scenario, options=None, environment=None, start=True):
    """Runs scenario(p) and exits."""
    try:
        if os.environ.get("YUBIN_ENDPOINTS"):
            with open(os.environ["YUBIN_ENDPOINTS"], encoding="utf-8") as f:
                scenario(Platform(json.load(f)))
        else:
            with platform(options, start, environment) as p:
                scenario(p)
    except Skip as e:
        print("skipped: %s" % e)
        sys.exit(77)
    except Exception:  # noqa: BLE001 (the boundary: everything is told, nothing passes)
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0)
