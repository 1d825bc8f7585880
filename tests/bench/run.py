"""Runs the benchmarks of cases.py; called by tests/bench/run."""

import argparse
import os
import subprocess
import sys

from bench_common import say, stop_on_terminate, work_folder
from cases import CASES, Bench


def main():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run",
        description="Builds the release preset, runs the project's own benchmarks and prints one "
                    "JSON line a case; tests/bench/README.md says what the members mean.")
    parser.add_argument("--quick", action="store_true", help="small sizes, for looking only")
    parser.add_argument("--sizes", metavar="N,N...", help="instead of a benchmark's own sizes")
    parser.add_argument("--built", action="store_true",
                        help="take the programs as they are (environment SAMAD_BUILD: where)")
    parser.add_argument("--journal", metavar="FOLDER",
                        help="append and http with and without a journal below FOLDER, in turn")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"which benchmarks (all): {' '.join(CASES)}")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CASES]
    if unknown:
        parser.error(f"no such benchmark: {' '.join(unknown)}; there are {' '.join(CASES)}")
    if not options.built:
        subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "build")],
                       stdout=sys.stderr, check=True)
    stop_on_terminate()
    failed = 0
    with work_folder() as folder:
        bench = Bench(folder, options.quick, options.journal)
        for name in options.names or CASES:
            function, full, quick = CASES[name]
            sizes = quick if options.quick else full
            if options.sizes:
                sizes = [int(size) for size in options.sizes.split(",")]
            for size in sizes:
                try:
                    function(bench, size)
                except (OSError, RuntimeError, TimeoutError, ValueError) as problem:
                    failed += 1
                    say(f"{name} with {size}: {problem}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
