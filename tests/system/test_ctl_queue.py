"""The operator looks into the queue, filters it, pages through it, holds, releases, retries and deletes, while lmtpd is
away; and it delivers when lmtpd is back."""
import json

import harness
from waiting import Queue, cells

ANN, BEN, CAT = "ann@one.test", "ben@two.test", "cat@one.test"
ODD = "Odd..one@far.example"
STEERS = ("queue.retry", "queue.hold", "queue.release", "queue.delete")


def look(p, q, numbers):
    """Every filter finds its own, alone and together; another tenant's name finds nothing of this one's."""
    first, second, third = numbers
    assert q.to() == [ANN, BEN, CAT, BEN, ANN], q.to()
    rows = q.list()
    assert [r["queue"] for r in rows] == [first, second, third, third + 1, third + 2], rows
    assert {(r["state"], r["reason"], r["attempts"], r["code"]) for r in rows} == {("waiting", "lmtpd-away", 0, None)}, rows
    for want, *options in (
            ([ANN], "--message", q.ids[0]), ([BEN], "--message", str(second)), ([BEN], "--delivery", rows[1]["delivery"]),
            ([ANN, CAT], "--sender", "stranger@example.net"), ([BEN], "--sender", ODD.lower()), ([BEN], "--sender", "<>"),
            ([BEN], "--sender", "@FAR.example"), ([ANN, ANN], "--recipient", ANN.upper()),
            ([ANN, CAT, ANN], "--domain", "one.test"), ([BEN, BEN], "--tenant", "two"), ([CAT], "--account", CAT),
            ([BEN, BEN], "--tenant", rows[1]["tenant_id"]), ([ANN, ANN], "--account", rows[0]["account_id"]),
            ([], "--state", "held"), ([ANN, BEN, CAT, BEN, ANN], "--state", "waiting"), ([], "--older", "1d"),
            ([ANN, BEN, CAT, BEN, ANN], "--older", "0"), ([], "--reason", "damaged"),
            ([ANN, BEN, CAT, BEN, ANN], "--reason", "lmtpd-away"), ([], "--tenant", "two", "--domain", "one.test"),
            ([ANN], "--tenant", "one", "--recipient", ANN, "--sender", "ann@one.test")):
        assert q.to(*options) == want, (options, q.to(*options))


def every_option(p, q):
    """All options at once, by which one recipient is meant, with each verb; and what that did."""
    number = q.put("eve@far.example", ANN)
    row, = q.until(1, "--message", str(number), "--reason", "lmtpd-away")
    delivery = row["delivery"]

    def counts(done):
        return done["matched"], done["changed"] + done["underway"]
    assert p.yubin_json(
        "queue", "list", "--message", str(number), "--delivery", delivery, "--sender", "eve@far.example", "--recipient", ANN,
        "--domain", "one.test", "--tenant", "one", "--account", ANN, "--state", "waiting", "--reason", "lmtpd-away",
        "--older", "0", "--limit", "1", "--after", "%d.0" % number)[0]["delivery"] == delivery
    assert counts(p.yubin_json(
        "queue", "hold", "--message", str(number), "--delivery", delivery, "--sender", "eve@far.example", "--recipient", ANN,
        "--domain", "one.test", "--tenant", "one", "--account", ANN, "--state", "waiting", "--reason", "lmtpd-away",
        "--older", "0")) == (1, 1)
    q.until(1, "--delivery", delivery, "--state", "held")
    assert counts(p.yubin_json(
        "queue", "release", "--message", str(number), "--delivery", delivery, "--sender", "eve@far.example", "--recipient", ANN,
        "--domain", "one.test", "--tenant", "one", "--account", ANN, "--state", "held", "--reason", "operator",
        "--older", "0")) == (1, 1)
    q.until(1, "--delivery", delivery, "--reason", "lmtpd-away")
    assert counts(p.yubin_json(
        "queue", "retry", "--message", str(number), "--delivery", delivery, "--sender", "eve@far.example", "--recipient", ANN,
        "--domain", "one.test", "--tenant", "one", "--account", ANN, "--state", "waiting", "--reason", "lmtpd-away",
        "--older", "0"))[0] == 1
    q.until(1, "--delivery", delivery, "--reason", "lmtpd-away")
    assert counts(p.yubin_json(
        "queue", "delete", "--message", str(number), "--delivery", delivery, "--sender", "eve@far.example", "--recipient", ANN,
        "--domain", "one.test", "--tenant", "one", "--account", ANN, "--state", "waiting", "--reason", "lmtpd-away",
        "--older", "0", "--yes")) == (1, 1)
    q.until(0, "--delivery", delivery)


