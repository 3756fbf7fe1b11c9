"""Handing over to relayd as smtpd and submitd do, and what its figures say."""
import collections
import os
import re
import smtplib

import harness

GONE = (OSError, smtplib.SMTPException)


class Handing:
    """Messages of one tenant's mailboxes, by their subjects."""

    def __init__(self, p):
        self.p, self.trial, self.cards = p, p.own(), {}
        self.socket = os.path.join(self.trial.run_dir, "relayd.lmtp")

    def params(self, address, delivery, repeat=False):
        if address not in self.cards:
            self.cards[address] = self.p.yubin_json("account", "show", address)
        return ["XDELIVERY=" + delivery, "XACCOUNT=" + self.cards[address]["account_id"], "XQUOTA=0",
                "XACCEPTED"] + ["XREPEAT"] * repeat

    def give(self, subject, *recipients, octets=10, deliveries=None, repeat=False):
        """The codes: of MAIL if it is refused, else of each recipient after the dot. Raises one of GONE."""
        deliveries = deliveries or [os.urandom(16).hex() for _ in recipients]
        tenant = "7e" * 16
        with smtplib.LMTP(self.socket, timeout=60) as s:
            s.ehlo("smtpd.test")
            code, _ = s.mail("stranger@example.net", ["SIZE=%d" % (octets + 50), "XTENANT=" + tenant,
                                                      "XSESSION=0102030405060708." + os.urandom(16).hex()])
            if code != 250:
                return [code]
            codes = [s.rcpt(r, self.params(r, d, repeat))[0] for r, d in zip(recipients, deliveries)]
            if set(codes) != {250}:
                return codes
            assert s.docmd("DATA")[0] == 354
            lines = "x" * 70 + "\r\n"
            s.send("Subject: %s\r\n\r\n%s.\r\n" % (subject, lines * (octets // 72 + 1)))
            return [s.getreply()[0] for _ in recipients]

    def figures(self):
        """Those of relayd, without yubin_relayd_."""
        text = self.p.yubin("control", "metrics", "relayd")
        return {m.group(1): float(m.group(2)) for m in re.finditer(r"^yubin_relayd_(\S+) (\S+)$", text, re.M)}

    def queued(self):
        """(waiting, held)"""
        found = self.figures()
        return (found['recipients{state="waiting"}'], found['recipients{state="held"}'])

    def until(self, waiting, held=0, seconds=60):
        try:
            harness.wait_until(lambda: self.queued() == (waiting, held), seconds)
        except harness.TrialError as e:
            raise AssertionError("not (%d, %d): %r" % (waiting, held, self.figures())) from e

    def stored(self):
        """How often each subject is there, for all mailboxes."""
        found = collections.Counter()
        for name in self.p.new_files():
            with open(name, encoding="utf-8") as f:
                found.update(line.split()[1] for line in f if line.startswith("Subject: "))
        return found

    def said(self, *words):
        return harness.log_lines(self.trial.daemons["relayd"], *words)

    def events(self, address):
        """Of relayd and lmtpd, in order."""
        return [e for e in self.p.yubin_json("event", "list", "--address", address, "--limit", "1000")
                if e["daemon"] in ("relayd", "lmtpd")]
