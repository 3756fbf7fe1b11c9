"""An orderly end is no trouble: told to stop, each daemon goes with exit 0 and warns of nothing, with the database
there and clients connected."""
import signal

import harness


def scenario(p):
    trial = p.own()
    p.tenant("one", "one.test")
    p.account("ann@one.test")
    for daemon in trial.daemons.values():
        def listening(log=daemon.log):
            with open(log, encoding="utf-8") as f:
                return "event=directory.listen.up" in f.read()
        harness.wait_until(listening)
    clients = [p.smtp(), p.submission("ann@one.test"), p.imap("ann@one.test"), p.pop3("ann@one.test")]
    for daemon in trial.daemons.values():
        with open(daemon.log, encoding="utf-8") as f:
            f.seek(0, 2)
            assert daemon.stop(signal.SIGTERM) == 0, daemon.name
            said = [line for line in f if "level=warn" in line or "level=error" in line]
        assert not said, (daemon.name, said)
    assert len(clients) == 4


if __name__ == "__main__":
    harness.main(scenario)
