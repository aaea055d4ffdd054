# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parquet files that have the columns which their readers rely on."""
from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from active_collection.errors import SelectionError


def read_table(path: Path, schema: pa.Schema, *, expected: str,
               defaults: Mapping[str, Callable[[pa.Table], Any]] | None = None) -> pa.Table:
    """
    Return a file's table, a schema's columns turned into its types; what else it has is kept.

    A gap in a column of floats is NaN.

    Checksums of pages, where the file has them, are compared.

    :param expected: what the file should be, for messages: 'a pool'
    :param defaults: column that may be missing to what makes it of the others
    :raises SelectionError: where the file is missing or corrupt, or a column is missing, of a
        type that cannot be turned, or has gaps
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SelectionError(path, found=error,
                             expected=expected) from error
    defaults = defaults or {}
    missing = [name for name in schema.names
               if name not in table.column_names and name not in defaults]
    if missing:
        raise SelectionError(path, found=f'no column {", ".join(missing)}',
                             expected=f'columns {", ".join(schema.names)}')
    for name, made in defaults.items():
        if name not in table.column_names:
            table = table.append_column(name, made(table))
    for field in schema:
        column, where = table[field.name], f'{path}: column {field.name}'
        try:
            column = column.cast(field.type)
        except pa.ArrowException as error:
            raise SelectionError(where, found=column.type, expected=field.type) from error
        if column.null_count and pa.types.is_floating(field.type):
            column = pc.fill_null(column, math.nan)
        elif column.null_count:
            raise SelectionError(where, found=f'{column.null_count} empty values',
                                 expected='a value in each row')
        table = table.set_column(table.column_names.index(field.name), field, column)
    return table
