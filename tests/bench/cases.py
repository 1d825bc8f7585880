"""The project's own benchmarks: real daemons on loopback, one function a benchmark. Each measures
one size, prints one JSON line and returns it as a dictionary; `cases` names them all."""

import datetime
import json
import mmap
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_common import SLOW_SYNC_MS, SOURCE, print_line, say, sync_ms, wait_until
import samad  # bench_common says where it is

CONNECTIONS = 64
FANIN_PROVINCES = 31
FANIN_ADMITTED = 32  # all at once: the example configuration admits 8
DURABLE = "log commit synced before the answer"
STORAGE = "map_mib = 8192  reserve_mib = 64  memory_mib = 128"


def program(name):
    return os.path.join(samad.BUILD, "tests", name)


def run_json(*command):
    """What a program printed, a dictionary a line. Its error output is ours."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stdout}")
    return [json.loads(line) for line in done.stdout.splitlines()]


class Bench:
    """A folder to work in, and what is made once for several benchmarks."""

    def __init__(self, folder, quick=False, journal=None):
        self.folder = folder
        self.quick = quick
        self.journal = journal  # a folder on the second device: what the journal costs is measured
        self.sites = 0

    def site(self):
        """For one measurement: its nodes end and its files go with it."""
        self.sites += 1
        path = os.path.join(self.folder, f"site-{self.sites}")
        os.mkdir(path)
        return samad.Site(path)

    def requests(self, count):
        """A file of at least `count` requests as the workload writes them."""
        path = os.path.join(self.folder, f"requests-{count}.jsonl")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                subprocess.run([program("workload"), "--count", str(count)], stdout=file,
                               check=True)
        return path

    def print_case(self, name, case, **values):
        probe = sync_ms(self.folder)
        line = {"bench": name, "case": case, **values, "sync_ms": round(probe, 3),
                "valid": values.get("valid", True) and probe <= SLOW_SYNC_MS}
        if probe > SLOW_SYNC_MS:
            say(f"{name}: void: a bare 4 kB write and fdatasync takes {probe:.1f} ms here")
        print_line(**line)
        return line


def fill(node, count):
    """Registers `count` requests in process, while the node's daemon does not run."""
    return run_json(program("append"), "--config", node.conf, "--count", str(count), "--callers",
                    "1024")[0]


def record_bytes(node):
    """Mean size of the node's records: header, facts and person, before any compression."""
    sizes = run_json(program("records"), node.conf)[0]
    total = sizes["header_bytes"] + sizes["facts_bytes"] + sizes["person_bytes"]
    return total / sizes["records"], sizes["records"]


def process_memory_mb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.M)[1]) / 1024


def process_cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- P1: registrations in process ---------------------------------------------------------------

JOURNAL_ROUNDS = 3  # of each, in turn


def with_and_without(bench, name, measure, size):
    """What the journal costs: both in turn in one run, and the ratio of the medians."""
    lines = {True: [], False: []}
    for _ in range(JOURNAL_ROUNDS):
        for journal in (False, True):
            lines[journal].append(measure(bench, size, journal))
    rates = {which: statistics.median(line["per_second"] for line in lines[which])
             for which in lines}
    p99 = {which: statistics.median(line["p99_ms"] for line in lines[which]) for which in lines}
    return bench.print_case(f"{name}-journal", "with over without", count=size,
                            ratio=round(rates[True] / rates[False], 3), per_second=rates[True],
                            per_second_without=rates[False], p99_ms=p99[True],
                            p99_ms_without=p99[False])


def append(bench, size):
    if bench.journal:
        return with_and_without(bench, "append", append_once, size)
    return append_once(bench, size, False)


def append_once(bench, size, journal):
    more = ["--journal", bench.journal] if journal else []
    line = run_json(program("append"), "--dir", bench.folder, "--count", str(size),
                    "--callers", str(CONNECTIONS), *more)[0]
    whole = line["valid"] or line["sync_us"] > 1000 * SLOW_SYNC_MS
    for known in ("bench", "case", "commit", "valid", "sync_us"):
        line.pop(known, None)
    return bench.print_case("append", f"{CONNECTIONS} callers in process"
                            + (", journal" if journal else ""), **line,
                            batch=line["records_per_group"], valid=whole)


# ---- P2 and P6: registrations over HTTP, and look-ups meanwhile ---------------------------------

def load(node, requests, count, *more):
    return run_json(program("load"), "--port", str(node.api_port), "--token", node.token(),
                    "--requests", requests, "--connections", str(CONNECTIONS), "--count",
                    str(count), *more)


