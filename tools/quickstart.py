"""The part of ./quickstart that comes after the build: see there."""
import argparse
import email.utils
import fcntl
import imaplib
import json
import os
import poplib
import secrets
import signal
import smtplib
import ssl
import stat
import sys
import time
import uuid

import trial
from trial import HOST, Trial, TrialError

HOSTNAME = "mail.yubin.test"
POSTMASTER = "alice@acme.test"  # the operator's, of this demonstration
TENANTS = {"acme": ("acme.test", ["alice", "bob"]), "globex": ("globex.test", ["carol"])}


def arguments():
    p = argparse.ArgumentParser(prog="quickstart")
    p.add_argument("--port-base", type=int, metavar="N")
    p.add_argument("--detach", action="store_true")
    p.add_argument("--stop", action="store_true")
    p.add_argument("--no-install", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.port_base is not None and not 0 < a.port_base <= 64000:
        p.error("--port-base is a number from 1 to 64000")
    return a


class Lock:
    """Held by the quickstart that runs; its file tells that one's pid."""

    def __init__(self, home):
        self.file = open(os.path.join(home, "quickstart.lock"), "a+", encoding="ascii")

    def take(self, wait=0):
        end = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.file.truncate(0)  # what the last one wrote
                return True
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
                time.sleep(0.05)

    def owner(self):
        """Who holds it; it may be about to write that down."""
        def pid():
            self.file.seek(0)
            return int(self.file.read() or 0)
        return trial.wait_until(pid)

    def sign(self):
        self.file.write("%d\n" % os.getpid())
        self.file.flush()


def stop(home):
    if not os.path.isdir(home):
        print("nothing runs in %s" % home)
        return 0
    lock = Lock(home)
    if lock.take():
        database = trial.Database(home)  # one that was killed leaves it behind
        print("only the database ran" if database.running() else "nothing runs in %s" % home)
        database.stop()
        return 0
    os.kill(lock.owner(), signal.SIGTERM)
    if not lock.take(wait=90):
        raise TrialError("process %d does not stop: see %s/log" % (lock.owner(), home))
    print("stopped")
    return 0


def check_home(home):
    if len(home) > 70:
        raise TrialError("YUBIN_HOME is too long for the sockets in it: %s" % home)
    if os.geteuid() != 0:
        return
    path = home
    while path != "/":
        if os.path.exists(path) and not os.stat(path).st_mode & stat.S_IXOTH and path != home:
            raise TrialError("the daemons' users cannot enter %s: choose another YUBIN_HOME" % path)
        path = os.path.dirname(path)


def port_base(home, wanted):
    """What is asked for, else what was used before, else the default."""
    path = os.path.join(home, "port-base")
    if wanted is None and os.path.exists(path):
        with open(path, encoding="ascii") as f:
            wanted = int(f.read())
    wanted = wanted or 20000
    trial.write(path, "%d\n" % wanted)
    return wanted


def write_conf(t):
    """yubin.conf is ours until somebody edits it; then only other ports make us write it anew."""
    made = os.path.join(t.home, "yubin.conf.made")

    def read(path):
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as f:
            return f.read()

    before, edited = read(made), read(t.conf)
    mine = t.conf_text()
    if edited is not None and edited != before and "listen = %s:%d\n" % (HOST, t.port("smtp")) in edited:
        return
    if edited is not None and edited != before:
        os.rename(t.conf, t.conf + ".edited")
        print("other ports: your yubin.conf is kept as %s.edited" % t.conf)
    trial.write(t.conf, mine)
    trial.write(made, mine)


def demo_accounts(t):
    """Two customers; made once, passwords kept in accounts.json."""
    path = os.path.join(t.home, "accounts.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    accounts = [{"address": "%s@%s" % (user, domain), "password": secrets.token_urlsafe(9), "tenant": tenant}
                for tenant, (domain, users) in TENANTS.items() for user in users]

    def there(*what):
        try:
            t.yubin(*what)
            return True
        except TrialError:
            return False

    for tenant, (domain, _) in TENANTS.items():
        if not there("tenant", "show", tenant):
            t.yubin("tenant", "add", tenant)
        if not there("domain", "show", domain):
            t.yubin("domain", "add", tenant, domain)
    for a in accounts:
        verb = "password" if there("account", "show", a["address"]) else "add"
        t.yubin("account", verb, a["address"], given=a["password"] + "\n")
    trial.write(path, json.dumps(accounts, indent=1) + "\n", 0o600)
    return accounts


def try_it(ends):
    """One message from a stranger to the last account, read by IMAP, read and removed by POP3."""
    to, subject = ends["accounts"][-1], "quickstart %s" % uuid.uuid4().hex
    tls = ssl.create_default_context(cafile=ends["ca"])
    with smtplib.SMTP(HOST, ends["smtp"], timeout=30) as s:
        s.sendmail("stranger@example.net", [to["address"]],
                   "From: <stranger@example.net>\r\nTo: <%s>\r\nDate: %s\r\nSubject: %s\r\n\r\nWelcome.\r\n"
                   % (to["address"], email.utils.formatdate(), subject))
    if "imaps" in ends:
        with imaplib.IMAP4_SSL(HOST, ends["imaps"], ssl_context=tls, timeout=30) as c:
            c.login(to["address"], to["password"])
            c.select("INBOX", readonly=True)
            if not c.search(None, "SUBJECT", '"%s"' % subject)[1][0]:
                raise TrialError("a message was accepted by SMTP, and IMAP does not show it")
    if "pop3s" in ends:
        c = poplib.POP3_SSL(HOST, ends["pop3s"], context=tls, timeout=30)
        c.user(to["address"])
        c.pass_(to["password"])
        ours = [n + 1 for n in range(c.stat()[0]) if subject.encode() in b"\n".join(c.top(n + 1, 0)[1])]
        for n in ours:
            c.dele(n)
        c.quit()
        if len(ours) != 1:
            raise TrialError("a message was accepted by SMTP, and POP3 shows it %d times" % len(ours))


def tell(t, ends):
    first, last = ends["accounts"][0], ends["accounts"][-1]
    print("yubin runs on %s; everything is in %s" % (HOST, t.home))
    for service in trial.PORTS:
        if service in ends:
            print("    %-12s %d" % (service, ends[service]))
    print("accounts")
    for a in ends["accounts"]:
        print("    %-20s password %s   (customer %s)" % (a["address"], a["password"], a["tenant"]))
    print("try")
    print("    printf 'Subject: hello\\r\\n\\r\\nhello\\r\\n' | curl -sS smtp://%s:%d --mail-from you@example.net \\\n"
          "        --mail-rcpt %s -T -" % (HOST, ends["smtp"], last["address"]))
    if "imaps" in ends:
        print("    curl -sS --cacert %s -u %s:%s 'imaps://%s:%d/INBOX?ALL'" % (
            ends["ca"], last["address"], last["password"], HOST, ends["imaps"]))
    print("    %s -c %s account list %s" % (t.control, t.conf, first["address"].split("@")[1]))
    sys.stdout.flush()


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signalled(Exception):
    """Somebody asks us to stop."""


def on_signal(number, frame):
    raise Signalled


def watch(t, publish):
    """A daemon's parent that ends by itself is started again, as a service manager would."""
    while True:
        time.sleep(1)
        for d in t.daemons.values():
            if not d.alive():
                print("yubin-%s ended (%d); starting it again" % (d.name, d.process.returncode), flush=True)
                try:
                    d.start()
                except TrialError as e:
                    print(e, flush=True)
                publish()  # its pid is another


def serve(t, detached):
    """Brings everything up, tells, and stays until a signal. `detached`: descriptor of who waits."""
    path = os.path.join(t.home, "endpoints.json")

    def publish():
        ends = t.endpoints(accounts)
        trial.write(path, json.dumps(ends, indent=1) + "\n", 0o600)
        return ends
    try:
        if os.path.exists(path):  # of one that was killed: nothing of it is true any more
            os.unlink(path)
        write_conf(t)
        t.prepare([HOSTNAME, "localhost"] + ["mail." + d for d, _ in TENANTS.values()])
        accounts = demo_accounts(t)
        t.start()
        try_it(t.endpoints(accounts))
        tell(t, publish())
        if detached is not None:
            sys.stdout.flush()
            log = os.open(os.path.join(t.home, "log", "quickstart.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.write(detached, b"ready\n")
            os.close(detached)
            for fd in (1, 2):
                os.dup2(log, fd)
        else:
            print("Ctrl-C stops it.", flush=True)
        watch(t, publish)
    except Signalled:
        return 0
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if os.path.exists(path):
            os.unlink(path)
        t.stop()


def detach():
    """In the parent: waits until the child tells that all is up, and ends. In the child: the descriptor."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.close(ours)
        os.setsid()
        return theirs
    os.close(theirs)
    with os.fdopen(ours, "rb") as f:
        sys.exit(0 if f.readline() == b"ready\n" else 1)


def main():
    a = arguments()
    home = os.environ["YUBIN_HOME"]
    if a.stop:
        return stop(home)
    check_home(home)
    os.makedirs(home, exist_ok=True)
    lock = Lock(home)
    if not lock.take():
        print("it runs already (%s/endpoints.json); --stop stops it" % home)
        return 0
    detached = detach() if a.detach else None
    lock.sign()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, on_signal)
    t = Trial(home, os.path.join(home, "build"), port_base(home, a.port_base),
              {"common": {"postmaster": POSTMASTER}}, hostname=HOSTNAME)
    return serve(t, detached)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TrialError as e:
        print("quickstart: %s" % e, file=sys.stderr)
        sys.exit(1)
