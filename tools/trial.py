"""A whole yubin platform on loopback: private PostgreSQL, certificates, configuration, all daemons.

./quickstart keeps one below its home; each system test makes its own and throws it away. As root
the daemons become their own users; as anybody else everything runs as that user.
"""
import ctypes
import fcntl
import functools
import json
import os
import pwd
import secrets
import select
import shutil
import signal
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST = "127.0.0.1"
PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
CONTROL_GROUP = "yubin"
# Who logs in to the database beside the daemons: operators, and the parts that are still to come.
OTHER_LOGINS = ("postgres", "yubin_operator", "yubin_managesieved", "yubin_logd", "yubin_syncd", "yubin_api")
START_SECONDS = 60
os.environ["PATH"] += ":/usr/sbin:/sbin"  # useradd, for root without a login shell


class TrialError(Exception):
    """What went wrong and where to look, for people."""


def run(*command, **more):
    """Runs to the end; output only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        raise TrialError("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stdout))
    return done.stdout


def write(path, text, mode=0o644):
    """Whole or not at all."""
    fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        os.fchmod(fd, mode)
        f.write(text)
    os.rename(path + ".new", path)


def end_with_us():
    """In a new process: SIGTERM when the one that started it dies, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


@functools.lru_cache(None)
def daemons(build):
    """What this build knows of its daemons (`yubin config roles`): {name: row}, those that the others hand messages
    to first."""
    rows = json.loads(run(os.path.join(build, "ctl", "yubin"), "--json", "config", "roles"))
    return {r["daemon"]: r for r in sorted(rows, key=lambda r: (r["hands_over"], bool(port_options(r))))}


def database_logins(build):
    return OTHER_LOGINS + tuple(r["database_role"] for r in daemons(build).values())


def port_options(row):
    """The options that name a port, and the service that has this port by default."""
    services = {str(port): service for service, port in PORTS.items()}
    return {option: services[places[0].rpartition(":")[2]] for option, places in row["listen"].items()
            if not places[0].startswith("unix:")}


def make_users(build):
    """The system users of the daemons, as the package makes them (sysusers.d)."""
    def exists(kind, name):
        return subprocess.run(["getent", kind, name], stdout=subprocess.DEVNULL, check=False).returncode == 0

    etc = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Several platforms may begin at once, and these commands refuse to wait for each other.
        fcntl.flock(etc, fcntl.LOCK_EX)
        groups_of = {r["user"]: r["groups"] for r in daemons(build).values()}
        for group in sorted({CONTROL_GROUP}.union(*groups_of.values())):
            if not exists("group", group):
                run("groupadd", "--system", group)
        for user, groups in groups_of.items():
            if not exists("passwd", user):
                run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
                    "--shell", "/usr/sbin/nologin", user)
            if groups:
                run("usermod", "--append", "--groups", ",".join(groups), user)
    finally:
        os.close(etc)


