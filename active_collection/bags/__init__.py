# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read any bag: messages, images, observation vectors, episode records."""
