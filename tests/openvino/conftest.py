"""onnxruntime-openvino stands in the place of onnxruntime: these tests run where it does; .ci/openvino sees to that."""

import onnxruntime

HERE = "OpenVINOExecutionProvider" in onnxruntime.get_available_providers()
collect_ignore = [] if HERE else ["test_openvino.py"]
