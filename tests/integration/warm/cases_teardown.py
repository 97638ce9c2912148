"""Scripts about what is destroyed at the end, in which order, and what is written then."""

# ruff: noqa: E501  the lines of a script are as long as they are

from __future__ import annotations

from tests.integration.warm.case import Case

_D = (
    "class D:\n    def __init__(self, n): self.n = n\n    def __del__(self): print('del', self.n)\n"
)

CASES = [
    Case(
        name="teardown_order",
        source=_D
        + "z = D('z')\na = D('a')\n_u = D('_u')\n__d = D('__d')\nl = [D(1), D(2)]\nd = {D('k'): D('v')}\nprint('end')",
    ),
    Case(
        name="teardown_used",
        source=_D
        + "a = D('a')\nb = D('b')\ndef f(): return a, b\ndef g(): return f\nh = lambda: g()\nprint('end')",
    ),
    Case(
        name="teardown_cycles",
        source=_D
        + "a = D('a'); b = D('b'); a.o = b; b.o = a\nc = D('c'); c.o = c\nclass H: pass\nh = H(); h.h = h; h.d = D('held')\nprint('end')",
    ),
    Case(
        name="teardown_class",
        source=_D
        + "class C:\n    d = D('of a class')\n    def m(self): return C\nC.k = D('k')\nprint('end')",
    ),
    Case(
        name="teardown_closure",
        source=_D
        + "def f():\n    d = D('closed over')\n    return lambda: d\ng = f()\nprint('end')",
    ),
    Case(
        name="teardown_neighbours",
        source="import one, two\nfrom pack import three\nx = one.D('main')\nprint('end')",
        files={
            "one.py": _D + "d = D('one')\n_e = D('_one')\ndef f(): return d\n",
            "two.py": "import one\nd = one.D('two')\ndef f(): return one, d\nf.d = one.D('of f')\n",
            "pack/__init__.py": "import one\nd = one.D('pack')\n",
            "pack/three.py": "import one\nfrom . import d as e\nd = one.D('three')\nclass C:\n    def f(self): return d\n",
        },
    ),
    Case(
        name="teardown_failed",
        source=_D
        + "def f():\n    d = D('local')\n    e = D('other')\n    1 / 0\ng = D('global')\nf()",
    ),
    Case(
        name="teardown_exit",
        source=_D
        + "import sys\ndef f():\n    d = D('local')\n    sys.exit(3)\ng = D('global')\nf()",
    ),
    Case(
        name="teardown_caught",
        source=_D
        + "try:\n    d = D('in try')\n    raise ValueError(d)\nexcept ValueError as e:\n    kept = e\nprint('end')",
    ),
    Case(
        name="teardown_generator",
        source="def g():\n    try:\n        yield 1\n    finally:\n        print('finally')\nx = g()\nnext(x)\nprint('end')",
    ),
    Case(
        name="teardown_with",
        source="import contextlib\n@contextlib.contextmanager\ndef c():\n    try:\n        yield\n    finally:\n        print('left')\nx = c()\nx.__enter__()\nprint('end')",
    ),
    Case(
        name="teardown_file",
        source="f = open('buffered.txt', 'w')\nf.write('held back')\ng = open('raw.bin', 'wb')\ng.write(b'held too')\nprint('end')",
    ),
    Case(
        name="teardown_file_kept",
        source="import json\njson.kept = open('kept.txt', 'w')\njson.kept.write('in another module')\nprint('end')",
    ),
    Case(
        name="teardown_file_cycle",
        source="class C: pass\nc = C(); c.c = c\nc.f = open('cycle.txt', 'w'); c.f.write('cycle')\nprint('end')",
    ),
    Case(
        name="teardown_warned",
        source="f = open('w.txt', 'w')\nf.write('x')\nprint('end')",
        env={"PYTHONWARNINGS": "default"},
    ),
    Case(
        name="teardown_sys",
        source=_D
        + "import sys\nsys.mine = D('in sys')\nsys.ps1 = D('ps1')\nsys.path.append(D('in path'))\ng = D('global')\nprint('end')",
    ),
    Case(
        name="teardown_builtins",
        source=_D
        + "import builtins\nbuiltins.mine = D('in builtins')\ng = D('global')\nprint('end')",
    ),
    Case(
        name="teardown_builtins_changed",
        source=_D
        + "import builtins\nclass P(D):\n    def __call__(self, *a): import sys; sys.stdout.write(repr(a) + chr(10))\nbuiltins.print = P('the changed one')\ng = D('global')\nprint('end')",
    ),
    Case(
        name="teardown_modules",
        source=_D
        + "import sys\nsys.modules['mine'] = D('a module')\nsys.modules['two'] = None\nprint('end')",
    ),
    Case(
        name="teardown_streams",
        source=_D
        + "import sys\nclass W:\n    def write(self, t): sys.__stdout__.write('[' + t + ']')\n    def flush(self): pass\nsys.stdout = W()\nd = D('x')\nprint('end')",
    ),
    Case(
        name="teardown_stderr",
        source="import sys\nclass D:\n    def __del__(self): print('to err', file=sys.stderr)\nd = D()\n",
    ),
    Case(
        name="teardown_imports",
        source="class D:\n    def __del__(self):\n        import json\n        print(json.dumps([1]))\nd = D()\ndef f(): return d\nprint('end')",
    ),
    Case(
        name="teardown_imports_new",
        source="class D:\n    def __del__(self):\n        import colorsys\nd = D()\ndef f(): return d\nprint('end')",
    ),
    Case(
        name="teardown_sees",
        source="import sys\nclass D:\n    def __init__(self, n): self.n = n\n    def __del__(self): print(self.n, sys is None, sys and sys.meta_path, sys and sys.modules, 'later' in globals())\na = D(1)\ndef f(): return a\nlater = D(2)\n",
    ),
    Case(
        name="teardown_fails",
        source="class D:\n    def __del__(self): raise ValueError('in del')\nd = D()\nprint('end')",
    ),
    Case(
        name="teardown_exits",
        source="import sys\nclass D:\n    def __del__(self): sys.exit(9)\nd = D()\nprint('end')",
    ),
    Case(
        name="teardown_weakref",
        source="import weakref\nclass C: pass\nc = C()\nr = weakref.ref(c, lambda _: print('gone'))\nk = weakref.WeakKeyDictionary({c: 1})\nprint('end')",
    ),
    Case(
        name="teardown_finalize",
        source="import weakref, atexit\nclass C: pass\nc = C()\nweakref.finalize(c, print, 'finalized')\natexit.register(print, 'exit function')\nf = weakref.finalize(c, print, 'never'); f.atexit = False\nprint('end')",
    ),
    Case(
        name="teardown_temporary",
        source="import tempfile, os\nt = tempfile.TemporaryDirectory()\nf = tempfile.NamedTemporaryFile()\nopen('path', 'w').write(str(os.path.exists(t.name)))\nprint('end')",
        env={"PYTHONWARNINGS": "ignore"},
    ),
    Case(
        name="teardown_thread_daemon",
        source=_D
        + "import threading, time\ndef f():\n    while True: time.sleep(0.001)\nthreading.Thread(target=f, daemon=True).start()\nd = D('main')\nprint('end')",
    ),
    Case(
        name="teardown_thread_local",
        source=_D
        + "import threading\nl = threading.local()\nl.d = D('of the thread')\nprint('end')",
    ),
    Case(
        name="teardown_context",
        source=_D
        + "import contextvars\nv = contextvars.ContextVar('v')\nv.set(D('in a context'))\nprint('end')",
    ),
    Case(
        name="teardown_atexit_state",
        source="import atexit, sys, traceback\nx = 5\n@atexit.register\ndef f():\n    print(x, '__main__' in sys.modules, sys.argv[1:])\n    traceback.print_stack()\n    import colorsys\n    print(colorsys.__name__)\nprint('end')",
        args=("a",),
    ),
    Case(
        name="teardown_atexit_adds",
        source="import atexit\natexit.register(lambda: atexit.register(print, 'added late'))\nprint('end')",
    ),
    Case(
        name="teardown_atexit_thread",
        source="import atexit, threading\ndef f():\n    try:\n        t = threading.Thread(target=print, args=('late thread',)); t.start(); t.join()\n    except RuntimeError as e:\n        print(e)\natexit.register(f)\nprint('end')",
    ),
    Case(
        name="teardown_logging",
        source="import logging, logging.handlers\nh = logging.FileHandler('log.txt', delay=True)\nm = logging.handlers.MemoryHandler(100, target=h)\nlogging.getLogger().addHandler(m)\nlogging.warning('at the very end')\nprint('end')",
    ),
    Case(
        name="teardown_executor",
        source="from concurrent.futures import ThreadPoolExecutor\nimport time\ne = ThreadPoolExecutor(2)\ndef w(n):\n    time.sleep(0.05)\n    print('done', n)\nfor n in range(1): e.submit(w, n)\nprint('end')",
    ),
    Case(
        name="teardown_fork",
        source=_D
        + "import os, sys\nd = D('both')\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint('parent' if pid else 'child')\nsys.stdout.flush()",
    ),
    Case(
        name="teardown_stdout_full",
        source="import os, sys\nd = os.open('/dev/full', os.O_WRONLY)\nsys.stdout.write('kept back')\nos.dup2(d, 1)",
        env={"PYTHONUNBUFFERED": ""},
    ),
    Case(
        name="teardown_metaclass",
        source="class M(type):\n    def __del__(cls): print('class', cls.__name__)\nclass C(metaclass=M): pass\nprint('end')",
    ),
    Case(
        name="teardown_registered",
        source=_D
        + "import copyreg, collections.abc, functools\nclass C: d = D('of a registered class')\ncollections.abc.Sized.register(C)\n@functools.lru_cache\ndef f(x): return D(x)\nf('cached')\nprint('end')",
    ),
    Case(
        name="teardown_main_gone",
        source="import sys\nclass D:\n    def __del__(self): print(__name__, sys.modules.get('__main__'))\nsys.keep = D()\ndel sys.modules['__main__']\nprint('end')",
    ),
    Case(
        name="teardown_asyncio",
        source="import asyncio\nloop = asyncio.new_event_loop()\nasync def f():\n    try:\n        await asyncio.sleep(60)\n    finally:\n        print('finally')\nt = loop.create_task(f())\nloop.call_later(0.02, loop.stop)\nloop.run_forever()\nprint('end')",
    ),
    Case(
        name="teardown_c_output",
        source="import ctypes\nctypes.CDLL(None).printf(b'held back by C')\nprint('end')",
    ),
]
