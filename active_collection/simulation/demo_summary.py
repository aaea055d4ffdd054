# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The five lines that the demo ends with, from what it left on disk."""
from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source


def summary(data: Path) -> list[str]:
    """
    Return five lines: what was collected, what it did for the policy, what was chosen.

    :param data: data directory of a demo that has ended
    """
    bags = find_episodes(data)
    records = [record for record in map(read_record, bags) if record is not None]
    size = sum(file.stat().st_size for bag in bags for file in bag.iterdir())
    evaluations = sorted(
        (json.loads(path.read_text()) for path in (data / 'evaluations').glob('*.json')),
        key=lambda evaluation: int(evaluation['round']))
    return [
        _collected(records, size),
        'Success on held-out configurations by round: '
        + ' → '.join(f'{_success(e):.0%}' for e in evaluations),
        'Epistemic uncertainty there by round: '
        + ' → '.join(f'{_epistemic(e):.4f}' for e in evaluations),
        _steered(records),
        _selected(data),
    ]


def _collected(records: list[EpisodeRecord], size: int) -> str:
    demonstrations = sum(record.is_demonstration for record in records)
    attempts = [r for r in records if r.source is Source.POLICY]
    lost = sum(topic.dropped + topic.lost for record in records for topic in record.topics)
    return (f'Collected {len(records)} episodes ({size / 1e6:.0f} MB, {lost} messages lost): '
            f'{demonstrations} '
            f'demonstrations, attempts of the policy: {len(attempts)} '
            f'({sum(r.outcome is Outcome.SUCCESS for r in attempts)} successful)')


def _success(evaluation: dict[str, Any]) -> float:
    tasks = evaluation['tasks'].values()
    episodes = sum(task['episodes'] for task in tasks)
    return float(sum(task['success'] for task in tasks) / episodes) if episodes else 0.0


def _epistemic(evaluation: dict[str, Any]) -> float:
    values = [float(task['epistemic']) for task in evaluation['tasks'].values()]
    return sum(values) / len(values) if values else 0.0


def _steered(records: list[EpisodeRecord]) -> str:
    steered = Counter(r.scenario.task for r in records if r.uncertainty.ensemble_id)
    most = ', '.join(f'{task} ({count})' for task, count in steered.most_common(3))
    return f'Steered towards: {most or "nothing yet"}'


def _selected(data: Path) -> str:
    manifests = sorted((data / 'rounds').glob('*/manifest.json'))
    if not manifests:
        return 'Selected no frames: no camera was rendered'
    exported = sorted((manifests[-1].parent / 'export').rglob('*.json'))
    count = json.loads(manifests[-1].read_text())['selected']
    return (f'Selected {count} frames for annotation: '
            f'{exported[0] if exported else manifests[-1].parent}')
