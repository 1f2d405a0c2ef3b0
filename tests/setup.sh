#!/usr/bin/env bash
# Installs what the tests need and is absent: real BMC peers from Debian, pyghmi, PyNaCl and others in a Python venv,
# Nushell from npm, a kernel to boot in QEMU.
# Says what it cannot install; tests whose peer is missing then say SKIPPED.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
need ipmi_sim openipmi
need ipmitool ipmitool
need ipmipower freeipmi-tools
need qemu-system-x86_64 qemu-system-x86
need qemu-img qemu-utils
need python3 python3
need sshd openssh-server
need ssh-keygen openssh-client
need curl curl
need cc gcc
need jq jq
need shellcheck shellcheck
need npm npm
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "setup: MISSING ${missing[*]}: install them as root (apt-get install ${missing[*]}); their tests will say SKIPPED" >&2
  fi
fi

# The venv is rebuilt when the pins change.
stamp=.venv/requirements.txt
if ! cmp -s tests/peers/requirements.txt "$stamp" 2>/dev/null; then
  echo "setup: Python venv with the pins of tests/peers/requirements.txt"
  rm -rf .venv
  if python3 -m venv .venv && .venv/bin/pip install -q --disable-pip-version-check -r tests/peers/requirements.txt; then
    cp tests/peers/requirements.txt "$stamp"
  else
    echo "setup: MISSING the Python venv; the tests with Python peers will say SKIPPED" >&2
  fi
fi

# Nushell, at the version that tests/peers/npm pins.
if ! cmp -s tests/peers/npm/package.json .npm/complete 2>/dev/null; then
  echo "setup: Nushell with the pins of tests/peers/npm"
  rm -rf .npm && mkdir .npm && cp tests/peers/npm/package.json .npm/
  if (cd .npm && npm install --no-fund --no-audit --no-package-lock --loglevel=error); then
    cp tests/peers/npm/package.json .npm/complete
  else
    echo "setup: MISSING Nushell; the tests that run it will say SKIPPED" >&2
  fi
fi

# What boots in QEMU.
if [ ! -f .guest/complete ] || [ ! -f .guest/ssh/complete ]; then
  echo "setup: Debian's kernel and busybox for the guest of tests/peers/guest.sh"
  tests/peers/guest.sh || echo "setup: MISSING the guest; the tests that boot it will say SKIPPED" >&2
fi
