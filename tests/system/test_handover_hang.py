"""lmtpd hangs with a message for one: relayd gets it, the client hears 250, and it is there once when lmtpd goes on, whoever
comes first then: nobody waits any more for the answer to the first."""
import os
import signal
import smtplib

import harness
from lmtp_stub import Stub

TO = "ann@hang.test"


class Lmtp(smtplib.LMTP):
    """relayd's side, as far as it is needed."""

    def hand_over(self, mail, rcpts, body):
        codes = [self.docmd(line)[0] for line in [mail.partition(" SIZE=")[0] + " BODY=8BITMIME", *rcpts]]
        self.send(b"BDAT %d LAST\r\n" % len(body) + body)
        return codes + [self.getreply()[0] for _ in rcpts]


def scenario(p):
    trial = p.own()
    p.tenant("hang", "hang.test")
    p.account(TO)
    stub = Stub(os.path.join(trial.run_dir, "stub.lmtp"))
    trial.options["smtpd"].update({"relayd": "unix:" + stub.path})
    trial.write_conf()
    trial.daemons["smtpd"].stop()
    trial.daemons["smtpd"].start()
    assert p.send(TO, "warm")[0] == 250 and not stub.taken
    child = trial.daemons["lmtpd"].child_pid()
    os.kill(child, signal.SIGSTOP)
    try:
        assert p.send(TO, "hangs")[0] == 250
        (mail, rcpts, body), = stub.taken
        assert " XACCEPTED" in rcpts[0] and " XREPEAT" in rcpts[0] and b"Subject: hangs\r\n" in body, rcpts
    finally:
        os.kill(child, signal.SIGCONT)
    harness.wait_until(lambda: harness.log_lines(trial.daemons["lmtpd"], "event=lmtpd.refused", "Nobody waits"), 20)
    assert len(p.new_files()) == 1
    with Lmtp(os.path.join(trial.run_dir, "lmtpd.lmtp")) as relayd:
        relayd.ehlo()
        for _ in range(2):
            assert relayd.hand_over(mail, rcpts, body) == [250, 250, 250]
            assert len(p.new_files()) == 2
    stub.close()


if __name__ == "__main__":
    harness.main(scenario, {"smtpd": {"lmtpd_timeout": "1s"}})