def http(bench, size):
    if bench.journal:
        return with_and_without(bench, "http", http_once, size)
    return http_once(bench, size, False)


def http_once(bench, size, journal):
    with bench.site() as site, tempfile.TemporaryDirectory(dir=bench.journal) as second:
        options = f'journal {{ path = "{second}/journal" }}' if journal else ""
        node = start(site.province(storage=STORAGE, options=options))
        line = load(node, bench.requests(size), size)[0]
        groups = status_of(node)["groups"]
        cpu_s = process_cpu_s(node.process.pid)
        node.stop()
        mean, _ = record_bytes(node)
    line["valid"] = line["created"] >= 0.999 * line["count"]
    return bench.print_case("http", f"{CONNECTIONS} connections"
                            + (", journal" if journal else ""), **line,
                            cpu_us=round(1e6 * cpu_s / size, 1), record_bytes=round(mean),
                            batch=round(size / groups, 1), durable=DURABLE)


def lookup(bench, size):
    """Look-ups over HTTP with `size` cases there, while 64 connections register."""
    rounds, seconds = (1, 5) if bench.quick else (5, 10)
    rate = 200
    with bench.site() as site:
        node = start(site.province(storage=STORAGE))
        # Rather too many: registering goes on during the look-ups, as fast as it can.
        requests = bench.requests(size + 45000 * seconds * rounds)
        lines = load(node, requests, size, "--lookups-per-second", str(rate), "--seconds",
                     str(seconds), "--rounds", str(rounds))[1:]
    p99 = statistics.median(line["p99_ms"] for line in lines)
    return bench.print_case(
        "lookup", f"code and phone, {CONNECTIONS} connections register", count=size,
        p50_ms=statistics.median(line["p50_ms"] for line in lines), p99_ms=p99,
        p99_ms_of_each=[line["p99_ms"] for line in lines], lookups_per_second=rate,
        registered_per_second=statistics.median(line["registered_per_second"] for line in lines),
        registered_p99_ms=statistics.median(line["registered_p99_ms"] for line in lines),
        valid=all(line["found"] == line["lookups"] for line in lines), batch=1,
        durable="the answer waits for the newest group it looked at")


# ---- P3, P4 and P9: catching up -----------------------------------------------------------------

def start(node):
    """With its token made before: a running daemon looks at new tokens once a second only."""
    node.token()
    return node.start()


def status_of(node):
    code, status = node.json("GET", "/v1/status", timeout=60)
    if code != 200:
        raise RuntimeError(f"{node.name}: /v1/status answers {code}: {status}")
    return status


def seconds_of(time_text):
    return datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def own_records(status):
    return sum(log["size"] for log in status["logs"] if log["own"])


def is_national(status):
    """Every record of the node's own logs is covered by a receipt that the node holds."""
    own = [log for log in status["logs"] if log["own"]]
    return bool(own) and all(log["national_size"] == log["size"] for log in own)


def held_by(hub):
    return sum(log["size"] for log in status_of(hub)["logs"] if not log["own"])


def pair_with_records(site, size):
    hub, province = site.hub(storage=STORAGE), site.province(storage=STORAGE)
    site.connect(province, hub)
    filled = fill(province, size)
    start(hub)
    return hub, province, filled


def catchup(bench, size):
    with bench.site() as site:
        hub, province, filled = pair_with_records(site, size)
        back_memory()
        start(province)
        wait_until(lambda: is_national(status_of(province)), "every record is national", 900, 0.05)
        end = time.time()
        status = status_of(province)
        seconds = end - seconds_of(status["peers"][0]["since"])
        records = own_records(status)
        # A status may be a tenth of a second old.
        wait_until(lambda: held_by(hub) >= records, "the hub's status says so too", 10)
        return bench.print_case(
            "catchup", "one province to a hub, encrypted, proof-verified, receipts back",
            count=size, per_second=round(records / seconds), seconds=round(seconds, 3),
            record_bytes=filled["record_bytes"], batch=256, valid=held_by(hub) == records,
            wire_bytes_per_record=round(status["peers"][0]["bytes_sent"] / records, 1),
            hub_memory_mb=round(process_memory_mb(hub.process.pid, "VmHWM"), 1),
            hub_cpu_s=process_cpu_s(hub.process.pid),
            province_cpu_s=process_cpu_s(province.process.pid),
            durable="log commit synced at the hub before the receipt")


