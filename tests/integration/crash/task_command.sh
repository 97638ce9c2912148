#!/bin/sh
# The command under fire: task_command.sh SECONDS [fail-first]
say() {
    printf '{"event": "%s", "task_id": "%s", "key": "%s", "attempt": %s, "token": %s, "pid": %s, "at": %s}\n' \
        "$1" "$TASK_SCHEDULER_TASK_ID" "$TASK_SCHEDULER_KEY" "$TASK_SCHEDULER_ATTEMPT" \
        "$TASK_SCHEDULER_TOKEN" "$$" "$(date +%s%6N)" >>"$CRASH_WITNESS/$TASK_SCHEDULER_TASK_ID"
}
say begin
sleep "$1"
say end
[ "${2:-}" != fail-first ] || [ "$TASK_SCHEDULER_ATTEMPT" != 1 ]
