"""Deliveries, IMAP and POP3 change 200 mailboxes at once, each daemon reporting what it saw: what the database believes
afterwards is what is there, of mailboxes, domains and tenants. A round over all mailboxes mends what no report did."""
import os
import random
import subprocess
import time

import harness
from harness import sizes_in

N, DOMAINS = 200, ("one.test", "two.test")
SECONDS = 60 if os.environ.get("YUBIN_LONG") else 8
ADDRESSES = ["u%d@%s" % (i, DOMAINS[i % 2]) for i in range(N)]
BODY = b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 14


def deliver(p, rng, until):
    with p.smtp() as s:
        while time.monotonic() < until:
            s.sendmail("a@b.test", rng.sample(ADDRESSES, 3), BODY)


def by_imap(p, rng, until):
    while time.monotonic() < until:
        with p.imap(rng.choice(ADDRESSES)) as c:
            c.select("INBOX")
            c.append("INBOX", None, None, BODY)
            c.uid("STORE", "1:*", "+FLAGS.SILENT", "(\\Deleted)")
            c.expunge()


def by_pop3(p, rng, until):
    while time.monotonic() < until:
        try:
            c = p.pop3(rng.choice(ADDRESSES))
        except harness.poplib.error_proto:
            continue  # another thread has this mailbox
        for i in range(1, c.stat()[0] + 1):
            c.dele(i)
        c.quit()


def believed(p):
    rows = p.yubin_json("account", "list")
    return {r["address"]: (r["messages"], r["bytes"]) for r in rows}


def scenario(p):
    trial = p.own()
    for i, domain in enumerate(DOMAINS):
        p.tenant("t%d" % i, domain)
    rows = "".join('{"address": "%s", "password": "%s"}\n' % (a, harness.PASSWORD) for a in ADDRESSES)
    p.yubin("account", "add", "--from", "-", given=rows)
    p.passwords.update({a: harness.PASSWORD for a in ADDRESSES})
    root = p.yubin("mailbox", "path", ADDRESSES[0]).strip()
    root = os.path.dirname(os.path.dirname(os.path.dirname(root)))
    ids = {r["address"]: r["account_id"] for r in p.yubin_json("account", "list")}
    boxes = {a: os.path.join(root, ids[a][:2], ids[a].replace("-", ""), "Maildir") for a in ADDRESSES}
    until = time.monotonic() + SECONDS

    harness.in_threads(6, lambda k: (deliver, by_imap, by_pop3)[k % 3](p, random.Random(k // 3), until))

    def same():
        return believed(p) == {a: sizes_in(boxes[a]) for a in ADDRESSES}
    harness.wait_until(same, 20, 0.2)
    for i, domain in enumerate(DOMAINS):
        there = [sizes_in(boxes[a]) for a in ADDRESSES if a.endswith(domain)]
        want = sum(b for _, b in there)
        assert p.yubin_json("domain", "show", domain)["bytes"] == want
        assert p.yubin_json("tenant", "show", "t%d" % i)["bytes"] == want

    # A database of yesterday: nobody touches these mailboxes, and yet it comes right.
    trial.database.sql("UPDATE yubin.usage SET bytes = bytes + 7, change = change - 1")
    harness.wait_until(same, 20, 0.2)

    # A backup put back has numbers that were given before, for other sizes: what it holds counts.
    box = os.path.dirname(boxes[ADDRESSES[0]])
    kept, gone = os.path.join(trial.home, "kept"), os.path.join(trial.home, "gone")
    subprocess.run(["cp", "-a", box, kept], check=True)
    with p.smtp() as s:
        for _ in range(5):
            s.sendmail("a@b.test", ADDRESSES[:1], BODY)
    harness.wait_until(same, 20, 0.2)
    os.rename(box, gone)
    os.rename(kept, box)
    harness.wait_until(same, 20, 0.2)


if __name__ == "__main__":
    harness.main(scenario, {"lmtpd": {"usage_interval": "1s", "usage_round": "2s"}, "imapd": {"usage_interval": "1500ms"},
                            "pop3d": {"usage_interval": "2s"}})
