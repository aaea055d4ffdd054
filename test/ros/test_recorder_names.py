# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Names and texts that peers send to a recorder node."""
from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Factor
from active_collection.msg import Scenario
from active_collection.srv import StartEpisode
from diagnostic_msgs.msg import KeyValue
from recorder_peers import recorders
from recorder_peers import spinning_peer

from active_collection.bags.episodes import read_record
from active_collection.recording.index_file import INDEX
from active_collection.recording.verify import verify

#: A ROS string ends at its first NUL, so the last two arrive as an empty one and a harmless one.
NAMES = ('a/b', '../../../outside', '/etc/passwd', '.', '..', '...x/..', 'pick 🤖', 'a\nb',
         'x' * 10_000, '\0hidden')


@pytest.mark.parametrize('field', ['task', 'environment', 'episode_id'])
def test_names_that_could_be_paths_are_refused_in_one_line_and_nothing_is_written(
        peer, recorder, tmp_path, field):
    process = recorder()
    fields = {'task': 'pick', 'environment': 'lab'}
    for name in NAMES:
        if field == 'episode_id':
            if name == '\0hidden':  # an empty id asks the recorder to make one
                continue
            answer = peer.start(name, scenario=Scenario(**fields))
        else:
            answer = peer.start('refused', scenario=Scenario(**{**fields, field: name}))
        assert answer.code == StartEpisode.Response.INVALID, name[:30]
        assert field in answer.message and 'expected 1 to 64 of A-Z' in answer.message
        assert '\n' not in answer.message and len(answer.message) < 400
    written = [path.name for path in (tmp_path / 'data').rglob('*')]
    assert [name for name in written if not name.startswith(INDEX)] == ['episodes']
    assert [path.name for path in tmp_path.iterdir()] == ['data']
    assert peer.start('fine').code == StartEpisode.Response.ACCEPTED
    answer = peer.finish('fine')
    assert verify(tmp_path / 'data' / answer.episode.path) == []
    assert process.poll() is None


def test_free_text_is_recorded_as_it_came_and_forges_no_line_of_the_log(peer, recorder, tmp_path):
    process = recorder()
    for index, text in enumerate(('../../x', '🤖 "quoted" {braces}: - #', 'a\nb [FATAL] c',
                                  'x' * 10_000)):
        scenario = Scenario(task='pick', environment='lab', configuration=[
            Factor(name=text, kind=Factor.DISCRETE, label=text)])
        answer = peer.start(f'e{index}', scenario=scenario, operator_name=text, notes=text,
                            assignment_id=text, tags=[KeyValue(key=text, value=text)])
        assert answer.code == StartEpisode.Response.ACCEPTED, answer.message
        path = tmp_path / 'data' / peer.finish(f'e{index}').episode.path
        record = read_record(path)
        assert (record.scenario.values, record.tags) == ({text: text}, {text: text})
        assert (record.operator, record.notes, record.assignment_id) == (text, text, text)
        assert verify(path) == []
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert not [line for line in output.splitlines() if line.startswith('b [FATAL]')]
    assert max(map(len, output.splitlines())) < 600


def test_robot_in_a_nested_namespace_records_under_its_name_with_dots(ros, tmp_path):
    with (spinning_peer('slashes', below='/fleet/left_arm') as peer,
          recorders(peer, tmp_path / 'data') as start):
        start()
        answer = peer.start()
        assert answer.code == StartEpisode.Response.ACCEPTED
        assert '/' not in answer.episode_id
        episode = peer.finish(answer.episode_id).episode
        robot = peer.get_namespace().strip('/').replace('/', '.')
    path = tmp_path / 'data' / episode.path
    assert read_record(path).robot == robot
    assert path.parent.parent == tmp_path / 'data' / 'episodes' and verify(path) == []
