"""Mail in the queue: handed over to relayd as smtpd does, and what the operator's command shows of it."""
import os
import re
import smtplib

import harness


class Queue:
    """What was handed over is in order here: .ids are the messages' ids."""

    def __init__(self, p):
        self.p, self.trial, self.ids = p, p.own(), []

    def put(self, sender, *recipients, subject="x", body="x\r\n"):
        """One message for mailboxes of one tenant; the number that the queue gave it, or None if it is delivered already.
        ('': the null sender)"""
        message = os.urandom(16).hex()
        cards = [self.p.yubin_json("account", "show", r) for r in recipients]
        tenant = self.p.yubin_json("tenant", "show", cards[0]["tenant"])["tenant_id"]
        with smtplib.LMTP(os.path.join(self.trial.run_dir, "relayd.lmtp")) as s:
            s.ehlo("smtpd.test")
            answers = [s.mail(sender, ["XSESSION=0102030405060708.%s" % message, "XORIGIN=none", "XTENANT=%s" % tenant])]
            for r, card in zip(recipients, cards):
                answers.append(s.rcpt(r, ["XDELIVERY=%s" % os.urandom(16).hex(), "XACCOUNT=%s" % card["account_id"],
                                          "XQUOTA=0", "XACCEPTED"]))
            answers.append(s.data("Subject: %s\r\n\r\n%s" % (subject, body)))
        assert {code for code, _ in answers} == {250}, answers
        self.ids.append(message)
        rows = self.list("--message", message)
        return rows[0]["queue"] if rows else None

    def list(self, *options):
        return self.p.yubin_json("queue", "list", *options)

    def to(self, *options):
        """The recipients that a list shows, in order."""
        return [row["recipient"] for row in self.list(*options)]

    def until(self, n, *options):
        """Waits until so many fit."""
        def fit():
            rows = self.list(*options)
            return rows if len(rows) == n else None
        if n > 0:
            return harness.wait_until(fit)
        harness.wait_until(lambda: not self.list(*options))
        return []

    def order(self, verb, *options):
        """(matched, changed or about to be)."""
        done = self.p.yubin_json("queue", verb, *options)
        return done["matched"], done["changed"] + done["underway"]


def cells(text):
    """A table that people read, as rows of cells."""
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]
