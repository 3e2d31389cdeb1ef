"""Measure what a cluster costs, and write the figures of `docs/scale.md` from it.

``python -m benchmarks.scale [NAME …] [--quick]``; results are kept as those of the others.
"""

import argparse
import importlib

from benchmarks import report

NAMES = ("cluster_cost", "placement", "capacity")
"""Modules with ``measure(quick: bool) -> Section``, in the order of the page."""

PAGE = report.ROOT / "docs" / "scale.md"

MARK = "<!-- Written by `python -m benchmarks.scale` from here on. -->\n"


def main() -> None:
    """Measure what was asked for, then write the figures from the latest of everything."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    arguments.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    options = arguments.parse_args()
    for name in options.names or NAMES:
        print(f"== {name}", flush=True)
        section = importlib.import_module(f"benchmarks.{name}").measure(quick=options.quick)
        report.keep(name, section)
    report.write_figures(PAGE, MARK, NAMES)


if __name__ == "__main__":
    main()
