# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's parameters are described, and a change is taken or refused with the reason."""
from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import model_validator
from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from spinner import Spinner

sys.path.insert(0, str(Path(__file__).parent))
from parameter_peers import Parameters
from recorder_peers import wait_for

from active_collection.config import Model
from active_collection.errors import ConfigError
from active_collection.nodes.parameters import ParameterNode
from active_collection.setting import Changes
from active_collection.setting import setting

AT_ONCE = Changes.AT_ONCE


class Disk(Model):
    reserve: float = setting(1.0, ge=0, unit='bytes', changes=AT_ONCE, description='kept free')


class Settings(Model):
    path: str = setting('~/data', description='where it is written')
    name: str = setting('ann', changes=AT_ONCE, description='who')
    rate: float = setting(2.0, gt=0, le=60, unit='Hz', changes=AT_ONCE, description='how often')
    count: int = setting(3, ge=1, le=9, changes=Changes.NEXT_EPISODE, description='how many')
    most: int = setting(5, ge=1, changes=AT_ONCE, description='at most as many')
    late: float = setting(0.0, le=4, changes=AT_ONCE, description='how late')
    on: bool = setting(True, changes=AT_ONCE, description='whether')
    kind: Literal['none', 'zstd'] = setting('none', changes=AT_ONCE, description='which')
    topics: tuple[str, ...] = setting((), changes=AT_ONCE, description='what')
    disk: Disk = Disk()

    @model_validator(mode='after')
    def _count_within(self):
        if self.count > self.most:
            raise ValueError("'count' at most 'most'")
        return self


class Probe(ParameterNode[Settings]):
    """Takes every change but a certain one."""

    def __init__(self, namespace, overrides):
        super().__init__('probe', namespace=namespace, parameter_overrides=overrides,
                         automatically_declare_parameters_from_overrides=True)
        self.declare_settings(Settings)
        self.taken = []

    def take_settings(self, settings, names):
        if settings.name == 'nobody':
            raise ConfigError('name', found='nobody', expected='somebody')
        self.taken.append((settings, list(names)))


@pytest.fixture
def probe(peer):
    """Give a maker of a spinning probe and a client of its parameters."""
    made = []

    def make(**overrides):
        node = Probe(peer.get_namespace(), [
            Parameter(name.replace('__', '.'), value=value) for name, value in overrides.items()])
        made.append(Spinner(node, threads=1))
        return node, Parameters(peer, 'probe')

    yield make
    for spinner in made:
        spinner.close()


def test_every_parameter_says_what_it_is(probe):
    _, parameters = probe()

    rate, count, path = map(parameters.describe, ('rate', 'count', 'path'))

    assert rate.description == 'how often [Hz]'
    assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (
        0.0, 60.0)
    assert rate.additional_constraints.startswith('above 0, at most 60; can be set while')
    assert (count.integer_range[0].from_value, count.integer_range[0].to_value) == (1, 9)
    assert 'next episode' in count.additional_constraints
    assert (rate.read_only, count.read_only, path.read_only) == (False, False, True)
    assert 'none or zstd' in parameters.describe('kind').additional_constraints
    assert parameters.describe('most').integer_range[0].to_value == 2**63 - 1
    late = parameters.describe('late').floating_point_range[0]
    assert (late.from_value, late.to_value) == (-sys.float_info.max, 4.0)
    assert parameters.describe('disk.reserve').description == 'kept free [bytes]'
    assert not any(parameters.describe(name).dynamic_typing for name in Settings.model_fields
                   if name != 'disk')


@pytest.mark.parametrize(('name', 'kind', 'value'), [
    ('path', 'STRING', '~/data'), ('rate', 'DOUBLE', 2.0), ('count', 'INTEGER', 3),
    ('on', 'BOOL', True), ('topics', 'STRING_ARRAY', []), ('disk.reserve', 'DOUBLE', 1.0)])
