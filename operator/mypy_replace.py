"""Lets mypy check the changes of a model: each argument is a field of the model, of the field's type.

`ApiModel.replace` and `ApiModel.copy_with` take changes by keyword. Python has no way to declare their types
once for all models; mypy itself knows them for dataclasses and attrs alone.
"""

from collections.abc import Callable

from mypy.nodes import ARG_NAMED_OPT, Var
from mypy.plugin import MethodSigContext, Plugin
from mypy.types import FunctionLike, Instance, Type, TypeVarType, get_proper_type

BASE = "agentrollouts.api.model.base.ApiModel"
CHANGES = (".replace", ".copy_with")


class TypedReplace(Plugin):
    """Gives the methods that change a model the signature of that model."""

    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], FunctionLike] | None:
        """The hook for methods of these names; None for others."""
        return _signature if fullname.endswith(CHANGES) else None


def _signature(context: MethodSigContext) -> FunctionLike:
    model, signature = get_proper_type(context.type), context.default_signature
    if isinstance(model, TypeVarType):
        model = get_proper_type(model.upper_bound)
    if not isinstance(model, Instance) or not model.type.has_base(BASE):
        return signature
    fields = _fields(model)
    return signature.copy_modified(
        arg_names=list(fields), arg_kinds=[ARG_NAMED_OPT] * len(fields), arg_types=list(fields.values())
    )


def _fields(model: Instance) -> dict[str, Type]:
    """The fields of a model and those that it inherits, with their types."""
    found: dict[str, Type] = {}
    for info in reversed(model.type.mro):
        for name in info.metadata.get("pydantic-mypy-metadata", {}).get("fields", {}):
            symbol = info.get(name)
            if symbol is not None and isinstance(symbol.node, Var) and symbol.node.type is not None:
                found[name] = symbol.node.type
    return found


def plugin(version: str) -> type[Plugin]:
    """The entry point that mypy calls."""
    del version
    return TypedReplace
