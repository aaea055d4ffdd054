# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the policy does not know: ensembles, measures, novelty, thresholds, training."""
