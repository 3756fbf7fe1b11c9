"""What a power cut leaves: reads the record that libyb_watch.so writes (watch.c says in which form)
and rebuilds the disk as it would be had the power gone right after any event.

Two models:
 - journalling file system in ordered mode (ext4, XFS): operations on names become durable in the
   order in which they were made; fsync(file) makes durable every operation up to the last one that
   touched that file (so one fsync after linkat() keeps the name), and the file's bytes;
 - strict, which is POSIX: a name is durable only after fsync() of its folder, bytes only after
   fsync() of the file; sync_file_range() promises nothing. What is not synced may be there all the
   same, or half of it: a rename is a name that comes and a name that goes, and the kernel may write
   only the second.

Of the many disks that a power cut may leave three are looked at: LEAST (only what is surely there),
MOST (every operation on a name survived, but only the bytes that were synced or written out), and in
the strict model WORST: every name that went is gone, only synced ones came.
"""
import os
import re
import shutil

LEAST, MOST, WORST = "least", "most", "worst"


class Node:
    def __init__(self, is_dir, content=None):
        self.is_dir = is_dir
        self.names = {}
        self.content = content  # path of a file with the durable bytes, or None: empty


class Record:
    """`base`: a copy of the root as it was before the daemons started; `inodes`: inodes_of() the
    root then; `watch`: the folder of the record."""

    def __init__(self, base, inodes, watch, strict=False):
        self.base, self.inodes, self.watch, self.strict = base, inodes, watch, strict
        self.hardest = WORST if strict else LEAST
        with open(os.path.join(watch, "log"), encoding="utf-8", errors="replace", newline="\n") as f:
            self.events = [line.rstrip("\n").split("\t") for line in f]
        self._tell_apart()

    def promises(self, pattern):
        """Indexes of the answers that match."""
        want = re.compile(pattern)
        return [i for i, e in enumerate(self.events) if e[0] == "A" and want.search(e[1])]

    def _tell_apart(self):
        """An inode's number comes back for another file once the last name is gone: afterwards it
        is written with a dash more. Names become text; a replacing rename says what it replaced."""
        age, links, names = {}, {}, {}

        def known(ino):
            return ino + "-" * age.get(ino, 0)

        def unlink(ino):
            links[ino] = links.get(ino, 1) - 1
            if links[ino] <= 0:
                age[ino.rstrip("-")] = age.get(ino.rstrip("-"), 0) + 1
        for path, (ino, _) in self.inodes.items():
            links[ino] = 1
            if path:
                names[(self.inodes[os.path.dirname(path)][0], os.path.basename(path))] = ino
        for e in self.events:
            kind = e[0]
            if kind in "DSG":
                e[1] = known(e[1])
            elif kind in "MCLU":
                parent, name, ino = known(e[1]), bytes.fromhex(e[2]).decode(), known(e[3])
                e[1:] = [parent, name, ino]
                if kind == "U":
                    names.pop((parent, name), None)
                    unlink(ino)
                else:
                    names[(parent, name)] = ino
                    links[ino] = links.get(ino, 0) + 1
            elif kind == "R":
                old, new = bytes.fromhex(e[2]).decode(), bytes.fromhex(e[4]).decode()
                e[1:] = [known(e[1]), old, known(e[3]), new, known(e[5])]
                replaced = names.get((e[3], new))
                names.pop((e[1], old), None)
                names[(e[3], new)] = e[5]
                if replaced is not None and replaced != e[5]:
                    unlink(replaced)

    # --- what was synced ---

    def unsynced(self, at):
        """What a power cut right after event `at` may take from the messages (files in new/ and
        cur/): [(why, name)]."""
        changed, synced = {}, {}
        for i, e in enumerate(self.events[:at]):
            if e[0] == "D":
                changed[e[1]] = i
            elif e[0] == "S":
                synced[e[1]] = i
        here, least = (self._messages(self._tree(at, how)) for how in (MOST, self.hardest))
        found = [("bytes", name) for (_, ino), name in here.items() if synced.get(ino, -1) < changed.get(ino, -1)]
        found += [("name", here[m]) for m in here.keys() - least.keys()]
        least = self._messages(self._tree(at, LEAST))
        found += [("removal", least[m]) for m in least.keys() - here.keys()]
        return found

    def _messages(self, tree):
        """{(mailbox's folder, file): name} of all that the root leads to."""
        found = {}

        def walk(folder):
            for name, child in tree[folder].names.items():
                if not tree[child].is_dir:
                    continue
                if name in ("new", "cur"):
                    found.update(((folder, ino), n) for n, ino in tree[child].names.items())
                else:
                    walk(child)
        walk(self.inodes[""][0])
        return found

    # --- what is on disk ---

    def _committed(self, at):
        """Index up to which operations on names are surely durable at event `at`."""
        touched, committed = {}, 0
        for i, e in enumerate(self.events[:at]):
            kind = e[0]
            if kind == "D":
                touched[e[1]] = i
            elif kind in "MCLU":
                touched[e[1]] = touched[e[3]] = i
            elif kind == "R":
                touched[e[1]] = touched[e[3]] = touched[e[5]] = i
            elif kind == "S" and e[1] in touched:
                committed = max(committed, touched[e[1]] + 1)
            elif kind == "F":
                committed = i
        return committed

    def _durable(self, at, how):
        """A function (index, folder): is that operation on a name in that folder on disk?"""
        if how == MOST:
            return lambda i, folder: True
        if self.strict:
            synced = {e[1]: i for i, e in enumerate(self.events[:at]) if e[0] == "S"}
            whole = max((i for i, e in enumerate(self.events[:at]) if e[0] == "F"), default=-1)
            return lambda i, folder: i < max(whole, synced.get(folder, -1))
        committed = self._committed(at)
        return lambda i, folder: i < committed

    def _tree(self, at, how):
        durable = self._durable(at, how)

        def went(i, folder):
            return how == WORST or durable(i, folder)
        tree = {}
        for path, (ino, is_dir) in self.inodes.items():
            tree[ino] = Node(is_dir, None if is_dir else os.path.join(self.base, path))
        for path, (ino, _) in self.inodes.items():
            if path:
                tree[self.inodes[os.path.dirname(path)][0]].names[os.path.basename(path)] = ino
        for i, e in enumerate(self.events[:at]):
            kind = e[0]
            if kind in "MCL":
                tree.setdefault(e[3], Node(kind == "M"))
                if durable(i, e[1]):
                    tree[e[1]].names[e[2]] = e[3]
            elif kind == "U" and went(i, e[1]):
                tree[e[1]].names.pop(e[2], None)
            elif kind == "R":
                if went(i, e[1]):
                    tree[e[1]].names.pop(e[2], None)
                if durable(i, e[3]):
                    tree[e[3]].names[e[4]] = e[5]
        for e in self.events[:at]:
            if (e[0] == "S" or e[0] == "G" and not self.strict) and e[1] in tree and e[2] != "-":
                tree[e[1]].content = os.path.join(self.watch, e[2])
        return tree

    def disk(self, at, target, how):
        """Writes what is on disk after a power cut right after event `at` into the new folder
        `target`; `how` is LEAST, MOST or WORST."""
        tree = self._tree(at, how)
        made = {}  # several names of one file are that here, too

        def put(ino, path):
            os.mkdir(path)
            for name, child in tree[ino].names.items():
                to = os.path.join(path, name)
                if tree[child].is_dir:
                    if not os.path.exists(to):
                        put(child, to)
                elif child in made:
                    os.link(made[child], to)
                elif tree[child].content is None:
                    open(to, "wb").close()
                else:
                    shutil.copyfile(tree[child].content, to)
                made.setdefault(child, to)
        put(self.inodes[""][0], target)


def inodes_of(root):
    """{relative path: (inode as text, is a folder)} of all that is there."""
    found = {"": (str(os.stat(root).st_ino), True)}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = (str(os.lstat(path).st_ino), name in folders)
    return found
