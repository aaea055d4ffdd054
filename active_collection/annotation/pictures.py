# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write the pictures of items as JPEG or PNG files."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from active_collection.annotation.items import Item
from active_collection.bags.images import RGB
from active_collection.bags.images import to_rgb
from active_collection.bags.reader import Bag
from active_collection.bags.reader import open_bag
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError
from active_collection.files import write_whole


def read_picture(bag: Bag, item: Item) -> RGB:
    """
    Return an item's picture from its open bag.

    :raises AnnotationError: where the message is not there
    :raises BagError: where it cannot be decoded
    """
    where = f'{bag.path}: {item.topic} at {item.receive_ns} ns'
    for message in bag.messages([item.topic], start_ns=item.receive_ns,
                                stop_ns=item.receive_ns + 1):
        if message.sequence == item.sequence:
            return to_rgb(message.decode(), where=where)
    raise AnnotationError(where, found='nothing', expected=f'message {item.sequence} of that time')


def write_pictures(items: Sequence[Item], directory: Path, *,
                   quality: int = 95) -> Iterator[tuple[Item, str]]:
    """
    Write each item's picture to the file that it names, bag by bag; what is there is kept.

    :param quality: of JPEG, 1 to 100
    :return: yields (item, '') for each written one, else (item, one line that says why not)
    :raises OSError: where a file cannot be written
    """
    for path, group in groupby(sorted(items, key=lambda i: (i.bag, i.receive_ns)),
                               key=lambda i: i.bag):
        wanted = list(group)
        missing = [item for item in wanted if not (directory / item.file).is_file()]
        yield from ((item, '') for item in wanted if item not in missing)
        if not missing:
            continue
        try:
            bag = open_bag(path)
        except ActiveCollectionError as error:
            yield from ((item, str(error)) for item in missing)
            continue
        with bag:
            for item in missing:
                try:
                    picture = read_picture(bag, item)
                except ActiveCollectionError as error:
                    yield item, str(error)
                else:
                    write_whole(directory / item.file, encode(picture, item.file, quality))
                    yield item, ''


def encode(picture: RGB, name: str, quality: int) -> bytes:
    """
    Return a picture as the kind of file that its name says.

    :param picture: uint8 (height, width, 3)
    :param name: ends with .jpg or .png
    :raises AnnotationError: where it cannot be encoded
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if name.endswith('.jpg') else []
    done, data = cv2.imencode(Path(name).suffix, np.ascontiguousarray(picture[:, :, ::-1]),
                              options)
    if not done:
        raise AnnotationError(name, found=f'{picture.shape} picture', expected='one that fits')
    return bytes(data.tobytes())
