"""Runs the benchmarks of cases.py; called by tests/bench/run."""

import argparse
import sys

from bench_common import say, stop_on_terminate, work_folder
from cases import CASES, Bench


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--quick", action="store_true", help="small sizes, for looking only")
    parser.add_argument("--sizes", help="instead of a benchmark's own sizes: N,N...")
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(CASES))
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CASES]
    if unknown:
        parser.error(f"no such benchmark: {' '.join(unknown)}; there are {' '.join(CASES)}")
    stop_on_terminate()
    failed = 0
    with work_folder() as folder:
        bench = Bench(folder, options.quick)
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
