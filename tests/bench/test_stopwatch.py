"""Where time is charged."""

import threading
import time

import pytest

from edgetrack.bench.stopwatch import REST, Stopwatch, threads_cpu_s

NAP_S = 0.02


class Kitchen:
    def cook(self, dish: str) -> str:
        time.sleep(NAP_S)
        return self.boil(dish)

    def boil(self, dish: str) -> str:
        time.sleep(3 * NAP_S)
        return f"hot {dish}"


def watched() -> tuple[Kitchen, Stopwatch]:
    kitchen, stopwatch = Kitchen(), Stopwatch()
    stopwatch.watch(kitchen, "cook", "cook")
    stopwatch.watch(kitchen, "boil", "boil")
    return kitchen, stopwatch


def test_a_watched_method_does_what_it_did() -> None:
    kitchen, _ = watched()
    assert kitchen.cook("soup") == "hot soup"


def test_time_counts_for_the_innermost_stage_only() -> None:
    kitchen, stopwatch = watched()
    before = time.perf_counter()
    kitchen.cook("soup")
    spent, whole_s = stopwatch.spent(), time.perf_counter() - before
    assert NAP_S <= spent["cook"].wall_s <= whole_s - 3 * NAP_S
    assert 3 * NAP_S <= spent["boil"].wall_s <= whole_s - NAP_S


def test_another_thread_counts_for_no_stage() -> None:
    kitchen, stopwatch = watched()
    helper = threading.Thread(target=kitchen.boil, args=("soup",))
    helper.start()
    helper.join()
    assert list(stopwatch.spent()) == [REST]


def test_sleeping_costs_no_cpu() -> None:
    kitchen, stopwatch = watched()
    kitchen.boil("soup")
    assert stopwatch.spent()["boil"].cpu_s < 2 * NAP_S


def test_time_outside_every_stage_is_the_rest() -> None:
    _, stopwatch = watched()
    time.sleep(NAP_S)
    assert stopwatch.spent()[REST].wall_s >= NAP_S


@pytest.mark.parametrize(("name", "stage"), [("capture gate", "capture"), ("capture gate, ahead", "take")])
def test_threads_of_capture_are_told_from_others_by_their_names(name: str, stage: str) -> None:
    until = threading.Event()

    def burn() -> None:
        while not until.is_set():
            sum(range(1000))

    thread = threading.Thread(target=burn, name=name)
    thread.start()
    try:
        before = threads_cpu_s()
        time.sleep(0.3)
        after = threads_cpu_s()
    finally:
        until.set()
        thread.join()
    assert after[stage] > before[stage]
    assert after["deliver"] == before["deliver"]
