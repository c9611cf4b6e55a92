"""`edgetrack bench run`: the real daemon on a drawn clip, by turns with a model that ONNX Runtime really runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgetrack.bench import daemon
from edgetrack.configfile import load
from edgetrack.errors import CaptureError
from tests.daemon import write_config
from tests.parts import blob_detector, walking_square, write_clip

SECONDS = 2.0


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "capture": {"kind": "file", "path": str(write_clip(folder / "clip.mp4", walking_square(60)))},
        "detect": {"model": str(blob_detector(folder / "blobs.onnx")), "min_score": 0.8},
        "embed": {"kind": "histogram"},
        "track": {"n_init": 3},
        "runtime": {"threads": 1},
        "publish": [{"kind": "mqtt", "url": "mqtt://broker.invalid"}],
        "state_dir": str(folder / "state"),
        **more,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def cost(folder: Path) -> daemon.DaemonCost:
    """One run for all: it takes seconds."""
    return daemon.measure(load(write_config(folder / "bench.yaml", **settings(folder))), SECONDS)


def test_it_says_what_was_measured(cost: daemon.DaemonCost) -> None:
    assert (cost.model, cost.embed, cost.source, cost.size) == ("blobs.onnx", "histogram", "clip.mp4", (320, 192))
    assert cost.providers == ("cpu",)
    assert cost.threads == 1


def test_the_daemon_costs_more_than_its_model(cost: daemon.DaemonCost) -> None:
    assert cost.daemon.cpu_ms > cost.bare.cpu_ms > 0
    assert cost.cpu_ratio > 1


def test_the_stages_make_up_the_loop(cost: daemon.DaemonCost) -> None:
    """Medians of parts need not sum to the median of the whole, but nearly do."""
    assert set(cost.stages) == set(daemon.STAGES)
    total_ms = sum(each.wall_ms for each in cost.stages.values())
    assert total_ms == pytest.approx(cost.daemon.wall_ms, rel=0.5)
    assert cost.stages["infer"].cpu_ms > 0
    assert cost.undisturbed is not None
    assert 0 < cost.undisturbed < 1


def test_decoding_and_the_model_are_seen_beside_the_loop(cost: daemon.DaemonCost) -> None:
    assert cost.capture_cpu_ms > 0
    assert cost.ahead == 1
    assert cost.infer_cpu_ms > 0


def test_a_model_in_the_loop_is_not_beside_it(tmp_path: Path) -> None:
    told = settings(tmp_path, publish=[])
    told["detect"]["ahead"] = 0
    cost = daemon.measure(load(write_config(tmp_path / "bench.yaml", **told)), SECONDS)
    assert (cost.ahead, cost.infer_cpu_ms) == (0, 0)
    assert cost.stages["scale"].cpu_ms > 0


def test_the_process_alone_tells_its_memory_and_when_it_spoke_first(cost: daemon.DaemonCost) -> None:
    alone = cost.alone
    assert 30 < alone.resident_mb <= alone.peak_mb < 1000
    assert 0 < alone.cores < 16
    assert alone.first_message_s is not None
    assert alone.first_track_s is not None
    assert 0 < alone.first_message_s <= alone.first_track_s
    assert alone.frames_before_track == 3  # as many as n_init


def test_latency_comes_with_its_percentiles(cost: daemon.DaemonCost) -> None:
    for latency in (cost.alone.latency_ms, cost.alone.arrival_ms):
        assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]


def test_the_configured_broker_and_state_are_left_alone(cost: daemon.DaemonCost, folder: Path) -> None:
    """The broker of the configuration does not even exist."""
    assert cost.broker == "mosquitto"
    assert not (folder / "state").exists()


def test_a_person_gets_a_table_with_every_stage(cost: daemon.DaemonCost) -> None:
    text = daemon.table(cost)
    assert all(word in text for word in (*daemon.STAGES, "the model alone", "resident memory", "p99"))


def test_a_program_gets_one_json_object(tmp_path: Path) -> None:
    told = settings(tmp_path, publish=[], embed={"kind": "none"})
    report = json.loads(daemon.main(write_config(tmp_path / "bench.yaml", **told), SECONDS, as_json=True))
    assert report["stages"]["infer"]["wall_ms"] > 0
    assert report["broker"] == ""


def test_a_source_too_short_for_one_turn_is_told_of(tmp_path: Path) -> None:
    told = settings(tmp_path, capture={"kind": "scene", "seconds": 1, "fps": 10})
    with pytest.raises(CaptureError, match=r"fewer than 30 pictures in 2 s; set capture\.loop"):
        daemon.measure(load(write_config(tmp_path / "bench.yaml", **told)), SECONDS)


def test_a_lean_model_is_measured_against_the_one_that_it_came_from(tmp_path: Path) -> None:
    told = settings(tmp_path)
    other = str(blob_detector(tmp_path / "delivered.onnx"))
    cost = daemon.measure(load(write_config(tmp_path / "bench.yaml", **told)), SECONDS, against=other)
    assert cost.against == "delivered.onnx"
    assert "against delivered.onnx" in daemon.table(cost)
