"""`follow` and `unfollow`: keep one thing in sight, and let it go."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from edgetrack.errors import FollowError
from edgetrack.request.verb import Ask, Daemon

Edge = Annotated[float, Meta(ge=-10, le=10)]  # what lies outside the picture is cut off
FollowId = Annotated[int, Meta(ge=1)]


class Follow(Ask, kw_only=True):
    """Follow a track, or whatever is in a box of the newest picture: one of the two."""

    track: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="its number")] = None
    box: Annotated[
        tuple[Edge, Edge, Edge, Edge] | None,
        Meta(description="left, top, right, bottom, fractions of the picture"),
    ] = None
    name: Annotated[str, Meta(max_length=63, description="comes back in its events; of a box")] = ""


class Followed(Struct):
    """`event/follow` tells what becomes of it, under this id."""

    follow: Annotated[int, Meta(ge=1, description="its id; of a track that is followed already, the same again")]


class Unfollow(Ask, kw_only=True):
    """Let one target go, or all of them if none is named."""

    follow: Annotated[FollowId | None, Meta(description="its id")] = None
    track: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="the track that it is")] = None


class Unfollowed(Struct):
    """Who is no longer followed."""

    ended: list[FollowId]


def follow(daemon: Daemon, ask: Follow) -> Followed:
    follower = daemon.parts.follower
    if ask.track is not None and ask.box is None:
        return Followed(follower.follow_track(ask.track))
    if ask.box is not None and ask.track is None:
        return Followed(follower.follow_box(ask.box, ask.name))
    raise FollowError('expected one of track and box; ask {"track": 17} or {"box": [0.4, 0.3, 0.5, 0.6]}')


def unfollow(daemon: Daemon, ask: Unfollow) -> Unfollowed:
    follower = daemon.parts.follower
    ended = [
        *([] if ask.follow is None else [ask.follow]),
        *([] if ask.track is None else [follower.id_of(ask.track)]),
    ]
    if ask.follow is None and ask.track is None:
        ended = follower.ids
    for follow_id in ended:
        follower.unfollow(follow_id)
    return Unfollowed(ended)
