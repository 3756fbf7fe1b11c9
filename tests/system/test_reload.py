"""SIGHUP: another certificate for who comes next, nothing changed for who is there; a pair that does
not fit, or a configuration with errors, is refused whole and the log says why."""
import os
import shutil
import signal
import ssl

import harness
from harness import trial


def served(p, ca):
    """The serial number of the certificate that imaps shows."""
    context = ssl.create_default_context(cafile=ca)
    with context.wrap_socket(p.raw("imaps"), server_hostname="127.0.0.1") as s:
        return s.getpeercert()["serialNumber"]


def log_count(daemon, what):
    return len(harness.log_lines(daemon, "event=" + what))


def reload(daemon, event):
    before = log_count(daemon, event)
    daemon.process.send_signal(signal.SIGHUP)
    harness.wait_until(lambda: log_count(daemon, event) > before)


def scenario(p):
    t, imapd = p.own(), p.own().daemons["imapd"]
    p.tenant("one", "one.test")
    p.account("ann@one.test")
    old, child = served(p, t.ca), imapd.child_pid()
    tls, other = os.path.join(t.home, "tls"), os.path.join(t.home, "other")
    there = p.imap("ann@one.test")

    ca, cert, key = trial.make_certificates(other, [harness.HOSTNAME])
    shutil.copy(cert, os.path.join(tls, "server.pem"))  # the new certificate with the old key
    reload(imapd, "conf.kept")
    assert served(p, t.ca) == old
    shutil.copy(key, os.path.join(tls, "server.key"))
    os.chmod(os.path.join(tls, "server.key"), 0o644)  # a secret that others can read
    reload(imapd, "conf.kept")
    assert served(p, t.ca) == old
    os.chmod(os.path.join(tls, "server.key"), 0o600)
    reload(imapd, "conf.reloaded")
    assert served(p, ca) != old
    assert there.noop()[0] == "OK", "who was there stays"

    assert log_count(imapd, "tls.certificate.ending") == 0
    trial.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/CN=soon",
              "-keyout", os.path.join(tls, "server.key"), "-out", os.path.join(tls, "server.pem"))
    reload(imapd, "tls.certificate.ending")

    with open(t.conf, "a", encoding="utf-8") as f:
        f.write("[imapd]\nidle_timeout = soon\nlogin_timout = 1m\n")
    reload(imapd, "conf.kept")
    assert log_count(imapd, "conf.error") >= 3, "all errors are told, each on its line"
    assert harness.log_lines(imapd, "idle_timeout") and harness.log_lines(imapd, "is login_timeout meant?")
    assert imapd.child_pid() == child and there.noop()[0] == "OK"
    there.logout()


if __name__ == "__main__":
    harness.main(scenario)
