"""The real picamera2 on the stand-in libcamera of this folder, and memory files for the kernel's DMA heap."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

if importlib.util.find_spec("picamera2"):  # even on a Raspberry Pi: these tests want their own camera
    sys.path.insert(0, str(Path(__file__).parent / "standin"))


class MemoryHeap:
    """In place of picamera2's DmaHeap, which needs /dev/dma_heap: memory that a file descriptor names."""

    full = False
    allocated = 0  # buffers, of all heaps

    def alloc(self, name: str, size: int) -> Any:
        if MemoryHeap.full:
            raise OSError(12, "Cannot allocate memory")
        from picamera2.dma_heap import UniqueFD

        fd = os.memfd_create(name)
        os.truncate(fd, size)
        MemoryHeap.allocated += 1
        return UniqueFD(fd)

    def close(self) -> None:
        pass


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in's camera, a new one for each test, of which picamera2 knows nothing yet."""
    import libcamera
    from picamera2 import Picamera2
    from picamera2.allocators import dmaallocator

    monkeypatch.setattr(dmaallocator, "DmaHeap", MemoryHeap)
    monkeypatch.setattr(dmaallocator, "fcntl", SimpleNamespace(ioctl=lambda *_: 0))  # no cache to synchronise
    monkeypatch.setattr(MemoryHeap, "full", False)
    monkeypatch.setattr(MemoryHeap, "allocated", 0)
    monkeypatch.setattr(libcamera.CameraManager, "_one", None)
    Picamera2._cm.reset()
    device = libcamera.CameraManager.singleton().cameras[0]
    yield device
    device.faults = libcamera.Faults()
    if hasattr(Picamera2._cm, "thread"):
        Picamera2._cm.thread.join(5)  # what the source left behind may still be closing
