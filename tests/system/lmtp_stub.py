"""An LMTP server that takes relayd's place and does what a test says: what it is told is kept, and who is lost is lost."""
import contextlib
import os
import socket
import socketserver
import threading


class Stub:
    """`mode`: take; full (452 at MAIL); lose (has the message and is gone before it says so, once)."""

    def __init__(self, path):
        self.mode, self.path = "take", path
        self.taken, self.lost = [], []  # (MAIL, [RCPT], octets)
        self.open, self.lock = [], threading.Lock()
        stub = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                stub.open.append(self.connection)
                stub.talk(self.rfile, self.wfile)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self.server = Server(path, Handler)
        os.chmod(path, 0o666)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.path)
        for connection in self.open:
            with contextlib.suppress(OSError):  # it has ended
                connection.shutdown(socket.SHUT_RDWR)

    def talk(self, lines, out):
        def say(text):
            out.write(text.encode() + b"\r\n")

        mail, rcpts = None, []
        say("220 stub LMTP")
        for line in lines:
            line = line.decode().rstrip("\r\n")
            verb = line.split(" ")[0].upper()
            if verb == "LHLO":
                say("250-stub\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 XYUBIN")
            elif verb == "MAIL" and self.mode == "full":
                say("452 4.3.1 The queue is full")
            elif verb == "MAIL":
                mail, rcpts = line, []
                say("250 2.1.0 ok")
            elif verb == "RCPT" and mail is not None:
                rcpts.append(line)
                say("250 2.1.5 ok")
            elif verb == "BDAT":
                body = lines.read(int(line.split(" ")[1]))
                if mail is None:
                    say("503 5.5.1 no")
                    continue
                with self.lock:
                    lose, self.mode = self.mode == "lose", "take"
                    (self.lost if lose else self.taken).append((mail, rcpts, body))
                if lose:
                    return
                for _ in rcpts:
                    say("250 2.0.0 queued")
                mail = None
            else:
                say("250 2.0.0 ok" if verb in ("NOOP", "RSET") else "503 5.5.1 no")
