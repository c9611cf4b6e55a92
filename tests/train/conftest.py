"""PyTorch is an extra of its own: what trains nets with it is tested where it is installed."""

from importlib.util import find_spec

NEED_TORCH = ["test_follow.py", "test_from_scratch.py", "test_embedder.py", "test_options.py"]

collect_ignore = [] if find_spec("torch") else NEED_TORCH
