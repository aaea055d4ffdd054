# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a settings model says of its fields."""
from typing import Literal

import pytest
from pydantic import Field

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.config import Model
from active_collection.config import validate
from active_collection.errors import ConfigError
from active_collection.recording.settings import RecorderSettings
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.setting import LONGEST_S
from active_collection.setting import Changes
from active_collection.setting import setting
from active_collection.setting import settings_of
from active_collection.setting import written
from active_collection.simulation.settings import SimulatedRobotSettings
from active_collection.uncertainty.settings import UncertaintySettings

MODELS = [RecorderSettings, UncertaintySettings, SchedulerSettings, AgentSettings,
          SimulatedRobotSettings]


class Disk(Model):
    reserve: int = setting(7, ge=1, le=9, unit='bytes', changes=Changes.AT_ONCE,
                           description='kept free')


class Settings(Model):
    path: str = setting(min_length=1, description='where')
    rate: float = setting(2.0, gt=0, le=60, unit='Hz', changes=Changes.NEXT_EPISODE,
                          description='how often')
    share: float = setting(0.5, gt=0, lt=1, description='how much')
    least: float = setting(0.0, ge=0, description='at least')
    kind: Literal['a', 'b', 'c'] = setting('a', description='which')
    kinds: tuple[Literal['a', 'b'], ...] = setting(('a',), description='which of them')
    names: tuple[str, ...] = Field(default=(), description='of pydantic alone')
    disk: Disk = Disk()


KNOWN = {item.name: item for item in settings_of(Settings)}


@pytest.mark.parametrize(('name', 'kind', 'values', 'default'), [
    ('path', 'string', 'not empty', None),
    ('rate', 'double', 'above 0, at most 60', 2.0),
    ('share', 'double', 'above 0, below 1', 0.5),
    ('least', 'double', 'at least 0', 0.0),
    ('kind', 'string', 'a, b or c', 'a'),
    ('kinds', 'string array', 'each a or b', ('a',)),
    ('names', 'string array', '', ()),
    ('disk.reserve', 'integer', '1 to 9', 7),
])
def test_a_field_says_type_range_and_default(name, kind, values, default):
    item = KNOWN[name]

    assert (item.kind_words, item.range_words, item.default) == (kind, values, default)
    assert item.is_required == (default is None)


def test_a_field_says_its_unit_and_when_a_change_counts():
    assert (KNOWN['rate'].unit, KNOWN['rate'].changes) == ('Hz', Changes.NEXT_EPISODE)
    assert (KNOWN['disk.reserve'].unit, KNOWN['disk.reserve'].changes) == (
        'bytes', Changes.AT_ONCE)


def test_a_field_that_does_not_say_is_read_at_the_start():
    assert (KNOWN['names'].unit, KNOWN['names'].changes) == ('', Changes.STARTING)


def test_a_type_that_no_parameter_has_is_refused():
    class Bad(Model):
        place: dict[str, int] = {}

    with pytest.raises(TypeError, match='place'):
        list(settings_of(Bad))


@pytest.mark.parametrize(('value', 'text'), [
    (True, 'true'), (3, '3'), (0.5, '0.5'), ('a', 'a'), ('', "''"), (('a', 'b'), '[a, b]'),
    ((), '[]')])
def test_a_value_is_written_as_a_parameter_file_has_it(value, text):
    assert written(value) == text


@pytest.mark.parametrize('model', MODELS)
def test_every_parameter_of_a_node_is_described_without_its_unit(model):
    for item in settings_of(model):
        assert item.description, item.name
        for unit in ('(s)', '(bytes)', '(Hz)', '(days)'):
            assert unit not in item.description, item.name


@pytest.mark.parametrize('model', MODELS)
def test_a_name_that_ends_in_a_unit_has_that_unit(model):
    units = {'_s': 's', '_hz': 'Hz', '_bytes': 'bytes', '_days': 'days', '_hours': 'h'}
    for item in settings_of(model):
        for ending, unit in units.items():
            if item.name.endswith(ending):
                assert item.unit == unit, item.name


@pytest.mark.parametrize(('model', 'name'), [
    (RecorderSettings, 'data_directory'), (RecorderSettings, 'qos_overrides'),
    (UncertaintySettings, 'ensembles'), (UncertaintySettings, 'state_file'),
    (SchedulerSettings, 'space'), (SchedulerSettings, 'ledger')])
def test_a_path_is_taken_below_a_home_that_there_is(model, name, monkeypatch):
    monkeypatch.setenv('HOME', '/home/of_this_test')

    assert getattr(validate({name: '~/x.y'}, model, where='a'), name) == '/home/of_this_test/x.y'
    with pytest.raises(ConfigError, match=f'{name}: found .*, expected a path; of ~user'):
        validate({name: '~nobody_of_this_name/x.y'}, model, where='a')


@pytest.mark.parametrize('model', MODELS)
def test_no_time_is_longer_than_timers_and_messages_take(model):
    times = [item for item in settings_of(model) if item.unit == 's']

    assert all(item.high is not None and item.high <= LONGEST_S for item in times)
