"""The launch guard: what the configuration's section `security` makes of a start.

Responsible for: defaults over which a task's own confinement stands, users and groups by number,
the environment that a task inherits, and whether its script is opened and checked. Everything here
happens in the scheduler, before the order; what only the task's process can do is `confinement`.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.confinement import control_groups
from task_scheduler.confinement.control_groups import (
    AUTO,
    LIMITS_BY_GROUP,
    ONLY_BY_GROUP,
    ControlGroups,
)
from task_scheduler.confinement.refusal import StartRefusedError
from task_scheduler.core.model import LaunchSpec
from task_scheduler.errors import DefinitionError
from task_scheduler.i18n import translate
from task_scheduler.masking import Masker, StreamMasker
from task_scheduler.targets import TargetPolicy
from task_scheduler.tasks.confinement import ports_of
from task_scheduler.tasks.context import Lent
from task_scheduler.tasks.process import ProcessTask
from task_scheduler.tasks.registry import kind_of
from task_scheduler.tasks.script import ScriptTask
from task_scheduler.tasks.task import BaseTask
from task_scheduler.vault import SecretSource, Vault

__all__ = ["LaunchGuard", "SecurityRules", "group_reason", "sentence_of"]

SAFE_ENVIRONMENT = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR", "TMPDIR",
    "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""What tasks inherit where `security.enforce` is on and `security.environment` says nothing."""
_ANYWHERE = TargetPolicy(is_trusted=True)
_TRUSTED_ORIGINS = frozenset({"api", "config", "cli"})
"""Programs, the configuration and commands: whoever writes them may run any program here."""


@dataclass(frozen=True, slots=True)
class SecurityRules:
    """The section `security` as the scheduler uses it; paths absolute."""

    is_enforced: bool = False
    script_roots: tuple[str, ...] = ()
    function_modules: tuple[str, ...] | None = None
    """Modules, or packages, that stored references may name; None: all but Python's own."""
    environment: tuple[str, ...] | None = None
    """Names, or patterns of names, that tasks inherit; None: all, or the safe ones if enforced."""
    confinement: Mapping[str, Any] = field(default_factory=dict)
    """Of tasks that do not ask for another; as `tasks.confinement` makes it."""
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    """Where secrets lie, by their names."""
    targets: TargetPolicy = _ANYWHERE
    """Where requests may go; to what a stranger names it is applied without trust."""
    control_groups: str = AUTO
    """The group in which tasks get groups of their own: found by itself, off, or a folder."""

    def allows_function(self, reference: str) -> bool:
        """Whether a function may be imported because a stored or declared task names it.

        Whoever can write to the ledger or the configuration must not thereby run `os.system`: the
        modules of Python itself have to be named. What a program hands over as an object needs no
        import and is not asked about.
        """
        module, _, names = reference.partition(":")
        if any(name.startswith("__") for name in names.split(".")):
            # The way to everything else: loaders, globals, classes.
            return False
        if self.function_modules is None:
            return module.partition(".")[0] not in sys.stdlib_module_names
        return any(
            module == name or module.startswith(f"{name}.") for name in self.function_modules
        )


