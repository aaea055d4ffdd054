# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the ROS domain is one that works everywhere."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Machine

VARIABLE = 'ROS_DOMAIN_ID'
LARGEST = 232
#: DDS: the first port of domain 0, from one domain to the next, and what 45 participants take.
FIRST_PORT, PORTS_BETWEEN, PORTS = 7400, 250, 100
REMEDY = f'export {VARIABLE}=0, the same on every machine of the fleet'


class Domain:
    """The domain, and whether the kernel gives its ports to others."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        if not subject.has_ros:
            return [skipped('no ROS 2 is sourced')]
        text = subject.environment.get(VARIABLE, '')
        if text and not (text.isdecimal() and int(text) <= LARGEST):
            return [wrong(f'{VARIABLE}={text!r}', expected=f'a number from 0 to {LARGEST}',
                          remedy=REMEDY)]
        domain = int(text or 0)
        first, last = _ephemeral_ports(subject)
        low = FIRST_PORT + PORTS_BETWEEN * domain
        if low <= last and low + PORTS > first:
            return [warning(
                f'{VARIABLE}={domain}: its ports, from {low} on, are among those that the kernel '
                f'gives to any program ({first} to {last})',
                expected='a domain from 0 to 101', remedy=REMEDY)]
        return [ok(f'{VARIABLE}={domain}' if text else f'{VARIABLE} is not set: domain 0')]


def _ephemeral_ports(machine: Machine) -> tuple[int, int]:
    """Return the first and last port that the kernel hands out; none where it does not say."""
    words = machine.read('/proc/sys/net/ipv4/ip_local_port_range').split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (1, 0)
