"""Where the broker is, and how it proves that it is the broker."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from edgetrack.config import MqttPublish
from edgetrack.errors import PublishError


class Context(ssl.SSLContext):
    """Remembers its newest socket, because paho leaves it open where the handshake fails."""

    newest: ssl.SSLSocket | None = None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        self.newest = super().wrap_socket(*args, **kwargs)
        return self.newest


def address(options: MqttPublish) -> tuple[str, int]:
    """Host and port of `url`.

    Raises PublishError where the address cannot be used.
    """
    url = urlsplit(options.url)
    try:
        port = url.port or (8883 if url.scheme == "mqtts" else 1883)
    except ValueError as error:
        raise PublishError(f"publish.url: {options.url}: {error}; write mqtts://host:8883") from error
    if url.username is not None or url.password is not None:
        raise PublishError(f"publish.url: {url.hostname}: holds a login; move it to username and password_file")
    if not url.hostname or url.path not in ("", "/") or url.query or url.fragment:
        raise PublishError(f"publish.url: {options.url}: expected a host and a port; write mqtts://host:8883")
    return url.hostname, port


def tls_context(options: MqttPublish) -> Context | None:
    """Verification by the system's authorities or `ca_file`, TLS 1.2 or newer; None for mqtt://.

    Raises PublishError where a file cannot be used, or where files are given that would protect nothing.
    """
    files = {name: getattr(options, name) for name in ("ca_file", "cert_file", "key_file")}
    if not options.url.startswith("mqtts://"):
        for name, path in files.items():
            if path:
                raise PublishError(f"publish.{name}: {path}: {options.url} is not encrypted; write mqtts:// in url")
        return None
    if options.key_file and not options.cert_file:
        raise PublishError(f"publish.key_file: {options.key_file}: cert_file is missing; give both")
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not options.ca_file:
        context.load_default_certs()
    else:
        _load("ca_file", options.ca_file, lambda: context.load_verify_locations(options.ca_file))
    if options.cert_file:
        pair = (options.cert_file, options.key_file or None)
        _load(
            "cert_file", " and ".join(filter(None, pair)), lambda: context.load_cert_chain(*pair, password=lambda: "")
        )
    return context


def _load(name: str, path: str, loading: Callable[[], None]) -> None:
    try:
        loading()
    except ssl.SSLError as error:
        reason = "the key does not belong to the certificate" if "MISMATCH" in str(error) else "is not in PEM form"
        raise PublishError(f"publish.{name}: {path}: {reason}; give PEM files that belong together") from error
    except OSError as error:
        raise PublishError(f"publish.{name}: {path}: {error.strerror}; give a file that this user may read") from error
