"""Real nodes for process tests: folders, keys, configuration, daemons, HTTP, a cuttable link.

Only Python's standard library. A test makes a Site, adds nodes, starts them, and leaves the `with`
block, which ends exactly the processes that it started."""
import copy
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SAMAD_BUILD", os.path.join(SOURCE, "build", "release"))


def free_port():
    """Below the range from which connections get theirs: one of those could take the port between
    this look and the daemon that is to listen there."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        end = int(file.read().split()[0])
    while True:
        port = random.SystemRandom().randrange(end // 2, end)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def binary(name):
    return os.path.join(BUILD, name)


class Proxy:
    """The TCP path between a province and a hub: can be cut, and cuts what is under way."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.port = free_port()
        self.open = True
        self.pairs = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.running = True
        self.forwarded = 0
        self.record = None  # a list: gets (to the target?, bytes) for everything that passes
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while self.running:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
                server.settimeout(None)  # the 5 s are for connecting: a quiet link is not a cut one
            except OSError:
                client.close()
                continue
            with self.lock:
                self.pairs.append((client, server))
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(a, b, a is client), daemon=True).start()

    def _pump(self, source, sink, to_target):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                self.forwarded += len(data)
                if self.record is not None:
                    self.record.append((to_target, data))
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.open = False
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                    s.close()
                except OSError:
                    pass

    def heal(self):
        self.open = True

    def close(self):
        self.running = False
        self.cut()
        self.listener.close()


class Node:
    def __init__(self, site, name, role, storage="", options="", replication="", api="", tls=None):
        """`api`: more options of that section. `tls`: an SSL context, where `api` makes it HTTPS."""
        self.site, self.name, self.role = site, name, role
        self.folder = os.path.join(site.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.api_port = free_port()
        self.replication_port = free_port() if role == "hub" else None
        self.storage = storage or "map_mib = 256  reserve_mib = 4  memory_mib = 16"
        self.options = options
        self.replication = replication
        self.api, self.tls = api, tls
        self.hubs, self.provinces = [], []
        self.process = None
        self.tokens = {}
        self.conf = os.path.join(self.folder, "samad.conf")
        self.data = os.path.join(self.folder, "data")
        self.keys_folder = os.path.join(self.folder, "keys")
        self.log_path = os.path.join(self.folder, "samadd.log")
        self.write_conf()
        self.ctl("init")
        self.keys = json.loads(self.ctl("-o", "json", "keygen"))

    def write_conf(self):
        lines = [f'node = "{self.name}"', f'role = "{self.role}"', f'data = "{self.data}"',
                 f'keys = "{self.keys_folder}"',
                 f'api {{ listen = "127.0.0.1:{self.api_port}" {self.api} }}',
                 f"storage {{ {self.storage} }}", self.options]
        if self.replication_port:
            lines.append(f'replication {{ listen = "127.0.0.1:{self.replication_port}" '
                         f"{self.replication} }}")
        for hub, port in self.hubs:
            lines.append(f'hub "{hub.name}" {{ address = "127.0.0.1:{port}" '
                         f'link_key = "{hub.keys["link_key"]}" log_key = "{hub.keys["log_key"]}" '
                         f'receipt_key = "{hub.keys["receipt_key"]}" }}')
        for province in self.provinces:
            lines.append(f'province "{province.name}" {{ link_key = "{province.keys["link_key"]}" '
                         f'log_key = "{province.keys["log_key"]}" }}')
        with open(self.conf, "w") as f:
            f.write("\n".join(lines) + "\n")

    def ctl(self, *args, check=True, input=None):
        done = subprocess.run([binary("samadctl"), "-c", self.conf, *args], capture_output=True,
                              text=True, input=input)
        if check and done.returncode != 0:
            raise RuntimeError(f"samadctl {' '.join(args)}: exit {done.returncode}\n"
                               f"{done.stdout}{done.stderr}")
        return done.stdout

    def token(self, scopes="register,read,person,admin"):
        if scopes not in self.tokens:
            out = self.ctl("-o", "json", "token", "create", "--scope", scopes, "--label", "test")
            self.tokens[scopes] = json.loads(out)["token"]
        return self.tokens[scopes]

    def start(self, wait=True, prefix=(), env=None, program=None):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([*prefix, program or binary("samadd"), "-c", self.conf],
                                        stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        env={**os.environ, **(env or {})})
        log.close()
        self.site.processes.append(self.process)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=20):
        end = time.time() + timeout
        while time.time() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name}: samadd ended with {self.process.returncode}\n"
                                   + self.log_tail())
            try:
                if self.http("GET", "/readyz", token=None, timeout=2)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"{self.name}: not ready within {timeout} s\n" + self.log_tail())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def twin(self, label):
        """The same node once more, on a copy of its folder, with ports of its own. Not running."""
        twin = copy.copy(self)
        twin.folder = os.path.join(self.site.folder, label)
        shutil.copytree(self.folder, twin.folder)
        twin.api_port = free_port()
        twin.replication_port = free_port() if self.replication_port else None
        twin.conf = os.path.join(twin.folder, "samad.conf")
        twin.data = os.path.join(twin.folder, "data")
        twin.keys_folder = os.path.join(twin.folder, "keys")
        twin.log_path = os.path.join(twin.folder, "samadd.log")
        twin.hubs, twin.provinces = list(self.hubs), list(self.provinces)
        twin.process, twin.tokens = None, dict(self.tokens)
        twin.write_conf()
        return twin

    def stop(self, timeout=20):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def log_text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def log_tail(self, size=3000):
        return self.log_text()[-size:]

    # ---- HTTP ----
    def http(self, method, path, body=None, token="default", headers=None, timeout=15):
        """(status, headers, body); a dict body is sent as JSON."""
        connection = (http.client.HTTPSConnection("127.0.0.1", self.api_port, timeout=timeout,
                                                  context=self.tls) if self.tls else
                      http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=timeout))
        try:
            all_headers = dict(headers or {})
            if token == "default":
                token = self.token()
            if token:
                all_headers["Authorization"] = "Bearer " + token
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
                all_headers.setdefault("Content-Type", "application/json")
            if isinstance(body, str):
                body = body.encode()
            connection.request(method, path, body, all_headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, **more):
        status, _, text = self.http(method, path, body, **more)
        return status, json.loads(text) if text else None

    def register(self, key=None, **fields):
        return self.json("POST", "/v1/requests", {**SAMPLE, **fields},
                         headers={"Idempotency-Key": key or str(uuid.uuid4())})

    def status(self):
        return self.json("GET", "/v1/status")[1]

    def own_size(self):
        return sum(log["size"] for log in self.status()["logs"] if log["own"])

    def national(self):
        return all(log["national_size"] == log["size"] for log in self.status()["logs"]
                   if log["own"])

    def memory_kb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])


