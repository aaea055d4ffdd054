# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The process that looks at a robot; its argument is a question, as JSON."""
from __future__ import annotations

import json
import math
import os
import signal
import sys

from active_collection.nodes.process_start import end_with_parent
from active_collection.pipeline.doctor.looking import Question


def tell(**said: object) -> None:
    """Print one line."""
    print(json.dumps(said), flush=True)


def main() -> int:
    """Look at what the question on the command line asks for, and print it."""
    question = Question.model_validate_json(sys.argv[1])
    # The kernel ends this process, whatever hangs in it.
    signal.alarm(math.ceil(question.limit_s))
    end_with_parent()
    tell(stage='the import of rclpy')
    from active_collection.nodes.doctor.look import look

    sighting = look(question, lambda stage: tell(stage=stage))
    print(f'{{"sighting": {sighting.model_dump_json()}}}', flush=True)
    # The middleware takes its time to say good-bye, and may crash meanwhile.
    os._exit(0)


if __name__ == '__main__':
    sys.exit(main())