def fanin_provinces(site, hub, count):
    with open(os.path.join(SOURCE, "node", "casework", "province.c"), encoding="utf-8") as file:
        names = sorted(set(re.findall(r'"([a-z][a-z-]+)"', file.read())) - {"hub"})
    provinces = [site.province(name, storage="map_mib = 1024  reserve_mib = 16  memory_mib = 16")
                 for name in names[:count]]
    for province in provinces:
        site.connect(province, hub)
    return provinces


class PeakMemory(threading.Thread):
    """The largest resident memory that a process owned itself, sampled: mapped files of the store
    are the kernel's cache and can be taken away."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.own_mb, self.running = pid, 0.0, True

    def run(self):
        while self.running:
            try:
                self.own_mb = max(self.own_mb, process_memory_mb(self.pid, "RssAnon"))
            except (OSError, TypeError):
                return
            time.sleep(0.1)

    def stop(self):
        self.running = False
        self.join()
        return self.own_mb


def back_memory(mib=2048):
    """So that the system's free pages are at hand: README.md says what was seen without it."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    mmap.mmap(-1, mib << 20, flags).close()


def sizes_by_node(status, member):
    """Of the logs that a hub follows: "size" records held, or "receipted_size"."""
    sizes = {}
    for log in status["logs"]:
        if not log["own"]:
            node = log["log"].split("/")[1]
            sizes[node] = sizes.get(node, 0) + log[member]
    return sizes


def fanin(bench, size):
    """31 provinces, `size` records in all, begin at once."""
    with bench.site() as site:
        hub = site.hub(storage=STORAGE, replication=f"catch_ups_max = {FANIN_ADMITTED}")
        provinces = fanin_provinces(site, hub, FANIN_PROVINCES)
        each = size // len(provinces)
        for province in provinces:
            province.token()
            filled = fill(province, each)
        start(hub)
        memory = PeakMemory(hub.process.pid)
        memory.start()
        # All are up and knocking before the hub opens: starting 31 daemons is not measured.
        hub.process.send_signal(signal.SIGSTOP)
        for province in provinces:
            province.start(wait=False)
        for province in provinces:
            province.wait_ready()
        back_memory()
        begin = time.time()
        hub.process.send_signal(signal.SIGCONT)
        progress = Progress(hub, provinces, each)
        wait_until(progress.is_whole, "the hub holds every record", 1800, 0.05)
        wait_until(lambda: all(is_national(status_of(province)) for province in provinces),
                   "every record is national", 300, 0.05)
        end = time.time()
        records = sum(own_records(status_of(province)) for province in provinces)
        seconds = end - begin
        return bench.print_case(
            "fanin", f"{len(provinces)} provinces to a hub at once", count=size,
            per_second=round(records / seconds), seconds=round(seconds, 3),
            catch_ups_max=FANIN_ADMITTED, record_bytes=filled["record_bytes"], batch=256,
            slowest_share=round(progress.slowest_rate(begin), 3),
            slowest_share_at_half=round(progress.slowest_at_half, 3),
            hub_own_memory_mb=round(memory.stop(), 1),
            hub_memory_mb=round(process_memory_mb(hub.process.pid, "VmHWM"), 1),
            durable="log commit synced at the hub before the receipt")


class Progress:
    """What the hub holds, a province.

    Two ways to see whether the slowest province was treated fairly, each 1.0 when all are served
    alike: its rate until all its records had receipts, over the mean of all provinces' rates; and
    what the hub held of it when it held half of all records, over an equal part of that."""

    def __init__(self, hub, provinces, each):
        self.hub, self.each = hub, each
        self.names = [province.name for province in provinces]
        self.done_at = {}
        self.slowest_at_half = None

    def is_whole(self):
        status, now = status_of(self.hub), time.time()
        receipted = sizes_by_node(status, "receipted_size")
        for name in self.names:
            if receipted.get(name, 0) >= self.each:
                self.done_at.setdefault(name, now)
        held = sizes_by_node(status, "size")
        total = sum(held.values())
        if self.slowest_at_half is None and total >= self.each * len(self.names) / 2:
            self.slowest_at_half = (min(held.get(name, 0) for name in self.names)
                                    / (total / len(self.names)))
        return len(self.done_at) == len(self.names)

    def slowest_rate(self, begin):
        rates = [1 / (done - begin) for done in self.done_at.values()]
        return min(rates) / statistics.mean(rates)


def folder_bytes(folder):
    return sum(os.stat(os.path.join(path, name)).st_blocks * 512
               for path, _, names in os.walk(folder) for name in names)


