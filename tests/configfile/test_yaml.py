"""YAML's words mean one thing, and what others would make of them is known."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetrack.configfile import yamltree
from edgetrack.configfile.yamlscalar import old_meaning, scalar
from tests.configfile.generated import CONFIGS
from tests.configfile.parts import plain, tree


@pytest.mark.parametrize(
    ("text", "value", "old"),
    [
        ("true", True, None),
        ("off", "off", False),
        ("Yes", "Yes", True),
        ("null", None, None),
        ("~", None, None),
        ("gate-01", "gate-01", None),
        ("y", "y", None),
        ("10", 10, None),
        ("-10", -10, None),
        ("0", 0, None),
        ("010", 10, 8),
        ("-010", -10, -8),
        ("09", 9, "text"),
        ("0x1F", 31, None),
        ("0o17", 15, None),
        ("0b11", "0b11", 3),
        ("1_000", "1_000", 1000),
        ("1_0.5", "1_0.5", 10.5),
        ("1e3", 1000.0, None),
        (".5", 0.5, None),
        ("12:30", "12:30", 750),
        ("-1:30", "-1:30", -90),
        ("1:2:3.5", "1:2:3.5", 3723.5),
        ("2026-11-20", "2026-11-20", "a date"),
        ("192.168.1.10", "192.168.1.10", None),
        ("_", "_", None),
        ("0x_", "0x_", None),
    ],
)
def test_a_plain_word_means_what_yaml_1_2_says_and_the_old_reading_is_known(text: str, value: Any, old: Any) -> None:
    assert (scalar(text), old_meaning(text)) == (value, old)
    assert type(scalar(text)) is type(value)


@settings(max_examples=300, deadline=None)
@given(text=st.from_regex(r"[-+0-9_.:xobeEyYnNof]{1,12}", fullmatch=True))
def test_where_nothing_is_said_old_and_new_yaml_agree(text: str) -> None:
    """PyYAML reads YAML 1.1; what it takes for something else than text or our own number is told, or is told apart."""
    if old_meaning(text) is not None:
        return
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    try:
        theirs = loader.construct_object(yaml.ScalarNode(tag, text))
    except ValueError:  # it looks like a number, but is none
        return
    if not isinstance(theirs, str):
        assert repr(scalar(text)) == repr(theirs)


def test_both_loaders_of_pyyaml_give_one_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (CONFIGS / "edgetrack.yaml").read_text()
    fast = tree(text)
    monkeypatch.setattr(yamltree, "LOADER", yaml.SafeLoader)
    assert tree(text) == fast


def test_an_alias_stands_for_what_it_names() -> None:
    assert plain(tree("a: &a [1, 2]\nb: [*a, *a]\n")) == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
