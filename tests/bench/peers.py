"""Peers and project on the same work, side by side; called by tests/bench/peers."""

import argparse
import os
import subprocess
import sys

import peer_nats
import peer_postgresql
from bench_common import SLOW_SYNC_MS, SOURCE, say, stop_on_terminate, sync_ms, work_folder

CLIENTS = 64


class Run:
    """One run of the script: what was measured once serves every target that needs it."""

    def __init__(self, folder, quick, peers_only):
        self.folder, self.quick, self.peers_only = folder, quick, peers_only
        self.probes = []
        self.measured = {}
        self.lines = []
        self.bench = self.cases = None
        if not peers_only:
            import cases  # needs a build
            self.cases, self.bench = cases, cases.Bench(folder, quick)

    def probe(self):
        self.probes.append(sync_ms(self.folder))

    def once(self, name, function, *arguments):
        if name not in self.measured:
            self.probe()
            self.measured[name] = function(*arguments)
        return self.measured[name]

    def size(self, full, quick):
        return quick if self.quick else full

    def project(self, name, full, quick):
        """The project's figures of one benchmark, or None with --peers-only."""
        if self.peers_only:
            return None
        return self.once(name, self.cases.CASES[name][0], self.bench, self.size(full, quick))

    def line(self, target, good, text):
        verdict = "" if good is None else "ok" if good else "below"
        self.lines.append(f"{target} {text} {verdict}".strip())


# ---- the peers' work ----------------------------------------------------------------------------

def registrations(run):
    return run.once("postgresql registrations", peer_postgresql.registrations, run.folder,
                    run.size(1_000_000, 50_000), CLIENTS)


def catch_up(run):
    """Rows committed one by one, as the registrations of P1 are, and in groups of 256."""
    count = run.size(1_000_000, 100_000)
    return [run.once(f"postgresql catch-up {batch}", peer_postgresql.catch_up, run.folder, count,
                     batch) for batch in (1, 256)]


def nats(run):
    return run.once("nats catch-up", peer_nats.catch_up, run.folder, run.size(1_000_000, 100_000))


# ---- the targets --------------------------------------------------------------------------------

def ratio(run, target, peer, own, floor, also="", also_good=True):
    if own is None:
        run.line(target, None, f"peer={peer:.0f}/s floor={floor}")
        return
    value = own / peer
    run.line(target, value >= floor and also_good,
             f"ratio={value:.2f} floor={floor} project={own:.0f}/s peer={peer:.0f}/s{also}")


def p1(run):
    peer = registrations(run)
    own = run.project("append", 1_000_000, 50_000)
    ratio(run, "P1", peer, own and own["per_second"], 3)


def p2(run):
    peer = registrations(run)
    own = run.project("http", 1_000_000, 50_000)
    late = own["p99_ms"] if own else 0
    ratio(run, "P2", peer, own and own["per_second"], 2, f" p99_ms={late} p99_limit_ms=10",
          late < 10)


def p3(run):
    peer, grouped = catch_up(run)
    other = nats(run)
    own = run.project("catchup", 1_000_000, 50_000)
    rate = own and own["per_second"]
    also = f" nats_without_fsync={other:.0f}/s peer_in_groups={grouped:.0f}/s"
    if rate:
        also += f" ratio_in_groups={rate / grouped:.2f}"
    ratio(run, "P3", peer, rate, 2, also)


def p4(run):
    alone = run.project("catchup", 1_000_000, 50_000)
    own = run.project("fanin", 1_000_000, 62_000)
    if own:
        share, memory = own["slowest_share"], own["hub_memory_mb"]
        ratio(run, "P4", alone["per_second"], own["per_second"], 0.8,
              f" slowest_share={share} share_floor=0.8 hub_memory_mb={memory} memory_limit_mb=512"
              f" hub_own_memory_mb={own['hub_own_memory_mb']}", share >= 0.8 and memory <= 512)


def p6(run):
    own = run.project("lookup", 1_000_000, 30_000)
    if own:
        run.line("P6", own["p99_ms"] <= 2, f"p99_ms={own['p99_ms']} limit=2")


def p8(run):
    own = run.project("idle", 100_000, 1_000)
    if own:
        run.line("P8", own["memory_mb"] <= 40 and own["cpu_percent"] <= 0.5,
                 f"memory_mb={own['memory_mb']} limit=40 cpu_percent={own['cpu_percent']} "
                 f"limit=0.5 own_memory_mb={own['own_memory_mb']}")


def p9(run):
    own = run.project("bytes", 100_000, 10_000)
    if own:
        run.line("P9", own["disk_ratio"] <= 2.5 and own["wire_ratio"] <= 1.1,
                 f"disk_ratio={own['disk_ratio']} limit=2.5 wire_ratio={own['wire_ratio']} "
                 "limit=1.1")


def p11(run):
    own = run.project("restart", 1_000_000, 30_000)
    if own:
        run.line("P11", own["seconds"] <= 2, f"seconds={own['seconds']} limit=2")


TARGETS = {"P1": p1, "P2": p2, "P3": p3, "P4": p4, "P6": p6, "P8": p8, "P9": p9, "P11": p11}


def main():
    parser = argparse.ArgumentParser(
        prog="tests/bench/peers",
        description="Installs PostgreSQL and NATS JetStream, runs them and this project on the "
                    "same work on loopback, and ends with one line a target. It starts its own "
                    "servers in a temporary folder ($TMPDIR, or /var/tmp).")
    parser.add_argument("--quick", action="store_true", help="small sizes, for looking only")
    parser.add_argument("--peers-only", action="store_true",
                        help="measure only the others, without building this project")
    parser.add_argument("targets", nargs="*", metavar="TARGET",
                        help=f"which targets (all): {' '.join(TARGETS)}")
    options = parser.parse_args()
    unknown = [target for target in options.targets if target not in TARGETS]
    if unknown:
        parser.error(f"no such target: {' '.join(unknown)}; there are {' '.join(TARGETS)}")
    subprocess.run([os.path.join(SOURCE, "deploy", "install-packages"), "bench"],
                   stdout=sys.stderr, check=True)
    if not options.peers_only:
        subprocess.run([os.path.join(SOURCE, "tests", "bench", "build")], stdout=sys.stderr,
                       check=True)
    stop_on_terminate()
    failed = []
    with work_folder() as folder:
        run = Run(folder, options.quick, options.peers_only)
        for target in options.targets or TARGETS:
            try:
                TARGETS[target](run)
            except (OSError, RuntimeError, TimeoutError, ValueError) as problem:
                failed.append(f"{target} failed: {problem}")
        run.probe()
    slowest = max(run.probes)
    if slowest > SLOW_SYNC_MS:
        print(f"void: a bare 4 kB write and fdatasync took {slowest:.1f} ms here, more than "
              f"{SLOW_SYNC_MS:.0f} ms: the disk is too slow or too busy to compare anything")
    if options.quick:
        print("quick: small sizes, for looking only; a target counts at its full size")
    print("\n".join(run.lines + failed))
    say(f"sync_ms of each probe: {' '.join(f'{probe:.2f}' for probe in run.probes)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
