#!/bin/sh
# What ipmi_sim's `chassis_control` calls: chassis.sh DIR get PARM... | set PARM VALUE ...
# Every call is appended to DIR/log. Files that a test may put into DIR beforehand:
#   delay  seconds to sleep in every "set power|reset|shutdown" (a slow BMC)
#   fail   text to fail them with
d=$1; op=$2; shift 2
mkdir -p "$d"; echo "$op $*" >> "$d/log"
slow() {
  [ -s "$d/delay" ] && sleep "$(cat "$d/delay")"
  [ -s "$d/fail" ] && { cat "$d/fail"; exit 1; }
  return 0
}
case $op in
get) for p in "$@"; do case $p in
       power) echo "power:$(cat "$d/power" 2>/dev/null || echo 0)" ;;
       boot)  echo "boot:$(cat "$d/boot" 2>/dev/null || echo default)" ;;
       *) echo "unknown parm $p"; exit 1 ;; esac; done ;;
set) while [ $# -ge 2 ]; do case $1 in
       power) slow; echo "$2" > "$d/power" ;;
       boot|identify) echo "$2" > "$d/$1" ;;
       reset|shutdown) slow; echo $(( $(cat "$d/$1" 2>/dev/null || echo 0) + 1 )) > "$d/$1"
                       [ "$1" = shutdown ] && echo 0 > "$d/power" ;;
       *) echo "unknown parm $1"; exit 1 ;; esac; shift 2; done ;;
*) echo "bad op $op"; exit 1 ;;
esac
exit 0
