"""`yubin domain`: each word and option does what it says, looked at where it counts, at the ports."""
import harness

ANN, BOB = "ann@words.test", "bob@words.test"


def scenario(p):
    p.tenant("words", "words.test")
    p.account(ANN)
    p.account(BOB)
    p.yubin("domain", "add", "words", "full.test", "--contact", ANN, "--catch-all", BOB, "--separator", "-",
        "--subdomains", "one", "--full-days", "5", "--max-accounts", "1", "--max-bytes", "1G")
    card = p.yubin_json("domain", "show", "full.test")
    assert (card["contact"], card["catch_all"], card["separator"], card["subdomains"], card["full_days"],
            card["max_accounts"], card["max_bytes"]) == (ANN, BOB, "-", "one", 5, 1, 1 << 30), card
    p.yubin("account", "add", "eve@full.test", "--no-password")
    p.fails(1, "account", "add", "two@full.test", "--no-password")
    p.until_rcpt("anything@full.test", 250)
    p.yubin("domain", "set", "full.test", "--contact", "none", "--catch-all", "none", "--full-days", "3",
        "--max-accounts", "none", "--max-bytes", "none")
    p.until_rcpt("anything@full.test", 550)
    p.until_rcpt("eve-list@full.test", 250)
    p.until_rcpt("eve@a.full.test", 250)
    p.until_rcpt("eve@a.b.full.test", 550)
    p.yubin("domain", "set", "full.test", "--separator", "none", "--subdomains", "any")
    p.until_rcpt("eve-list@full.test", 550)
    p.until_rcpt("eve@a.b.full.test", 250)
    p.yubin("domain", "alias", "full.test", "also.test")
    p.until_rcpt("eve@also.test", 250)
    p.yubin("domain", "unalias", "full.test", "also.test")
    p.until_rcpt("eve@also.test", 550)
    p.yubin("domain", "suspend", "full.test", "--reason", "moving")
    p.until_rcpt("eve@full.test", 450)
    p.yubin("domain", "resume", "full.test")
    p.until_rcpt("eve@full.test", 250)
    assert [d["name"] for d in p.yubin_json("domain", "list", "words", "--limit", "1")] == ["full.test"]
    cursor = p.cursor("domain", "list")
    assert [d["name"] for d in p.yubin_json("domain", "list", "--after", cursor)] == ["words.test"]
    assert [d["name"] for d in p.yubin_json("domain", "list", "--q", "ORD", "--all")] == ["words.test"]
    p.fails(1, "domain", "delete", "full.test")
    p.yubin("account", "delete", "eve@full.test")
    p.yubin("domain", "delete", "full.test")
    p.until_rcpt("eve@full.test", 550)


if __name__ == "__main__":
    harness.main(scenario)
