# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether multicast, by which nodes discover each other, works on this machine's interfaces."""
from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.machine.discovery_range import LOCALHOST_ONLY
from active_collection.pipeline.doctor.machine.discovery_range import RANGE
from active_collection.pipeline.doctor.machine.discovery_range import SERVER
from active_collection.pipeline.doctor.subjects import Machine

#: The group in which DDS participants announce themselves.
GROUP = '239.255.0.1'
#: Flags of an interface, see netdevice(7).
UP, LOOPBACK, MULTICAST = 0x1, 0x8, 0x1000
#: The interface that the routing table names.
ANY = bytes(4)
#: How long a datagram to this machine itself may take (s).
WAIT_S = 0.5


class Network:
    """The interfaces that carry multicast, and a datagram through one of them."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        environment = subject.environment
        if not subject.has_ros:
            return [skipped('no ROS 2 is sourced')]
        if environment.get(SERVER):
            return [skipped(f'{SERVER} is set: nothing is announced by multicast')]
        if (environment.get(LOCALHOST_ONLY) == '1'
                or environment.get(RANGE, '').upper() == 'LOCALHOST'):
            return [skipped('only nodes of this machine are looked for')]
        able = _interfaces(subject)
        if not able:
            return [warning(
                'no interface beside the loopback is up and carries multicast',
                expected='one that reaches the other machines of the fleet',
                remedy='ip -br link; sudo ip link set <interface> up multicast on')]
        problem = _try_multicast()
        if problem:
            return [wrong(f'a datagram to {GROUP} does not come back ({problem})',
                          expected='multicast, by which nodes find each other',
                          remedy='see the firewall (sudo ufw status; sudo ufw allow in proto udp '
                          'to 224.0.0.0/4) and ip route')]
        return [ok(f'multicast works; interfaces: {", ".join(able)}')]


def _interfaces(machine: Machine) -> list[str]:
    """Return those that are up, carry multicast and are no loopback."""
    found = []
    for path in sorted((machine.root / 'sys' / 'class' / 'net').glob('*')):
        text = machine.read(f'/sys/class/net/{path.name}/flags')
        flags = int(text, 16) if text.startswith('0x') else 0
        if flags & UP and flags & MULTICAST and not flags & LOOPBACK:
            found.append(path.name)
    return found


def _try_multicast() -> str:
    """Send a datagram to the group, on a port of no domain, and return why it was not heard."""
    token = secrets.token_bytes(16)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            receiver.bind(('', 0))
            receiver.settimeout(WAIT_S)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                socket.inet_aton(GROUP) + ANY)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)  # not on the wire
            sender.sendto(token, (GROUP, receiver.getsockname()[1]))
            while receiver.recv(64) != token:
                continue
    except TimeoutError:
        return f'nothing within {WAIT_S:g} s'
    except OSError as error:
        return str(error.strerror or error)
    return ''
