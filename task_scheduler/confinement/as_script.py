"""Run a Python script from an open descriptor as ``python SCRIPT ARGUMENTS`` would.

Called as ``python .../as_script.py DESCRIPTOR SCRIPT ARGUMENTS...``. Responsible for: `__main__`,
`__file__`, `sys.argv`, the first entry of `sys.path` and tracebacks with the script's real name,
while what runs is the file that was checked, whatever stands at its path by now.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Become the script: this module's name, `__main__`, is the script's from here on."""
    import builtins
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    descriptor, path = int(sys.argv[1]), sys.argv[2]
    del sys.argv[:2]
    if not sys.flags.safe_path and sys.path:
        sys.path[0] = os.path.dirname(path)
    with os.fdopen(descriptor, "rb") as file:
        source = file.read()
    module = ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    module.__loader__ = SourceFileLoader("__main__", path)
    vars(module)["__cached__"] = None
    if sys.version_info < (3, 13):
        vars(module)["__annotations__"] = {}
    sys.modules["__main__"] = module
    code = compile(source, path, "exec", dont_inherit=True)
    sys.excepthook = _without_us
    exec(code, module.__dict__)  # noqa: S102  running the user's script is the purpose


def _without_us(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Show an error as Python does, without the line above that ran the script."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:  # type: ignore[attr-defined]
        trace = trace.tb_next  # type: ignore[attr-defined]
    sys.__excepthook__(kind, error.with_traceback(trace), trace)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
