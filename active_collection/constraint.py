# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Constraints between the factors of an object configuration: 'x + y <= 0.5'."""
from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Literal

import numpy as np
import numpy.typing as npt

Kind = Literal['number', 'label', 'truth']
#: Returns the value of a part of an expression, given the factors' values.
Function = Callable[[Mapping[str, Any]], Any]

LONGEST = 500
HIGHEST_POWER = 8
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: np.true_divide, ast.Pow: np.power}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
EQUALITIES: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne}
FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    'abs': (1, np.abs), 'sqrt': (1, np.sqrt), 'sin': (1, np.sin), 'cos': (1, np.cos),
    'min': (2, np.minimum), 'max': (2, np.maximum), 'hypot': (2, np.hypot)}


class Constraint:
    """
    A condition on an object configuration, read without running any of it as code.

    Numbers and the names of continuous factors are combined with + - * / **, abs, sqrt, sin, cos,
    min, max and hypot, and compared with < <= > >=; a discrete factor is compared with a label
    ('mug == "red"'). Conditions are combined with and, or, not. Numbers are never compared for
    equality: no draw would ever hit it.

    :param text: the expression
    :raises ValueError: saying what was expected, where it is no such expression
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.numbers: set[str] = set()
        self.labels: dict[str, set[str]] = {}
        if len(text) > LONGEST:
            raise ValueError(f'an expression of at most {LONGEST} characters')
        try:
            tree = ast.parse(text.strip(), mode='eval')
            kind, self._function = self._read(tree.body)
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f'an expression such as "x + y <= 0.5" ({error})') from error
        if kind != 'truth':
            raise ValueError('a comparison such as "x + y <= 0.5"')

    def holds(self, values: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
        """
        Tell whether configurations fulfil it; one that it cannot be computed for does not.

        :param values: factor name to label or number, or to an array of them, all of one shape
        """
        with np.errstate(all='ignore'):
            return np.asarray(self._function({
                name: np.asarray(value) for name, value in values.items()}), dtype=bool)

    def _read(self, node: ast.expr) -> tuple[Kind, Function]:
        if isinstance(node, ast.BoolOp):
            combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return 'truth', _folded(combine, [self._of(value, 'truth') for value in node.values])
        if isinstance(node, ast.Compare):
            return 'truth', self._comparison(node)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp):
            return 'number', self._arithmetic(node)
        if isinstance(node, ast.Call):
            return 'number', self._call(node)
        if isinstance(node, ast.Name):
            self.numbers.add(node.id)
            return 'number', operator.itemgetter(node.id)
        if (isinstance(node, ast.Constant) and isinstance(node.value, (int, float))
                and not isinstance(node.value, bool)):
            value = float(node.value)
            return 'number', lambda _: value
        raise ValueError(f'numbers, factors, comparisons; not {ast.unparse(node)!r}')

    def _of(self, node: ast.expr, wanted: Kind) -> Function:
        kind, function = self._read(node)
        if kind != wanted:
            raise ValueError(f'a {wanted} in the place of {ast.unparse(node)!r}')
        return function

    def _comparison(self, node: ast.Compare) -> Function:
        sides = [node.left, *node.comparators]
        parts: list[Function] = []
        for left, sign, right in zip(sides, node.ops, sides[1:], strict=False):
            if type(sign) in EQUALITIES:
                parts.append(self._label(left, EQUALITIES[type(sign)], right))
            elif type(sign) in COMPARISONS:
                parts.append(_applied(COMPARISONS[type(sign)], self._of(left, 'number'),
                                      self._of(right, 'number')))
            else:
                raise ValueError(f'one of < <= > >= == != in {ast.unparse(node)!r}')
        return _folded(np.logical_and, parts)

    def _label(self, left: ast.expr, equality: Callable[[Any, Any], Any],
               right: ast.expr) -> Function:
        name, label = (right, left) if isinstance(left, ast.Constant) else (left, right)
        if (isinstance(name, ast.Name) and isinstance(label, ast.Constant)
                and isinstance(label.value, str)):
            factor, value = name.id, label.value
            self.labels.setdefault(factor, set()).add(value)
            return lambda values: equality(values[factor], value)
        raise ValueError(f'a discrete factor and a label around == or !=, not '
                         f'{ast.unparse(left)!r} and {ast.unparse(right)!r}')

    def _unary(self, node: ast.UnaryOp) -> tuple[Kind, Function]:
        if isinstance(node.op, ast.Not):
            return 'truth', _applied(np.logical_not, self._of(node.operand, 'truth'))
        if isinstance(node.op, ast.USub):
            return 'number', _applied(operator.neg, self._of(node.operand, 'number'))
        if isinstance(node.op, ast.UAdd):
            return 'number', self._of(node.operand, 'number')
        raise ValueError(f'no such sign as in {ast.unparse(node)!r}')

    def _arithmetic(self, node: ast.BinOp) -> Function:
        if type(node.op) not in ARITHMETIC:
            raise ValueError(f'one of + - * / ** in {ast.unparse(node)!r}')
        if isinstance(node.op, ast.Pow) and not (
                isinstance(node.right, ast.Constant) and isinstance(node.right.value, (int, float))
                and 0 <= node.right.value <= HIGHEST_POWER):
            raise ValueError(f'a power of 0 to {HIGHEST_POWER} in {ast.unparse(node)!r}')
        return _applied(ARITHMETIC[type(node.op)], self._of(node.left, 'number'),
                        self._of(node.right, 'number'))

    def _call(self, node: ast.Call) -> Function:
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
            raise ValueError(f'one of {", ".join(FUNCTIONS)} in {ast.unparse(node)!r}')
        least, function = FUNCTIONS[node.func.id]
        parts = [self._of(argument, 'number') for argument in node.args]
        if len(parts) < least or (least == 1 and len(parts) > 1):
            raise ValueError(f'{least} {"or more " * (least > 1)}numbers in {ast.unparse(node)!r}')
        return _applied(function, *parts) if least == 1 else _folded(function, parts)

    def __str__(self) -> str:
        return self.text


def _applied(function: Callable[..., Any], *parts: Function) -> Function:
    return lambda values: function(*(part(values) for part in parts))


def _folded(function: Callable[[Any, Any], Any], parts: list[Function]) -> Function:
    def fold(values: Mapping[str, Any]) -> Any:
        result = parts[0](values)
        for part in parts[1:]:
            result = function(result, part(values))
        return result

    return fold