def test_a_parameter_that_is_not_given_has_its_default_and_its_type(probe, name, kind, value):
    _, parameters = probe()

    assert (parameters.type(name), parameters.get(name)) == (kind, value)
    assert parameters.describe(name).type == getattr(Parameter.Type, kind).value


def test_whole_numbers_do_for_doubles_at_the_start(probe):
    node, parameters = probe(rate=5, disk__reserve=7)

    assert node.settings.rate == 5.0 and node.settings.disk.reserve == 7.0
    assert (parameters.type('rate'), parameters.get('rate')) == ('DOUBLE', 5.0)


@pytest.mark.parametrize(('name', 'value', 'now'), [
    ('rate', 60.0, 60.0), ('rate', 5, 5.0), ('most', 9.0, 9), ('count', 4, 4),
    ('on', False, False), ('name', '', ''), ('kind', 'zstd', 'zstd'),
    ('topics', ['/a', '/b'], ['/a', '/b']), ('disk.reserve', 0, 0.0)])
def test_a_change_is_in_force_when_it_is_answered(probe, name, value, now):
    node, parameters = probe()

    assert parameters.set(name, value) == ''

    assert parameters.get(name) == now
    [(settings, names)] = node.taken
    assert settings is node.settings and names == [name]
    found = settings
    for part in name.split('.'):
        found = getattr(found, part)
    assert found == (tuple(now) if isinstance(now, list) else now)


@pytest.mark.parametrize(('name', 'value', 'words'), [
    ('rate', 'abc', ["rate: found 'abc'", 'expected double, above 0, at most 60']),
    ('rate', 0.0, ['rate', '0.0', 'greater than 0']),
    ('rate', 61, ['rate', '61', 'less than or equal to 60']),
    ('rate', -1e300, ['rate', 'greater than 0']),
    ('rate', math.nan, ['rate', 'nan', 'finite']),
    ('rate', math.inf, ['rate', 'inf']),
    ('rate', True, ['rate: found True', 'double']),
    ('rate', [1.0], ['rate', 'double']),
    ('count', 2.5, ['count: found 2.5', 'integer, 1 to 9']),
    ('count', 10, ['count', '10', '9']),
    ('count', '3', ["count: found '3'", 'integer']),
    ('count', True, ['count: found True', 'integer']),
    ('on', 1, ['on: found 1', 'boolean']),
    ('on', 'yes', ['on', 'boolean']),
    ('name', 7, ['name: found 7', 'string', '"\'7\'"']),
    ('name', True, ['name: found True', '"\'true\'"']),
    ('kind', 'gzip', ["kind: found 'gzip'", "'none' or 'zstd'"]),
    ('topics', '/a', ["topics: found '/a'", 'string array, as in [/a]']),
    ('topics', [1, 2], ['topics', 'string array']),
    ('path', '/tmp', ['path', 'is read when the node starts', 'parameter file and restart']),
    ('disk.reserve', -1.0, ['disk.reserve', '-1.0']),
    ('ratte', 1.0, ["'ratte'", "did you mean 'rate'?"]),
    ('use_sim_time', True, ['use_sim_time', 'is read when the node starts']),
    ('name', 'nobody', ['name: found nobody, expected somebody']),
])
def test_what_cannot_be_taken_is_refused_with_the_reason(probe, name, value, words):
    node, parameters = probe()
    settings, before = node.settings, {n: parameters.get(n) for n in parameters.names()}

    reason = parameters.set(name, value)

    assert all(word in reason for word in words), reason
    assert '\n' not in reason
    assert node.settings is settings and node.taken == []
    assert {n: parameters.get(n) for n in parameters.names()} == before


def test_a_parameter_cannot_be_deleted(probe):
    node, parameters = probe()

    assert 'rate: found nothing' in parameters.set('rate', Parameter('rate'))
    assert parameters.get('rate') == 2.0 and node.taken == []


