"""Passwords come from one file or one variable, and an error never shows one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgetrack.errors import ConfigError
from edgetrack.secret import password


def test_neither_file_nor_variable_means_no_password() -> None:
    assert password("publish.mqtt", "", "") is None


@pytest.mark.parametrize("content", [b"s3 cret", b"s3 cret\n", b"s3 cret\r\n"])
def test_one_newline_at_the_end_is_no_part_of_the_password(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mqtt").write_bytes(content)
    assert password("publish.mqtt", str(tmp_path / "mqtt"), "") == "s3 cret"


def test_the_folder_of_systemd_credentials_is_expanded(tmp_path: Path) -> None:
    (tmp_path / "mqtt").write_text("s3cret")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert password("publish.mqtt", "${CREDENTIALS_DIRECTORY}/mqtt", "", environment) == "s3cret"


def test_a_variable_holds_the_password() -> None:
    assert password("capture", "", "CAMERA_PASSWORD", {"CAMERA_PASSWORD": "s3cret"}) == "s3cret"


def test_an_unset_variable_in_the_path_says_who_sets_it() -> None:
    with pytest.raises(
        ConfigError, match=r"^publish\.mqtt\.password_file: .* CREDENTIALS_DIRECTORY is not set; systemd"
    ):
        password("publish.mqtt", "${CREDENTIALS_DIRECTORY}/mqtt", "", {})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"s3cret\ns3cret\n", "more than one line"),
        (b"s3cret\xff", "not UTF-8"),
        (b"s3cret" * 20000, "over 65536 bytes"),
    ],
)
def test_a_file_that_holds_no_password_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "mqtt").write_bytes(content)
    with pytest.raises(ConfigError, match=problem) as caught:
        password("publish.mqtt", str(tmp_path / "mqtt"), "")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("file", ["missing", ".", "nul\0byte"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str) -> None:
    with pytest.raises(ConfigError, match=r"^capture\.password_file: .*; give a file that this user may read$"):
        password("capture", str(tmp_path / file), "")


@pytest.mark.parametrize(("environment", "state"), [({}, "not set"), ({"SECRET": ""}, "empty")])
def test_a_variable_without_a_password_is_told(environment: dict[str, str], state: str) -> None:
    with pytest.raises(ConfigError, match=rf"^capture\.password_env: the variable that it names is {state};"):
        password("capture", "", "SECRET", environment)


def test_two_sources_of_one_password_are_refused() -> None:
    with pytest.raises(ConfigError, match="keep one"):
        password("capture", "/some/file", "SECRET", {"SECRET": "s3cret"})
