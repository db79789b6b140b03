"""Run by the bundle's own interpreter: `compiling.py PART OF < list`, compiles its share of the list.

The list is JSON: [source, target, the name that tracebacks show, whether texts of documentation stay]. What comes
out depends on the source and the rest of its row only. Format: PEP 552, by hash and never compared with a source,
since there is none.
"""

import ast
import importlib.util
import json
import marshal
import sys

_UNCHECKED = 1
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def main() -> None:
    part, of = int(sys.argv[1]), int(sys.argv[2])
    for source, target, shown, documented in json.load(sys.stdin)[part::of]:
        with open(source, "rb") as file:
            text = file.read()
        tree = ast.parse(text, shown)
        if not documented:
            _undocument(tree)
        code = compile(tree, shown, "exec", dont_inherit=True, optimize=0)
        with open(target, "wb") as file:
            file.write(importlib.util.MAGIC_NUMBER)
            file.write(_UNCHECKED.to_bytes(4, "little"))
            file.write(importlib.util.source_hash(text))
            # what marshal writes of a fresh object depends on who else holds its strings
            file.write(marshal.dumps(marshal.loads(marshal.dumps(code))))  # noqa: S302


def _undocument(tree: ast.AST) -> None:
    """Empty texts, not none: some packages add to them, or put words in."""
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False):
            first = node.body[0]
            assert isinstance(first, ast.Expr)  # noqa: S101 - that is what a docstring is
            assert isinstance(first.value, ast.Constant)  # noqa: S101
            first.value.value = ""


if __name__ == "__main__":
    main()
