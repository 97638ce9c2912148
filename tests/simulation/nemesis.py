"""What goes wrong: one fault after the other, drawn from the world's seed.

Responsible for: the kinds of faults that need no knowledge of the workload, and how often each
comes.
"""

from __future__ import annotations

from collections.abc import Callable

from task_scheduler.core.model import SECOND
from tests.simulation.world import HOUR, MINUTE, World

__all__ = ["Nemesis"]


class Nemesis:
    """Strike a world."""

    def __init__(self, world: World, *, longest: float = 10.3, farthest: float = 9.85) -> None:
        """`longest` and `farthest` are powers of ten of microseconds: of a fault, and of the clock
        from where it should stand, two hours by default.
        """
        self._world = world
        self._draw = world.random
        self._true_offset = world.clock.offset
        self._longest, self._farthest = longest, farthest
        self.strikes: dict[Callable[[], None], int] = {
            self._kill_in_work: 22,
            self._kill_holder: 8,
            self._kill_standby: 3,
            self._stop_a_node: 9,
            self._suspend: 5,
            self._cut_power: 6,
            self._set_clock: 9,
            self._fail_store: 15,
            self._fill_disk: 4,
            self._kill_supervisor: 6,
            self._leave: 5,
            self._repeat: 3,
        }

    def strike(self) -> None:
        """Let one thing go wrong, now or at the next statement."""
        world = self._world
        world.judge_owners()
        kinds = list(self.strikes)
        (kind,) = self._draw.choices(kinds, list(self.strikes.values()))
        if world.store.is_armed and kind in (self._kill_in_work, self._fail_store):
            # The last one has found nothing to strike yet.
            kind = self._kill_holder
        world.faults[kind.__name__.strip("_")] += 1
        kind()

    def end(self) -> None:
        """Let everything be well."""
        world = self._world
        world.store.out_until = 0
        world.store.disarm()
        world.set_clock(self._true_offset - world.clock.offset)
        for node in world.nodes:
            if node.stopped_at is not None:
                node.wakes = world.clock.time
            if node.comes is not None:
                node.comes = min(node.comes, world.clock.time + SECOND)

    def _length(self, low: float, high: float) -> int:
        return round(10 ** self._draw.uniform(low, min(high, self._longest)))

    def _kill_in_work(self) -> None:
        self._world.fail_soon(is_deadly=True)

    def _kill_holder(self) -> None:
        if self._world.holder is not None:
            self._world.kill(self._world.holder)

    def _kill_standby(self) -> None:
        world = self._world
        others = [node for node in world.nodes if node.is_up and node is not world.holder]
        if others:
            world.kill(self._draw.choice(others), self._length(6, 10))

    def _stop_a_node(self) -> None:
        """Stop the holder, rather, and sometimes kill it in its sleep."""
        world = self._world
        node = world.holder
        if node is None or self._draw.random() < 0.1:
            node = self._draw.choice(world.nodes)
        if node.is_up and node.stopped_at is None:
            world.tell(f"{node.name} is stopped")
            node.stop(self._length(5, 9.8))
            world.disturb()
        elif node.is_up:
            world.kill(node)

    def _suspend(self) -> None:
        self._world.suspend(self._length(6, 10))

    def _cut_power(self) -> None:
        self._world.cut_power(self._length(6, 10.3))
        if self._draw.random() < 0.3:
            self._set_clock()

    def _set_clock(self) -> None:
        skew = round(10 ** self._draw.uniform(4, self._farthest)) * self._draw.choice((-1, 0, 1))
        by = self._true_offset + skew - self._world.clock.offset
        if by:
            self._world.set_clock(by)

    def _fail_store(self) -> None:
        self._world.fail_soon(is_deadly=False)

    def _fill_disk(self) -> None:
        self._world.fill_disk(self._length(6, 8.5))

    def _kill_supervisor(self) -> None:
        living = self._world.machine.living()
        if living:
            self._world.kill_supervisor(self._draw.choice(living))

    def _leave(self) -> None:
        holder = self._world.holder
        if holder is not None and holder.stopped_at is None and holder.leaves is None:
            self._world.tell(f"{holder.name} is told to stop")
            holder.leave(self._world.clock.time + self._draw.choice([0, 10 * SECOND, MINUTE, HOUR]))
            self._world.disturb()

    def _repeat(self) -> None:
        """Report some ends once more, old ones too."""
        ends = self._world.ends
        for _ in range(min(5, len(ends))):
            self._world.repeat(self._draw.choice(ends))
