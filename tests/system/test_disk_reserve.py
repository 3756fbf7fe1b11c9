"""A mail store that keeps a reserve: deliveries end earlier, and users of IMAP can clean up. Needs root and a loop
device."""
import disks
import harness
from full import ANN, Senders, fill


def scenario(p):
    with disks.small(p, p.own().mail_root, 20):
        p.tenant("full", "full.test")
        p.account(ANN)
        senders = Senders(p)
        fill(senders)
        senders.check()
        with p.imap(ANN) as c:
            c.select()
            assert c.store("1:20", "+FLAGS", "(\\Flagged)")[0] == "OK"
            assert c.store("1:10", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
            assert c.expunge()[0] == "OK"
        for n in sorted(senders.kept)[:10]:
            del senders.kept[n]
        harness.wait_until(lambda: senders.send(100000) == 250, 20, 0.2)
        senders.check()
        card = p.yubin_json("store", "check", ANN)
        assert card["lost"] == 0 and card["foreign"] == 0, card
        print("ok", "store:", len(senders.kept), "kept,", len(senders.refused), "refused")


if __name__ == "__main__":
    harness.main(scenario, {"common": {"mail_reserve": "1M"}}, start=False)
