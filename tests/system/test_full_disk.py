"""A mail store on a small file system that fills up: 4xx, nothing lost, nothing truncated; what is there can be read,
deleting works, and mail flows again when there is room. Needs root and a loop device."""
import disks
import harness
from full import ANN, Senders, fill, message


def delete_by_pop3(p, senders, n):
    c = p.pop3(ANN)
    assert c.stat()[0] == len(senders.kept)
    for k in range(n):
        c.dele(k + 1)
    assert c.quit().startswith(b"+OK"), "deleting works on a full disk"
    for number in sorted(senders.kept)[:n]:
        del senders.kept[number]
    senders.check()


def full(p, trial):
    p.tenant("full", "full.test")
    p.account(ANN)
    senders = Senders(p)
    fill(senders)
    senders.check()
    disks.use_up(trial.mail_root)
    with p.imap(ANN) as c:  # what cannot be done is NO, and the session goes on
        assert c.append("INBOX", None, None, message(0, 100000).encode())[0] == "NO"
        assert c.select()[0] == "OK"
        for flags in ("\\Flagged", "\\Flagged \\Seen \\Answered", "\\Deleted"):
            answer = c.store("1:*", "FLAGS", "(%s)" % flags)
            assert answer[0] == "OK", answer
        assert c.store("2:*", "FLAGS", "()")[0] == "OK"
        assert c.expunge()[0] == "OK"
    del senders.kept[min(senders.kept)]
    senders.check()
    delete_by_pop3(p, senders, 1)
    senders.check()
    harness.wait_until(lambda: senders.send(1000) == 250, 20, 0.2)
    senders.check()
    fill(senders)
    senders.check()
    # A restart while it is full, and all is as it was.
    trial.stop(keep_database=True)
    trial.start()
    senders.check()
    delete_by_pop3(p, senders, 12)
    card = p.yubin_json("store", "check", ANN)
    assert card["lost"] == 0 and card["foreign"] == 0, card
    print("store:", len(senders.kept), "kept,", len(senders.refused), "refused")


def scenario(p):
    trial = p.own()
    with disks.small(p, trial.mail_root, 20):
        full(p, trial)


if __name__ == "__main__":
    harness.main(scenario, {"common": {"mail_reserve": "0"}}, start=False)
