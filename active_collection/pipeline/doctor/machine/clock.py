# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the system's clock can be believed: every stamp in a bag is from it."""
from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from datetime import timezone

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Machine

#: This software is younger, so a clock that says less is wrong: a board without a battery boots
#: in 1970, or when its image was made.
EARLIEST = datetime(2026, 1, 1, tzinfo=timezone.utc)
#: A clock that may be off by more than this (s) puts joint states beside the wrong picture.
LARGEST_ERROR_S = 0.1
EXPECTED = 'a clock that is kept synchronised with those of the other machines'


class Clock:
    """The clock's time, and whether something keeps it right."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        now_s = subject.now_s()
        text = f'{datetime.fromtimestamp(now_s, tz=timezone.utc):%Y-%m-%d %H:%M:%S} UTC'
        if now_s < EARLIEST.timestamp():
            return [wrong(f'the clock says {text}', expected=f'a time after {EARLIEST:%Y-%m-%d}',
                          remedy='sudo timedatectl set-ntp true, or sudo date --set')]
        try:
            kernel = subject.kernel_clock()
        except OSError as error:
            return [warning(f'the kernel does not say whether the clock is right ({error})',
                            expected=EXPECTED, remedy='timedatectl timesync-status')]
        if not kernel.is_synchronised:
            return [warning(
                f'the clock says {text} and nothing keeps it synchronised', expected=EXPECTED,
                remedy='sudo apt install chrony, or sudo timedatectl set-ntp true; then chronyc '
                'tracking')]
        if kernel.error_s > LARGEST_ERROR_S:
            return [warning(
                f'the clock may be {kernel.error_s:.3f} s off',
                expected=f'at most {LARGEST_ERROR_S:g} s',
                remedy='chronyc sources -v shows to whom it is synchronised')]
        return [ok(f'{text}, synchronised, at most {1e3 * kernel.error_s:.1f} ms off')]
