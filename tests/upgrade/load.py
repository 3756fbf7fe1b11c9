"""Mail, logins and changes that go on while programs and schema are exchanged below them. Each answer is judged at once;
what was promised of messages is in a ledger."""
import contextlib
import imaplib
import poplib
import smtplib
import threading
import time
import traceback

from harness import STRANGER, TrialError, wait_until

# What somebody may hear while something is exchanged (a window allows it), and what nobody may ever hear.
LATER, CUT, WRONG = "told to come later", "cut off", "wrong"
LATER_EXIT = 75
# So many accounts import0, import1 … there are; the first of them are for others than these loops.
IMPORTED, FRESH = 300, 50
# Between two turns of a loop: clients beside each other, and a machine that others need too.
REST_SECONDS = 0.1
# Of loops that turn in a fraction of a second, when the machine has other work.
TURN_SECONDS = 300


class Later(Exception):
    """Not now: an answer that a client takes for what it says, and comes again."""


class Wrong(Exception):
    """What is not to be answered, whatever is exchanged."""


def answer(what, got, *want):
    """Of SMTP: (code, text)."""
    code, text = got
    if code in want:
        return
    text = "%s: %d %s" % (what, code, text.decode("utf-8", "replace"))
    if code == 421:
        raise ConnectionError(text)
    raise Later(text) if 400 <= code < 500 else Wrong(text)


def kind_of(error):
    """Of what ended a turn."""
    text = str(error)
    if isinstance(error, Later):
        return LATER
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return CUT if error.smtp_code == 421 else LATER if error.smtp_code == 454 else WRONG
    if isinstance(error, smtplib.SMTPConnectError):
        return CUT if error.smtp_code == 421 else WRONG
    if isinstance(error, (smtplib.SMTPServerDisconnected, imaplib.IMAP4.abort, EOFError, OSError)):
        return CUT
    if isinstance(error, (imaplib.IMAP4.error, poplib.error_proto)):
        if "EOF" in text or "being stopped" in text:
            return CUT
        return LATER if any(w in text for w in ("[UNAVAILABLE]", "[INUSE]", "[SYS/TEMP]", "[IN-USE]")) else WRONG
    return WRONG


