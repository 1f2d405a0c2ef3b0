#!/usr/bin/env bash
# Installs what the tests need and is absent: real BMC peers from Debian, pyghmi, PyNaCl and others in a Python venv.
# Says what it cannot install; tests whose peer is missing then say SKIPPED.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
need ipmi_sim openipmi
need ipmitool ipmitool
need ipmipower freeipmi-tools
need qemu-system-x86_64 qemu-system-x86
need python3 python3
need curl curl
need cc gcc
need jq jq
