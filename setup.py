# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Install the offline library and command line without ROS; the version is package.xml's."""
from pathlib import Path
from xml.etree import ElementTree

from setuptools import setup

package = ElementTree.parse(Path(__file__).with_name('package.xml')).getroot()  # noqa: S314
setup(version=package.findtext('version'))