class Database:
    """A PostgreSQL of our own on a unix socket; system users become roles by peer authentication."""

    kept = None  # a folder that keeps what initdb made, for the next one

    def __init__(self, home, durable=True, build=None):
        self.home, self.durable, self.build = home, durable, build  # build: to start it
        self.data = os.path.join(home, "postgres")
        self.user = "postgres" if os.geteuid() == 0 else None
        versions = sorted(os.listdir("/usr/lib/postgresql"), key=float)
        self.bin = os.path.join("/usr/lib/postgresql", versions[-1], "bin")
        # A socket's path is short; a home may be anywhere.
        self.socket = os.path.join(home, "pg")

    def conninfo(self, user=None):
        return "host=%s dbname=yubin" % self.socket + (" user=%s" % user if user else "")

    def _run(self, program, *arguments):
        more = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        log = os.path.join(self.home, "log", "postgres.start")
        with open(log, "w", encoding="utf-8") as f:  # a pipe would stay open in the server
            done = subprocess.run([os.path.join(self.bin, program), *arguments], cwd="/", check=False,
                                  stdin=subprocess.DEVNULL, stdout=f, stderr=f, **more)
        if done.returncode != 0:
            with open(log, encoding="utf-8") as f:
                raise TrialError("%s: exit %d\n%s" % (program, done.returncode, f.read()))

    def _own(self, path, mode):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        if self.user:
            shutil.chown(path, self.user, self.user)

    def create(self):
        self._own(self.socket, 0o755)
        if os.path.exists(os.path.join(self.data, "PG_VERSION")):
            return False
        if self.kept is None:
            self._initdb()
        else:
            self._copy_kept()
        return True

    def _initdb(self):
        self._own(self.data, 0o700)
        self._run("initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
                  *([] if self.durable else ["--no-sync"]))

    def _copy_kept(self):
        """initdb takes as long as all else that a platform begins with; a copy of what it makes does not."""
        name = "initdb-%s-%s" % (os.path.basename(os.path.dirname(self.bin)), self.user or os.geteuid())
        kept = os.path.join(self.kept, name)
        os.makedirs(self.kept, exist_ok=True)
        with open(kept + ".lock", "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several platforms may begin at once
            if not os.path.exists(kept):
                self._initdb()
                shutil.rmtree(kept + ".new", ignore_errors=True)
                run("cp", "-a", self.data, kept + ".new")
                os.rename(kept + ".new", kept)
                return
        run("cp", "-a", "--reflink=auto", kept, self.data)

    def _access(self):
        """Who may be which role: root and we ourselves any, a daemon's user the daemon's own."""
        me = pwd.getpwuid(os.geteuid()).pw_name
        pairs = {(who, role) for who in {me, "root", "postgres"} for role in database_logins(self.build)}
        pairs |= {(r["user"], r["database_role"]) for r in daemons(self.build).values()}
        for name, text in (("pg_hba.conf", "local all all peer map=yubin\n"),
                           ("pg_ident.conf", "".join("yubin %s %s\n" % p for p in sorted(pairs)))):
            path = os.path.join(self.data, name)
            write(path, text, 0o600)
            if self.user:
                shutil.chown(path, self.user, self.user)

    def running(self):
        """By its own account: postmaster.pid names a process that works in the folder. (After a crash
        the number may be another's.)"""
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as f:
                return os.path.samefile("/proc/%d/cwd" % int(f.readline()), self.data)
        except (OSError, ValueError):
            return False

    def start(self):
        self._access()
        if self.running():
            return
        options = "-k %s -c listen_addresses= -c max_connections=300" % self.socket
        if not self.durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", os.path.join(self.data, "log"),
                  "-o", options, "start")

    def stop(self, how="fast"):
        if self.running():
            self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-m", how, "stop")

    def make(self):
        """The empty database, when it is not there."""
        psql = ["psql", "-X", "-h", self.socket, "-U", "postgres", "-d", "postgres", "-Atc"]
        if run(*psql, "SELECT 1 FROM pg_database WHERE datname = 'yubin'").strip() != "1":
            run(*psql, "CREATE DATABASE yubin ENCODING 'UTF8' TEMPLATE template0")

    def sql(self, text, role="postgres"):
        return run("psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-U", role, "-d", "yubin", "-Atc", text)


