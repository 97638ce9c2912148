#!/bin/sh
# The command among the witnesses: witness.sh SECONDS LINES
i=0
while [ $i -lt "$2" ]; do
    echo "$TASK_SCHEDULER_KEY"
    i=$((i + 1))
done
[ "$1" = 0.0 ] || sleep "$1"
echo "$TASK_SCHEDULER_KEY $TASK_SCHEDULER_ATTEMPT" >>"$HOSTILE_WITNESS/$TASK_SCHEDULER_TASK_ID"
