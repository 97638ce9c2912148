"""What holds for every test: what CI forbids to be skipped, and what it tries a second time.

A skip for something that is missing would make a green run out of tests that never ran. A test
with processes of its own may find a machine that stands still for a while: it is tried once more,
and the failure is shown all the same. A simulated world has no such excuse.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says something of the machine, not of the code.
settings.register_profile("without-deadlines", deadline=None)
settings.load_profile("without-deadlines")


_WITH_PROCESSES = [
    Path(__file__).parent / tier for tier in ("attacks", "docs", "integration", "regressions")
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have a test with processes of its own tried once more in CI when it fails."""
    if not is_in_ci():
        return
    for item in items:
        if any(item.path.is_relative_to(tier) for tier in _WITH_PROCESSES):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show why a test was tried again: it, or what it tests, is to be mended."""
    reports = terminalreporter.stats.get("rerun", [])
    if reports:
        terminalreporter.section("failed at first, tried again")
    for report in reports:
        terminalreporter.line(report.nodeid, bold=True)
        terminalreporter.line(str(report.longrepr))


@pytest.fixture(autouse=True)
def zone_of_the_environment() -> Iterator[None]:
    """Let the C library stand where the environment says, whatever zone the test before was in.

    A test that sets TZ has it taken back, but the library keeps the zone that it last looked up.
    """
    yield
    time.tzset()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI; ``@pytest.mark.may_skip(reason=...)`` keeps it a skip."""
    report = yield
    is_skip = report.skipped and not hasattr(report, "wasxfail")
    if is_skip and is_in_ci() and item.get_closest_marker("may_skip") is None:
        report.outcome = "failed"
        report.longrepr = (
            f"skipped in CI: {call.excinfo.value if call.excinfo else ''}. Provide what is"
            " missing there, or mark the test: @pytest.mark.may_skip(reason=...)"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole file, as by ``importorskip``, into a failure in CI."""
    report = yield
    if report.skipped and is_in_ci():
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped in CI: {report.longrepr}"
    return report


def is_in_ci() -> bool:
    """Whether this run is the one that decides."""
    return os.environ.get("CI", "").lower() in ("true", "1")
