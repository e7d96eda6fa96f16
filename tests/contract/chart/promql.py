"""What a PromQL expression reads: its series, each with the labels that are needed of it."""

from collections.abc import Iterable, Iterator
from typing import Any

import promql_parser
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    LabelModifierType,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)


def reads(text: str, shown: Iterable[str] = ()) -> list[tuple[str, set[str]]]:
    """Each series that an expression selects, with the labels that are needed of it.

    Args:
        text: The expression.
        shown: Labels that the result must have.

    Raises:
        ValueError: It does not parse, drops a label that is needed, or selects series by labels alone.
    """
    return list(_reads(promql_parser.parse(text), set(shown)))


def _reads(node: object, needed: set[str]) -> Iterator[tuple[str, set[str]]]:
    match node:
        case VectorSelector():
            if node.name is None:
                raise ValueError(f"{node.prettify()} selects no series by name")
            yield node.name, needed | {matcher.name for matcher in node.matchers.matchers}
        case MatrixSelector():
            yield from _reads(node.vector_selector, needed)
        case AggregateExpr():
            yield from _reads(node.expr, _kept(node, needed))
        case BinaryExpr():
            joined = _joined(node)
            yield from _reads(node.lhs, needed | (joined or set()))
            yield from _reads(node.rhs, needed if joined is None else joined)
        case Call():
            is_quantile = node.func.name == "histogram_quantile"
            for argument in node.args:
                yield from _reads(argument, needed | {"le"} if is_quantile else needed)
        case ParenExpr() | UnaryExpr() | SubqueryExpr():
            yield from _reads(node.expr, needed)


def _kept(node: Any, needed: set[str]) -> set[str]:  # noqa: ANN401 the parser has no types
    """The labels by which an aggregation groups."""
    by = node.modifier
    if by is not None and by.type != AggModifierType.By:
        raise ValueError(f"{node.prettify()}: write `by`, which names the labels")
    kept = set(by.labels) if by is not None else set()
    if not needed <= kept:
        raise ValueError(f"{node.prettify()} drops {', '.join(sorted(needed - kept))}")
    return kept


def _joined(node: Any) -> set[str] | None:  # noqa: ANN401 the same
    """The labels on which both sides are matched; None if on all of them."""
    matching = node.modifier.matching if node.modifier is not None else None
    if matching is None:
        return None
    if matching.type != LabelModifierType.Include:
        raise ValueError(f"{node.prettify()}: write `on`, which names the labels")
    return set(matching.labels)
