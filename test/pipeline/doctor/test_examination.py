# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The checks together: none holds up or hides another, and all ends in time."""
import errno
import sys
import threading
import time
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from active_collection import registry
from active_collection.errors import ConfigError
from active_collection.pipeline.doctor import looking
from active_collection.pipeline.doctor.checks import examine
from active_collection.pipeline.doctor.configured import read_parameters
from active_collection.pipeline.doctor.configured import settings_from
from active_collection.pipeline.doctor.finding import Verdict
from active_collection.pipeline.doctor.finding import exit_status
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.looking import Looking
from active_collection.pipeline.doctor.looking import LookingError
from active_collection.pipeline.doctor.looking import Question
from active_collection.recording.settings import RecorderSettings
from active_collection.registry import Registry


class Well:
    """Finds nothing wrong."""

    def look(self, subject):
        return [ok(f'{subject} is well')]


class Hangs:
    """Waits for a disk that does not answer."""

    def look(self, subject):
        threading.Event().wait()


class Breaks:
    """Has a mistake in it."""

    def look(self, subject):
        return subject.no_such_thing


class Refuses:
    """Meets a file that is not as it should be."""

    def look(self, subject):
        raise ConfigError('a.yaml:3', found='nothing', expected='a key')


class Closed:
    """Meets a file that this user may not read."""

    def look(self, subject):
        raise PermissionError(errno.EACCES, 'Permission denied', '/data/pool')


@pytest.fixture
def checks(monkeypatch):
    """Give the checks of this file by name, each a third party's entry point."""
    monkeypatch.setitem(sys.modules, 'third_party', SimpleNamespace(
        Well=Well, Hangs=Hangs, Breaks=Breaks, Refuses=Refuses, Closed=Closed))
    monkeypatch.setattr(registry, 'entry_points', lambda group: [
        EntryPoint(name, f'third_party:{name}', group)
        for name in ('Well', 'Hangs', 'Breaks', 'Refuses', 'Closed')])
    return Registry('check', 'some.checks', {'lacks': 'no_such_package_:Lacks'})


def test_no_check_hides_another(checks):
    began = time.monotonic()
    found = {r.check: r.finding for r in examine(checks, 'this', limit_s=0.3)}

    assert time.monotonic() - began < 5
    assert found['Well'] == ok('this is well')
    assert found['Hangs'].verdict is Verdict.WRONG and 'within 0.3 s' in found['Hangs'].found
    assert found['Breaks'].verdict is Verdict.WARNING
    assert 'AttributeError' in found['Breaks'].found
    assert found['Refuses'].found == 'a.yaml:3: nothing'
    assert found['Refuses'].verdict is Verdict.WRONG
    assert found['Closed'].verdict is Verdict.WRONG
    assert found['Closed'].found == '/data/pool: no permission'
    assert 'no_such_package_' in found['lacks'].found


def test_some_checks_alone_can_be_made(checks):
    assert [r.check for r in examine(checks, 'this', limit_s=9, names=['Well'])] == ['Well']


def test_a_finding_is_one_line():
    finding = wrong('two\nlines', expected='one\tline', remedy=' mend  it ')
    assert str(finding) == 'two lines; expected one line; mend it'
    assert ok('\x1b[2Jgone').found == r'\x1b[2Jgone'
    assert finding.to_dict() == {'verdict': 'wrong', 'found': 'two lines', 'expected': 'one line',
                                 'remedy': 'mend it'}


def test_warnings_are_no_error():
    assert exit_status([Verdict.OK, Verdict.WARNING, Verdict.SKIPPED]) == 0
    assert exit_status([Verdict.OK, Verdict.WRONG]) == 1


@pytest.fixture
def question():
    return Question(robot='/arm_1', seconds=1.0, limit_s=5.0)


def program(monkeypatch, text):
    monkeypatch.setattr(looking, 'PROGRAM', f'import json, sys, time\n{text}')


def test_what_the_process_saw_is_the_answer(question, robot, monkeypatch):
    line = f'{{"sighting": {robot.sighting.model_dump_json()}}}'
    program(monkeypatch, f'print("noise")\nprint({line!r})')
    assert Looking(question).answer() == robot.sighting


def test_a_middleware_that_hangs_is_left(question, monkeypatch):
    program(monkeypatch, 'print(json.dumps({"stage": "discovery"}), flush=True)\ntime.sleep(60)')
    began = time.monotonic()
    look = Looking(question.model_copy(update={'limit_s': 1.0}))
    with pytest.raises(LookingError, match='no end of discovery within 1 s'):
        look.answer()
    assert time.monotonic() - began < 5
    assert look._process.poll() is not None


@pytest.mark.parametrize(('text', 'said'), [
    ('sys.exit("rmw: no such library")', 'rmw: no such library'),
    ('import os; os.kill(os.getpid(), 11)', 'status -11'),
    ('print(json.dumps({"sighting": {"robot": 3}}))', 'what the process saw: robot')])
def test_a_process_that_fails_is_told_of(question, monkeypatch, text, said):
    program(monkeypatch, text)
    with pytest.raises((LookingError, ConfigError), match=said):
        Looking(question).answer()


PARAMETERS = """
/**:
  ros__parameters:
    topics: [joints]
    retention: {maximum_episodes: 7}
/arm_1/agent:
  ros__parameters: {collectors: [policy]}
driver:
  ros__parameters: {rate: 3}
"""


def test_parameter_files_are_read_for_the_nodes_that_they_are_of(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text(PARAMETERS)

    read = read_parameters(path)

    assert read == {'recorder': {'topics': ['joints'], 'retention.maximum_episodes': 7},
                    'agent': {'collectors': ['policy']}}
    settings = settings_from(RecorderSettings, {**read['recorder'], 'use_sim_time': True,
                                              'qos_overrides./clock': 3}, where='recorder')
    assert settings.topics == ('joints',) and settings.retention.maximum_episodes == 7


@pytest.mark.parametrize(('text', 'said'), [
    ('recorder: {ros__parameters: {topcis: [a]}}', 'topics'), ('recorder: {}', 'ros__parameters'),
    ('recorder: {ros__parameters: 3}', 'ros__parameters'), ('- 3', 'mapping')])
def test_a_parameter_file_that_a_node_would_refuse_is_refused(tmp_path, text, said):
    path = tmp_path / 'robot.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_parameters(path)
