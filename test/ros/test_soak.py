# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A fleet in bad days loses nothing and counts nothing twice."""
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from soak import Soak


@pytest.mark.parametrize(('robots', 'seconds', 'every_s'), [
    (2, 20.0, 1.5),
    pytest.param(8, float(os.environ.get('SOAK_S', '600')), 4.0, marks=[
        pytest.mark.slow, pytest.mark.timeout(float(os.environ.get('SOAK_S', '600')) + 900)])])
def test_after_bad_days_ledger_disks_and_lists_agree(ros, tmp_path, robots, seconds, every_s):
    soak = Soak(tmp_path, robots=robots, seed=1, every_s=every_s)
    try:
        soak.run(seconds)
    finally:
        soak.close()

    assert soak.result.faults == []
    assert soak.result.episodes > 0
