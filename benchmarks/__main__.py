"""Run benchmarks and write `docs/performance.md`: ``python -m benchmarks [NAME …] [--quick]``.

Without a name all but `soak`: about twenty minutes on two quiet processors. `soak` takes
an hour, two minutes with `--quick`.
"""

import argparse
import importlib

from benchmarks import report

NAMES = (
    "full_path",
    "order_states",
    "latency",
    "durability",
    "journal_growth",
    "backlog",
    "fan_out",
    "start_up",
    "normalise",
    "many_accounts",
)
"""Modules of this folder with ``measure(quick: bool) -> Section``, in the order of the page."""
BY_NAME_ONLY = ("soak",)
"""They take longer than anybody waits for."""


ALL = (*NAMES, *BY_NAME_ONLY)


def main() -> None:
    """Measure what was asked for, then write the page from the latest of everything."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}")
    arguments.add_argument("--quick", action="store_true", help="few repetitions, to try it out")
    options = arguments.parse_args()
    for name in options.names or NAMES:
        print(f"== {name}", flush=True)
        section = importlib.import_module(f"benchmarks.{name}").measure(quick=options.quick)
        report.keep(name, section)
    report.write_page(ALL)


if __name__ == "__main__":
    main()
