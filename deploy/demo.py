"""The story that deploy/demo tells. It talks to the nodes as everybody does: through the API and
samadctl; the last judgement is `samadctl audit`, which reads the stores themselves."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "harness"))
sys.dont_write_bytecode = True
from samad import BUILD, Site, wait_until  # noqa: E402

parser = argparse.ArgumentParser(
    prog="deploy/demo",
    description="Builds, then shows two provinces and a hub on this machine: real requests with the "
                "link up, cut and up again, and at the end a comparison of the stores. Stays up "
                "until Ctrl-C, with addresses and tokens to try.")
parser.add_argument("--once", action="store_true", help="stop after the verification")
parser.add_argument("--sabotage", choices=["altered", "missing", "doubled"],
                    help="tamper with the hub's store before it; ends with exit 1")
parser.add_argument("--folder", default=os.path.join(ROOT, "demo"),
                    help="where everything is kept (./demo)")
parser.add_argument("--seed", default="111", help="of the requests (111)")
options = parser.parse_args()


def say(text=""):
    print(text, flush=True)


def workload(province, folder):
    """Two working days of requests, twice the usual number, as JSON lines."""
    path = os.path.join(folder, province + ".jsonl")
    with open(path, "w") as out:
        subprocess.run([os.path.join(BUILD, "tests", "workload"), "--province", province, "--days",
                        "2", "--start", "2026-11-14", "--scale", "2", "--seed", options.seed],
                       stdout=out, check=True)
    with open(path) as lines:
        return lines.read().splitlines()


def write_lines(folder, name, lines):
    path = os.path.join(folder, name + ".jsonl")
    with open(path, "w") as out:
        out.write("\n".join(lines) + "\n")
    return path


def register(node, path, check=True):
    """Registers a file through the API; gives the codes by line."""
    codes = path + ".codes"
    started = time.time()
    node.ctl("--api", f"http://127.0.0.1:{node.api_port}", "--token", node.token(), "request",
             "import", path, "--codes", codes, check=check)
    with open(codes) as lines:
        return [line.split("\t")[1].strip() for line in lines], time.time() - started


def held(node, of):
    """Records that a node's store holds of a province's logs, read from the store."""
    logs = json.loads(node.ctl("-o", "json", "log", "ls"))["logs"]
    return {log["log"]: log["size"] for log in logs if log["log"].startswith(f"samad/{of}/")}


def requests_of(node):
    """(log, position, idempotency key) of every request record of the node's own logs."""
    found = []
    for log in held(node, node.name):
        for line in node.ctl("-o", "json", "log", "cat", log).splitlines():
            record = json.loads(line)
            if record["kind"] == "request":
                found.append((log, record["position"], record["facts"]["idempotency_key"]))
    return found


def kill_in_the_middle(node, path):
    """Kills the node with -9 while it registers, restarts it, and goes on with the same file."""
    def killer():
        wait_until(lambda: os.path.exists(path + ".codes") and
                   sum(1 for _ in open(path + ".codes")) > 20, 10, "some answers", 0.005)
        node.kill()
    thread = threading.Thread(target=killer)
    thread.start()
    try:
        register(node, path, check=False)
    except OSError:
        pass
    thread.join()
    node.start()
    return register(node, path)


def show_samples(lines, codes):
    for line, code in list(zip(lines, codes))[:3]:
        request = json.loads(line)
        text = request["text"].replace("\u200c", " ")
        say(f"      {code[:2]}-{code[2:5]}-{code[5:8]}-{code[8:12]}-{code[12:]}  {request['subject']:<22}"
            f" {text[:60]}")


def wait_national(nodes, seconds=120):
    wait_until(lambda: all(node.national() for node in nodes), seconds, "receipts for everything")


