"""Scripts about ends: exit codes, tracebacks, signals, exit functions, threads that go on."""

# ruff: noqa: E501  the lines of a script are as long as they are

from __future__ import annotations

from tests.integration.warm.case import Case

CASES = [
    Case(name="nothing", source=""),
    Case(name="prints", source="print('hello')"),
    Case(name="exit_code", source="import sys\nprint('before')\nsys.exit(3)"),
    Case(name="exit_text", source="import sys\nsys.exit('cannot go on: ä')"),
    Case(name="exit_none", source="import sys\nsys.exit(None)"),
    Case(name="exit_true", source="import sys\nsys.exit(True)"),
    Case(name="exit_float", source="import sys\nsys.exit(1.5)"),
    Case(name="exit_tuple", source="import sys\nsys.exit((1, 2))"),
    Case(name="exit_large", source="import sys\nsys.exit(70_000)"),
    Case(name="exit_negative", source="import sys\nsys.exit(-2)"),
    Case(name="exit_huge", source="import sys\nsys.exit(10 ** 30)"),
    Case(name="exit_builtin", source="exit(4)"),
    Case(name="quit_text", source="quit('bye')"),
    Case(name="system_exit_raised", source="raise SystemExit(9)"),
    Case(name="system_exit_subclass", source="class E(SystemExit): pass\nraise E(8)"),
    Case(
        name="exit_code_object",
        source="class C:\n    def __str__(self): return 'the object'\nraise SystemExit(C())",
    ),
    Case(
        name="exit_in_function",
        source="import sys\ndef f():\n    try:\n        sys.exit(2)\n    finally:\n        print('tidy')\nf()",
    ),
    Case(name="os_exit", source="import os\nprint('kept?')\nos._exit(5)"),
    Case(
        name="os_exit_unflushed",
        source="import os, sys\nsys.stdout.write('in the buffer')\nos._exit(6)",
        env={"PYTHONUNBUFFERED": ""},
    ),
    Case(name="uncaught", source="def f(x):\n    return 1 / x\n\nprint('on the way')\nf(0)"),
    Case(
        name="uncaught_chain",
        source=(
            "def low():\n    return {}['key']\n"
            "def high():\n    try:\n        low()\n    except KeyError as e:\n"
            "        raise ValueError('bad') from e\nhigh()"
        ),
    ),
    Case(
        name="uncaught_during",
        source="try:\n    1 / 0\nexcept ZeroDivisionError:\n    undefined_name",
    ),
    Case(
        name="uncaught_group",
        source="raise ExceptionGroup('several', [ValueError(1), TypeError('two')])",
    ),
    Case(
        name="uncaught_note",
        source="e = RuntimeError('noted')\ne.add_note('look there')\nraise e",
    ),
    Case(
        name="uncaught_library",
        source="import json\njson.loads('{not json')",
    ),
    Case(name="uncaught_multiline", source="raise ValueError('''first\nsecond\n\nfourth''')"),
    Case(
        name="uncaught_bad_str",
        source="class E(Exception):\n    def __str__(self): raise RuntimeError('no')\nraise E",
    ),
    Case(name="uncaught_base", source="class Stop(BaseException): pass\nraise Stop('all')"),
    Case(name="syntax_error", source="print('never')\nif True\n    pass"),
    Case(name="indentation_error", source="def f():\n  a = 1\n    b = 2"),
    Case(name="null_byte", source="print(1)\n\0\nprint(2)"),
    Case(name="recursion", source="def f(n):\n    return f(n + 1)\nf(0)"),
    Case(
        name="recursion_depth",
        source=(
            "import sys\ndeepest = 0\ndef f(n):\n    global deepest\n    deepest = n\n    f(n + 1)\n"
            "try:\n    f(1)\nexcept RecursionError as e:\n    print(deepest, e)\n"
            "print(sys.getrecursionlimit())"
        ),
    ),
    Case(
        name="excepthook",
        source=(
            "import sys\ndef hook(kind, error, trace):\n"
            "    print('hook', kind.__name__, error, trace.tb_lineno, trace.tb_next)\n"
            "sys.excepthook = hook\nraise ValueError('hooked')"
        ),
    ),
    Case(
        name="excepthook_fails",
        source="import sys\ndef hook(*_):\n    raise KeyError('in the hook')\nsys.excepthook = hook\n1 / 0",
    ),
    Case(
        name="last_error",
        source=(
            "import sys, atexit\n"
            "print([n for n in dir(sys) if n.startswith('last_')])\n"
            "atexit.register(lambda: print(sys.last_type, sys.last_value, sys.last_traceback.tb_lineno))\n"
            "raise ValueError('last')"
        ),
    ),
    Case(name="keyboard_interrupt", source="print('x')\nraise KeyboardInterrupt"),
    Case(
        name="keyboard_interrupt_tidy",
        source="import atexit\natexit.register(print, 'tidied')\nraise KeyboardInterrupt('by hand')",
    ),
    Case(
        name="interrupted_by_signal",
        source="import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)",
    ),
    Case(
        name="killed_by_term",
        source="import os, signal, time\nprint('a', flush=True)\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)",
    ),
    Case(
        name="killed_by_kill",
        source="import os, signal\nprint('a', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)",
    ),
    Case(name="aborted", source="import os\nos.abort()"),
    Case(
        name="atexit_order",
        source=(
            "import atexit, sys\natexit.register(print, 'first')\natexit.register(print, 'second')\n"
            "@atexit.register\ndef f():\n    print('modules', 'sys' in sys.modules)\nprint('body')"
        ),
    ),
    Case(
        name="atexit_fails",
        source="import atexit\natexit.register(print, 'after')\natexit.register(lambda: 1 / 0)",
    ),
    Case(
        name="atexit_exits",
        source="import atexit, sys\natexit.register(sys.exit, 5)\nprint('body')",
    ),
    Case(
        name="thread_joined",
        source=(
            "import threading, time\ndef f():\n    time.sleep(0.1)\n    print('thread', threading.current_thread().name)\n"
            "threading.Thread(target=f).start()\nprint('main is done')"
        ),
    ),
    Case(
        name="thread_daemon",
        source="import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\nprint('over')",
    ),
    Case(
        name="thread_fails",
        source="import threading\ndef f():\n    raise ValueError('in a thread')\nt = threading.Thread(target=f, name='worker')\nt.start()\nt.join()\nprint('main goes on')",
    ),
    Case(
        name="thread_after_exit",
        source=(
            "import sys, threading, time\ndef f():\n    time.sleep(0.1)\n    print('still', flush=True)\n"
            "threading.Thread(target=f).start()\nsys.exit(3)"
        ),
    ),
    Case(
        name="main_thread",
        source=(
            "import threading\nm = threading.main_thread()\n"
            "print(m is threading.current_thread(), m.name, m.ident == threading.get_ident())\n"
            "print(threading.active_count(), threading.enumerate() == [m], m.daemon, m.is_alive())\n"
            "import os\nprint(threading.get_native_id() == os.getpid())"
        ),
    ),
    Case(
        name="thread_local",
        source=(
            "import threading, decimal, contextvars\nl = threading.local()\nl.x = 1\n"
            "print(decimal.getcontext().prec, len(contextvars.copy_context()))\n"
            "def f(): print(hasattr(l, 'x'))\nt = threading.Thread(target=f)\nt.start()\nt.join()"
        ),
    ),
    Case(
        name="teardown",
        source=(
            "import sys\nclass D:\n    def __init__(self, n): self.n = n\n"
            "    def __del__(self): print('del', self.n, sys is None)\n"
            "a = D('global')\n_b = D('underscore')\ndef f(): D('local')\nf()\nc = D('cycle'); c.me = c\nprint('end')"
        ),
    ),
    Case(
        name="weakref_finalize",
        source="import weakref\nclass C: pass\nc = C()\nweakref.finalize(c, print, 'finalized')\nprint('end')",
    ),
    Case(
        name="unraisable",
        source="class D:\n    def __del__(self): raise ValueError('ignored')\nd = D()\ndel d\nprint('on')",
    ),
    Case(name="stdout_closed", source="import sys\nprint('x')\nsys.stdout.close()"),
    Case(
        name="stdout_closed_below",
        source="import os, sys\nsys.stdout.write('lost')\nos.close(1)",
        env={"PYTHONUNBUFFERED": ""},
    ),
    Case(name="broken_pipe", source="import os\nr, w = os.pipe()\nos.close(r)\nos.write(w, b'x')"),
]
