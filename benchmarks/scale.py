"""Measure what a cluster costs, and write the figures of `docs/scale.md` from it.

``python -m benchmarks.scale [NAME …] [--quick]``; results are kept as those of the others.
"""

from benchmarks import report

NAMES = ("cluster_cost", "placement", "capacity")
"""Modules with ``measure(quick: bool) -> Section``, in the order of the page."""

PAGE = report.ROOT / "docs" / "scale.md"

MARK = "<!-- Written by `python -m benchmarks.scale` from here on. -->\n"


def main() -> None:
    """Measure what was asked for, then write the figures from the latest of everything."""
    report.measure_all("benchmarks.scale", __doc__, NAMES, NAMES)
    report.write_figures(PAGE, MARK, NAMES)


if __name__ == "__main__":
    main()
