"""picamera2 imports pykms for its DRM preview, which needs a display; edgetrack asks for none."""

from types import SimpleNamespace

PixelFormat = SimpleNamespace(RGB888=0, BGR888=0, XRGB8888=0, XBGR8888=0, YUV420=0, YVU420=0, NV12=0)
