"""A network that asks for too many unknown recipients, or sends too much, hears 451 on every recipient until
the block ends by itself; low space is 452 at MAIL (R-A79, R-A80, R-A88)."""
import harness

ANN = "ann@limits.test"
OPTIONS = {"smtpd": {"limit_exempt": "", "limit_unknown": "5", "limit_messages": "20", "limit_window": "60s",
                     "limit_block": "3s"},
           "submitd": {"disk_reserve": "1000000G"}}


def scenario(p):
    trial = p.own()
    p.tenant("limits", "limits.test")
    p.account(ANN)
    # In one session or in several, the count is the network's.
    for i in range(5):
        assert p.codes("no%d@limits.test" % i) == [550]
    assert p.codes(ANN) == [250]
    assert p.codes("no6@limits.test", ANN, "no7@limits.test") == [451, 451, 451]
    assert p.codes(ANN, "no8@limits.test") == [451, 451], "known or not"
    harness.wait_until(lambda: p.codes(ANN) == [250], 10)
    # Exactly so many go through, of those under way as well: two are at their last dot for one place.
    for i in range(19):
        with p.smtp() as s:
            s.sendmail("x@example.net", [ANN], "Subject: %d\r\n\r\nx\r\n" % i)
    with p.smtp() as one, p.smtp() as other:
        for s in (one, other):
            s.ehlo()
            s.mail("x@example.net")
            assert s.rcpt(ANN)[0] == 250
        assert one.data("Subject: the last\r\n\r\nx\r\n")[0] == 250
        code, text = other.data("Subject: too many\r\n\r\nx\r\n")
        assert (code, text[:5]) == (451, b"4.7.1"), (code, text)
    assert p.codes(ANN) == [451]
    assert len(p.subjects(ANN)) == 20 and p.subjects(ANN)[-1] == "the last"
    harness.wait_until(lambda: p.codes(ANN) == [250], 10)
    assert "event=smtp.limit" in trial.daemons["smtpd"].tail(200)
    with p.submission(ANN) as s:
        s.ehlo()
        code, text = s.mail(ANN, ["SIZE=1000"])
        assert (code, text[:5]) == (452, b"4.3.1"), (code, text)


if __name__ == "__main__":
    harness.main(scenario, OPTIONS)
