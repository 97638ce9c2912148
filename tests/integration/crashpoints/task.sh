#!/bin/sh
# The script under test: task.sh FOLDER HOW [WORD]; says when it begins and when it ends.
say() {
    echo "$1" "$TASK_SCHEDULER_TASK_ID" "$TASK_SCHEDULER_KEY" "$TASK_SCHEDULER_ATTEMPT" "$TASK_SCHEDULER_TOKEN" >>"$folder/witness"
}
folder=$1
say begin
echo "output of ${3:-nothing}"
case $2 in
    fail-first) [ -e "$folder/failed" ] || { : >"$folder/failed"; say end; exit 1; } ;;
    until-gate)
        while [ ! -e "$folder/gate${3:+-$3}" ]; do sleep 0.02; done
        echo "and after the gate"
        ;;
    for-ever) exec sleep 600 ;;
    a-moment) sleep 0.1 ;;
esac
say end
