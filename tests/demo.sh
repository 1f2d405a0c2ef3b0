#!/usr/bin/env bash
# The main job on simulated BMCs, as `make demo` runs it: power a machine on through the daemon, boot PXE
# next, power cycle, and watch events and plugin logs as they come; then many machines at once, of which two
# have something wrong. Everything is stopped at the end.
set -euo pipefail
bin=$(cd "${1:-target/debug}" && pwd)
base=$(mktemp -d /tmp/drp-demo.XXXXXX)
pids=()

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ drp %s\n' "$*"; "$bin/drp" --base-root "$base" --format table "$@"; }
stop() {
  local status=$?
  for pid in "${pids[@]}"; do [ -z "$pid" ] || kill "$pid" 2>/dev/null; done
  wait 2>/dev/null
  if [ $status -ne 0 ]; then
    echo "demo failed; the daemon said:" >&2
    tail -n 30 "$base/daemon.log" >&2
  fi
  rm -rf "$base"
  exit $status
}
trap stop EXIT
trap 'exit 130' INT TERM
wait_for() { # SECONDS COMMAND…: until it succeeds
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "gave up waiting for: $*" >&2; exit 1; }
    sleep 0.1
  done
}

say '1. A BMC that speaks IPMI 2.0 (cipher suite 17), simulated'
(umask 077; head -c 12 /dev/urandom | base64 | tr -d '/+=' | head -c 16 > "$base/bmc-password")
"$bin/drp" sim bmc --listen 127.0.0.1:0 --user admin --password-file "$base/bmc-password" > "$base/bmc.json" 2> "$base/bmc.log" &
pids+=($!)
wait_for 10 test -s "$base/bmc.json"
port=$(grep -oE '127\.0\.0\.1:[0-9]+' "$base/bmc.json" | head -n 1 | cut -d: -f2)
echo "listening on 127.0.0.1:$port"

say '2. The daemon, on its embedded store'
mkdir "$base/plugins"
cp "$bin/ipmi" "$base/plugins/"
"$bin/drp" serve --base-root "$base" --api-port 0 --static-port 0 --secure-static-port 0 --static-ip 127.0.0.1 > "$base/daemon.log" 2>&1 &
daemon=$!
pids+=("$daemon")
wait_for 20 "$bin/drp" --base-root "$base" status
wait_for 20 sh -c "'$bin/drp' --base-root '$base' plugins show ipmi --format json | grep -q '\"Available\": *true'"
run plugins list

say '3. Events and plugin logs, as they come (in the background)'
show() { while IFS= read -r line; do printf '   %s %.150s\n' "$1" "$line"; done; }
"$bin/drp" --base-root "$base" events watch 'machines.*.*' --format table > >(show 'event:') 2>&1 &
watchers=($!)
"$bin/drp" --base-root "$base" logs watch --format table > >(show 'log:  ') 2>&1 &
watchers+=($!)
pids+=("${watchers[@]}")
sleep 0.5

say '4. A machine and how to reach its BMC'
run machines create '{"Name": "node-1", "Params": {"ipmi/address": "127.0.0.1", "ipmi/username": "admin", "ipmi/port-ipmitool": '"$port"'}}'
echo '$ drp machines set Name:node-1 param ipmi/password to -      (from standard input, sealed by the daemon)'
printf '"%s"' "$(cat "$base/bmc-password")" | "$bin/drp" --base-root "$base" machines set Name:node-1 param ipmi/password to - > /dev/null

say '5. Power on, PXE at the next boot, power cycle'
for verb in powerstatus poweron nextbootpxe powercycle powerstatus bootstatus poweroff; do
  run machines runaction Name:node-1 "$verb"
done

sleep 0.3
kill "${watchers[@]}"
wait "${watchers[@]}" 2>/dev/null || true
for watcher in "${watchers[@]}"; do pids=("${pids[@]/$watcher/}"); done

say '6. A rack of 200 more: a profile holds the login; one machine has another password, another no BMC'
"$bin/drp" sim bmc --count 200 --latency 30 --user admin --password-file "$base/bmc-password" > "$base/rack.json" 2>> "$base/bmc.log" &
pids+=($!)
wait_for 10 test -s "$base/rack.json"
run profiles create '{"Name": "rack", "Params": {"ipmi/username": "admin", "ipmi/timeout": 2}}' > /dev/null
printf '"%s"' "$(cat "$base/bmc-password")" | "$bin/drp" --base-root "$base" profiles set rack param ipmi/password to - > /dev/null
n=0
while IFS=: read -r _ rack_port; do
  n=$((n + 1))
  printf '{"Name": "rack-%03d", "Profiles": ["rack"], "Params": {"ipmi/address": "127.0.0.1", "ipmi/port-ipmitool": %d}}\n' "$n" "$rack_port"
done < <(grep -oE '127\.0\.0\.1:[0-9]+' "$base/rack.json") > "$base/machines"
xargs -P 4 -d '\n' -n 1 "$bin/drp" --base-root "$base" machines create < "$base/machines" > /dev/null
printf '"not this one"' | "$bin/drp" --base-root "$base" machines set Name:rack-007 param ipmi/password to - > /dev/null
run machines set Name:rack-042 param ipmi/address to 127.0.0.9 > /dev/null
echo '$ drp machines runaction --filter Name=Re(^rack-) poweron | tail -n 3        (a line for each, then a summary; exit code 7)'
code=0
"$bin/drp" --base-root "$base" --format table machines runaction --filter 'Name=Re(^rack-)' poweron > "$base/poweron" || code=$?
tail -n 3 "$base/poweron"
[ $code -eq 7 ]
echo '$ drp machines runaction --filter Name=Re(^rack-0[1-3]) powerstatus --format json | head -n 2        (sessions are kept: faster)'
"$bin/drp" --base-root "$base" machines runaction --filter 'Name=Re(^rack-0[1-3])' powerstatus --format json > "$base/powerstatus"
head -n 2 "$base/powerstatus"

say '7. Stop'
run stop
wait "$daemon" || true
pids=("${pids[@]/$daemon/}")
echo 'done'