def make_certificates(folder, names):
    """A certificate authority and a server certificate for `names`, both P-256, kept while valid."""
    os.makedirs(folder, exist_ok=True)
    ca, ca_key = os.path.join(folder, "ca.pem"), os.path.join(folder, "ca.key")
    cert, key, request = (os.path.join(folder, n) for n in ("server.pem", "server.key", "server.csr"))

    def valid(path, days):
        return os.path.exists(path) and subprocess.run(
            ["openssl", "x509", "-in", path, "-noout", "-checkend", str(days * 86400)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def new_key(path):
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        os.chmod(path, 0o600)

    if not valid(ca, 365):
        new_key(ca_key)
        run("openssl", "req", "-x509", "-new", "-key", ca_key, "-sha256", "-days", "3650", "-out", ca,
            "-subj", "/CN=yubin trial authority", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    if not valid(cert, 30) or not valid(ca, 365):
        new_key(key)
        extensions = os.path.join(folder, "server.ext")
        write(extensions, "subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n"
              % ",".join(["IP:127.0.0.1"] + ["DNS:" + n for n in names]))
        run("openssl", "req", "-new", "-key", key, "-out", request, "-subj", "/CN=" + names[0])
        run("openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-sha256", "-days", "365", "-extfile", extensions, "-out", cert)
    return ca, cert, key


class Daemon:
    """One daemon's parent process."""

    def __init__(self, trial, name, binary):
        self.trial, self.name, self.binary = trial, name, binary
        self.log = os.path.join(trial.home, "log", name + ".log")
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def launch(self, environment=None):
        """Starts it and returns the descriptor that tells when it is ready."""
        ready, theirs = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "-c", self.trial.conf, "--ready-fd", str(theirs)], pass_fds=[theirs],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
                preexec_fn=end_with_us, env=dict(os.environ, **(environment or {})))
        os.close(theirs)
        return ready

    def wait_ready(self, ready, seconds=START_SECONDS):
        with os.fdopen(ready, "rb") as f:
            if not select.select([f], [], [], seconds)[0]:
                raise TrialError("yubin-%s was not ready in %d s:\n%s" % (self.name, seconds, self.tail()))
            if f.readline() != b"ready\n":
                raise TrialError("yubin-%s did not start (exit %d):\n%s" % (
                    self.name, self.process.wait(), self.tail()))

    def start(self, environment=None):
        self.wait_ready(self.launch(environment))

    def tail(self, lines=15):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def child_pid(self):
        """Of the process that serves; it changes when the parent has started another one."""
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid), encoding="ascii") as f:
            pids = f.read().split()
        for pid in pids:
            try:
                with open("/proc/%s/comm" % pid, encoding="utf-8") as f:
                    if f.read() != "yubin-probe\n":  # it tries what a child died of
                        return int(pid)
            except OSError:  # it has ended
                pass
        return None

    def stop(self, sig=signal.SIGTERM, seconds=30):
        """Returns the exit code (negative: the signal)."""
        if self.alive():
            self.process.send_signal(sig)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise TrialError("yubin-%s did not stop in %d s:\n%s" % (self.name, seconds, self.tail())) from None


