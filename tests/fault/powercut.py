"""What a power cut leaves: reads the record that libyb_watch.so writes (watch.c says in which form)
and rebuilds the disk as it would be had the power gone right after any event.

The model is a journalling file system in ordered mode (ext4, XFS): operations on names become
durable in the order in which they were made; fsync(file) makes durable every operation up to the
last one that touched that file (so one fsync after linkat() keeps the name), and the file's bytes.
The strict model is POSIX: a name is durable only after fsync() of its directory.
"""
import os
import re
import shutil


class Node:
    def __init__(self, is_dir, names=None, content=None):
        self.is_dir = is_dir
        self.names = dict(names or {})
        self.content = content  # path of a file with the durable bytes, or None: empty


class Record:
    """`base`: a copy of the root as it was before the daemons started; `root`: the root itself, for
    its inode numbers; `watch`: the folder of the record."""

    def __init__(self, base, inodes, watch):
        self.watch = watch
        self.base = base
        self.inodes = inodes
        with open(os.path.join(watch, "log"), encoding="utf-8", errors="replace") as f:
            self.events = [line.rstrip("\n").split("\t") for line in f]

    def promises(self, pattern):
        """Indexes of the answers that match."""
        want = re.compile(pattern)
        return [i for i, e in enumerate(self.events) if e[0] == "A" and want.search(e[1])]

    # --- what was synced ---

    def unsynced(self, at, strict=False):
        """Messages (files in new/ or cur/) that a promise given at event `at` may lose: [(why, name)]."""
        tree = self._tree(at, everything=True)
        changed, synced, named, dir_synced, removed = {}, {}, {}, {}, {}
        for i, e in enumerate(self.events[:at]):
            kind = e[0]
            if kind == "D":
                changed[e[1]] = i
            elif kind == "S":
                synced[e[1]] = dir_synced[e[1]] = i
            elif kind in "CL":
                named[(e[1], e[3])] = i
            elif kind == "R":
                named[(e[3], e[5])] = i
                removed[(e[1], e[2])] = (i, e[5], e[3])
            elif kind == "U":
                removed[(e[1], e[2])] = (i, None, None)
        found = []
        for parent, name, ino in self._messages(tree):
            if synced.get(ino, -1) < changed.get(ino, -1):
                found.append(("bytes", name))
            at_name = named.get((parent, ino), -1)
            durable = dir_synced.get(parent, -1) if strict else max(synced.get(ino, -1), dir_synced.get(parent, -1))
            if durable < at_name:
                found.append(("name", name))
        for (parent, name), (when, moved, to) in removed.items():
            if parent not in self._maildirs(tree):
                continue
            kept = max(dir_synced.get(parent, -1), -1 if strict or moved is None else synced.get(moved, -1))
            if kept < when and moved is None:
                found.append(("removal", bytes.fromhex(name).decode()))
        return found

    def _maildirs(self, tree):
        return {ino: n for ino, n in tree.items() if n.is_dir and getattr(n, "leaf", False)}

    def _messages(self, tree):
        for ino, node in tree.items():
            if node.is_dir and getattr(node, "leaf", False):
                for name, child in node.names.items():
                    if child in tree and not tree[child].is_dir:
                        yield ino, name, child

    # --- what is on disk ---

    def _committed(self, at):
        """Index up to which operations on names are surely durable at event `at`."""
        touched, committed = {}, 0
        for i, e in enumerate(self.events[:at]):
            kind = e[0]
            if kind == "D":
                touched[e[1]] = i
            elif kind in "MCLU":
                touched[e[1]] = i
                touched[e[3]] = i
            elif kind == "R":
                touched[e[1]] = touched[e[3]] = touched[e[5]] = i
            elif kind == "S" and e[1] in touched:
                committed = max(committed, touched[e[1]] + 1)
        return committed

    def _tree(self, at, everything):
        limit = at if everything else self._committed(at)
        tree = {}
        for path, (ino, is_dir) in self.inodes.items():
            tree[ino] = Node(is_dir, content=None if is_dir else os.path.join(self.base, path))
        for path, (ino, _) in self.inodes.items():
            if path:
                tree[self.inodes[os.path.dirname(path)][0]].names[os.path.basename(path)] = ino
        for e in self.events[:limit]:
            kind = e[0]
            if kind in "MCL":
                if e[3] not in tree or kind != "L":
                    tree[e[3]] = Node(kind == "M")
                tree[e[1]].names[bytes.fromhex(e[2]).decode()] = e[3]
            elif kind == "U":
                tree[e[1]].names.pop(bytes.fromhex(e[2]).decode(), None)
            elif kind == "R":
                tree[e[1]].names.pop(bytes.fromhex(e[2]).decode(), None)
                tree[e[3]].names[bytes.fromhex(e[4]).decode()] = e[5]
        links = {ino: 1 for ino in tree}
        for e in self.events[:at]:
            if e[0] in "SG" and e[1] in tree and e[2] != "-":
                tree[e[1]].content = os.path.join(self.watch, e[2])
            elif e[0] in "CL":
                links[e[3]] = links.get(e[3], 0) + 1
            elif e[0] == "U":
                links[e[3]] = links.get(e[3], 0) - 1
                if links[e[3]] == 0 and e[3] in tree:  # the number may come back for another file
                    tree[e[3]].content = None
        for node in list(tree.values()):
            for name, child in node.names.items():
                if name in ("new", "cur") and child in tree:
                    tree[child].leaf = True
        return tree

    def disk(self, at, target, everything):
        """Writes what is on disk after a power cut right after event `at` into the new folder
        `target`. `everything` False: the least that must be there. True: every operation on a name
        survived, but only the bytes that were synced or written out."""
        tree = self._tree(at, everything)

        def put(ino, path):
            os.mkdir(path)
            for name, child in tree[ino].names.items():
                node = tree.get(child)
                if node is None:
                    continue
                to = os.path.join(path, name)
                if node.is_dir:
                    put(child, to)
                elif node.content is None:
                    open(to, "wb").close()
                else:
                    shutil.copyfile(node.content, to)
        put(self.inodes[""][0], target)


def inodes_of(root):
    """{relative path: (inode as text, is a folder)} of all that is there."""
    found = {"": (str(os.stat(root).st_ino), True)}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = (str(os.lstat(path).st_ino), name in folders)
    return found
