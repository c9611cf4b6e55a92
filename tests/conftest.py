"""Fixtures and options that every room may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.daemon import Subscriber, subscribed
from tests.publish.broker import Broker

# The same cases in every run of CI; at one's desk they are drawn anew, and those that fail become examples.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

# Skips that nothing installed on this machine could prevent, or whose tests run in an environment of their own.
UNAVOIDABLE = ("no shared data here", ".ci/picamera", ".ci/gstreamer")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail if a test is skipped for want of a package or tool")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--no-skips"):
        for report in avoidable_skips(terminalreporter):
            terminalreporter.write_line(f"SKIPPED, and should not be: {report.nodeid}: {report.longrepr[2]}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and session.exitstatus == 0 and avoidable_skips(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def avoidable_skips(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    skipped = reporter.stats.get("skipped", [])
    return [report for report in skipped if not any(reason in str(report.longrepr) for reason in UNAVOIDABLE)]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real videos, models and ground truth beside the checkout; EDGETRACK_SHARED names another place."""
    folder = Path(os.environ.get("EDGETRACK_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"{folder}: no shared data here; set EDGETRACK_SHARED to the folder that holds data/ and models/")
    return folder


@pytest.fixture(autouse=True)
def state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where daemons keep what outlives them: every test has its own folder."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto of the test's own, open to everybody."""
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def subscriber(tmp_path: Path, broker: Broker) -> Iterator[Subscriber]:
    """mosquitto_sub on everything, from before the daemon starts."""
    with subscribed(broker.port, tmp_path / "heard.txt") as subscriber:
        yield subscriber
