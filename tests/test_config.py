"""Every setting is described, bounded and has a default, unless nobody could guess it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_type_hints

import msgspec
import msgspec.inspect as mi
import pytest

from edgetrack.config import Config

# What only the operator knows.
REQUIRED = {
    "Config.capture",
    "Config.detect",
    "DetectConfig.model",
    "FileCapture.path",
    "GstreamerCapture.pipeline",
    "ImagesCapture.path",
    "JsonlPublish.path",
    "LineConfig.end",
    "LineConfig.name",
    "LineConfig.start",
    "MqttPublish.url",
    "GoturnRefine.model",
    "TargetConfig.name",
    "TargetConfig.box",
    "ReidEmbed.model",
    "RtspCapture.url",
    "V4l2Capture.device",
    "ZoneConfig.name",
    "ZoneConfig.polygon",
}


def types(kind: mi.Type) -> Iterator[mi.Type]:
    """The type and all that it is made of."""
    yield kind
    parts: list[mi.Type] = []
    if isinstance(kind, mi.Metadata):
        parts = [kind.type]
    elif isinstance(kind, mi.StructType):
        parts = [field.type for field in kind.fields]
    elif isinstance(kind, mi.UnionType):
        parts = list(kind.types)
    elif isinstance(kind, mi.ListType):
        parts = [kind.item_type]
    elif isinstance(kind, mi.TupleType):
        parts = list(kind.item_types)
    elif isinstance(kind, mi.DictType):
        parts = [kind.value_type]
    for part in parts:
        yield from types(part)


STRUCTS = {kind.cls.__name__: kind for kind in types(mi.type_info(Config)) if isinstance(kind, mi.StructType)}
FIELDS = {f"{name}.{field.encode_name}": field for name, kind in STRUCTS.items() for field in kind.fields}


@pytest.mark.parametrize("key", FIELDS)
def test_a_setting_says_what_it_means(key: str) -> None:
    kind = FIELDS[key].type
    assert isinstance(kind, mi.Metadata)
    assert kind.extra_json_schema
    assert kind.extra_json_schema["description"]


@pytest.mark.parametrize("key", FIELDS)
def test_a_number_is_bounded_on_both_sides(key: str) -> None:
    for kind in types(FIELDS[key].type):
        if isinstance(kind, (mi.IntType, mi.FloatType)):
            assert kind.ge is not None or kind.gt is not None
            assert kind.le is not None or kind.lt is not None


@pytest.mark.parametrize("key", FIELDS)
def test_a_default_is_within_its_own_range(key: str) -> None:
    field = FIELDS[key]
    if field.required:
        return
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    owner = STRUCTS[key.split(".")[0]].cls
    kind = get_type_hints(owner, include_extras=True)[field.name]
    assert msgspec.convert(msgspec.to_builtins(default), kind) == default


def test_only_what_nobody_could_guess_is_required() -> None:
    assert {key for key, field in FIELDS.items() if field.required} == REQUIRED


@pytest.mark.parametrize("name", STRUCTS)
def test_a_group_of_settings_says_what_it_is(name: str) -> None:
    assert STRUCTS[name].cls.__doc__
    assert not str(STRUCTS[name].cls.__doc__).startswith(name)


@pytest.mark.parametrize("name", STRUCTS)
def test_settings_cannot_be_changed(name: str) -> None:
    assert STRUCTS[name].cls.__struct_config__.frozen
    assert STRUCTS[name].cls.__struct_config__.forbid_unknown_fields
