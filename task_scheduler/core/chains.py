"""Chains: tasks that run after others have ended.

Responsible for: refusing circles when entries are added, and for the runs of children, inserted in
the transaction that ends the parent. The key of a child's run is made of its parents' run ids:
whatever is repeated after a failure, it comes once.

Where all parents are awaited, the latest end of each since the child's last chained run decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from task_scheduler.core.entries import EntryShelf
from task_scheduler.core.flights import Flights, Work
from task_scheduler.core.model import AfterMode, ChainOn, Entry, RunState
from task_scheduler.core.ports import Store
from task_scheduler.core.run_commands import RunCommands
from task_scheduler.errors import DefinitionError

__all__ = ["Chains", "circle_in", "link_rows", "refuse_circles"]

_Graph = Mapping[str, Sequence[str]]


class Chains:
    """Who comes after whom."""

    def __init__(
        self, store: Store, shelf: EntryShelf, flights: Flights, runs: RunCommands
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._runs = runs

    def check(self, entries: Collection[Entry]) -> None:
        """Refuse entries that would wait for themselves; raises DefinitionError with the path."""
        refuse_circles(entries, self._store.fetch)

    def put(self, entries: Sequence[Entry], *, known: Sequence[str]) -> None:
        """Store the links of new and changed entries; what was awaited is awaited on.

        `known` are the ids of those that were there before, and may have had others.
        """
        rows = link_rows(entries)
        if known:
            self._store.execute("drop_links", ids=list(known), rows=rows)
        if rows:
            self._store.execute("put_links", rows=rows)
        if known or rows:
            self._flights.chain_parents = None

    def remove(self, task_ids: Sequence[str]) -> None:
        """Forget the links of children; those that wait for a removed parent go on to say so."""
        self._store.execute("drop_links", ids=list(task_ids), rows=[])
        self._flights.chain_parents = None

    def follow(self, work: Work) -> None:
        """Insert the runs that come after the runs that have ended in this tick."""
        ends, work.run_ends = work.run_ends, []
        if not ends:
            return
        if self._flights.chain_parents is None:
            self._flights.chain_parents = set(self._store.fetch("chain_parents"))
        parents = {end[0] for end in ends} & self._flights.chain_parents
        if not parents:
            return
        links = self._store.fetch("links_of", ids=sorted(parents))
        wanted: list[tuple[str, str]] = []
        awaited: dict[tuple[str, str], int | None] = {}
        for child, parent, on, mode in links:
            for task_id, run_id, state in ends:
                if task_id != parent:
                    continue
                is_met = _is_met(ChainOn(on), state)
                if mode != AfterMode.ANY:
                    awaited[child, parent] = run_id if is_met else None
                elif is_met:
                    wanted.append((child, f"after:{run_id}"))
        wanted += self._completed(awaited)
        self._insert(wanted, work)

    def _completed(self, awaited: Mapping[tuple[str, str], int | None]) -> list[tuple[str, str]]:
        """Note how parents ended; return the children that have waited for all of theirs."""
        if not awaited:
            return []
        rows = [[child, parent, run_id] for (child, parent), run_id in awaited.items()]
        self._store.execute("note_ends", rows=rows)
        children = sorted({child for child, _ in awaited})
        complete = self._store.fetch("complete_chains", ids=children)
        if complete:
            self._store.execute("begin_chains", ids=sorted({child for child, _ in complete}))
        ids: dict[str, list[str]] = {}
        for child, run_id in complete:
            ids.setdefault(child, []).append(str(run_id))
        return [(child, f"after:{','.join(run_ids)}") for child, run_ids in ids.items()]

    def _insert(self, wanted: Sequence[tuple[str, str]], work: Work) -> None:
        stored = self._shelf.load(sorted({child for child, _ in wanted}))
        requests = [(stored[child], key) for child, key in wanted if child in stored]
        if requests:
            self._runs.request_all(requests, "chain", work)
            work.has_unclaimed = True


def refuse_circles(entries: Collection[Entry], fetch: Callable[..., Any]) -> None:
    """Raise DefinitionError, with the path, where entries would wait for themselves.

    `fetch` is that of a store or a reader: what is there already counts too.
    """
    added = {e.task_id: [p.task_id for p in e.policies.after] for e in entries if e.policies.after}
    if not added:
        return
    graph: dict[str, list[str]] = {}
    for child, parent in fetch("chain_edges"):
        graph.setdefault(child, []).append(parent)
    for entry in entries:
        graph.pop(entry.task_id, None)
    graph.update(added)
    circle = circle_in(graph, list(added))
    if circle:
        raise DefinitionError(
            "errors.chain_circle", task_id=circle[0], path=" → ".join(reversed(circle))
        )


def link_rows(entries: Iterable[Entry]) -> list[list[Any]]:
    """Return the parameters of `put_links`."""
    return [
        [entry.task_id, link.task_id, position, link.on]
        for entry in entries
        if entry.policies.after
        for position, link in enumerate(entry.policies.after)
    ]


def circle_in(graph: _Graph, begin: Iterable[str]) -> list[str]:
    """Return a circle of a graph as a path that ends where it began; empty if there is none."""
    done: set[str] = set()
    for root in begin:
        # Without recursion: a chain may be as long as the ledger has tasks.
        path, following = [root], [iter(graph.get(root, ()))]
        on_path = {root}
        while path:
            parent = next(following[-1], None)
            if parent is None:
                following.pop()
                done.add(path[-1])
                on_path.discard(path.pop())
            elif parent in on_path:
                return [*path[path.index(parent) :], parent]
            elif parent not in done:
                path.append(parent)
                on_path.add(parent)
                following.append(iter(graph.get(parent, ())))
    return []


def _is_met(on: ChainOn, state: RunState) -> bool:
    if on is ChainOn.ALWAYS:
        return True
    if on is ChainOn.SUCCESS:
        return state is RunState.SUCCEEDED
    return state in (RunState.FAILED, RunState.TIMED_OUT, RunState.LOST)
