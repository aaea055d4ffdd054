# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorder in a process of its own: records until it is killed, and says what it was given."""
from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.recording.definitions import Definition
from active_collection.recording.episode_recorder import EpisodeRecorder
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.qos import Qos
from active_collection.recording.settings import RecorderSettings
from active_collection.scenario import Scenario

STRING = Definition('std_msgs/msg/String', 'ros2msg', 'string data\n', '')


def main() -> None:
    options = json.loads(sys.argv[1])
    if options.get('file_limit'):
        limit = options['file_limit']
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    events = []
    recorder = EpisodeRecorder(
        RecorderSettings(**options['settings']), robot='robot', publish=events.append)
    recorder.store.prepare()
    recorder.intake.add_topic(Topic('/a', STRING, (Qos(),)))
    recorder.start(StartRequest(
        scenario=Scenario('t', 'e'), source=Source.SCRIPTED, episode_id='e1'))
    payload = bytes(options.get('bytes', 20_000))
    # The parent reads the counts from the pipe, which outlives this process.
    for count in range(1, options.get('messages', 10**9) + 1):
        now = time.time_ns()
        recorder.intake.receive(Message(
            '/a', now, now, count, b'p', count.to_bytes(8, 'little') + payload))
        os.write(1, b'%d %f\n' % (count, time.monotonic()))
        if count % 10 == 0:
            recorder.tick()
        if len(events) > 1:
            break
        time.sleep(options.get('period', 0.0005))
    if len(events) == 1:
        recorder.finish('e1', outcome=Outcome.SUCCESS)
    record = events[1].record
    Path(options['result']).write_text(json.dumps({
        'path': events[1].path, 'stop_reason': record.stop_reason.value, 'notes': record.notes,
        'received': record.topics[0].received, 'written': record.topics[0].written}))


if __name__ == '__main__':
    main()
