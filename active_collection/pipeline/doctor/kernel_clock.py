# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of its clock: whether something keeps it synchronised."""
from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

#: Flag in the kernel's status: the clock is not synchronised.
STA_UNSYNC = 0x0040


@dataclass(frozen=True)
class KernelClock:
    """
    The state of the system's clock.

    :param error_s: how far off it is at most, as far as the kernel knows (s)
    """

    is_synchronised: bool
    error_s: float


class _Timex(ctypes.Structure):
    """The C library's struct timex; see adjtimex(2)."""

    _fields_ = [
        ('modes', ctypes.c_uint), ('offset', ctypes.c_long), ('freq', ctypes.c_long),
        ('maxerror', ctypes.c_long), ('esterror', ctypes.c_long), ('status', ctypes.c_int),
        ('rest', ctypes.c_byte * 256)]


def read_kernel_clock() -> KernelClock:
    """
    Return what the kernel says, which chrony, ntpd, systemd-timesyncd and phc2sys tell it.

    :raises OSError: where it does not say
    """
    state = _Timex(modes=0)
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return KernelClock(not state.status & STA_UNSYNC, state.maxerror / 1e6)
