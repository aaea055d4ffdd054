# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel lets a socket hold what several cameras send at once."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.subjects import Machine
from active_collection.recording.disk import readable

NAME = 'net.core.rmem_max'
#: Four raw VGA pictures (bytes).
LEAST = 4 * 1024 * 1024


class SocketBuffers:
    """The largest buffer that a receiving socket may ask for."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        text = subject.read(f'/proc/sys/{NAME.replace(".", "/")}')
        if not text.isdecimal():
            return [skipped(f'{NAME} cannot be read here, as in a container')]
        if int(text) < LEAST:
            return [warning(
                f'{NAME} is {readable(int(text))}: pictures from other machines overflow it',
                expected=f'at least {readable(LEAST)}',
                remedy=f'echo {NAME}=67108864 | sudo tee /etc/sysctl.d/60-ros.conf && sudo '
                'sysctl --system')]
        return [ok(f'{NAME} is {readable(int(text))}')]
