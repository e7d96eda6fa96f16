"""The selectors of a query. The parser's own walk takes time that grows with the square of the length."""

from collections.abc import Iterator

import promql_parser as promql


def selectors(expr: promql.Expr) -> Iterator[promql.VectorSelector]:
    """All selectors of a query, those with a range included, in order.

    Raises:
        TypeError: the query has a kind of expression that is not known here.
    """
    for part in _parts(expr):
        yield from selectors(part)
    if isinstance(expr, promql.VectorSelector):
        yield expr


def _parts(expr: promql.Expr) -> tuple[promql.Expr, ...]:
    match expr:
        case promql.BinaryExpr():
            return expr.lhs, expr.rhs
        case promql.AggregateExpr():
            return (expr.expr,) if expr.param is None else (expr.expr, expr.param)
        case promql.Call():
            return tuple(expr.args)
        case promql.MatrixSelector():
            return (expr.vector_selector,)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return (expr.expr,)
        case promql.VectorSelector() | promql.NumberLiteral() | promql.StringLiteral():
            return ()
        case _:
            raise TypeError(f"an unknown kind of expression: {expr}")
