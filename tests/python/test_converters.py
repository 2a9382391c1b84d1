"""Data classes, attrs, YAML, and JSON hold a token, refuse it, or write its mask."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import attrs
import pytest
import yaml

from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks

if TYPE_CHECKING:
    from hubtoken import HubToken


@dataclasses.dataclass
class Plain:
    """A data class of the standard library."""

    token: HubToken


@attrs.define
class Defined:
    """A class of attrs."""

    token: HubToken


def test_other_converters_keep_the_token_or_refuse_it() -> None:
    value = fake_token()
    token = handed_over(value)
    for made in (
        dataclasses.asdict(Plain(token)),
        dataclasses.replace(Plain(token)),
        dataclasses.astuple(Plain(token)),
        attrs.asdict(Defined(token)),
        attrs.evolve(Defined(token)),
    ):
        assert leaks(f"{made}", value) == []
    for refusing in (
        lambda: yaml.safe_dump({"token": token}),
        lambda: yaml.safe_dump(token.reveal()),
        lambda: json.dumps(dataclasses.asdict(Plain(token))),
        lambda: json.dumps({"token": token}, default=vars),
    ):
        with pytest.raises((TypeError, yaml.YAMLError)) as caught:
            refusing()
        assert leaks(str(caught.value), value) == []
    assert leaks(yaml.dump({"token": token}), value) == []
    assert yaml.unsafe_load(yaml.dump(token)) == token
    assert leaks(json.dumps({"token": token}, default=str), value) == []
