"""An MQTT broker for the length of a demo: mosquitto where it is installed, else amqtt from the extra `demo`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgetrack.errors import PublishError
from edgetrack.registry import load

if TYPE_CHECKING:
    from typing_extensions import Self

NEEDS = "sudo apt install mosquitto, or pip install 'edgetrack[demo]', or name a broker with --broker mqtt://HOST"
START_S = 15.0  # longest wait for it to listen; amqtt on a Raspberry Pi takes seconds
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"))


class OwnBroker:
    """A context manager: a broker on a free port of 127.0.0.1 while it is entered.

    Attributes:
        name: "mosquitto" or "amqtt".
        version: of MQTT, the newest that it speaks.
        url: to connect to, once entered.
    """

    def __init__(self) -> None:
        """Raises PublishError where there is neither."""
        found = shutil.which("mosquitto", path=PLACES)
        if found is None:
            load("amqtt:__version__", NEEDS, PublishError)
        self._mosquitto = found
        self.name = "mosquitto" if found else "amqtt"
        self.version: Literal["5", "3.1.1"] = "5" if found else "3.1.1"
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._entered.enter_context(tempfile.TemporaryDirectory(prefix="edgetrack-demo-")))
        folder.chmod(0o755)  # mosquitto gives up root before it reads its configuration
        port = free_port()
        log = folder / "broker.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(folder, port), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        until = time.monotonic() + START_S
        while not listens(port):
            if self._process.poll() is not None or time.monotonic() > until:
                said = log.read_text(errors="replace").strip().splitlines()
                self.__exit__(None, None, None)
                raise PublishError(
                    f"demo: {self.name} did not start: {said[-1] if said else 'it said nothing'}; "
                    "name a broker that runs with --broker mqtt://HOST"
                )
            time.sleep(0.05)
        self.url = f"mqtt://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._entered.close()

    def _command(self, folder: Path, port: int) -> list[str]:
        if self._mosquitto is None:
            return [sys.executable, "-m", "edgetrack.demo.amqtt_broker", str(port)]
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        settings.chmod(0o644)
        return [self._mosquitto, "-c", str(settings)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