def wrong(p, q):
    """What is no filter, or names nobody, finds nothing and changes nothing."""
    before = q.list()
    for options in (("--state", "asleep"), ("--reason", "none"), ("--older", "1x"), ("--older", "-1s"), ("--message", "x"),
                    ("--delivery", "12"), ("--sender", "nobody"), ("--recipient", "@"), ("--domain", "a@b.test")):
        assert options[0][2:] in p.fails(2, "queue", "list", *options), options
        p.fails(2, "queue", "hold", *options)
        p.fails(2, "queue", "delete", "--yes", *options)
    p.fails(2, "queue", "list", "--after", "x")
    p.fails(2, "queue", "list", "--all", "--limit", "1")
    for verb in ("list", "release"):
        assert "tenant" in p.fails(1, "queue", verb, "--tenant", "nobody")
        assert "account" in p.fails(1, "queue", verb, "--account", "nobody@one.test")
    assert q.order("hold", "--tenant", "0" * 32) == (0, 0)
    p.fails(1, "queue", "retry", "--message", "f" * 32)
    p.fails(1, "queue", "delete", "--yes", "--delivery", "f" * 32)
    p.fails(1, "queue", "show", "999")
    p.fails(2, "queue", "show", "x y")
    for verb in ("retry", "hold", "release", "delete"):
        assert "--all" in p.fails(2, "queue", verb), "all of it, without a word"
        p.fails(2, "queue", verb, "--all", "--domain", "one.test")
    assert "--yes" in p.fails(2, "queue", "delete", "--domain", "one.test")
    p.fails(2, "queue", "hold", "--domain", "one.test", "--yes")
    after = q.list()
    assert [(r["delivery"], r["state"]) for r in after] == [(r["delivery"], r["state"]) for r in before], after


def pages(p, q):
    """A page, its cursor, the next; all of them; the forms of JSON; a table for people."""
    everything = q.list()
    rows, after = [], []
    while True:
        *page, last = p.yubin_lines("queue", "list", "--limit", "2", *after)
        if "next" not in last or "queue" in last:
            rows += page + [last]
            break
        rows += page
        assert len(page) == 2, page
        after = ["--after", last["next"]]
    assert [r["delivery"] for r in rows] == [r["delivery"] for r in everything]
    assert p.yubin_lines("queue", "list", "--all") == everything == p.yubin_json("queue", "list", "--all")
    assert "only 2 are shown: go on with --after" in p.run("queue", "list", "--limit", "2").stderr
    head, *lines = cells(p.yubin("queue", "list"))
    assert head[:5] == ["queue", "arrived", "size", "sender", "recipient"] and len(lines) == len(everything), head
    assert [line[4] for line in lines] == q.to()
    assert lines[3][3] == "-", "the null sender is told, not left out: %r" % lines[3]


def show(p, q, number):
    """A message by its number and its id; to people; the octets themselves, which is noted."""
    card = p.yubin_json("queue", "show", str(number))
    assert card == p.yubin_json("queue", "show", q.ids[2]), card
    assert (card["message"], card["sender"], card["recipients_left"]) == (q.ids[2], "stranger@example.net", 1), card
    assert [r["recipient"] for r in card["recipients"]] == [CAT] and card["recipients"] == q.list("--message", str(number))
    text = p.yubin("queue", "show", str(number))
    assert CAT in text and q.ids[2] in text and "lmtpd-away" in text, text
    before = p.yubin_json("audit", "list", CAT)
    assert p.yubin("queue", "show", str(number), "--body").endswith("Subject: three\n\nline\n")
    p.fails(2, "--json", "queue", "show", str(number), "--body")
    row, = p.yubin_json("audit", "list", q.ids[2])
    assert (row["action"], row["kind"], row["after"]) == ("queue.body", "read", {"recipient": CAT}), row
    assert row["tenant"] == "one" and p.yubin_json("audit", "list", CAT) == before


