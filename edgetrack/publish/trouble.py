"""What stands between the device and its broker, by cause, in words, with what to do."""

from __future__ import annotations

import errno
import socket
import ssl

TIMED_OUT = "no answer; check the address, the network and the firewall"
CLOSED = "the other side closed the connection without an answer; is this the broker's port, and does it expect TLS?"
NOT_TLS = "does not answer in TLS; use mqtt://, or the broker's port for TLS"
WANTS_CERTIFICATE = "the broker wants a certificate from this device; set cert_file and key_file"
CLOSED_TLS = "the broker ended TLS; does it want a certificate from this device (cert_file and key_file)?"
LOST = "connection lost"
TWIN = "connection lost, again and again; does another client use the same client_id (the same device and camera), \
or does the broker close it over what is sent? its log says which"
NO_ECHO = "a probe sent to {} does not come back: the broker denies this device to write there or to read it back; \
check its access list, or use version: 5, which tells what is denied"
BREAKS = "the broker closed the connection on a probe{}; finding out what it takes"
NOT_HEARD = "the broker does not let this device read {}, where requests come; check its access list"
UNKNOWN_AUTHORITY = "the broker's certificate comes from an authority that is not trusted; name its PEM file in ca_file"

TOO_LARGE = 0x95  # of MQTT 5: packet too large

# X509_V_ERR_* of OpenSSL
CERTIFICATE = {
    9: "the broker's certificate is not yet valid; set this device's clock",
    10: "the broker's certificate has expired; renew it, or set this device's clock",
    18: "the broker's certificate is signed by itself; name it in ca_file to trust it",
    19: UNKNOWN_AUTHORITY,
    20: UNKNOWN_AUTHORITY,
    62: "the broker's certificate is for another name; use the name it was made for in url",
    64: "the broker's certificate is for another address; use the name it was made for in url",
}

# reason codes of MQTT 5; those of 3.1.1 are translated to them
REMEDY = {
    0x84: "set version: 3.1.1",
    0x85: "choose another client_id",
    0x86: "check username and password_file",
    0x87: "check username, password_file and the broker's access list",
    0x88: "it is starting or stopping; retried",
    0x89: "retried",
    0x8A: "ask who runs the broker",
    0x8B: "it is stopping; retried",
    0x8C: "the broker wants another way to log in",
    0x8D: "the network is slow or stuck; retried",
    0x8E: "another client uses the same client_id: give every daemon its own device, camera or client_id",
    0x90: "choose another prefix",
    TOO_LARGE: "raise the broker's limit (mosquitto: max_packet_size, message_size_limit)",
    0x97: "raise the broker's quota",
    0x9A: "allow retained messages (mosquitto: retain_available true)",
    0x9B: "allow QoS 1 (mosquitto: max_qos 1)",
    0x9F: "raise the broker's limit for new connections; retried",
}


def of_error(error: Exception) -> str:
    """Why a connection could not be made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATE.get(error.verify_code, f"the broker's certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return NOT_TLS
        return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return "the name is not known; check url and this device's DNS"
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the broker running, and on this port?"
    if isinstance(error, ConnectionError):
        return CLOSED
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "no way there; check this device's network"
    return str(error) or type(error).__name__


def of_loss(error: str, tls: bool, answered: bool) -> str:
    """Why a connection ended.

    Args:
        error: what the socket said last; empty when it said nothing.
        tls: with TLS 1.3 a broker that wants a certificate ends the connection only after the handshake.
        answered: the broker had accepted the connection.
    """
    if answered:
        return LOST
    alert = error.lower().partition("alert ")[2].partition(" (")[0]
    if alert == "certificate required":
        return WANTS_CERTIFICATE
    if alert:
        return f"the broker ended TLS: {alert}; check cert_file and key_file"
    return CLOSED_TLS if tls else CLOSED


def too_large(topic: str, size: int, why: str) -> str:
    """What is never delivered."""
    return f"{topic} has {size} bytes, {why}: dropped, and counted; {REMEDY[TOO_LARGE]}"


def of_code(verdict: str, code: int, name: str) -> str:
    """A refusal with its MQTT reason code: "the broker refuses the connection: Not authorized (135); ..."."""
    remedy = REMEDY.get(code)
    return f"{verdict}: {name} ({code})" + (f"; {remedy}" if remedy else "")
