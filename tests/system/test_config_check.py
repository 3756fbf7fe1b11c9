"""`yubin config check` says what the daemons would say: each thing that keeps one from starting, and what it starts
with but somebody should know. Nothing runs, no database is there; each daemon's own -n agrees."""
import datetime
import os
import subprocess
import sys
import tempfile

import harness
from harness import trial

OK, REFUSED, CONFIG = 0, 1, 78


class Node:
    def __init__(self, home, build):
        self.trial, self.build = trial.Trial(home, build, 20000), build
        os.makedirs(os.path.join(home, "mail"))
        trial.write(os.path.join(home, "mail", ".yubin-store"), "")
        trial.write(os.path.join(home, "auth.secret"), "0" * 64, 0o600)
        trial.write(os.path.join(home, "node"), "0123456789abcdef\n")
        self.tls = os.path.join(home, "tls")
        trial.make_certificates(self.tls, ["mail.test"])
        self.sections = self.trial._sections()

    def run(self, changes, *command):
        sections = {name: {**values, **changes.get(name, {})} for name, values in self.sections.items()}
        trial.write(self.trial.conf, "".join("[%s]\n%s\n" % (name, "".join("%s = %s\n" % v for v in values.items()))
                                             for name, values in sections.items()))
        done = subprocess.run([os.path.join(self.build, command[0]), "-c", self.trial.conf, *command[1:]], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def check(self, changes):
        return self.run(changes, "ctl/yubin", "config", "check")

    def certificate(self, name, ends):
        """Self-signed, ends so many days from now; returns the options that name it."""
        cert, key = (os.path.join(self.tls, name + e) for e in (".pem", ".key"))
        began, ended = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=d, hours=1)
                        for d in (ends - 90, ends))
        trial.run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert + ".csr",
                  "-subj", "/CN=" + name)
        os.chmod(key, 0o600)
        trial.write(cert + ".cnf", "[ca]\ndefault_ca=us\n[us]\ndatabase=%s.db\nserial=%s.no\nnew_certs_dir=%s\n"
                    "default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n" % (cert, cert, self.tls))
        trial.write(cert + ".db", "")
        trial.write(cert + ".no", "01\n")
        form = "%Y%m%d%H%M%SZ"
        trial.run("openssl", "ca", "-batch", "-selfsign", "-config", cert + ".cnf", "-keyfile", key, "-in",
                  cert + ".csr", "-out", cert, "-notext", "-startdate", began.strftime(form), "-enddate",
                  ended.strftime(form))
        return {"tls_certificates": cert, "tls_keys": key}


def wrong(node, changes, text, daemon=None):
    """Refused, with this sentence; a daemon's -n says the same."""
    code, out, told = node.check(changes)
    assert code == REFUSED and text in told and "OK" not in out, (changes, code, out, told)
    if daemon is not None:
        code, _, told = node.run(changes, "%s/yubin-%s" % (daemon, daemon), "-n")
        assert code == CONFIG and text in told, (changes, code, told)


def warned(node, changes, text):
    code, out, told = node.check(changes)
    assert code == OK and out.endswith("OK\n") and "warning" in told and text in told, (changes, code, out, told)


def scenario(node):
    code, out, told = node.check({})
    assert (code, out, told) == (OK, node.trial.conf + ": OK\n", ""), (code, out, told)
    for name in trial.daemons(node.build):
        assert node.run({}, "%s/yubin-%s" % (name, name), "-n") == (OK, "", ""), name

    renewed, old = node.certificate("renewed", 60), node.certificate("old", 60)
    pair = {"common": {**renewed, "tls_keys": old["tls_keys"]}}
    wrong(node, pair, "does not fit", "imapd")
    wrong(node, {"common": {"tls_certificates": "", "tls_keys": ""}}, "[imapd] listen_tls: needs tls_cert", "imapd")
    assert node.check({"common": renewed})[2] == "", "60 days are enough"
    warned(node, {"common": node.certificate("soon", 13)}, "soon.pem ends on ")
    warned(node, {"common": node.certificate("late", -1)}, "late.pem has ended on ")

    wrong(node, {"pop3d": {"listen": "127.0.0.1:%d" % node.trial.port("imap")}}, "is taken by")
    wrong(node, {"imapd": {"listen": "0.0.0.0:%d" % node.trial.port("imaps")}}, "is taken by", "imapd")
    wrong(node, {"imapd": {"proxy_from": "10.0.0.0/8 balancer"}}, '"balancer" is no network', "imapd")
    wrong(node, {"imapd": {"auth_mechanisms": "PLAIN CRAM-MD5"}}, "CRAM-MD5", "imapd")
    wrong(node, {"common": {"node_id_file": "/nonexistent"}}, "yubin node init", "smtpd")
    wrong(node, {"common": {"state_dir": node.trial.conf}}, "is no folder", "lmtpd")
    wrong(node, {"common": {"event_dir": "/nonexistent/far/away"}}, "there is no /nonexistent/far", "lmtpd")
    warned(node, {"common": {"mail_root": "/nonexistent"}}, "yubin store init")
    wrong(node, {"common": {"first_mailboxes": "\\Sent=Sent, \\All=All"}}, 'first_mailboxes: "\\All=All": uses are')
    if os.geteuid() == 0:
        wrong(node, {"imapd": {"user": "nobody-of-that-name"}}, "there is no user nobody-of-that-name", "imapd")
        wrong(node, {"lmtpd": {"socket_group": "no-such-group"}}, "there is no group no-such-group", "lmtpd")
        gone = {"user": "nobody-of-that-name", "listen": "", "listen_tls": ""}
        assert node.check({"pop3d": gone})[0] == OK, "a daemon without addresses is not run here"


def main():
    build = harness.build_folder()
    if os.geteuid() == 0:
        trial.make_users(build)
    with tempfile.TemporaryDirectory(prefix="yb-", dir="/var/tmp") as home:
        os.chmod(home, 0o755)
        scenario(Node(home, build))


if __name__ == "__main__":
    sys.exit(main())
