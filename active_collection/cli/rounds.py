"""Turn the picks of a round into what the annotation package exports."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from active_collection.annotation.items import Item
    from active_collection.selection.rounds import Round

#: Columns of a round that an item takes as they are.
_SAME = ('unit_id', 'order', 'topic', 'receive_ns', 'sequence', 'stamp_ns', 'width', 'height',
         'score', 'reason', 'strategy', 'scenario', 'episode_id', 'task', 'environment', 'outcome')


def items_of(opened: Round, kind: str) -> list[Item]:
    """
    Return the items of a round, with the paths that its bags have by now.

    :param kind: of the pictures, 'jpg' or 'png'
    :raises SelectionError: where the round's pool is gone
    """
    from active_collection.annotation.items import IMAGES
    from active_collection.annotation.items import Item
    from active_collection.selection.pool import Pool

    pool = Pool.open(opened.pool)
    # A bag that was moved has another path in the pool by now than in the round.
    current = dict(zip(pool.texts('unit_id'), pool.texts('bag'), strict=True))
    return [
        Item(file=f'{IMAGES}/{row["unit_id"]}.{kind}',
             bag=str(pool.bag_path(current.get(row['unit_id'], row['bag']))),
             **{name: row[name] for name in _SAME})
        for row in opened.picks.to_pylist()]