SAMPLE = {"kind": "complaint", "channel": "phone", "subject": "water.outage",
          "text": "از دیروز آب محله قطع است و کسی پاسخ نمی‌دهد.", "name": "مریم احمدی",
          "national_id": "0076229645", "phone": "09141234567", "place": "اردبیل"}


class Site:
    """A folder with nodes; `with Site() as site:` cleans up whatever happens."""

    def __init__(self, folder=None, keep=False):
        self.folder = folder or tempfile.mkdtemp(prefix="samad-test-")
        self.keep = keep
        self.processes, self.proxies = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        for proxy in self.proxies:
            proxy.close()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def hub(self, name="centre", **more):
        return Node(self, name, "hub", **more)

    def province(self, name="ardabil", **more):
        return Node(self, name, "province", **more)

    def proxy(self, hub):
        proxy = Proxy(hub.replication_port)
        self.proxies.append(proxy)
        return proxy

    def connect(self, province, hub, proxy=None):
        """Writes both configurations; before either starts."""
        province.hubs.append((hub, proxy.port if proxy else hub.replication_port))
        hub.provinces.append(province)
        province.write_conf()
        hub.write_conf()


def wait_until(condition, timeout=30, what="condition", pause=0.05):
    end = time.time() + timeout
    while time.time() < end:
        if condition():
            return
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {timeout} s")


class Tests:
    """Counts; the last line is the one that tests/run reads."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, function, *args):
        try:
            function(*args)
            self.passed += 1
        except Exception as problem:  # the report must go on with the other tests
            self.failed += 1
            print(f"FAILED {function.__name__}: {type(problem).__name__}: {problem}", flush=True)

    def check(self, truth, what):
        if truth:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what}", flush=True)

    def end(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        sys.exit(1 if self.failed else 0)