def steer(p, q, numbers):
    """Hold, release and retry change what they say, once; what is deleted is gone, and only that."""
    first, second, _ = numbers
    assert q.order("hold", "--tenant", "one") == (3, 3)
    assert q.to("--state", "held") == [ANN, CAT, ANN] == q.to("--reason", "operator")
    assert q.order("hold", "--domain", "one.test") == (3, 0), "it is so already"
    assert q.to("--state", "waiting") == [BEN, BEN]
    assert [r["due"] for r in q.list("--state", "held")] == [None] * 3
    assert q.order("retry", "--message", str(first)) == (1, 0), "what is held is released, not tried"
    assert q.order("release", "--sender", "ann@one.test") == (1, 1)
    assert q.to("--state", "held") == [ANN, CAT]
    assert q.order("delete", "--message", q.ids[1], "--yes") == (1, 1)
    assert q.to() == [ANN, CAT, BEN, ANN]
    p.fails(1, "queue", "show", str(second))
    p.fails(1, "queue", "delete", "--message", str(second), "--yes")
    deleted, = [e for e in p.yubin_json("event", "list", "--message", q.ids[1]) if e["event"] == "relayd.deleted"]
    assert deleted["to"] == BEN, deleted
    actions = [(r["action"], r["after"]["changed"]) for r in p.yubin_json("audit", "list") if r["action"] in STEERS]
    assert actions[-3:] == [("queue.hold", 3), ("queue.release", 1), ("queue.delete", 1)], actions


def scenario(p):
    q = Queue(p)
    p.tenant("one", "one.test")
    p.tenant("two", "two.test")
    for address in (ANN, BEN, CAT):
        p.account(address)
    q.trial.daemons["lmtpd"].stop()
    numbers = [q.put(harness.STRANGER, ANN, subject="one"), q.put(ODD, BEN, subject="two"),
               q.put(harness.STRANGER, CAT, subject="three", body="line\r\n")]
    q.put("", BEN, subject="four")
    q.put(ANN, ANN, subject="five")
    q.until(5, "--reason", "lmtpd-away")
    look(p, q, numbers)
    wrong(p, q)
    pages(p, q)
    show(p, q, numbers[2])
    steer(p, q, numbers)
    every_option(p, q)
    # lmtpd is back: what waits is stored, what is held is not, until it is released.
    q.trial.daemons["lmtpd"].start()
    assert p.yubin_json("queue", "retry", "--all")["matched"] == 4
    q.until(2)
    assert p.subjects(BEN) == ["four"] and p.subjects(ANN) == ["five"] and p.subjects(CAT) == []
    assert p.yubin_json("queue", "release", "--all") == {"matched": 2, "changed": 2, "underway": 0}
    q.until(0)
    assert p.subjects(CAT) == ["three"] and p.subjects(ANN) == ["five", "one"]
    assert p.yubin_json("queue", "hold", "--all") == {"matched": 0, "changed": 0, "underway": 0} == p.yubin_json(
        "queue", "delete", "--all", "--yes")
    assert p.yubin("queue", "list").splitlines()[0].startswith("queue ") and q.list() == []
    q.trial.daemons["relayd"].stop()
    for words in (("list",), ("show", "1"), ("hold", "--all"), ("delete", "--all", "--yes")):
        assert "systemctl start yubin-relayd" in p.fails(75, "queue", *words), words
    problem = p.run("--json", "queue", "list")
    assert problem.returncode == 75 and json.loads(problem.stdout)["status"] == 503, problem


if __name__ == "__main__":
    # While it is asked whether lmtpd is back, a recipient is being tried, and so waits for nobody.
    harness.main(scenario, {"relayd": {"sleep_first": "10m", "sleep_most": "1h"}})
