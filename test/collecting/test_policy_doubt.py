# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from active_collection.collecting.collection_robot import Activity
from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.policy_doubt import PolicyDoubt

STARTING = Activity(Phase.SETTING_UP)
ACTING = Activity(Phase.COLLECTING, episode_id='e1')


def test_doubt_that_comes_before_the_policy_acts_counts_once_it_does():
    doubt = PolicyDoubt()

    doubt.begin(STARTING, 'e1', 'lost')

    assert doubt.reason('e1') == 'lost'
    assert doubt.reason('e2') == ''


def test_doubt_that_ends_before_the_policy_acts_is_none():
    doubt = PolicyDoubt()
    doubt.begin(STARTING, 'e1', 'lost')

    doubt.end(STARTING, 'e0')
    assert doubt.reason('e1') == 'lost'
    doubt.end(STARTING, 'e1')

    assert doubt.reason('e1') == ''


def test_where_the_policy_acts_an_end_comes_too_late():
    doubt = PolicyDoubt()

    doubt.begin(ACTING, '', 'lost')
    doubt.end(ACTING, 'e1')

    assert doubt.reason('e1') == 'lost'


def test_doubt_of_no_or_of_another_episode_does_not_count():
    doubt = PolicyDoubt()

    doubt.begin(STARTING, '', 'lost')
    doubt.begin(ACTING, 'e2', 'lost')

    assert doubt.reason('e1') == doubt.reason('e2') == doubt.reason('') == ''