class LaunchGuard:
    """Makes of the command of an attempt what is really started."""

    def __init__(self, rules: SecurityRules | None = None) -> None:
        self.rules = rules or SecurityRules()
        self.masker = Masker()
        """Knows every secret that was handed to a task."""
        self._has_namespaces = False
        self._prepared: tuple[str, ControlGroups] | None = None
        self._preparing = threading.Lock()

    def allows_function(self, reference: str) -> bool:
        """Whether the rules of the moment allow to import a function."""
        return self.rules.allows_function(reference)

    def control_groups(self) -> ControlGroups:
        """Return the control groups that tasks get here, made ready the first time."""
        wish = self.rules.control_groups
        with self._preparing:
            if self._prepared is None or self._prepared[0] != wish:
                self._prepared = wish, control_groups.prepare(control_groups.find(wish))
            return self._prepared[1]

    def groups_here(self) -> ControlGroups:
        """Return the control groups that are in use; where none was needed yet, what is found."""
        wish, prepared = self.rules.control_groups, self._prepared
        if prepared is not None and prepared[0] == wish:
            return prepared[1]
        return control_groups.find(wish)

    def offered(self) -> dict[str, Any]:
        """Return to what tasks can be held here, as plain data; changes nothing."""
        from task_scheduler.confinement.network import (
            LANDLOCK_TCP,
            landlock_version,
            namespace_trouble,
        )

        groups = self.groups_here()
        return {
            "group": groups.base or None,
            "controllers": sorted(groups.controllers),
            "reason": groups.reason,
            "what": groups.what,
            "has_port_rules": landlock_version() >= LANDLOCK_TCP,
            "namespace_trouble": "" if self._has_namespaces else namespace_trouble(),
        }

    def guard(self, spec: LaunchSpec) -> LaunchSpec:
        """Return the command with its confinement in numbers, and what it inherits.

        Raises DefinitionError where what the task asks for cannot be had: its attempt has failed.
        """
        return self._guarded(spec, self.control_groups)

    def _guarded(self, spec: LaunchSpec, groups: Callable[[], ControlGroups]) -> LaunchSpec:
        wishes = {**self.rules.confinement, **spec.confinement}
        script = wishes.pop("script", None)
        plan: dict[str, Any] = {
            name: wishes[name] for name in ("umask", "nice", "no_new_privileges") if name in wishes
        }
        if "limits" in wishes:
            plan |= _limits(wishes["limits"], groups)
        account = {}
        if "user" in wishes or "group" in wishes:
            account = _account(wishes.get("user"), wishes.get("group"))
            plan |= {name: account[name] for name in ("uid", "gid", "groups")}
        network = wishes.get("network", "all")
        if network != "all":
            plan["network"] = self._network(network)
        digest = wishes.get("sha256")
        if script is not None and (self.rules.is_enforced or digest is not None):
            plan["script"] = {
                **script,
                "sha256": digest,
                "roots": list(self.rules.script_roots) if self.rules.is_enforced else [],
                "owners": [plan["uid"]] if plan.get("uid") else [],
                "is_lenient": not self.rules.is_enforced,
            }
        vault = Vault(self.rules.secrets, masker=self.masker)
        env, files = vault.fill(spec.env)
        if files:
            plan["files"] = files
        if files or env != dict(spec.env):
            # A confined process leaves no core: this one's would hold the secret.
            plan.setdefault("limits", {})
        return dataclasses.replace(
            spec,
            confinement=plan,
            env={**account.get("env", {}), **env},
            withheld=frozenset(vault.variables),
            masks=tuple(self.masker.forms),
            inherited=self.rules.environment
            if self.rules.environment is not None
            else SAFE_ENVIRONMENT
            if self.rules.is_enforced
            else None,
        )

    def _network(self, wish: str | Mapping[str, list[str]]) -> dict[str, Any]:
        # Loads ctypes.
        from task_scheduler.confinement.network import (
            LANDLOCK_TCP,
            landlock_version,
            namespace_trouble,
        )

        if not isinstance(wish, str):
            if landlock_version() < LANDLOCK_TCP:
                raise DefinitionError(
                    "confinement.landlock_missing", what=landlock_version(), why=""
                )
            return {"kind": "tcp", "connect": ports_of(wish["tcp"]), "bind": []}
        if not self._has_namespaces:
            # Tried until it is had: what forbids it may be mended meanwhile.
            if trouble := namespace_trouble():
                raise DefinitionError("confinement.namespace", what="", why=trouble)
            self._has_namespaces = True
        return {"kind": wish}

    def lend(self, origin: str, keep: Callable[[bytes], None]) -> Lent:
        """Return what a request may have and reach whose entry is of that origin.

        `keep` gets what it has to show, without the secrets that were handed out.
        """

        def keep_masked(output: bytes) -> None:
            stream = StreamMasker(self.masker.forms)
            keep(stream.feed(output) + stream.flush())

        is_trusted = origin in _TRUSTED_ORIGINS
        return Lent(
            read_secret=Vault(self.rules.secrets, masker=self.masker).read,
            targets=dataclasses.replace(self.rules.targets, is_trusted=is_trusted),
            keep_output=keep_masked,
        )

    def warnings_of(self, task: BaseTask) -> list[str]:
        """Return what will keep a task from starting, and what is not safe about its script."""
        if kind_of(task) not in ("script", "command"):
            return []
        assert isinstance(task, ProcessTask)
        wish = LaunchSpec(
            argv=(), working_dir=os.sep, env=task.env, confinement=dict(task.confinement)
        )
        owners: list[int] = []
        try:
            # Asked only: whoever checks a configuration moves no process.
            owners = [self._guarded(wish, self.groups_here).confinement.get("uid", 0)]
        except DefinitionError as error:
            return [_warning("refused_start", task, str(error))]
        if not isinstance(task, ScriptTask) or not os.path.isfile(task.script_path):  # noqa: PTH113
            # That a script is missing is told already.
            return []
        refusals = self._refusals(task.script_path, task.confinement.get("sha256"), owners)
        return [
            _warning(
                "refused_start"
                if self.rules.is_enforced or refusal.reason == "script_digest"
                else "unsafe_script",
                task,
                sentence_of(refusal),
            )
            for refusal in refusals
        ]

    def _refusals(
        self, path: str, digest: str | None, owners: Sequence[int]
    ) -> list[StartRefusedError]:
        """Return all that is wrong with a script's file."""
        from task_scheduler.confinement.script_file import open_checked  # hashes are not for all

        found: list[StartRefusedError] = []
        try:
            descriptor, _ = open_checked(
                path,
                roots=self.rules.script_roots,
                digest=digest,
                owners=owners,
                find=found.append,
            )
            os.close(descriptor)
        except StartRefusedError as refusal:
            found.append(refusal)
        return found


