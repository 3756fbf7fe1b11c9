"""`yubin tenant`: each word and option does what it says, looked at where it counts, at the ports."""
import harness
from harness import login_error, wait_until

ANN, BOB = "ann@words.test", "bob@words.test"


def scenario(p):
    p.yubin("tenant", "add", "words", "--contact", "it@words.test", "--max-domains", "1", "--max-accounts", "2",
        "--max-bytes", "4K")
    card = p.yubin_json("tenant", "show", "words")
    assert (card["contact"], card["max_domains"], card["max_accounts"], card["max_bytes"]) == (
        "it@words.test", 1, 2, 4096), card
    p.yubin("domain", "add", "words", "words.test")
    assert "domain" in p.fails(1, "domain", "add", "words", "more.test")
    for address in (ANN, BOB):
        p.yubin("account", "add", address, given=harness.PASSWORD + "\n")
        p.passwords[address] = harness.PASSWORD
    p.fails(1, "account", "add", "third@words.test", "--no-password")
    assert p.send(ANN, "big", ("x" * 70 + "\r\n") * 60)[0] == 250
    p.until_rcpt(BOB, 452)  # all mailboxes of the customer together are full
    p.yubin("tenant", "set", "words", "--contact", "none", "--max-domains", "none", "--max-accounts", "none",
        "--max-bytes", "none")
    card = p.yubin_json("tenant", "show", "words")
    assert [card[k] for k in ("contact", "max_domains", "max_accounts", "max_bytes")] == [None] * 4, card
    p.until_rcpt(BOB, 250)
    p.yubin("tenant", "add", "zeta")
    assert [t["name"] for t in p.yubin_json("tenant", "list", "--limit", "1")] == ["words"]
    cursor = p.cursor("tenant", "list")
    assert [t["name"] for t in p.yubin_json("tenant", "list", "--after", cursor)] == ["zeta"]
    assert [t["name"] for t in p.yubin_json("tenant", "list", "--q", "ET", "--all")] == ["zeta"]
    p.yubin("tenant", "suspend", "words", "--reason", "not paid")
    p.until_rcpt(ANN, 450)
    wait_until(lambda: "not paid" in str(login_error(p.imap, ANN, p.passwords[ANN])))
    assert p.yubin_json("account", "show", ANN)["warnings"] == ["its tenant is suspended: not paid"]
    p.yubin("tenant", "resume", "words")
    assert "warnings" not in p.yubin_json("account", "show", ANN)
    p.until_rcpt(ANN, 250)
    assert "domain" in p.fails(1, "tenant", "delete", "words")
    p.yubin("tenant", "delete", "zeta")
    assert [t["name"] for t in p.yubin_json("tenant", "list")] == ["words"]


if __name__ == "__main__":
    harness.main(scenario)
