#!/bin/sh
# The program under storage faults: task.sh SECONDS
say() {
    printf '{"event": "%s", "task_id": "%s", "key": "%s", "attempt": %s, "token": %s, "pid": %s, "at": %s}\n' \
        "$1" "$TASK_SCHEDULER_TASK_ID" "$TASK_SCHEDULER_KEY" "$TASK_SCHEDULER_ATTEMPT" \
        "$TASK_SCHEDULER_TOKEN" "$$" "$(date +%s%6N)" >>"$FAULTS_WITNESS/$TASK_SCHEDULER_TASK_ID"
}
say begin
sleep "$1"
say end