def _warning(key: str, task: BaseTask, finding: str) -> str:
    return translate(f"confinement.{key}", task_id=task.task_id, finding=finding)


def sentence_of(refusal: StartRefusedError) -> str:
    """Return a refusal in the user's language, with the remedy."""
    return translate(f"confinement.{refusal.reason}", what=refusal.what, why=refusal.why)


def _limits(limits: Mapping[str, int], groups: Callable[[], ControlGroups]) -> dict[str, Any]:
    """Divide limits between the control group of the attempt and each of its processes.

    Raises DefinitionError for one that nothing here keeps.
    """
    found = groups() if LIMITS_BY_GROUP.keys() & limits.keys() else ControlGroups()
    group, rest = control_groups.split(found, limits)
    for name in ONLY_BY_GROUP & rest.keys():
        reason = group_reason(found)
        raise DefinitionError("confinement.needs_group", name=name, reason=reason)
    return {"limits": rest, **({"group": group} if group else {})}


def group_reason(groups: ControlGroups) -> str:
    """Say why control groups do not keep every limit here; empty where they do."""
    return (
        translate(f"confinement.group_{groups.reason}", what=groups.what) if groups.reason else ""
    )


def _account(user: str | int | None, group: str | int | None) -> dict[str, Any]:
    """Return the numbers of an account, and the variables that name it."""
    import grp  # not everywhere, and rarely asked
    import pwd

    try:
        entry = None
        if user is not None:
            entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except KeyError:
        raise DefinitionError("confinement.no_user", value=user) from None
    try:
        gid = entry.pw_gid if entry else os.getgid()
        if group is not None:
            gid = (
                grp.getgrgid(group).gr_gid if isinstance(group, int) else grp.getgrnam(group).gr_gid
            )
    except KeyError:
        raise DefinitionError("confinement.no_group", value=group) from None
    uid = entry.pw_uid if entry else os.getuid()
    if os.geteuid() != 0 and (uid, gid) != (os.getuid(), os.getgid()):
        name = entry.pw_name if entry else str(uid)
        raise DefinitionError("confinement.not_root", value=name, own=os.getuid())
    groups = sorted(os.getgrouplist(entry.pw_name, gid)) if entry else [gid]
    env = {}
    if entry:
        env = {
            "HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name,
            "SHELL": entry.pw_shell or "/bin/sh",
        }  # fmt: skip
    return {"uid": uid, "gid": gid, "groups": groups, "env": env}
