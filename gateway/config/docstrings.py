"""The docstring under each field, read from a class's source.

Python keeps no docstrings of attributes; ours stand in the code so that the
reference, the schemas and `gateway explain` are written once.
"""

import ast
import inspect
import textwrap
from functools import cache


@cache
def attribute_docs(cls: type) -> dict[str, str]:
    """Text under each field of `cls`, in one line; base classes included.

    Empty for a class without source (a package that ships bytecode only).
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        if base.__module__.partition(".")[0] not in ("builtins", "enum", "msgspec"):
            docs |= _own_docs(base)
    return docs


def summary(cls: type) -> str:
    """First sentence of the class's docstring."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def one_line(text: str) -> str:
    """Collapse line breaks and the double back-quotes of reStructuredText."""
    return " ".join(inspect.cleandoc(text).split()).replace("``", "`")


def _own_docs(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}
    [definition] = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        name = _field_name(field)
        if name is not None and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            docs[name] = one_line(str(text.value.value))
    return docs


def _field_name(node: ast.stmt) -> str | None:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return None
