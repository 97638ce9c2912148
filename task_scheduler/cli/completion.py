"""Completion in bash, zsh and fish: what to put into a shell, and the answer to its questions.

Responsible for: the scripts, which call ``tsk`` at every TAB with the line so far, and the forms in
which each shell wants its answer. What can be completed is decided by the commands. Nothing here is
ever told as an error, and nothing is changed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from task_scheduler.cli.parameters import GLOBAL_NAMES
from task_scheduler.i18n import translate

__all__ = ["SHELLS", "answer", "command_items", "script_for", "with_help"]

_PROGRAM = "tsk"
_VARIABLE = "_TSK_COMPLETE"

_BASH = """\
# Completion of tsk for bash 4.4 and later; made by: tsk completion bash
_tsk_completion() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            plain,*) COMPREPLY+=("${line#plain,}") ;;
            file,*) compopt -o default ;;
            dir,*) compopt -o dirnames ;;
        esac
    done < <(TSK_LINE="${COMP_LINE:0:COMP_POINT}" TSK_BREAKS="$COMP_WORDBREAKS" \\
        _TSK_COMPLETE=bash_complete "${1/#\\~\\//$HOME/}" 2>/dev/null)
}
complete -o nosort -F _tsk_completion tsk task-scheduler
"""

_ZSH = """\
#compdef tsk task-scheduler
# Completion of tsk for zsh; made by: tsk completion zsh
_tsk_completion() {
    local -a plain described response
    local type key descr
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        _TSK_COMPLETE=zsh_complete ${(Q)~words[1]} 2>/dev/null)}")
    for type key descr in ${response}; do
        case $type in
            plain)
                if [[ $descr == _ ]]; then plain+=("$key"); else described+=("$key:$descr"); fi ;;
            file) _path_files -f ;;
            dir) _path_files -/ ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _tsk_completion "$@"
else
    compdef _tsk_completion tsk task-scheduler
fi
"""

_FISH = """\
# Completion of tsk for fish; made by: tsk completion fish
function _tsk_completion
    set -l words (commandline -opc)
    set -l response (env _TSK_COMPLETE=fish_complete \\
        COMP_WORDS=(commandline -cp | string collect) \\
        COMP_CWORD=(commandline -ct | string collect -a) $words[1] 2>/dev/null)
    for line in $response
        set -l parts (string split -m 1 , -- $line)
        switch $parts[1]
            case plain
                echo -- $parts[2]
            case file
                __fish_complete_path $parts[2]
            case dir
                __fish_complete_directories $parts[2]
        end
    end
end
complete --no-files --command tsk --command task-scheduler --arguments "(_tsk_completion)"
"""


class _Bash(BashComplete):
    """bash splits words at ``:`` and ``=`` too, and takes what it is given as it stands."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one at it as it is meant."""
        # One letter more makes a word of the empty one too, and ends an escape.
        words = split_arg_string(f"{os.environ['TSK_LINE']}x")
        return words[1:-1], words[-1][:-1]

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return a value as it can stand in the line, without what bash keeps of the word."""
        typed = _last_word(os.environ["TSK_LINE"])
        if typed[:1] in ("'", '"'):
            return f"{item.type},{item.value}"
        value = _SPECIAL.sub(r"\\\1", item.value)
        kept = typed.rpartition(":")
        prefix = kept[0] + kept[1] if ":" in os.environ.get("TSK_BREAKS", ":") else ""
        return f"{item.type},{value.removeprefix(prefix)}"


SHELLS: dict[str, tuple[type[ShellComplete], str]] = {
    "bash": (_Bash, _BASH),
    "zsh": (ZshComplete, _ZSH),
    "fish": (FishComplete, _FISH),
}
"""Of each shell: how it is answered, and what it is given."""
_SPECIAL = re.compile(r"([^\w@%+.,/:=-])")


def script_for(shell: str) -> str:
    """Return what is put into a shell."""
    return SHELLS[shell][1]


def answer(program: click.Command, instruction: str) -> int:
    """Answer the question that a script asks, ``bash_complete`` say; return the exit code."""
    shell, _, verb = instruction.partition("_")
    if shell not in SHELLS or verb != "complete":
        return 1
    kind = SHELLS[shell][0]
    try:
        with _silence():
            text = kind(program, {}, _PROGRAM, _VARIABLE).complete()
    except Exception:  # fence: request
        # A wrong configuration, a damaged ledger: whoever presses TAB learns it from the command.
        return 1
    if text:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    return 0


def command_items(names: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    """Return the commands that begin so, each with its sentence; none of them is imported."""
    return [
        CompletionItem(name, help=translate(f"cli.about_{name}"))
        for name in names
        if name.startswith(incomplete)
    ]


def with_help(
    command: click.Command, items: list[CompletionItem[str]]
) -> list[CompletionItem[str]]:
    """Give options the sentences of the help."""
    keys = {"-h": "help", "--help": "help"}
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name is not None:
            is_global = parameter.name in GLOBAL_NAMES
            key = parameter.name if is_global else f"{command.name}_{parameter.name}"
            keys |= dict.fromkeys([*parameter.opts, *parameter.secondary_opts], key)
    for item in items:
        if item.value in keys:
            item.help = translate(f"cli.option_{keys[item.value]}")
    return items


def _last_word(line: str) -> str:
    """Return the word at the end of a line as it was typed, with its quotes."""
    begin, quote, is_escaped = 0, "", False
    for place, letter in enumerate(line):
        if is_escaped:
            is_escaped = False
        elif letter == "\\" and quote != "'":
            is_escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter.isspace():
            begin = place + 1
    return line[begin:]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Let nothing but the answer reach the shell: a callback of an option may have words."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield
