"""The CEL engine (common-expression-language) without the package around it.

Its `__init__` imports a command line with prompt_toolkit and rich, which takes longer than an audit.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import sys
from typing import Any

_PACKAGE = "cel"
_EXTENSION = "cel.cel"


@functools.cache
def engine() -> Any:
    """The extension module: `compile`, `evaluate`, `Context`; raises ImportError."""
    if _EXTENSION in sys.modules:
        return sys.modules[_EXTENSION]
    package = importlib.util.find_spec(_PACKAGE)
    found = package and importlib.machinery.PathFinder.find_spec(
        _EXTENSION, package.submodule_search_locations
    )
    if not found or not found.loader:
        raise ImportError("common-expression-language is not installed")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    sys.modules[_EXTENSION] = module  # should the package come later: it is initialised once
    return module
