"""The setting time_zone, at each level: what SEARCH ON and INTERNALDATE mean changes for those whom it concerns, in the
sessions that they have open, soon and without a restart; nobody else's days change."""
import harness

ANN, ABE, BEA, CLEO = "ann@a.test", "abe@a.test", "bea@b.test", "cleo@c.test"  # ann and abe: one domain; bea: its tenant's other
DATES = (("UTC", "31-Dec-2019", "31-Dec-2019 16:30:00 +0000"), ("Asia/Tokyo", "1-Jan-2020", "01-Jan-2020 01:30:00 +0900"))


def zone_of(c):
    """By both commands; None where it changed between them."""
    told = c.fetch("1", "(INTERNALDATE)")[1][0].decode()
    return next((name for name, day, date in DATES if date in told and c.search(None, "ON", day)[1] == [b"1"]), None)


def scenario(p):
    p.tenant("one", "a.test")
    p.yubin("domain", "add", "one", "b.test")
    p.tenant("two", "c.test")
    users = {}
    for who in (ANN, ABE, BEA, CLEO):
        p.account(who)
        users[who] = p.imap(who)
        assert users[who].append("INBOX", None, '"31-Dec-2019 16:30:00 +0000"', b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
        users[who].select()
    for level, of, whom in (("account", ("--account", ANN), {ANN}), ("domain", ("--domain", "a.test"), {ANN, ABE}),
                            ("tenant", ("--tenant", "one"), {ANN, ABE, BEA}), ("platform", (), set(users))):
        for verb, zone in (("set", "Asia/Tokyo"), ("unset", "UTC")):
            p.yubin("setting", verb, "time_zone", *([zone] if verb == "set" else []), *of)
            for who in whom:
                assert harness.wait_until(lambda w=who, z=zone: zone_of(users[w]) == z, 10), (level, verb, who)
            assert {who for who in users if zone_of(users[who]) == "Asia/Tokyo"} == (whom if verb == "set" else set()), level
            with p.imap(ANN) as c:
                c.select()
                assert zone_of(c) == zone, (level, zone)
    # A locked one above is everybody's, whatever they set.
    p.yubin("setting", "set", "time_zone", "UTC", "--account", ANN)
    p.yubin("setting", "set", "time_zone", "Asia/Tokyo", "--lock", "--tenant", "one")
    assert harness.wait_until(lambda: zone_of(users[ANN]) == "Asia/Tokyo", 10)
    p.yubin("setting", "set", "time_zone", "Asia/Tokyo", "--unlock", "--tenant", "one")
    assert harness.wait_until(lambda: zone_of(users[ANN]) == "UTC", 10)
    assert zone_of(users[CLEO]) == "UTC"
    # One that this machine does not know is UTC, and told; tzdata may be newer where it was set.
    p.own().database.sql("UPDATE yubin.settings SET value = '\"Atlantis/North\"' WHERE account_id IS NOT NULL")
    assert harness.wait_until(lambda: harness.log_lines(p.own().daemons["imapd"], "imap.zone.unknown"), 10)
    assert zone_of(users[ANN]) == "UTC"


if __name__ == "__main__":
    harness.main(scenario)