class Trial:
    """home: where everything is kept; build: where the programs are; options: {section: {name: value}}; schema: the
    migrations that the database begins with."""

    def __init__(self, home, build, port_base, options=None, durable=True, hostname="mail.yubin.test",
                 schema=os.path.join(TOP, "schema")):
        self.home, self.build, self.port_base, self.schema = home, build, port_base, schema
        self.hostname, self.options = hostname, options or {}
        self.conf = os.path.join(home, "yubin.conf")
        self.mail_root = os.path.join(home, "mail")
        self.run_dir = os.path.join(home, "run")
        self.database = Database(home, durable, build)
        self.daemons = {}
        self.environment = {}  # of the daemons
        self.ca = None

    def port(self, service):
        return self.port_base + PORTS[service]

    @property
    def control(self):
        return os.path.join(self.build, "ctl", "yubin")

    def yubin(self, *arguments, given=None):
        """The operator's command; returns what it prints."""
        done = subprocess.run([self.control, "-c", self.conf, *arguments], input=given, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise TrialError("yubin %s: exit %d\n%s" % (" ".join(arguments), done.returncode, done.stderr))
        return done.stdout

    def yubin_json(self, *arguments, given=None):
        return json.loads(self.yubin("--json", *arguments, given=given))

    def _built(self, name):
        path = os.path.join(self.build, name, "yubin-" + name)
        return path if os.access(path, os.X_OK) else None

    def _sections(self):
        """The configuration: only what differs from the defaults."""
        lmtp, queue = "unix:%s/lmtpd.lmtp" % self.run_dir, "unix:%s/relayd.lmtp" % self.run_dir
        sections = {"common": {
            "hostname": self.hostname, "run_dir": self.run_dir, "state_dir": os.path.join(self.home, "state"),
            "event_dir": os.path.join(self.home, "events"), "mail_root": self.mail_root,
            "node_id_file": os.path.join(self.home, "node"), "database": self.database.conninfo(),
            "tls_certificates": os.path.join(self.home, "tls", "server.pem"),
            "tls_keys": os.path.join(self.home, "tls", "server.key"),
            "auth_secret": os.path.join(self.home, "auth.secret"),
        }}
        for name, row in daemons(self.build).items():
            sections[name] = {o: "%s:%d" % (HOST, self.port(s)) for o, s in port_options(row).items()}
            # Every test program comes from the same address, and many are the same few users.
            sections[name]["max_connections_per_network"] = "10000"
            if "max_connections_per_account" in row["options"]:
                sections[name]["max_connections_per_account"] = "10000"
            if row["hands_over"]:
                sections[name]["lmtpd"] = lmtp
            if "relayd" in row["options"]:
                sections[name]["relayd"] = queue
        sections["lmtpd"]["listen"] = lmtp
        if "relayd" in sections:  # not in builds of before it
            sections["relayd"]["listen"] = queue
        for name, values in self.options.items():
            sections.setdefault(name, {}).update(values)
        return sections

    def conf_text(self):
        return "".join("[%s]\n%s\n" % (name, "".join("%s = %s\n" % v for v in values.items()))
                       for name, values in self._sections().items())

    def write_conf(self):
        write(self.conf, self.conf_text())

    def prepare(self, names):
        """Folders, users, certificates, database, schema, node, store; what is there is kept."""
        for folder in ("", "log", "run"):
            os.makedirs(os.path.join(self.home, folder), exist_ok=True)
        os.chmod(self.home, 0o755)
        os.chmod(os.path.join(self.home, "log"), 0o755)
        if os.geteuid() == 0:
            make_users(self.build)
        secret = os.path.join(self.home, "auth.secret")
        if not os.path.exists(secret):
            write(secret, secrets.token_hex(32) + "\n", 0o640)
        self.ca, _, _ = make_certificates(os.path.join(self.home, "tls"), names)
        self.database.create()
        self.database.start()
        self.database.make()
        self.yubin("schema", "migrate", "--user", "postgres", "--files", self.schema)
        if not os.path.exists(os.path.join(self.home, "node")):
            self.yubin("node", "init")
        if not os.path.exists(os.path.join(self.mail_root, ".yubin-store")):
            self.yubin("store", "init")

    def start(self, names=None):
        """All daemons that are built (or these), at once; returns when all are ready."""
        waiting = []
        for name in names or daemons(self.build):
            binary = self._built(name)
            if binary is None:
                continue
            self.daemons[name] = Daemon(self, name, binary)
            waiting.append((self.daemons[name], self.daemons[name].launch(self.environment)))
        for daemon, ready in waiting:
            daemon.wait_ready(ready)

    def services(self):
        return {s: self.port(s) for n in self.daemons for s in port_options(daemons(self.build)[n]).values()}

    def endpoints(self, accounts):
        """What test programs need to know (endpoints.json)."""
        return {"version": 1, "host": HOST, **self.services(), "ca": self.ca,
                "pids": {n: d.pid for n, d in self.daemons.items()},
                "ctl": [self.control, "-c", self.conf], "maildir_root": self.mail_root, "accounts": accounts}

    def stop(self, keep_database=False):
        """In the reverse order of the mail's way; every daemon is given its chance."""
        troubles = []
        for daemon in self.daemons.values():
            if daemon.alive():
                daemon.process.send_signal(signal.SIGTERM)
        for daemon in self.daemons.values():
            try:
                daemon.stop()
            except TrialError as e:
                troubles.append(str(e))
        if not keep_database:
            self.database.stop()
        if troubles:
            raise TrialError("\n".join(troubles))


def wait_until(what, seconds=30, every=0.02):
    """Calls what() until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise TrialError("waited %g s in vain for %s" % (seconds, getattr(what, "__name__", what)))
        time.sleep(every)
