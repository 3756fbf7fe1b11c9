"""Mail from people and programs as they are: odd addresses elsewhere, computer names in EHLO, text without a header,
receipts, names in old character sets, hidden recipients, final dots (RFC 5321 4.1.4, 4.5.5; RFC 8098 3)."""
import harness

ANN, BEN = "ann@odd.test", "ben@odd.test"


class Talk:
    def __init__(self, p, service, login=None):
        self.s = p.submission(login) if login else p.smtp()

    def say(self, line, want):
        code, text = self.s.docmd(line)
        assert code == want, (line, code, text)

    def mail(self, sender, to, message):
        self.say("MAIL FROM:<%s>" % sender, 250)
        self.say("RCPT TO:<%s>" % to, 250)
        self.say("DATA", 354)
        self.s.send(message + b"\r\n.\r\n")
        return self.s.getreply()[0]


def strangers(p):
    talk = Talk(p, "smtp")
    for name in ("john's-laptop", "DESKTOP 01", "evil (x); Mon, 1 Jan 2024 00:00:00 +0000", "x" * 900):
        talk.say("HELO " + name, 250)
        talk.say("EHLO " + name, 250)
    talk.say("EHLO DESKTOP 01", 250)
    for sender in ("taro.@mobile.test", "ta..ro@mobile.test", "root@web_1.customer.test", "app@-my_host-.test."):
        assert talk.mail(sender, "ann@odd.test.", b"Subject: %s\r\n\r\nx" % sender.encode()) == 250, sender
        _, text = p.stored(b"Subject: %s\r\n" % sender.encode())
        assert text.startswith(b"Return-Path: <%s>\r\nDelivered-To: ann@odd.test\r\nReceived: from DESKTOP?01 ("
                               % sender.rstrip(".").encode()), text
    talk.say("MAIL FROM:<ta..ro@mobile.test>", 250)
    talk.say("RCPT TO:<a..nn@odd.test>", 501)  # ours are not called so, not with a catch-all either
    talk.say("RCPT TO:<x@web_1.customer.test>", 501)
    talk.say("RSET", 250)
    assert talk.mail("cron@web_1.test", ANN, b"Disk 93 % full\r\nReturn-Path: text\r\n.. line") == 250
    _, text = p.stored(b"Disk 93 %")
    assert text.endswith(b"\r\n\r\nDisk 93 % full\r\nReturn-Path: text\r\n. line\r\n"), text
    assert b"\n\r\n" not in text.split(b"\r\n\r\nDisk")[0], text


def users(p):
    talk = Talk(p, "submission", ANN.upper() + ".")
    talk.say("EHLO john's-laptop 2", 250)
    assert talk.mail("", BEN, b"From: %s\r\nSubject: Read: plan\r\n\r\nx" % ANN.encode()) == 250
    assert talk.mail("", BEN, b"From: %s\r\nSubject: Read: plan\r\n\r\nx" % BEN.encode()) == 550
    assert talk.mail(ANN + ".", BEN, b"From: J\xf6rg M\xfcller <%s>\r\nSubject: scan\r\n\r\nx" % ANN.encode()) == 250
    assert talk.mail(ANN, BEN, b"From: \"\x83\\\" <%s>, \" <%s>\r\n\r\nx" % (BEN.encode(), ANN.encode())) == 550
    talk.say("MAIL FROM:<an..n@odd.test>", 501)  # nor is a user
    talk.say("MAIL FROM:<%s>" % ANN, 250)
    talk.say("RCPT TO:<taro.@mobile.test>", 451)
    talk.say("RCPT TO:<root@web_1.customer.test>", 451)
    talk.say("RCPT TO:<b..en@odd.test>", 501)
    talk.say("RSET", 250)
    message = b"Bcc: %s,\r\n hidden@odd.test\r\nFrom: %s\r\nSubject: cards\r\n\r\nBcc: text" % (ANN.encode(), ANN.encode())
    assert talk.mail(ANN, BEN, message) == 250
    _, text = p.stored(b"Subject: cards")
    assert b"hidden" not in text and text.endswith(b"\r\nSubject: cards\r\n\r\nBcc: text\r\n"), text


def scenario(p):
    p.own()
    p.tenant("odd")
    p.yubin("domain", "add", "odd", "odd.test.", "--catch-all", ANN + ".")
    p.account(ANN + ".")
    p.account(BEN)
    p.passwords[ANN.upper() + "."] = p.passwords[ANN + "."]
    strangers(p)
    users(p)
    p.pop3(ANN + ".").quit()
    p.imap(ANN + ".").logout()
    assert [a["address"] for a in p.yubin_json("account", "list", "odd.test.")][:2] == [ANN, BEN]


if __name__ == "__main__":
    harness.main(scenario)
