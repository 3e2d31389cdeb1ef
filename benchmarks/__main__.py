"""Run benchmarks and write `docs/performance.md`: ``python -m benchmarks [NAME …] [--quick]``.

Without a name all but `soak`: about twenty minutes on two quiet processors. `soak` takes
an hour, two minutes with `--quick`.
"""

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
    report.measure_all("benchmarks", __doc__, ALL, NAMES)
    report.write_page(ALL)


if __name__ == "__main__":
    main()
