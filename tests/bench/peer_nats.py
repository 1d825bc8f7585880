"""NATS JetStream, as Debian ships it: a leaf's stream is sourced by a hub that was away.

For information only: JetStream answers before it syncs (by default it syncs every two minutes), and
neither encrypts here nor verifies anything."""

import json
import os
import socket
import subprocess
import time

from bench_common import PAYLOAD_SIZE, free_port, print_line, wait_until

SUBJECT = "records"
API_TIMEOUT_S = 10


class Client:
    """As much of the NATS protocol as publishing and asking the JetStream API takes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), API_TIMEOUT_S)
        self.input = self.socket.makefile("rb")
        self.inbox = 0
        self.input.readline()  # INFO
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nPING\r\n')
        while self.input.readline().strip() != b"PONG":
            pass

    def close(self):
        self.input.close()
        self.socket.close()

    def ask(self, subject, question=None):
        """The answer to one request, decoded."""
        self.inbox += 1
        inbox = f"_INBOX.bench.{self.inbox}"
        body = json.dumps(question).encode() if question is not None else b""
        self.socket.sendall(f"SUB {inbox} {self.inbox}\r\nUNSUB {self.inbox} 1\r\n"
                            f"PUB {subject} {inbox} {len(body)}\r\n".encode() + body + b"\r\n")
        return json.loads(self._message())

    def _message(self):
        while True:
            words = self.input.readline().split()
            if not words:
                raise ConnectionError("the NATS server closed the connection")
            if words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                body = self.input.read(int(words[-1]) + 2)
                # Headers come only with "no responders": nobody answers at that subject yet.
                return body if words[0] == b"MSG" else b'{"error": {"description": "nobody"}}'

    def publish(self, count):
        """Without waiting for acknowledgements."""
        line = f"PUB {SUBJECT} {PAYLOAD_SIZE}\r\n".encode()
        left = count
        while left > 0:
            batch = min(left, 1000)
            self.socket.sendall(b"".join(line + os.urandom(PAYLOAD_SIZE) + b"\r\n"
                                         for _ in range(batch)))
            left -= batch


class Server:
    def __init__(self, folder, name, leafnodes):
        self.port = free_port()
        self.log = os.path.join(folder, name + ".nats.log")
        self.config = os.path.join(folder, name + ".nats.conf")
        store = os.path.join(folder, name + ".jetstream")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'server_name: "{name}"\nlisten: "127.0.0.1:{self.port}"\n'
                       f'jetstream {{ store_dir: "{store}", domain: "{name}" }}\n'
                       f"leafnodes {{ {leafnodes} }}\n")
        self.process = None
        self.client = None

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["nats-server", "-c", self.config], stdout=log,
                                            stderr=log)
        wait_until(self._answers, "nats-server starts (" + self.log + ")", 20)
        return self

    def _answers(self):
        try:
            self.client = Client(self.port)
        except OSError:
            return False
        return "error" not in self.client.ask("$JS.API.INFO")

    def stop(self):
        if self.client:
            self.client.close()
        if self.process:
            self.process.terminate()
            self.process.wait()

    def api(self, subject, question=None):
        answer = self.client.ask(f"$JS.API.{subject}", question)
        if "error" in answer:
            raise RuntimeError(f"{subject}: {answer['error']}")
        return answer

    def messages(self, stream):
        return self.api(f"STREAM.INFO.{stream}")["state"]["messages"]


def catch_up(folder, count):
    """Messages per second from the hub's beginning to source until it holds all of them."""
    leaf_port = free_port()
    hub = Server(folder, "hub", f'listen: "127.0.0.1:{leaf_port}"')
    leaf = Server(folder, "leaf", f'remotes: [ {{ url: "nats://127.0.0.1:{leaf_port}" }} ], '
                                  "reconnect: 1")
    try:
        leaf.start()
        leaf.api("STREAM.CREATE.province", {"name": "province", "subjects": [SUBJECT],
                                            "storage": "file"})
        leaf.client.publish(count)
        wait_until(lambda: leaf.messages("province") == count, "the leaf's stream is filled", 600)
        hub.start()
        wait_until(lambda: "error" not in hub.client.ask("$JS.leaf.API.STREAM.INFO.province"),
                   "the leaf connects to the hub", 60)
        start = time.perf_counter()
        hub.api("STREAM.CREATE.national", {
            "name": "national", "storage": "file",
            "sources": [{"name": "province", "external": {"api": "$JS.leaf.API",
                                                          "deliver": ""}}]})
        wait_until(lambda: hub.messages("national") == count, "catch-up", 900, 0.02)
        seconds = time.perf_counter() - start
    finally:
        leaf.stop()
        hub.stop()
    version = subprocess.run(["nats-server", "--version"], capture_output=True, text=True,
                             check=True).stdout.strip()
    print_line(bench="nats", case="leaf to hub sourcing catch-up", count=count,
               per_second=round(count / seconds), seconds=round(seconds, 2),
               record_bytes=PAYLOAD_SIZE, batch=1, durable="no: synced every two minutes",
               link="plain TCP on loopback, nothing verified", settings={"version": version})
    return count / seconds
