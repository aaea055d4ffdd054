#!/usr/bin/env python3
# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
In the place of an annotator: says which colour the block in each picture has.

label.py EXPORT LABELS.csv reads the table that `round export --format csv` wrote, looks at each
picture, fills the column `label` in, and writes the table anew.
"""
import csv
import sys
from pathlib import Path

import cv2
import numpy as np

COLOURS = {'red': (220, 40, 40), 'green': (40, 180, 60), 'blue': (40, 80, 220)}


def look(picture):
    """Return the colour that most of the pixels are near to."""
    pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).reshape(-1, 3).astype(int)
    near = {name: int((np.abs(pixels - colour).sum(axis=1) < 60).sum())
            for name, colour in COLOURS.items()}
    return max(near, key=near.get)


def main():
    """Label every row."""
    export, labels = Path(sys.argv[1]), Path(sys.argv[2])
    with (export / 'items.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row['label'] = look(cv2.imread(str(export / row['file'])))
    with labels.open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f'{len(rows)} pictures labelled')


if __name__ == '__main__':
    main()
