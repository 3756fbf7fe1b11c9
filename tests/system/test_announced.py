"""Nothing is announced that no test uses: every word of EHLO (both kinds), CAPABILITY and CAPA, before and
after TLS and login, stands in a table below, and some other test says what the table claims."""
import glob
import imaplib
import os
import poplib

import harness

ANN = "ann@announced.test"
# word: what a test that uses it says
SMTP = {"PIPELINING": "ipelin", "SIZE": "SIZE=", "8BITMIME": "8BITMIME", "ENHANCEDSTATUSCODES": "enhanced",
        "STARTTLS": "starttls", "CHUNKING": "BDAT", "SMTPUTF8": "SMTPUTF8", "AUTH": ".login("}
IMAP = {"IMAP4REV1": "imap(", "LITERAL+": "literal_plus", "SASL-IR": "SASL-IR", "ID": " ID ", "ENABLE": "ENABLE", "IDLE": "IDLE",
        "NAMESPACE": "namespace", "CHILDREN": "Children", "UNSELECT": "nselect", "UIDPLUS": "APPENDUID", "MOVE": "MOVE",
        "SPECIAL-USE": "\\Sent", "ESEARCH": "RETURN", "CONDSTORE": "CONDSTORE", "QUOTA": "quota",
        "QUOTA=RES-STORAGE": "STORAGE", "CREATE-SPECIAL-USE": "(USE", "LIST-EXTENDED": "(SUBSCRIBED RECURSIVEMATCH)",
        "LIST-STATUS": "RETURN (STATUS", "APPENDLIMIT": "APPENDLIMIT",
        "STARTTLS": "starttls", "LOGINDISABLED": "LOGINDISABLED"}
POP3 = {"TOP": "top(", "UIDL": "uidl(", "STLS": "stls(", "SASL": "AUTH", "USER": "pop3(", "RESP-CODES": "[IN-USE]",
        "AUTH-RESP-CODE": "[AUTH]", "PIPELINING": "ipelin", "IMPLEMENTATION": "IMPLEMENTATION"}
MECHANISMS = {"PLAIN": "PLAIN", "LOGIN": "LOGIN", "SCRAM-SHA-256": "scram", "SCRAM-SHA-256-PLUS": "tls-exporter"}
HERE = os.path.abspath(__file__)


def used(word, table):
    """Some other test says what the table claims."""
    assert word.upper() in table, "%s is announced, and no test is known that uses it" % word
    needle = table[word.upper()].lower()
    for path in glob.glob(os.path.join(os.path.dirname(HERE), "*.py")):
        with open(path, encoding="utf-8") as f:
            if (path != HERE or needle == "literal_plus") and needle in f.read().lower():
                return
    raise AssertionError("%s is announced; no test says %r" % (word, needle))


def mechanisms(words):
    for word in words:
        used(word, MECHANISMS)


def smtp(p):
    for open_one in (p.smtp, p.submission):
        with open_one() as s:
            s.ehlo()
            for word, values in s.esmtp_features.items():
                used(word, SMTP)
                if word == "auth":
                    mechanisms(values.split())


def imap(p):
    plain = imaplib.IMAP4(p.ends["host"], p.ends["imap"], timeout=30)
    words = set(plain.capabilities)
    plain.logout()
    with p.imap() as c:
        words |= set(c.capabilities)
    with p.imap(ANN) as c:
        words |= set(c.capability()[1][0].decode().split())
    for word in words:
        if word.startswith("AUTH="):
            mechanisms([word[5:]])
        else:
            used(word.partition("=")[0] if word.startswith("APPENDLIMIT=") else word, IMAP)


def literal_plus(p):
    """RFC 7888: the client does not wait to be asked for a literal."""
    with p.raw("imaps", tls=True) as s:
        name, word = ANN.encode(), p.passwords[ANN].encode()
        s.sendall(b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(name), name, len(word), word))
        got = b""
        while b"\r\na OK" not in got:
            more = s.recv(4096)
            assert more, got
            got += more


def pop3(p):
    plain = poplib.POP3(p.ends["host"], p.ends["pop3"], timeout=30)
    for c in (plain, p.pop3(), p.pop3(ANN)):
        for word, values in c.capa().items():
            used(word, POP3)
            if word == "SASL":
                mechanisms(values)
        c.quit()


def scenario(p):
    p.tenant("announced", "announced.test")
    p.account(ANN)
    for step in (smtp, literal_plus, imap, pop3):
        step(p)
        print("ok", step.__name__)


if __name__ == "__main__":
    harness.main(scenario)