def size_bytes(bench, size):
    """Disk and wire bytes of realistic requests, registered over HTTP, then caught up."""
    with bench.site() as site:
        hub, province = site.hub(storage=STORAGE), site.province(storage=STORAGE)
        site.connect(province, hub)
        start(province)
        load(province, bench.requests(size), size)
        province.stop()
        start(hub)
        start(province)
        wait_until(lambda: is_national(status_of(province)), "every record is national", 900, 0.1)
        status = status_of(province)
        space = status["space"]
        wire = status["peers"][0]["bytes_sent"]
        province.stop()
        mean, records = record_bytes(province)
        return bench.print_case(
            "bytes", "realistic Persian requests", count=size, record_bytes=round(mean, 1),
            disk_ratio=round((space["log_bytes"] + space["views_bytes"]) / records / mean, 3),
            log_bytes_per_record=round(space["log_bytes"] / records, 1),
            views_bytes_per_record=round(space["views_bytes"] / records, 1),
            files_bytes=folder_bytes(province.data),
            wire_ratio=round(wire / records / mean, 3),
            wire_bytes_per_record=round(wire / records, 1), batch=256, durable=DURABLE)


# ---- P8 and P11: doing nothing, and starting again ----------------------------------------------

def idle(bench, size):
    """A province with `size` records, all national, linked to a hub, with nothing to do."""
    rounds, seconds = (1, 10) if bench.quick else (5, 30)
    with bench.site() as site:
        hub, province, _ = pair_with_records(site, size)
        start(province)
        wait_until(lambda: is_national(status_of(province)), "every record is national", 900, 0.1)
        time.sleep(5)
        pid = province.process.pid
        cpu, memory, own = [], [], []
        for _ in range(rounds):
            before = process_cpu_s(pid)
            time.sleep(seconds)
            cpu.append(100 * (process_cpu_s(pid) - before) / seconds)
            memory.append(process_memory_mb(pid))
            own.append(process_memory_mb(pid, "RssAnon"))
        return bench.print_case(
            "idle", "a province linked to a hub", count=size, seconds=seconds,
            memory_mb=round(statistics.median(memory), 1),
            own_memory_mb=round(statistics.median(own), 1),
            cpu_percent=round(statistics.median(cpu), 3),
            cpu_percent_of_each=[round(value, 3) for value in cpu], batch=0, durable="nothing")


def restart(bench, size):
    """From starting a killed province until it says that it is ready; the hub answers. It is killed
    while 64 connections register."""
    rounds = 1 if bench.quick else 5
    with bench.site() as site:
        hub, province, filled = pair_with_records(site, size)
        start(province)
        wait_until(lambda: is_national(status_of(province)), "every record is national", 900, 0.1)
        took = []
        for number in range(rounds):
            kill_while_registering(bench, province, number)
            begin = time.perf_counter()
            province.start(wait=False)
            wait_until(lambda: is_ready(province), "ready", 120, 0.002)
            took.append(time.perf_counter() - begin)
        return bench.print_case(
            "restart", "kill -9 while registering, then ready", count=size,
            seconds=round(statistics.median(took), 3),
            seconds_of_each=[round(value, 3) for value in took],
            record_bytes=filled["record_bytes"], batch=1, durable=DURABLE)


def kill_while_registering(bench, node, number):
    """The load generator fails with its connections; what it says is of no interest."""
    path = os.path.join(bench.folder, f"restart-{number}.jsonl")
    with open(path, "wb") as file:
        subprocess.run([program("workload"), "--count", "300000", "--seed", str(1000 + number)],
                       stdout=file, check=True)
    command = [program("load"), "--port", str(node.api_port), "--token", node.token(),
               "--requests", path, "--count", "300000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        time.sleep(1 + random.random())
        node.kill()
        client.wait()
    os.unlink(path)


def is_ready(node):
    if node.process.poll() is not None:
        raise RuntimeError(f"{node.name}: samadd ended\n{node.log_tail()}")
    try:
        return node.http("GET", "/readyz", token=None, timeout=2)[0] == 200
    except OSError:
        return False


# The benchmark, its sizes at full size and quick.
CASES = {
    "append": (append, (100_000, 1_000_000), (20_000, 50_000)),
    "http": (http, (100_000, 1_000_000), (10_000, 30_000)),
    "catchup": (catchup, (100_000, 1_000_000), (10_000, 30_000)),
    "fanin": (fanin, (100_000, 1_000_000), (31_000,)),
    "lookup": (lookup, (100_000, 1_000_000), (10_000,)),
    "idle": (idle, (0, 100_000), (1_000,)),
    "bytes": (size_bytes, (10_000, 100_000), (10_000,)),
    "restart": (restart, (100_000, 1_000_000), (10_000,)),
}
