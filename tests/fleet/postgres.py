"""A PostgreSQL of the test's own: a fresh cluster in a folder, reached through a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing_extensions import Self

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # Debian keeps the server out of PATH
SPEEDY = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c listen_addresses= -c max_wal_size=100MB"


class Postgres:
    """A context manager. It refuses to run as root: there it runs as the user postgres, which its package made."""

    def __init__(self) -> None:
        found = shutil.which("pg_ctl", path=os.pathsep.join([*map(str, PLACES), os.environ.get("PATH", "")]))
        if found is None:
            pytest.skip("no PostgreSQL here: sudo apt install postgresql")
        self._bin = Path(found).parent
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self.folder = Path(mkdtemp(prefix="edgetrack-pg-"))  # short: a socket's path has at most 107 letters
        self.url = f"postgresql:///postgres?host={self.folder}&user=postgres"

    def __enter__(self) -> Self:
        if self._as:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--no-sync", "--username=postgres", "--auth=trust", "--no-locale", "--encoding=UTF8")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        self._run("pg_ctl", "--wait", "-l", f"{self.folder}/log", "-o", f"{SPEEDY} -k {self.folder}", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", "-m", "fast", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), "-D", f"{self.folder}/data", *arguments]
        run = subprocess.run(command, capture_output=True, text=True, cwd="/")
        assert run.returncode == 0, run.stdout + run.stderr
