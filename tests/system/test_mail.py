"""Mail from a stranger and from a user, read by IMAP and POP3: the main job, once."""
import harness


def scenario(p):
    p.tenant("one", "one.test")
    p.tenant("two", "two.test")
    p.account("ann@one.test")
    p.account("bea@two.test")
    with p.smtp() as s:
        s.sendmail("stranger@example.net", ["ann@one.test", "bea@two.test"],
                   "From: <stranger@example.net>\r\nSubject: first\r\n\r\nHello.\r\n")
    with p.submission("ann@one.test") as s:
        s.sendmail("ann@one.test", ["bea@two.test"], "From: <ann@one.test>\r\nSubject: second\r\n\r\nHello.\r\n")
    assert p.subjects("ann@one.test") == ["first"], p.subjects("ann@one.test")
    assert p.subjects("bea@two.test") == ["first", "second"], p.subjects("bea@two.test")
    c = p.pop3("bea@two.test")
    text = b"\r\n".join(c.retr(1)[1])
    assert b"\r\n\r\nHello." in text and text.startswith(b"Return-Path: <stranger@example.net>"), text
    assert b"Received: from" in text, text
    c.quit()


if __name__ == "__main__":
    harness.main(scenario)
