"""A mail store whose file system has octets left but no inodes: deliveries hear 452 4.3.1 wherever that shows, users
can still flag and delete, and mail flows again when there is room. Needs root (tmpfs with nr_inodes)."""
import os
import shutil

import disks
import harness

ANN, BOB = "ann@inodes.test", "bob@inodes.test"


def use_up(root):
    """The last inodes."""
    os.mkdir(os.path.join(root, "ballast"))
    try:
        for n in range(100000):
            os.mkdir(os.path.join(root, "ballast", str(n)))
    except OSError:
        return
    raise AssertionError("the inodes do not end")


def full(p, root):
    p.tenant("inodes", "inodes.test")
    p.account(ANN)
    p.account(BOB)
    for _ in range(6):
        assert p.send(ANN)[0] == 250
    use_up(root)
    for to in (ANN, BOB):  # a message that has no file, an account that has no folder
        code, text = p.send(to)
        assert code == 452 and "4.3.1" in text, (to, code, text)
    with p.imap(ANN) as c:
        assert c.select()[0] == "OK"
        assert c.store("1:6", "+FLAGS", "(\\Flagged)")[0] == "OK"
        assert c.append("INBOX", None, None, b"Subject: y\r\n\r\ny\r\n")[0] == "NO"
        for spare in ("0", "1"):  # a link of tmpfs costs one for a moment
            os.rmdir(os.path.join(root, "ballast", spare))
        assert c.append("INBOX", "(\\Seen)", None, b"Subject: y\r\n\r\ny\r\n")[0] == "OK"
        assert p.send(ANN)[0] == 452
        assert c.store("1:2", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
        assert c.expunge()[0] == "OK"
        assert c.search(None, "FLAGGED")[1][0].split() == [b"1", b"2", b"3", b"4"]
    assert p.send(ANN)[0] == 250
    assert any(p.send(ANN)[0] == 452 for _ in range(10))
    c = p.pop3(ANN)
    for k in range(1, 4):
        c.dele(k)
    assert c.quit().startswith(b"+OK")
    assert p.send(ANN)[0] == 250
    shutil.rmtree(os.path.join(root, "ballast"))
    assert p.send(BOB)[0] == 250
    card = p.yubin_json("store", "check", ANN)
    assert card["lost"] == 0 and card["foreign"] == 0, card


def scenario(p):
    with disks.mounted(p, p.own().mail_root, "-t", "tmpfs", "-o", "nr_inodes=300", "none"):
        full(p, p.own().mail_root)


if __name__ == "__main__":
    disks.own_mounts()
    harness.main(scenario, {"common": {"mail_reserve": "0"}}, start=False)