class Ledger:
    """What was sent, and to whose mailbox; what was taken out of one. A 250 is once in each, nothing else is twice."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent, self.sure, self.taken, self.torn = {}, set(), {}, set()

    def sends(self, subject, mailboxes):
        with self.lock:
            self.sent[subject] = tuple(mailboxes)

    def promised(self, subject):
        with self.lock:
            self.sure.add(subject)

    def takes(self, subjects, sure):
        with self.lock:
            for s in subjects:
                if sure:
                    self.taken[s] = self.taken.get(s, 0) + 1
                else:
                    self.torn.add(s)

    def promised_to(self, mailbox):
        with self.lock:
            return {s for s in self.sure if mailbox in self.sent[s]}

    def compare(self, mailboxes):
        """{mailbox: subjects in it} with what was promised; returns how many were."""
        troubles = []
        for mailbox, found in mailboxes.items():
            for subject in set(found) - set(self.sent):
                troubles.append("%s has %r, which nobody sent" % (mailbox, subject))
            for subject, to in self.sent.items():
                n = found.count(subject) + (self.taken.get(subject, 0) if mailbox in to else 0)
                least = 1 if mailbox in to and subject in self.sure and subject not in self.torn else 0
                if not least <= n <= (1 if mailbox in to else 0):
                    troubles.append("%s has %r %d times%s" % (
                        mailbox, subject, n, ", which was answered 250" if subject in self.sure else ""))
        if troubles:
            raise AssertionError("%d of %d messages:\n%s" % (len(troubles), len(self.sent), "\n".join(troubles[:20])))
        return len(self.sure)


class Window:
    """A time in which something is exchanged, and what it did to others."""

    def __init__(self, name, allowed):
        self.name, self.allowed, self.begin, self.end = name, allowed, time.monotonic(), None
        self.heard = {}  # {(loop, kind): [how often, since, until, what the first was told]}
        self.slowest = 0, "nobody"


class Load:
    """Loops that turn till they are stopped, each in a thread of its own."""

    def __init__(self):
        self.ledger = Ledger()
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.threads, self.good, self.begun, self.since_bad = {}, {}, {}, {}
        self.windows, self.wrong = [], []

    def add(self, name, turn):
        """turn(k) is a client's visit; it returns, or raises what it met."""
        self.good[name], self.begun[name] = 0, []
        self.threads[name] = threading.Thread(target=self._loop, args=(name, turn), name=name, daemon=True)
        self.threads[name].start()

    def _loop(self, name, turn):
        k = 0
        while not self.ending.wait(REST_SECONDS):
            begin = time.monotonic()
            try:
                turn(k)
            except Exception as e:  # noqa: BLE001 (judged)
                self._bad(name, begin, e)
            else:
                self._good(name, begin)
            k += 1

    def _good(self, name, begin):
        now = time.monotonic()
        with self.lock:
            self.good[name] += 1
            self.begun[name].append(begin)
            if self.windows and self.windows[-1].end is None:
                self.windows[-1].slowest = max(self.windows[-1].slowest, (now - begin, name))
            if name in self.since_bad:
                self.since_bad.pop(name)[2] = now

    def _bad(self, name, begin, error):
        kind = kind_of(error)
        with self.lock:
            w = next((w for w in reversed(self.windows) if w.end is None or w.end >= begin), None)
            text = "".join(traceback.format_exception_only(type(error), error)).strip()
            if w is None or kind not in w.allowed:
                self.wrong.append("%s: %s in %s: %s" % (name, kind, w.name if w else "no window", text))
            else:
                row = w.heard.setdefault((name, kind), [0, begin, None, text])
                row[0] += 1
                self.since_bad[name] = row

    def check(self):
        with self.lock:
            if self.wrong:
                raise AssertionError("%d answers:\n%s" % (len(self.wrong), "\n".join(self.wrong[:20])))

    def turned(self, n, names=None):
        """Waits until each loop, or these, made n good turns that began after now."""
        now = time.monotonic()

        def missing():
            self.check()
            return [name for name in names or self.threads if sum(b >= now for b in self.begun[name][-n:]) < n]
        try:
            wait_until(lambda: not missing(), TURN_SECONDS)
        except TrialError:
            late = missing()
            raise AssertionError("these did not turn %d times in %d s: %s; in this window %s" % (
                n, TURN_SECONDS, late, self.windows[-1].heard if self.windows else "nothing")) from None

    @contextlib.contextmanager
    def window(self, name, *allowed):
        """Ends when everybody is served again."""
        w = Window(name, allowed)
        with self.lock:
            self.windows.append(w)
        try:
            yield w
            self.turned(1)
        finally:
            with self.lock:
                w.end = time.monotonic()

    def stop(self):
        self.ending.set()
        for thread in self.threads.values():
            thread.join(TURN_SECONDS)
            if thread.is_alive():
                raise TrialError("the loop %s does not end" % thread.name)
        self.check()

    def tell(self):
        print("good turns: " + ", ".join("%s %d" % x for x in sorted(self.good.items())))
        for w in self.windows:
            print("%-24s %6.2f s; the slowest good turn: %s, %.2f s" % (w.name, w.end - w.begin, *reversed(w.slowest)))
            for (name, kind), (n, since, until, text) in sorted(w.heard.items()):
                print("    %s %s: %d times in %.2f s: %s" % (name, kind, n, (until or w.end) - since, text))


# --- what they do ---

def fresh(k):
    """One of many, whom no daemon has asked for; his password is "old horse"."""
    return "import%d@acme.test" % (FRESH + k % (IMPORTED - FRESH))


