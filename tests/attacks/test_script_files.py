"""Scripts that are not what they seem: links, swaps, pipes, foreign owners, doors left open."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.confinement.refusal import StartRefusedError
from task_scheduler.confinement.script_file import copy_sealed, open_checked

NOBODY = 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def root(folder: Path) -> Path:
    """Give a folder of scripts as it should be, with a good one in it."""
    made = folder / "jobs"
    made.mkdir(mode=0o755)
    good = made / "good.py"
    good.write_text("good\n")
    good.chmod(0o644)
    return made


@pytest.fixture
def evil(folder: Path) -> Path:
    made = folder / "evil.py"
    made.write_text("evil\n")
    made.chmod(0o644)
    return made


def refused(path: Path | str, **more: Any) -> tuple[str, str]:
    """Return why a script is refused and what is named as wrong; it must be refused."""
    with pytest.raises(StartRefusedError) as found:
        os.close(open_checked(str(path), **more)[0])
    return found.value.reason, found.value.what


def content(path: Path | str, **more: Any) -> bytes:
    descriptor, _ = open_checked(str(path), **more)
    try:
        return os.pread(descriptor, 100, 0)
    finally:
        os.close(descriptor)


def test_the_good_one_is_opened(root: Path) -> None:
    assert content(root / "good.py", roots=[str(root)]) == b"good\n"


WAYS_OUT: dict[str, Callable[[Path, Path], str]] = {
    "parent": lambda root, evil: f"{root}/../{evil.name}",
    "through-a-file": lambda root, evil: f"{root}/good.py/../../{evil.name}",
    "double-slash": lambda root, evil: f"{root}//..//{evil.name}",
    "absolute": lambda _, evil: str(evil),
    "link": lambda root, evil: linked(root / "link.py", evil),
    "link-to-link": lambda root, evil: linked(root / "b.py", linked(root / "a.py", evil)),
    "relative-link": lambda root, evil: linked(root / "r.py", f"../{evil.name}"),
    "linked-folder": lambda root, evil: f"{linked(root / 'd', evil.parent)}/{evil.name}",
    "proc-root": lambda _, evil: f"/proc/self/root{evil}",
    "proc-cwd": lambda _, evil: f"/proc/self/cwd/../../../../../../../../..{evil}",
    "sibling-with-the-same-beginning": lambda root, _: sibling(root),
}


def linked(path: Path, target: Path | str) -> str:
    path.symlink_to(target)
    return str(path)


def sibling(root: Path) -> str:
    other = root.with_name(root.name + "-old")
    other.mkdir(mode=0o755)
    (other / "x.py").write_text("evil\n")
    (other / "x.py").chmod(0o644)
    return str(other / "x.py")


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_way_leads_out_of_the_roots(way: str, root: Path, evil: Path) -> None:
    path = WAYS_OUT[way](root, evil)

    reason, _ = refused(path, roots=[str(root)])

    assert reason in ("script_outside", "script_unopened"), reason


@pytest.mark.parametrize("name", ["", ".", "..", "/", "good.py/", "good.py/."])
def test_a_path_that_names_no_file_is_refused(name: str, root: Path) -> None:
    if name.startswith("good"):
        # To the system this is another name of the file, or none.
        assert content(f"{root}/{name}", roots=[str(root)]) == b"good\n"
    else:
        refused(f"{root}/{name}" if name else "", roots=[str(root)])


def test_a_root_is_no_script(root: Path) -> None:
    assert refused(root, roots=[str(root)])[0] == "script_outside"


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


KINDS: dict[str, Callable[[Path], Any]] = {
    "folder": lambda path: path.mkdir(mode=0o755),
    "pipe": lambda path: os.mkfifo(path, 0o644),
    "socket": bound,
    "broken-link": lambda path: path.symlink_to(path.with_name("nothing")),
    "link-to-itself": lambda path: path.symlink_to(path),
    "link-to-a-device": lambda path: path.symlink_to("/dev/zero"),
    "link-to-a-terminal": lambda path: path.symlink_to("/dev/tty"),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_at_once(
    kind: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    KINDS[kind](root / "x.py")

    assert refused(root / "x.py")[0] in ("script_unopened", "script_changed")


@needs_root
@pytest.mark.parametrize(("kind", "number"), [("zero", 5), ("null", 3), ("random", 8)])
def test_a_device_is_no_script(kind: str, number: int, root: Path) -> None:
    path = root / "device"
    try:
        os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, number))
    except PermissionError:
        # Here not even root may: what the system has itself is as good.
        path = Path(f"/dev/{kind}")

    assert refused(path)[0] in ("script_unopened", "script_writable")


MODES = [0o666, 0o664, 0o646, 0o622, 0o602, 0o620, 0o777, 0o1666, 0o2666, 0o4666, 0o6777]


@pytest.mark.parametrize("mode", MODES, ids=oct)
def test_a_file_that_others_may_write_is_refused_and_named(mode: int, root: Path) -> None:
    (root / "good.py").chmod(mode)

    assert refused(root / "good.py") == ("script_writable", str(root / "good.py"))


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o773, 0o2777, 0o722], ids=oct)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_folder_that_others_may_write_is_refused_and_named(
    depth: int, mode: int, root: Path
) -> None:
    deep = root / "a" / "b"
    deep.mkdir(parents=True)
    for place in (root / "a", deep):
        place.chmod(0o755)
    (deep / "x.py").write_text("x")
    (deep / "x.py").chmod(0o644)
    bad = [root, root / "a", deep][depth]
    bad.chmod(mode)

    assert refused(deep / "x.py") == ("script_writable", str(bad))


@needs_root
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_sticky_folder_of_somebody_else_is_no_better(depth: int, root: Path) -> None:
    deep = root / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "x.py").write_text("x")
    for place in (root / "a", deep):
        place.chmod(0o755)
    bad = [root, root / "a", deep][depth]
    bad.chmod(0o1777)
    os.chown(bad, NOBODY, NOBODY)

    assert refused(deep / "x.py") == ("script_foreign", str(bad))


@needs_root
@pytest.mark.parametrize("who", ["file", "folder", "link-target"])
def test_what_another_user_owns_is_refused(who: str, root: Path, evil: Path) -> None:
    path = root / "good.py"
    if who == "link-target":
        os.chown(evil, NOBODY, NOBODY)
        path = Path(linked(root / "l.py", evil))
    else:
        os.chown(path if who == "file" else root, NOBODY, NOBODY)

    assert refused(path)[0] == "script_foreign"


@needs_root
def test_the_user_of_the_task_may_own_it_and_no_third_one(root: Path) -> None:
    os.chown(root / "good.py", NOBODY, NOBODY)

    assert content(root / "good.py", owners=[NOBODY]) == b"good\n"
    assert refused(root / "good.py", owners=[12_345])[0] == "script_foreign"


@pytest.mark.parametrize("moment", ["before", "between"])
@pytest.mark.parametrize("what", ["content", "longer", "empty", "other-file"])
def test_a_pinned_script_that_is_another_is_refused(moment: str, what: str, root: Path) -> None:
    path = root / "good.py"
    digest = hashlib.sha256(b"good\n").hexdigest()

    def tamper() -> None:
        if what == "other-file":
            path.unlink()
        path.write_text({"content": "evil\n", "longer": "good\nevil\n", "empty": ""}.get(what, "x"))
        path.chmod(0o644)

    if moment == "before":
        tamper()
        assert refused(path, digest=digest)[0] == "script_digest"
        return
    descriptor, _ = open_checked(str(path), digest=digest)
    tamper()
    if what == "other-file":
        # The old one is what is held.
        copy = copy_sealed(descriptor, "x", digest)
        assert os.pread(copy, 100, 0) == b"good\n"
        os.close(copy)
    else:
        with pytest.raises(StartRefusedError) as found:
            copy_sealed(descriptor, "x", digest)
        assert found.value.reason == "script_changed"


@pytest.mark.parametrize("digest", ["", "0" * 64, "x" * 64, "0" * 63])
def test_a_digest_that_is_none_fits_nothing(digest: str, root: Path) -> None:
    assert refused(root / "good.py", digest=digest)[0] == "script_digest"


def test_the_copy_of_a_pinned_script_cannot_be_changed(root: Path) -> None:
    digest = hashlib.sha256(b"good\n").hexdigest()
    descriptor, _ = open_checked(str(root / "good.py"), digest=digest)
    copy = copy_sealed(descriptor, "x", digest)

    with pytest.raises(PermissionError):
        os.pwrite(copy, b"evil\n", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(copy, 0)
    with pytest.raises(PermissionError):
        os.pwrite(os.open(f"/proc/self/fd/{copy}", os.O_RDWR), b"evil\n", 0)
    assert os.pread(copy, 100, 0) == b"good\n"
    os.close(copy)


def test_what_was_opened_stays_whoever_swaps_the_file(root: Path, evil: Path) -> None:
    descriptor, _ = open_checked(str(root / "good.py"), roots=[str(root)])

    evil.replace(root / "good.py")

    assert os.pread(descriptor, 100, 0) == b"good\n"
    os.close(descriptor)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_that_comes_after_the_names_were_resolved_is_not_followed(
    what: str, root: Path, evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = root / "in"
    inner.mkdir(mode=0o755)
    (inner / "evil.py").write_text("good\n")
    (inner / "evil.py").chmod(0o644)
    real = os.path.realpath

    def swapped(path: str) -> str:
        found = real(path)
        if path.endswith("evil.py"):
            if what == "folder":
                inner.rename(root / "gone")
                inner.symlink_to(evil.parent)
            else:
                (inner / "evil.py").unlink()
                (inner / "evil.py").symlink_to(evil)
        return found

    monkeypatch.setattr(os.path, "realpath", swapped)

    assert refused(inner / "evil.py", roots=[str(root)])[0] == "script_changed"


def test_no_descriptor_is_left_open_by_a_refusal(root: Path, evil: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    (root / "good.py").chmod(0o666)
    for _ in range(50):
        refused(root / "good.py")
        refused(evil, roots=[str(root)])
        refused(root, digest="0" * 64)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_descriptor_of_a_script_is_for_reading_alone(root: Path) -> None:
    descriptor, _ = open_checked(str(root / "good.py"))

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptor, b"x")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_a_current_folder_that_was_deleted_is_a_refusal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises((StartRefusedError, FileNotFoundError)):
        open_checked("x.py")


def test_a_name_as_long_as_it_gets_is_a_refusal(root: Path) -> None:
    assert refused(root / ("x" * 300))[0] == "script_unopened"
    assert refused("/" + "x/" * 3_000)[0] == "script_unopened"
