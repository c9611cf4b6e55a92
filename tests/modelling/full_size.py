"""GOTURN in its published size, as Caffe would write it, against numpy: python -m tests.modelling.full_size

456 MB on disk, 2 GB of memory, a minute.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from edgetrack.modelling.convert import convert
from edgetrack.runtime import OnnxModel
from tests.modelling.caffe_files import compute, goturn, write
from tests.modelling.test_convert import ONE, assert_same, crops, layer_by_layer


def main() -> None:
    layers, inputs = goturn(), crops(1)
    with tempfile.TemporaryDirectory() as room:
        source = write(Path(room) / "goturn.caffemodel", layers)
        assert_same(layers, layer_by_layer(source, Path(room), inputs), inputs)
        wanted = compute(layers, inputs)["fc8-shapes"]
        print(
            f"{source.stat().st_size / 1e6:.0f} MB, {sum(b.size for x in layers for b in x.blobs):,} weights: all alike"
        )
        for int8 in (False, True):
            target = Path(room) / "made.onnx"
            convert(source, target, int8)
            model = OnnxModel(str(target), ONE)
            error = np.abs(model.run(*inputs.values())[0] - wanted).max() / np.abs(wanted).max()
            before = time.process_time()
            for _ in range(5):
                model.run(*inputs.values())
            took = (time.process_time() - before) / 5
            size = target.stat().st_size / 1e6
            print(f"{'int8' if int8 else 'float'}: {size:.0f} MB, {took * 1e3:.0f} ms a target, error {error:.1e}")


if __name__ == "__main__":
    main()
