"""Thin rclpy adapters: parameters, topics, services; no arithmetic, no file formats."""