@pytest.mark.parametrize('kind', [
    Parameter.Type.BOOL_ARRAY, Parameter.Type.BYTE_ARRAY, Parameter.Type.STRING_ARRAY])
def test_an_empty_list_of_any_type_is_one(probe, kind):
    node, parameters = probe(topics=['/a'])

    assert parameters.set('topics', Parameter('topics', kind, [])) == ''
    assert (parameters.type('topics'), parameters.get('topics')) == ('STRING_ARRAY', [])
    assert node.settings.topics == ()


def test_one_change_comes_on_top_of_the_other(probe):
    node, parameters = probe()

    assert parameters.set('most', 20) == '' and parameters.set('late', -1.5) == ''
    assert parameters.set('count', 9) == ''

    assert (node.settings.most, node.settings.late, node.settings.count) == (20, -1.5, 9)


def test_parameters_that_hang_together_can_change_together(probe):
    node, parameters = probe()

    assert "'count' at most 'most'" in parameters.set('count', 9)
    assert parameters.set_together({'count': 9, 'most': 10}) == ''
    assert (node.settings.count, node.settings.most) == (9, 10)
    [(_, names)] = node.taken
    assert names == ['count', 'most']


def test_of_those_that_are_set_together_all_change_or_none(probe):
    node, parameters = probe()

    assert 'kind' in parameters.set_together({'name': 'bob', 'kind': 'gzip', 'rate': 1.0})
    assert 'path' in parameters.set_together({'name': 'bob', 'path': '/tmp'})
    assert 'nonsense' in parameters.set_together({'name': 'bob', 'nonsense': 1})
    assert 'use_sim_time' in parameters.set_together({'name': 'bob', 'use_sim_time': True})
    assert parameters.get('name') == 'ann' and node.taken == []


def test_of_those_that_are_set_one_by_one_each_has_its_answer(probe):
    _, parameters = probe()

    taken, refused, last = parameters.set_each({'name': 'bob', 'kind': 'gzip', 'rate': 1})

    assert (taken, last) == ('', '') and 'gzip' in refused
    assert (parameters.get('name'), parameters.get('rate')) == ('bob', 1.0)


def test_a_file_with_all_parameters_can_be_loaded_where_the_fixed_ones_are_as_they_were(probe):
    node, parameters = probe(path='/data')

    assert parameters.set_each({
        'path': '/data', 'use_sim_time': False, 'rate': 7.0, 'name': 'ann'}) == [''] * 4
    assert [names for _, names in node.taken] == [['rate'], ['name']]


def test_others_hear_of_a_change_and_only_of_that(probe, peer):
    heard = []
    peer.create_subscription(ParameterEvent, '/parameter_events', heard.append, 100)
    node, parameters = probe()
    parameters.set('rate', 200.0)
    parameters.set('rate', 7)
    parameters.set('name', 'last')

    def changed():
        return [(p.name, p.value.type, p.value.double_value or p.value.string_value)
                for e in list(heard) if e.node == node.get_fully_qualified_name()
                for p in e.changed_parameters if p.name in {'rate', 'name'}][-2:]

    wait_for(lambda: changed()[-1:] and changed()[-1][0] == 'name', 'the event')
    assert changed() == [('rate', 3, 7.0), ('name', 4, 'last')]


def test_a_change_that_another_callback_refuses_is_taken_back(probe):
    node, parameters = probe()
    node.add_on_set_parameters_callback(
        lambda _: SetParametersResult(successful=False, reason='not today'))
    before = node.settings

    assert parameters.set('rate', 7.0) == 'not today'
    assert node.settings is before and node.taken[-1][0] is before
    assert parameters.get('rate') == 2.0


def test_a_node_changes_its_own_parameters_by_the_same_rules(probe):
    node, _ = probe()

    good, bad = node.set_parameters([Parameter('rate', value=7), Parameter('kind', value='x')])

    assert good.successful and not bad.successful
    assert node.settings.rate == 7.0
