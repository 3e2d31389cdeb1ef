"""Fixtures and bookkeeping that all scenarios share."""

from collections.abc import Generator

import pytest

from tests.scenarios.results import Results, keep

_RESULTS = pytest.StashKey[Results]()


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Results:
    """Where a scenario notes what it counted."""
    return request.node.stash.setdefault(_RESULTS, Results())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the outcome of each scenario for the table."""
    report = yield
    if call.excinfo is not None and call.excinfo.errisinstance(KeyboardInterrupt):
        return report  # ended by a person: that tells nothing
    if report.when == "call" or (report.when == "setup" and not report.passed):
        noted = item.stash.get(_RESULTS, Results())
        keep(item.nodeid, report.outcome, _reason(report), noted.notes)
    return report


def _reason(report: pytest.TestReport) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return ""
