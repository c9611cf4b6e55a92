"""Files that a configuration names: where they are, and that they are there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgetrack import catalogue
from edgetrack.configfile.words import HIDDEN, did_you_mean, shown
from edgetrack.errors import ConfigError
from edgetrack.secret import VARIABLE, expand

MODEL_FOLDERS = catalogue.SHIPPED
SERVICE_VARIABLE = "CREDENTIALS_DIRECTORY"  # systemd sets it for the service alone
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}


class UnseenError(Exception):
    """A path that cannot be looked at from here, and that may be good; args: what to say, the path to use."""


@dataclass(frozen=True)
class Paths:
    """Turns what the file says into absolute paths.

    folder: of the configuration file. files: look whether they exist.
    """

    folder: Path
    environment: Mapping[str, str]
    files: bool = True

    def absolute(self, text: str, role: str, key: str) -> str:
        """The absolute path of `text`.

        role: "file", "folder", "model" (a file, or a name in the catalogue) or "output" (a file to be, or "-").
        Empty stays empty. Raises ConfigError with what is wrong, UnseenError with what could not be seen.
        """
        if not text or (role == "output" and text == "-"):
            return text
        if role == "model" and "/" not in text and not text.endswith(".onnx"):
            return str(resolve_model(text) if self.files else MODEL_FOLDERS[-1] / f"{text}.onnx")
        path = os.path.join(self.folder, self._expanded(text))
        path = os.path.normpath(path)
        if self.files:
            self._look(path, role, key.rpartition(".")[2] in HIDDEN)
        return path

    def _expanded(self, text: str) -> str:
        try:
            path = os.path.expanduser(expand(text, self.environment))
        except KeyError as unset:
            name = unset.args[0]
            if name == SERVICE_VARIABLE:
                said = f"{name} is known to the service alone, through LoadCredential=; not looked at here"
                raise UnseenError(said, text) from None
            raise ConfigError(f"the variable {name} is not set; set it or write the path out") from None
        if path.startswith("~") or VARIABLE.search(path):
            raise ConfigError(f"{shown(path)} has no home folder here; write the path out")
        return path

    def _look(self, path: str, role: str, hidden: bool) -> None:
        said = "it" if hidden else shown_path(path)
        wanted = os.path.dirname(path) if role == "output" else path
        try:
            mode = os.stat(wanted).st_mode
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in ABSENT:
                raise UnseenError(f"{said} cannot be looked at as this user ({error.strerror})", path) from None
            if role == "output":
                raise ConfigError(f"the folder of {said} does not exist; create it") from None
            raise ConfigError(_missing(path, role, hidden)) from None
        if role in ("folder", "output"):
            if not stat.S_ISDIR(mode):
                raise ConfigError(
                    f"{said} is {'no folder' if role == 'folder' else 'not inside a folder'}; give a folder"
                )
            if role == "output" and os.path.isdir(path):
                raise ConfigError(f"{said} is a folder; give a file in it")
        elif stat.S_ISDIR(mode):
            raise ConfigError(f"{said} is a folder; expected a file")


def _missing(path: str, role: str, hidden: bool) -> str:
    what = "folder" if role == "folder" else "file"
    if hidden:
        return "there is no such file; give the path of a file that holds the password, not the password itself"
    folder, name = os.path.split(path)
    try:
        near = did_you_mean(name, os.listdir(folder)[:1000])
    except OSError:
        near = ""
    return f"{shown_path(path)}: no such {what}{near or '; paths start at the folder of the configuration'}"


def shown_path(path: str) -> str:
    return path if len(path) <= 200 else f"...{path[-197:]}"


def resolve_model(name: str) -> Path:
    """The file of a catalogue model; raises ConfigError with how to get it, or with the names there are."""
    folders = (*MODEL_FOLDERS, *catalogue.own_folders())
    for folder in folders:
        file = folder / f"{name[:200]}.onnx"
        if os.path.isfile(file):
            return file
    upstream = catalogue.entries()
    if name in upstream:
        raise ConfigError(f"the model '{name}' is not on this device yet; run: edgetrack model fetch {name}")
    here = sorted({file.stem for folder in folders for file in catalogue.models_in(folder)})
    there = f"the catalogue holds {', '.join(here)}" if here else "the catalogue of this installation is empty"
    fetched = f"; edgetrack model fetch brings {', '.join(sorted(set(upstream) - set(here)))}"
    near = did_you_mean(name, [*here, *upstream]) or "; give the path of an ONNX file, such as ./model.onnx"
    raise ConfigError(f"no model is called '{shown(name)}'; {there}{fetched}{near}")
