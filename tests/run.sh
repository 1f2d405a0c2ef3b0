#!/usr/bin/env bash
# Runs all tests and closes with one line over all test binaries. A test that could not run because its
# peer is absent prints a line that starts with SKIPPED; it is counted as skipped, never as passed.
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

cargo test --workspace --no-fail-fast "$@" 2>&1 | tee "$log"
status=$?

skipped=$(grep -c '^SKIPPED' "$log")
grep '^SKIPPED' "$log" | sort | uniq -c
awk -v skipped="$skipped" '/^test result:/ { p += $4; f += $6; i += $8 }
  END { printf "%d passed, %d failed, %d skipped\n", p - skipped, f, i + skipped; exit (p - skipped <= 0) }' "$log" || status=1
exit $status
