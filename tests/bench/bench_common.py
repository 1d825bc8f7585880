"""What the peers' scripts share: where to work, the probe of the disk, lines of output."""

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests", "harness"))
from samad import free_port  # noqa: E402, F401  (found through the line above; for the peers too)

SLOW_SYNC_MS = 1.0  # with a slower disk a figure says nothing about the programs

# A request's text as it comes in by phone: with the other columns a row has about 400 bytes.
TEXT = ("با سلام، از سه روز پیش آب کوچه قطع است و هر بار که با اداره تماس گرفته‌ایم "
        "جواب درستی نداده‌اند؛ چند خانوار سالمند در این کوچه هستند، لطفاً رسیدگی شود.")
PAYLOAD_SIZE = 400


def commit_name():
    try:
        described = subprocess.run(["git", "-C", SOURCE, "describe", "--always", "--dirty"],
                                   capture_output=True, text=True, check=False)
    except FileNotFoundError:  # the source came as an archive, to a machine without git
        return "unknown"
    return described.stdout.strip() or "unknown"


def print_line(**values):
    """One JSON line on standard output, as the project's own benchmarks print theirs."""
    print(json.dumps(values | {"commit": commit_name()}, ensure_ascii=False), flush=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def work_folder():
    """A folder on a real disk, which other users may enter: PostgreSQL refuses to run as root."""
    folder = tempfile.mkdtemp(prefix="samad-peers-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sync_ms(folder):
    """Milliseconds of a bare 4 kB write and fdatasync: the median of 101."""
    path = os.path.join(folder, "sync-probe")
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    took = []
    try:
        for i in range(101):
            start = time.perf_counter()
            os.pwrite(file, bytes(4096), i * 4096)
            os.fdatasync(file)
            took.append((time.perf_counter() - start) * 1000)
    finally:
        os.close(file)
        os.unlink(path)
    return statistics.median(took)


def wait_until(condition, what, timeout_s, pause_s=0.01):
    """Seconds until the condition held."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > timeout_s:
            raise TimeoutError(f"{what}: not after {timeout_s} s")
        time.sleep(pause_s)
    return time.perf_counter() - start


def stop_on_terminate():
    """A SIGTERM unwinds the stack as Ctrl-C does, so that every server started is stopped."""
    def on_terminate(_number, _frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, on_terminate)
