# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Install the driver, its parameters and its launch file."""
from pathlib import Path

from setuptools import setup

setup(
    name='point_robot',
    version='0.1.0',
    packages=['point_robot'],
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/point_robot']),
        ('share/point_robot', ['package.xml']),
        ('share/point_robot/config', [str(file) for file in Path('config').glob('*.yaml')]),
        ('share/point_robot/launch', [str(file) for file in Path('launch').glob('*.py')]),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    entry_points={'console_scripts': ['point_robot = point_robot.driver:main']},
)