def from_outside(load, p, routes):
    """Mail from strangers: routes is [(address, mailboxes)]. Before it, recipients that no cache has yet."""
    def turn(k):
        to, mailboxes = routes[k % len(routes)]
        subject = "in %d" % k
        with p.smtp() as s:
            s.ehlo("client.test")
            answer("MAIL", s.mail(STRANGER), 250)
            answer("RCPT of nobody", s.rcpt("nobody%d@acme.test" % k), 550)
            answer("RCPT of somebody", s.rcpt(fresh(k)), 250)
            answer("RSET", s.rset(), 250)
            answer("MAIL", s.mail(STRANGER), 250)
            answer("RCPT " + to, s.rcpt(to), 250)
            load.ledger.sends(subject, mailboxes)
            answer("message to " + to, s.data("Subject: %s\r\n\r\nx\r\n" % subject), 250)
            load.ledger.promised(subject)
    load.add("smtp", turn)


def from_users(load, p, users, to):
    """Mail from who logged in: users is [(address, password)]."""
    def turn(k):
        address, password = users[k % len(users)]
        subject = "from %d" % k
        with p.submission(address, password) as s:
            answer("MAIL", s.mail(address), 250)
            answer("RCPT " + to, s.rcpt(to), 250)
            load.ledger.sends(subject, (to,))
            answer("message to " + to, s.data("From: %s\r\nSubject: %s\r\n\r\nx\r\n" % (address, subject)), 250)
            load.ledger.promised(subject)
    load.add("submission", turn)


def readers(load, p, addresses):
    """IMAP: what was promised before the login is there, and can be read."""
    def turn(k):
        address = addresses[k % len(addresses)]
        promised = len(load.ledger.promised_to(address))
        c = p.imap(address)
        try:
            n = int(c.select("INBOX", readonly=True)[1][0])
            if n < promised:
                raise Wrong("%s has %d messages, %d were answered 250" % (address, n, promised))
            if n > 0 and b"Subject: " not in c.fetch(str(n), "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1]:
                raise Wrong("message %d of %s has no subject" % (n, address))
            c.logout()
            p.imap(fresh(k), "old horse").logout()
        finally:
            with contextlib.suppress(OSError):
                c.shutdown()
    load.add("imap", turn)


def takers(load, p, address):
    """POP3: takes what is there; gone is what QUIT was answered for."""
    def turn(_):
        c = p.pop3(address)
        subjects = []
        try:
            for number in range(1, min(c.stat()[0], 10) + 1):
                head = b"\n".join(c.retr(number)[1]).decode()
                subjects.append(head.split("Subject: ", 1)[1].split("\n", 1)[0])
                c.dele(number)
            try:
                c.quit()
            except Exception:
                load.ledger.takes(subjects, False)
                raise
            load.ledger.takes(subjects, True)
        finally:
            c.close()
    load.add("pop3", turn)


def changes(load, p, name, tag):
    """The operator's command, which changes things of its own; what it did is in force for strangers."""
    def yubin(*words, given=None):
        done = p.run(*words, given=given)
        if done.returncode == LATER_EXIT:
            raise Later("yubin %s: %s" % (" ".join(words), done.stderr))
        if done.returncode != 0:
            raise Wrong("yubin %s: exit %d: %s" % (" ".join(words), done.returncode, done.stderr))

    def turn(k):
        one, other = "%s%d@acme.test" % (tag, k), "%s%d-team@acme.test" % (tag, k)
        yubin("account", "add", one, "--name", "One %d" % k, given="first %d\n" % k)
        yubin("alias", "add", other, one, "ann@acme.test")
        p.until_rcpt(other, 250)
        yubin("account", "password", one, given="second %d\n" % k)
        yubin("account", "forward", one, "ann@acme.test")
        yubin("account", "suspend", one)
        yubin("account", "resume", one)
        yubin("account", "list", "acme.test", "--limit", "5")
        yubin("alias", "delete", other)
        yubin("account", "delete", one)
    load.add(name, turn)
