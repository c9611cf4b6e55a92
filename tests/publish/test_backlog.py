"""Order, bounds and second chances of what waits for its acknowledgement."""

from __future__ import annotations

import random

from edgetrack.publish.backlog import Backlog
from edgetrack.publish.message import Message, Worth


def message(seq: int, worth: Worth = Worth.EVENT, topic: str = "a") -> Message:
    return Message(topic, b'{"seq":%d}' % seq, worth, seq)


def filled(limit: int, *messages: Message) -> Backlog:
    backlog = Backlog(limit)
    for each in messages:
        backlog.add(each)
    return backlog


def drained(backlog: Backlog) -> list[int]:
    """Numbers of all that comes out, each acknowledged."""
    out = []
    while taken := backlog.take():
        backlog.done(taken[0])
        out.append(taken[1].seq)
    return out


def test_messages_leave_in_the_order_in_which_they_came() -> None:
    assert drained(filled(10, *map(message, range(5)))) == [0, 1, 2, 3, 4]


def test_updates_give_way_before_events() -> None:
    backlog = filled(3, message(0), message(1, Worth.UPDATE), message(2), message(3), message(4))
    assert (drained(backlog), backlog.dropped) == ([2, 3, 4], 2)


def test_a_superseded_state_gives_way_first_and_is_not_missed() -> None:
    states = [message(i, Worth.STATE, "count") for i in range(2)]
    backlog = filled(3, states[0], message(2, Worth.UPDATE), states[1], message(3))
    assert (drained(backlog), backlog.dropped) == ([2, 1, 3], 0)


def test_the_newest_state_never_gives_way() -> None:
    backlog = filled(2, message(0, Worth.STATE, "count"), *map(message, range(1, 5)))
    assert drained(backlog) == [0, 4]


def test_what_was_under_way_comes_first_after_a_loss() -> None:
    backlog = filled(10, *map(message, range(5)))
    backlog.take()
    backlog.take()
    backlog.rewind()
    assert drained(backlog) == [0, 1, 2, 3, 4]


def test_what_was_kept_says_so_and_what_comes_later_does_not() -> None:
    backlog = filled(10, message(0))
    backlog.mark_replayed()
    backlog.add(message(1))
    payloads = [taken[1].payload for taken in (backlog.take(), backlog.take()) if taken]
    assert payloads == [b'{"seq":0,"replayed":true}', b'{"seq":1}']


def test_a_refused_topic_is_held_and_the_others_go_on() -> None:
    backlog = filled(10, message(0, topic="no"), message(1), message(2, topic="no"), message(3))
    taken = backlog.take()
    assert taken
    backlog.refuse(taken[0], 135)
    assert drained(backlog) == [1, 3]
    assert len(backlog) == 2


def test_a_refused_topic_gets_another_chance_in_order() -> None:
    backlog = filled(10, message(0, topic="no"), message(1, topic="no"), message(2))
    first, second = backlog.take(), backlog.take()
    assert first
    assert second
    backlog.refuse(second[0], 135)
    backlog.refuse(first[0], 135)
    backlog.retry()
    assert drained(backlog) == [0, 1, 2]


def test_what_is_held_gives_way_when_all_is_full() -> None:
    backlog = filled(2, message(0, topic="no"))
    taken = backlog.take()
    assert taken
    backlog.refuse(taken[0], 135)
    for seq in (1, 2):
        backlog.add(message(seq))
    assert (drained(backlog), backlog.dropped) == ([1, 2], 1)


def test_whatever_happens_it_stays_bounded_ordered_and_accounted_for() -> None:
    """Random adds, takes, acknowledgements, refusals and losses against the invariants."""
    draw = random.Random(7)
    backlog, under_way, done, added, states = Backlog(50), [], 0, 0, 0
    for step in range(20_000):
        action = draw.choices(["add", "take", "done", "refuse", "rewind", "retry"], [50, 40, 38, 1, 0.2, 1])[0]
        if action == "add":
            worth = draw.choice(list(Worth))
            states += worth is Worth.STATE
            backlog.add(message(step, worth, f"{worth}{draw.randrange(3)}"))
            added += 1
        elif action == "take" and len(under_way) < 20:
            if taken := backlog.take():
                under_way.append(taken[0])
        elif action == "done" and under_way:
            backlog.done(under_way.pop(0))
            done += 1
        elif action == "refuse" and under_way:
            backlog.refuse(under_way.pop(0), 135)
        elif action == "rewind":
            backlog.rewind()
            under_way.clear()
        elif action == "retry":
            backlog.retry()
        assert len(backlog) <= 50
    superseded = added - done - backlog.dropped - len(backlog)
    assert 0 <= superseded <= states
    assert len(backlog._superseded) + len(backlog._updates) < 200  # keys of what has long gone are forgotten too
    backlog.rewind()
    left = drained(backlog)
    assert left == sorted(left)
