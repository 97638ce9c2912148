"""Scripts about what they find: `__main__`, `sys`, streams, environment, signals, files, children."""

# ruff: noqa: E501  the lines of a script are as long as they are

from __future__ import annotations

from tests.integration.warm.case import Case

CASES = [
    Case(
        name="main_module",
        source=(
            "import sys\nm = sys.modules['__main__']\n"
            "print(list(vars(m)), vars(m) is globals(), m)\n"
            "print(__name__, __file__, __doc__, __package__, __spec__, type(__loader__).__name__)\n"
            "print(__cached__ if '__cached__' in globals() else None, type(__builtins__).__name__)\n"
            "print(__loader__.name, __loader__.path)"
        ),
    ),
    Case(name="main_docstring", source='"""What it is."""\nprint(__doc__)'),
    Case(name="main_guard", source="if __name__ == '__main__':\n    print('guarded')"),
    Case(
        name="main_imported",
        source="import __main__\nx = 1\nprint(__main__.x, __main__.__file__ == __file__)",
    ),
    Case(
        name="future",
        source="from __future__ import annotations\ndef f(x: undefined): ...\nprint(f.__annotations__)",
    ),
    Case(name="annotations", source="x: int = 1\ny: str\nprint(__annotations__)"),
    Case(
        name="argv",
        source="import sys\nprint(sys.argv)\nprint(sys.orig_argv)",
        args=("one", "two words", "", "--flag=ä", "-c"),
    ),
    Case(
        name="argparse",
        source="import argparse\nargparse.ArgumentParser().parse_args()",
        args=("--no",),
    ),
    Case(
        name="executable", source="import sys\nprint(sys.executable, sys.prefix, sys.base_prefix)"
    ),
    Case(
        name="path",
        source="import sys\nprint(sys.path)\nprint(sys.meta_path)\nprint([type(h).__name__ for h in sys.path_hooks])",
    ),
    Case(
        name="flags",
        source="import sys\nprint(sys.flags, sys.warnoptions, sys._xoptions, sys.dont_write_bytecode)",
    ),
    Case(
        name="imports_beside",
        source="import neighbour\nfrom package import inner\nprint(neighbour.__file__, inner.value, neighbour.__cached__)",
        files={
            "neighbour.py": "print('neighbour is loaded by', __name__)\n",
            "package/__init__.py": "",
            "package/inner.py": "from . import other\nvalue = other.value + 1\n",
            "package/other.py": "value = 41\n",
        },
    ),
    Case(name="relative_import", source="from . import neighbour"),
    Case(name="missing_import", source="import no_such_module_anywhere"),
    Case(name="own_namesake", source="import task_scheduler\n", env={"PYTHONPATH": ""}),
    Case(
        name="ours_is_not_loaded",
        source="import sys\nprint([n for n in sys.modules if n.startswith('task_scheduler')])",
    ),
    Case(
        name="find_spec",
        source="import importlib.util\nprint(importlib.util.find_spec('json').origin)",
    ),
    Case(
        name="stack",
        source=(
            "import inspect, sys, traceback\nprint(len(inspect.stack()))\ntraceback.print_stack()\n"
            "try:\n    sys._getframe(1)\nexcept ValueError as e:\n    print(e)\n"
            "print(sys._getframe().f_back, sys.exc_info())"
        ),
    ),
    Case(
        name="warnings",
        source=(
            "import warnings\nwarnings.warn('plain')\nwarnings.warn('deep', stacklevel=5)\n"
            "warnings.warn('old', DeprecationWarning)\nprint(len(warnings.filters))\n"
            "def f(): warnings.warn('once here')\nfor _ in range(3): f()"
        ),
    ),
    Case(
        name="warnings_as_errors",
        source="import warnings\nwarnings.warn('x')",
        env={"PYTHONWARNINGS": "error"},
    ),
    Case(
        name="resource_warning",
        source="open(__file__)\nprint('on')",
        env={"PYTHONWARNINGS": "always"},
    ),
    Case(
        name="logging",
        source=(
            "import logging\nlogging.basicConfig(format='%(levelname)s %(name)s %(threadName)s %(processName)s %(message)s')\n"
            "logging.warning('w')\nlogging.getLogger('x').error('e', stack_info=True)\n"
            "r = logging.makeLogRecord({})\nprint(0 <= r.relativeCreated < 20_000)"
        ),
    ),
    Case(
        name="streams",
        source=(
            "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr):\n"
            "    print(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines,\n"
            "          s.isatty(), s.fileno(), s.seekable(), s.readable(), s.writable(), type(s.buffer).__name__)\n"
            "print(sys.__stdout__ is sys.stdout, sys.__stderr__ is sys.stderr, sys.__stdin__ is sys.stdin)"
        ),
    ),
    Case(
        name="streams_buffered",
        source=(
            "import sys\nprint(sys.stdout.write_through, type(sys.stdout.buffer).__name__)\n"
            "print('out'); print('err', file=sys.stderr); print('out again')"
        ),
        env={"PYTHONUNBUFFERED": ""},
    ),
    Case(
        name="stdin_empty",
        source="import sys\nprint(repr(sys.stdin.read()), repr(sys.stdin.buffer.read()))",
    ),
    Case(name="input_fails", source="input('who? ')"),
    Case(name="big_output", source="for i in range(20_000):\n    print(i, 'x' * 20)"),
    Case(name="big_line", source="import sys\nsys.stdout.write('y' * 700_000)"),
    Case(
        name="binary_output",
        source="import sys\nsys.stdout.buffer.write(bytes(range(256)))\nprint()",
    ),
    Case(
        name="mixed_output",
        source="import os, sys\nfor i in range(50):\n    print(i)\n    os.write(1, b'raw\\n')\n    print('e', i, file=sys.stderr)",
    ),
    Case(name="surrogates", source="print('\\udcff')"),
    Case(name="unicode_output", source="print('日本語 ä 🐟')"),
    Case(
        name="latin_source", source="# -*- coding: latin-1 -*-\nprint('ä', len('ä'))", is_latin=True
    ),
    Case(name="latin_undeclared", source="print('ä')", is_latin=True),
    Case(
        name="ascii_streams",
        source="import sys\nprint(sys.stdout.encoding)\nprint('ä')",
        env={"PYTHONIOENCODING": "ascii"},
    ),
    Case(
        name="c_locale",
        source=(
            "import locale, os, sys\nprint(locale.setlocale(locale.LC_CTYPE), sys.getfilesystemencoding(), sys.stdout.encoding)\n"
            "print(sys.stdout.errors, sys.flags.utf8_mode, os.environ.get('LC_CTYPE'), list(os.environ)[:-1])"
        ),
        env={"LANG": "C", "LC_ALL": ""},
    ),
    Case(
        name="posix_locale_kept",
        source="import locale, sys, os\nprint(locale.setlocale(locale.LC_CTYPE), sys.stdout.encoding, sys.flags.utf8_mode, os.environ.get('LC_CTYPE'))",
        env={"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ),
    Case(
        name="locale_names",
        source="import locale\nprint(locale.getlocale(), locale.getpreferredencoding(False), locale.localeconv()['decimal_point'])",
    ),
    Case(
        name="environment",
        source=(
            "import os, subprocess\nold = 'TASK_SCHEDULER_ATTEMPT_FOLDER'\n"
            "print([(k, v) for k, v in os.environ.items() if k != old])\n"
            "print(old in os.environ, os.getenv('ADDED'), os.environb[b'ADDED'])\n"
            "import posix\nprint(posix.environ == dict(os.environb))\n"
            "print(sorted(subprocess.check_output(['env'], text=True).splitlines())[:3])\n"
            "os.environ['NEW'] = '1'\nprint(subprocess.check_output(['sh', '-c', 'echo $NEW$ADDED'], text=True))"
        ),
        env={"ADDED": "value with = and ä", "AAA": ""},
    ),
    Case(
        name="zone",
        source="import time, datetime\nprint(time.tzname, time.timezone, datetime.datetime.fromtimestamp(0))",
        env={"TZ": "Asia/Tokyo"},
    ),
    Case(name="zone_of_machine", source="import time\nprint(time.tzname, time.localtime(0)[:6])"),
    Case(
        name="hash_seed",
        source="print(hash('text'), list({'a', 'b', 'c', 'd'}))",
        env={"PYTHONHASHSEED": "12"},
    ),
    Case(
        name="python_path",
        source="import extra\nprint(extra.value)",
        env={"PYTHONPATH": "{beside}/lib"},
        files={"lib/extra.py": "value = 5\n"},
    ),
    Case(
        name="safe_path",
        source="import sys\nprint(sys.path[0] == sys.path[-1], sys.flags.safe_path)\nimport neighbour_of_safe",
        env={"PYTHONSAFEPATH": "1"},
    ),
    Case(name="optimized", source="assert False\nprint(__debug__)", env={"PYTHONOPTIMIZE": "1"}),
    Case(
        name="dev_mode",
        source="import sys\nprint(sys.flags.dev_mode)\nopen(__file__)",
        env={"PYTHONDEVMODE": "1"},
    ),
    Case(
        name="faulthandler",
        source="import faulthandler\nprint(faulthandler.is_enabled())",
        env={"PYTHONFAULTHANDLER": "1"},
    ),
    Case(
        name="no_user_site",
        source="import site\nprint(site.ENABLE_USER_SITE)",
        env={"PYTHONNOUSERSITE": "1"},
    ),
    Case(
        name="signals",
        source=(
            "import signal\nfor n in sorted(signal.valid_signals()):\n    h = signal.getsignal(n)\n    print(n, getattr(h, '__name__', h))\n"
            "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getitimer(signal.ITIMER_REAL))\n"
            "print(signal.set_wakeup_fd(-1))"
        ),
    ),
    Case(
        name="signal_status",
        source="print([l for l in open('/proc/self/status') if l.startswith(('Sig', 'Shd', 'Threads', 'Umask', 'NoNew', 'Seccomp', 'Groups'))])",
    ),
    Case(
        name="signal_handler",
        source=(
            "import os, signal, threading\nsignal.signal(signal.SIGUSR1, lambda n, f: print('got', n, f.f_code.co_name))\n"
            "os.kill(os.getpid(), signal.SIGUSR1)\nsignal.signal(signal.SIGALRM, lambda n, f: print('alarm'))\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.05)\nsignal.pause()"
        ),
    ),
    Case(
        name="descriptors",
        source="import os\nn = os.listdir('/proc/self/fd')\nprint(sorted(n))\nf = open('/dev/null')\nprint(f.fileno())",
    ),
    Case(
        name="descriptors_inherited",
        source="import subprocess\nprint(subprocess.run(['sh', '-c', 'ls /proc/self/fd'], close_fds=False, capture_output=True, text=True).stdout)",
    ),
    Case(
        name="process",
        source=(
            "import os\nprint(os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid(), os.getcwd() == os.environ['PWD'])\n"
            "print(open('/proc/self/comm').read(), os.sched_getaffinity(0) is not None, os.getpriority(0, 0))\n"
            "print(open('/proc/self/oom_score_adj').read(), os.umask(0))"
        ),
        env={"PWD": "{cwd}"},
    ),
    Case(
        name="command_line",
        source="print(open('/proc/self/cmdline', 'rb').read().rstrip(b'\\0').split(b'\\0'))",
        args=("a", "b c"),
    ),
    Case(
        name="limits", source="import resource\nprint([resource.getrlimit(n) for n in range(16)])"
    ),
    Case(
        name="times",
        source="import time, os, resource\nprint(time.process_time() < 2, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, os.times().children_user)",
    ),
    Case(
        name="files",
        source="open('made.txt', 'w').write('text')\nimport os, pathlib\npathlib.Path('d/e').mkdir(parents=True)\nprint(os.listdir(), oct(os.stat('made.txt').st_mode))",
    ),
    Case(
        name="relative_files",
        source="from pathlib import Path\nprint(Path(__file__).with_name('data.txt').read_text(), Path('data.txt').exists())",
        files={"data.txt": "the data"},
    ),
    Case(
        name="random_state",
        source="import random, uuid, tempfile, secrets\nrandom.seed(4)\nprint(random.random(), len(uuid.uuid4().hex), len(secrets.token_hex()), tempfile.gettempdir())",
    ),
    Case(
        name="fork",
        source=(
            "import os, sys\nprint('before', flush=True)\npid = os.fork()\nif pid == 0:\n    print('child', os.getppid() != 1)\n    sys.exit(7)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
        ),
    ),
    Case(
        name="at_fork",
        source=(
            "import os\nos.register_at_fork(before=lambda: print('before', flush=True), after_in_parent=lambda: print('parent', flush=True))\n"
            "pid = os.fork()\nif not pid: os._exit(0)\nos.waitpid(pid, 0)"
        ),
    ),
    Case(
        name="multiprocessing_fork",
        source=(
            "import multiprocessing as m\ndef f(x): return x * x\n"
            "if __name__ == '__main__':\n    c = m.get_context('fork')\n    with c.Pool(2) as p: print(p.map(f, range(5)))\n"
            "    print(m.current_process().name, m.parent_process())\n"
            "    q = c.Process(target=print, args=('in it',)); q.start(); q.join(); print(q.exitcode)"
        ),
    ),
    Case(
        name="multiprocessing_spawn",
        source=(
            "import multiprocessing as m, os\nprint('loaded as', __name__, flush=True)\ndef f(x): return x + 1, os.path.basename(__file__)\n"
            "if __name__ == '__main__':\n    c = m.get_context('spawn')\n    with c.Pool(1) as p: print(p.map(f, [1]))"
        ),
    ),
    Case(
        name="executor",
        source="from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as e: print(list(e.map(abs, [-1, -2])))\ne = ThreadPoolExecutor(1); print(e.submit(len, 'abc').result())",
    ),
    Case(
        name="asyncio",
        source=(
            "import asyncio, sys\nasync def f():\n    p = await asyncio.create_subprocess_exec(sys.executable, '-c', 'print(5)', stdout=-1)\n"
            "    print((await p.communicate())[0], await asyncio.to_thread(len, 'ab'))\nasyncio.run(f())"
        ),
    ),
    Case(
        name="subprocess",
        source="import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv, sys.stdin.read())', 'a'], capture_output=True, text=True))",
    ),
    Case(
        name="own_exec",
        source="import os, sys\nprint('now', flush=True)\nos.execv(sys.executable, [sys.executable, '-c', 'import sys; print(\"executed\"); sys.exit(3)'])",
    ),
    Case(
        name="runpy",
        source="import runpy\nprint(runpy.run_path('other.py')['x'])\nprint(__name__)",
        files={},
    ),
    Case(
        name="dynamic_code",
        source="exec(compile('print(__name__, __file__)', '<made>', 'exec'))\nprint(eval('1 + 1'))",
    ),
    Case(
        name="pickle_main",
        source="import pickle\nclass C: pass\nprint(pickle.loads(pickle.dumps(C())).__class__ is C)",
    ),
    Case(
        name="dataclass",
        source="import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\nprint(P(1), P.__module__)",
    ),
    Case(
        name="gc_state",
        source="import gc\nprint(gc.isenabled(), gc.get_threshold(), gc.garbage)\nclass C: pass\nc = C(); c.c = c; del c\nprint(gc.collect() > 0)",
    ),
    Case(
        name="interned",
        source="import sys\nprint(sys.getswitchinterval(), sys.getprofile(), sys.gettrace(), sys.float_info.dig, sys.get_int_max_str_digits())",
    ),
    Case(
        name="settrace",
        source="import sys\nsys.settrace(lambda f, e, a: print(e, f.f_code.co_name))\ndef g(): pass\ng()\nsys.settrace(None)",
    ),
    Case(
        name="urllib",
        source="import urllib.request\ntry:\n    urllib.request.urlopen('http://127.0.0.1:9/')\nexcept OSError as e:\n    print(type(e).__name__, e.reason)",
    ),
    Case(
        name="sqlite",
        source="import sqlite3\nc = sqlite3.connect('x.db')\nc.execute('create table t (a)')\nc.execute('insert into t values (1)')\nc.commit()\nprint(c.execute('select * from t').fetchall())",
    ),
]