def story(site):
    hub, ardabil, hormozgan = site.hub("centre"), site.province("ardabil"), site.province("hormozgan")
    path = site.proxy(hub)
    site.connect(ardabil, hub, path)
    site.connect(hormozgan, hub)
    for node in (hub, ardabil, hormozgan):
        node.token()
        node.start()
    say("1. A hub and two provinces run, each on its own LMDB store:")
    for node in (hub, ardabil, hormozgan):
        say(f"      {node.name:<10} {node.role:<9} http://127.0.0.1:{node.api_port}")
    first, second = workload("ardabil", site.folder), workload("hormozgan", site.folder)
    third = len(first) // 3
    parts = [write_lines(site.folder, f"ardabil-{word}", lines) for word, lines in
             (("up", first[:third]), ("cut", first[third:-40]), ("after", first[-40:]))]

    say("\n2. The link is up. Ardabil registers the first hours of two working days:")
    codes, seconds = register(ardabil, parts[0])
    show_samples(first, codes)
    say(f"      {len(codes)} requests in {seconds:.1f} s; each code was given when its record was on disk")
    wait_national([ardabil])
    say("      the hub's receipts cover all of them")

    say("\n3. Ardabil's link is cut (the TCP path itself). 111 goes on:")
    path.cut()
    before = held(hub, "ardabil")
    cut_codes, seconds = register(ardabil, parts[1])
    show_samples(first[third:], cut_codes)
    request = json.loads(first[third])
    status, answer = ardabil.json("POST", "/v1/lookups",
                                  {"code": cut_codes[0], "factor": request.get("phone") or
                                   request["national_id"][-4:]})
    say(f"      {len(cut_codes)} requests in {seconds:.1f} s; asking by code and phone answers"
        f" {status}: {answer.get('state')}")

    say("\n4. Hormozgan registers meanwhile, and is killed with -9 in the middle:")
    codes, _ = kill_in_the_middle(hormozgan, write_lines(site.folder, "hormozgan-all", second))
    say(f"      restarted; the same file again: {len(codes)} requests, each exactly once")

    at_hub = held(hub, "ardabil")
    keys = {json.loads(line)["idempotency_key"] for line in first[third:-40]}
    early = sum(1 for log, position, key in requests_of(ardabil)
                if key in keys and position < at_hub.get(log, 0))
    say(f"\n5. Before healing the hub's store holds {early} of the {len(cut_codes)} made while cut"
        f" (its sizes {'did not change' if before == at_hub else 'CHANGED'}).")
    path.heal()
    started = time.time()
    wait_national([ardabil, hormozgan])
    say(f"      healed: after {time.time() - started:.1f} s the hub's receipts cover everything")
    register(ardabil, parts[2])
    wait_national([ardabil, hormozgan])
    return hub, [ardabil, hormozgan], len(cut_codes), early


def judge(hub, provinces, while_cut, early):
    say("\n6. The stores are compared, record by record, without the replication's help:")
    out = subprocess.run([os.path.join(BUILD, "samadctl"), "-o", "json", "audit", "--hub", hub.conf,
                          *[node.conf for node in provinces]], capture_output=True, text=True)
    if not out.stdout:
        say(out.stderr)
        return False
    found = json.loads(out.stdout)
    for problem in found.get("problems", [])[:5]:
        say(f"      {problem}")
    say(f"demo: registered={found['registered']} while_cut={while_cut} hub_holds={found['hub_holds']}"
        f" missing={found['missing']} altered={found['altered']} duplicated={found['duplicated']}"
        f" receipts={found['receipts']}")
    return out.returncode == 0 and early == 0


def stay(nodes):
    say("\nIt stays up until Ctrl-C. To try:")
    for node in nodes:
        say(f"  export SAMAD_API=http://127.0.0.1:{node.api_port} SAMAD_TOKEN={node.token()}   # {node.name}")
    samadctl = os.path.relpath(os.path.join(BUILD, "samadctl"))
    conf = os.path.relpath(nodes[1].conf)
    say(f"  {samadctl} status")
    say(f"  {samadctl} request list")
    say(f"  {samadctl} -c {conf} log ls")
    say(f"  {samadctl} -c {conf} log tail 0")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("stopping")
        for node in reversed(nodes):
            if node.process.poll() is None:
                node.stop()


def make_folder(folder):
    """Empties the folder of an earlier demo; anything else in the way stays as it is."""
    earlier = os.path.join(folder, "centre", "samad.conf")
    if os.path.isdir(folder) and os.listdir(folder) and not os.path.exists(earlier):
        sys.exit(f"demo: {folder} is not empty and holds no earlier demo; name another --folder")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)


def main():
    make_folder(options.folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Site(options.folder, keep=True) as site:
        hub, provinces, while_cut, early = story(site)
        stop_first = options.once or options.sabotage
        if stop_first:
            for node in (*provinces, hub):
                node.stop()
        if options.sabotage:
            say(f"\n   Sabotage: one record is made {options.sabotage} in the hub's store.")
            subprocess.run([os.path.join(BUILD, "tests", "sabotage"), options.sabotage, hub.conf,
                            provinces[0].name], check=True)
        good = judge(hub, provinces, while_cut, early)
        if not stop_first:
            stay((hub, *provinces))
        return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted; the nodes are stopped")
        sys.exit(130)
