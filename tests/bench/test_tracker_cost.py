"""The tracker's benchmark says what it measured, for people and for programs."""

import json

from edgetrack.bench.tracker import main


def test_every_number_of_objects_is_measured_in_both_modes():
    costs = json.loads(main([3, 8], as_json=True))
    assert [(cost["objects"], cost["exact"]) for cost in costs] == [(3, True), (3, False), (8, True), (8, False)]
    assert all(0 < cost["median_ms"] <= cost["p95_ms"] for cost in costs)


def test_people_get_a_line_for_each():
    head, *lines = main([3]).splitlines()
    assert head.startswith("objects")
    assert [line.split()[:2] for line in lines] == [["3", "exact"], ["3", "default"]]
