# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is heard is counted as the recorder counts it."""
import struct

from active_collection.pipeline.doctor.listener import Listener
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.qos import Qos

STAMPED = Definition('a_msgs/msg/A', 'ros2msg', 'std_msgs/Header header\n')
MS = 10**6


def stamped(ns):
    return b'\0\1\0\0' + struct.pack('<iI', ns // 10**9, ns % 10**9)


class Time:
    """Stands still until a test moves it."""

    ns = 10**18

    def __call__(self):
        return self.ns


def receive(listener, now, sequence, *, stamp_ns=None, sent_ns=0):
    data = stamped(now.ns if stamp_ns is None else stamp_ns)
    listener.receive(Message('/a', now.ns, sent_ns, sequence, b'p', data))


def test_rate_gap_silence_losses_bytes_and_clocks_are_counted():
    now = Time()
    listener = Listener(now=now)
    listener.add_topic(Topic('/a', STAMPED, (Qos(),)))
    receive(listener, now, 1)
    listener.begin()
    for sequence in (2, 3, 4, 7, 8):
        now.ns += 20 * MS
        receive(listener, now, sequence, stamp_ns=now.ns - 5 * MS, sent_ns=now.ns - MS)
    receive(listener, now, 8)  # came twice
    now.ns += 300 * MS

    (heard,) = listener.heard()

    assert (heard.received, heard.lost, heard.size) == (5, 2, 60)
    assert heard.rate == 50.0 and heard.largest_gap_s == 0.02
    assert heard.silence_s == 0.3
    assert heard.skew_s == 0.005 and heard.delay_s == 0.001
    assert heard.unstamped == 0


def test_messages_without_a_stamp_are_counted_where_they_should_have_one():
    now = Time()
    listener = Listener(now=now)
    listener.add_topic(Topic('/a', Definition('a_msgs/msg/A'), (Qos(),)))
    receive(listener, now, 1, stamp_ns=0)
    assert listener.heard()[0].unstamped == 0
    listener.add_topic(Topic('/a', STAMPED, (Qos(),)))
    receive(listener, now, 2, stamp_ns=0)
    receive(listener, now, 3)
    assert listener.heard()[0].unstamped == 1


def test_the_age_of_latched_messages_says_nothing_of_clocks():
    now = Time()
    listener = Listener(now=now)
    listener.add_topic(Topic('/a', STAMPED, (Qos(durability='transient_local'),)))
    receive(listener, now, 1, stamp_ns=5, sent_ns=5)
    (heard,) = listener.heard()
    assert heard.skew_s is None and heard.delay_s is None


def test_a_topic_of_which_nothing_comes_is_silent_since_the_beginning():
    now = Time()
    listener = Listener(now=now)
    listener.add_topic(Topic('/a', STAMPED, ()))
    listener.begin()
    now.ns += 10**9
    listener.count_lost('/a', 3)
    (heard,) = listener.heard()
    assert (heard.received, heard.silence_s, heard.lost) == (0, 1.0, 3)
