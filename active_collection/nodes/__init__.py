# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Thin rclpy adapters: parameters, topics, services; no arithmetic, no file formats."""
