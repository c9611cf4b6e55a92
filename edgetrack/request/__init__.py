"""What may be asked of a running daemon over MQTT: `request/<verb>`, answered on `response/<verb>`.

`publish` receives requests, refuses what is malformed, not allowed or too much, and keeps the rest for the loop;
`service` runs them there, once a frame and at least once a second; what takes longer goes on in a thread of its own.

To add a verb `greet`:

1. Write `edgetrack/request/greet.py`:

       class Greet(Ask, kw_only=True):                  # the request; msgspec checks it before `greet` is called
           name: Annotated[str, Meta(min_length=1, description="whom")]

       class Greeted(Struct):                           # the result in the answer
           words: str

       def greet(daemon: Daemon, ask: Greet) -> Greeted:
           if ask.name == "nobody":                     # EdgetrackError: answered as `failed`, with its text
               raise EdgetrackError("name: nobody is nobody; give a name")
           return Greeted(f"hello {ask.name}, {len(daemon.tracks)} tracks")

   It runs in the loop: a few hundred microseconds at most. Return a function without arguments instead of the result
   to have that called by the service's thread, with nothing of the loop's but what does not change.

2. Register it below: `"greet": Verb(Greet, Greeted, greet)`.

3. Add its name to `Verb` in `edgetrack/config.py`, so that it may stand in `publish.requests.allow`
   (`tests/request/test_verbs.py` compares the two), and to the table in docs/mqtt.md.

`edgetrack schema events` then has it too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from edgetrack.publish import payload
from edgetrack.request.follow import Follow, Followed, Unfollow, Unfollowed, follow, unfollow
from edgetrack.request.reload import Reload, Reloaded, reload
from edgetrack.request.reset_counts import Reset, ResetCounts, reset_counts
from edgetrack.request.service import Service
from edgetrack.request.snapshot import Picture, Snapshot, snapshot
from edgetrack.request.verb import Ask, Daemon, Verb

__all__ = ["VERBS", "Ask", "Daemon", "Reloaded", "Service", "Verb", "schema"]

VERBS: dict[str, Verb] = {
    "follow": Verb(Follow, Followed, follow),
    "reload": Verb(Reload, Reloaded, reload),
    "reset_counts": Verb(ResetCounts, Reset, reset_counts),
    "snapshot": Verb(Snapshot, Picture, snapshot),
    "unfollow": Verb(Unfollow, Unfollowed, unfollow),
}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of every payload, of every request, and of the result of every verb."""
    document = payload.schema()
    kinds = [kind for verb in VERBS.values() for kind in (verb.ask, verb.result)]
    _, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    for name, verb in VERBS.items():
        definitions[verb.ask.__name__]["title"] = f"<prefix>/<device>/<camera>/request/{name}"
        definitions[verb.result.__name__]["title"] = f"result in <prefix>/<device>/<camera>/response/{name}"
    document["$defs"] |= definitions
    return document
