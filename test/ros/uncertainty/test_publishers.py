# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Drivers that start again, with another QoS or type, are followed and their losses counted."""
from __future__ import annotations

from contextlib import suppress

import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from std_msgs.msg import String
from uncertainty_peers import wait_for

from active_collection.nodes import qos


def show(robot, step):
    robot.show(step, [0.1, 0.2, 0.3], [0.4, 0.5])


def shown_until_scored(robot, first):
    """Show observations until one is scored, and return how many were shown."""
    step, before = first, len(robot.estimates)
    while len(robot.estimates) == before:
        show(robot, step)
        step += 1
        with suppress(AssertionError):  # not this one
            wait_for(lambda: len(robot.estimates) > before, 'an estimate', seconds=0.1)
    return step - first


def lost_now(robot):
    return int({v.key: v.value for v in robot.reports[-1].values}['lost'])


@pytest.mark.parametrize(('first', 'then'), [(qos.STATE, qos.SENSOR), (qos.SENSOR, qos.STATE)])
def test_a_driver_that_starts_again_with_another_qos_is_received_and_its_losses_counted(
        robot, start, ensembles, first, then):
    robot.destroy_publisher(robot.hand)
    robot.hand = robot.create_publisher(PoseStamped, 'hand', first)
    process = start(ensembles=str(ensembles[0]))
    wait_for(robot.is_heard, 'subscriptions')
    wait_for(lambda: robot.report_with('scoring with'), 'a report')
    sent = shown_until_scored(robot, 0)
    before = lost_now(robot)

    robot.destroy_publisher(robot.hand)
    robot.hand = robot.create_publisher(PoseStamped, 'hand', then)
    scored = len(robot.estimates)
    anew = shown_until_scored(robot, sent)
    for step in range(sent + anew, sent + anew + 10):
        show(robot, step)
        stamp = robot.shown[-1][1].header.stamp
        wait_for(lambda stamp=stamp: robot.estimates[-1].header.stamp == stamp, 'the estimate')

    missed = anew + 10 - (len(robot.estimates) - scored)
    wait_for(lambda: lost_now(robot) - before == missed, 'the losses')
    assert process.poll() is None


def test_a_topic_whose_type_changes_is_received_with_its_new_one(robot, start, ensembles):
    robot.destroy_publisher(robot.hand)
    # In a participant of its own: in one, a topic has one type.
    context = rclpy.Context()
    rclpy.init(context=context)
    driver = Node('driver', namespace=robot.get_namespace(), context=context)
    other = driver.create_publisher(String, 'hand', qos.STATE)
    start(ensembles=str(ensembles[0]))
    wait_for(other.get_subscription_count, 'the subscription')
    other.publish(String(data='no pose'))
    wait_for(lambda: robot.report_with('hand'), 'the report')

    driver.destroy_node()
    rclpy.shutdown(context=context)
    robot.hand = robot.create_publisher(PoseStamped, 'hand', qos.STATE)

    shown_until_scored(robot, 0)
