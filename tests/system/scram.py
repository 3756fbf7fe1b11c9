"""The client half of SCRAM-SHA-256 and -PLUS (RFC 5802, 7677, 9266), for talking to any of the daemons."""
import base64
import hashlib
import hmac
import os


def b64(data):
    return base64.b64encode(data).decode()


class Client:
    """first() and final() are the messages, check() tells whether the server knows the password too."""

    def __init__(self, user, password, binding=None, header=None):
        self.password, self.binding = password.encode(), binding or b""
        self.header = header or ("p=tls-exporter,," if binding else "n,,")
        self.nonce = b64(os.urandom(18))
        self.bare = "n=%s,r=%s" % (user.replace("=", "=3D").replace(",", "=2C"), self.nonce)

    def first(self):
        return b64((self.header + self.bare).encode())

    def final(self, challenge):
        server = base64.b64decode(challenge).decode()
        fields = dict(f.split("=", 1) for f in server.split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce), fields
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without = "c=%s,r=%s" % (b64(self.header.encode() + self.binding), fields["r"])
        message = ",".join((self.bare, server, without)).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return b64(("%s,p=%s" % (without, b64(proof))).encode())

    def check(self, challenge):
        return base64.b64decode(challenge).decode() == "v=" + b64(self.expected)
