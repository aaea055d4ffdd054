# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""No test fails for being slow: a busy machine is no fault of the code."""
from hypothesis import settings

settings.register_profile('patient', deadline=None)
settings.load_profile('patient')
