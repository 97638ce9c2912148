"""What the kill test found, one small test each."""

from __future__ import annotations

from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from tests.contract.ledgers import put

RUN_ID, TOKEN = 1, 7


def test_a_run_shown_as_running_may_be_claimed_again_once_recovery_proves_that_it_never_began() -> (
    None
):
    store = SqliteStore(MEMORY)
    put(store, "t")
    run = [RUN_ID, "t", "100", "schedule", "waiting", 100, 100, None, 0, "process", TOKEN, 3, None]
    store.execute("insert_runs", rows=[run])
    store.execute("mark_running", rows=[[RUN_ID, TOKEN, 105]])

    store.execute("hand_back", rows=[[RUN_ID, TOKEN]])

    claimable = store.fetch(
        "claimable_runs", horizon=200, limit=9, thread_room=1, process_room=1, occupied=[]
    )
    assert [row[0] for row in claimable] == [RUN_ID]
