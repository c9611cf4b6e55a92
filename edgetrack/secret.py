"""Passwords, read where they are needed and kept out of messages, logs and dumps of the settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from edgetrack.errors import ConfigError

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
MAX_BYTES = 65536  # a password file is a line; anything longer is some other file


def password(place: str, file: str, env: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The password that a file or an environment variable holds, or None where neither is named.

    Args:
        place: what asks, for messages: `"publish.mqtt"`.
        file: path; `${CREDENTIALS_DIRECTORY}` and other variables are expanded. One newline at the end is no part of
            the password.
        env: name of a variable.

    Raises ConfigError where both are named, or where the one named cannot be read or holds nothing.
    """
    if file and env:
        raise ConfigError(f"{place}: both password_file and password_env are given; keep one")
    if file:
        return _from_file(place, file, environment)
    if not env:
        return None
    if not environment.get(env):
        state = "empty" if env in environment else "not set"
        # The name is not shown: people write the password itself here.
        raise ConfigError(f"{place}.password_env: the variable that it names is {state}; set it to the password")
    return environment[env]


def expand(path: str, environment: Mapping[str, str] = os.environ) -> str:
    """`path` with every `${VARIABLE}` replaced; raises KeyError with the name of one that is not set."""
    return VARIABLE.sub(lambda variable: environment[variable[1]], path)


def _from_file(place: str, file: str, environment: Mapping[str, str]) -> str:
    place = f"{place}.password_file"
    try:
        path = os.path.expanduser(expand(file, environment))
    except KeyError as unset:
        name = unset.args[0]
        remedy = "systemd sets it, with LoadCredential=" if name == "CREDENTIALS_DIRECTORY" else "set it"
        raise ConfigError(f"{place}: {file}: the variable {name} is not set; {remedy}") from None
    try:
        with open(path, "rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file has such a name"
        raise ConfigError(f"{place}: {path}: {reason}; give a file that this user may read") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{place}: {path}: is over {MAX_BYTES} bytes long; give a file with the password alone")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{place}: {path}: is not UTF-8 text; give a file with the password alone") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line:
        raise ConfigError(f"{place}: {path}: is empty; write the password into it")
    if "\n" in line or "\0" in line:
        raise ConfigError(f"{place}: {path}: holds more than one line; give a file with the password alone")
    return line
