"""Memory and disk as one queue, on a real outbox."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from edgetrack.config import OutboxConfig
from edgetrack.publish.journal import Journal
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.owed import Owed
from tests.publish.broker import until
from tests.publish.parts import config

LIMIT = 40


class Told:
    """A journal with one outlet, whose queue it fills."""

    def __init__(self) -> None:
        self.journal = Journal(
            config(outbox=OutboxConfig(commit_every_s=0)),
            ["broker"],
            lambda messages, kept: self.owed.add(messages, kept),
        )
        self.owed = Owed(LIMIT, self.journal.shelf("broker"), lambda message: message)
        self.seq = 0

    def tell(self, *worths: Worth) -> None:
        """One message of each worth, the events numbered."""
        messages = []
        for worth in worths:
            self.seq += worth is Worth.EVENT
            topic = {Worth.EVENT: "event/line_crossed", Worth.STATE: "zone/a", Worth.UPDATE: "track/person"}[worth]
            messages.append(Message(f"gate/north/{topic}", b'{"seq":%d}' % self.seq, worth, self.seq))
        self.journal.send(messages)
        until(lambda: not self.journal._queued, 60, lambda: "the journal hands nothing on")

    def take(self, most: int = 1000) -> list[tuple[int | None, Message]]:
        taken = []
        while len(taken) < most and (one := self.owed.take(leaving=True, refused_s=0.0)):
            taken.append(one)
        return taken

    def accept(self, most: int = 1000) -> list[Message]:
        """Take and accept one by one."""
        messages: list[Message] = []
        while len(messages) < most and (taken := self.take(1)):
            messages += [message for key, message in taken if self.owed.accepted(key)]
        return messages


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    told.journal.open()
    told.owed.recall()
    told.journal.start()
    assert told.take() == []  # nothing was left from before
    yield told
    told.journal.stop()
    told.journal.close()


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages if message.worth is Worth.EVENT]


def test_more_events_than_fit_into_memory_come_back_from_disk_in_order(told: Told) -> None:
    for _ in range(5):
        told.tell(*[Worth.EVENT] * LIMIT)
    assert told.owed.tally.queued <= LIMIT
    assert seqs(told.accept()) == list(range(1, 5 * LIMIT + 1))


def test_what_follows_what_lies_on_disk_waits_for_it(told: Told) -> None:
    told.tell(*[Worth.EVENT] * LIMIT)
    told.tell(Worth.STATE)
    told.tell(*[Worth.EVENT] * LIMIT)
    messages = told.accept()
    place = [message.worth for message in messages].index(Worth.STATE)
    assert (seqs(messages[:place]), seqs(messages[place:])) == (
        list(range(1, LIMIT + 1)),
        list(range(LIMIT + 1, 2 * LIMIT + 1)),
    )


def test_of_a_state_that_waits_for_the_disk_the_newest_is_told_alone(told: Told) -> None:
    told.tell(*[Worth.EVENT] * LIMIT)
    for _ in range(3):
        told.tell(Worth.STATE, Worth.EVENT)
    states = [message.payload for message in told.accept() if message.worth is Worth.STATE]
    assert states == [b'{"seq":%d}' % (LIMIT + 2)]


def test_what_was_taken_and_not_settled_is_taken_again_after_a_loss(told: Told) -> None:
    told.tell(*[Worth.EVENT] * 5)
    told.take(3)
    told.owed.rewind()
    assert seqs(told.accept()) == [1, 2, 3, 4, 5]


def test_a_new_connection_is_told_the_states_that_the_last_one_took(told: Told) -> None:
    told.tell(Worth.STATE, Worth.EVENT)
    told.accept()
    told.owed.greet(replayed=True)
    assert [(key, message.worth) for key, message in told.take()] == [(None, Worth.STATE)]


def test_whatever_happens_every_event_comes_out_and_the_first_times_are_in_order(told: Told) -> None:
    """Bursts, losses and refusals, drawn."""
    draw = random.Random(5)
    got: list[int] = []
    for _ in range(60):
        told.tell(*draw.choices([Worth.EVENT, Worth.STATE, Worth.UPDATE], [6, 2, 2], k=draw.randrange(30)))
        got += seqs(told.accept(draw.randrange(30)))
        if draw.random() < 0.3:
            taken = told.take(draw.randrange(5))
            for key, _ in taken[: draw.randrange(2)]:
                told.owed.refused(key, 135)
            told.owed.rewind()
    got += seqs(told.accept())
    assert got == list(range(1, told.seq + 1))
    assert told.owed.tally.queued == 0
