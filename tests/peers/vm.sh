#!/bin/sh
# What ipmi_sim's `chassis_control` calls when the machine is a real one in QEMU:
# vm.sh DIR get PARM... | set PARM VALUE ...
# Without BOOTFILE the guest has no network boot; with it, iPXE fetches that URL (10.0.2.2 is the host's loopback).
d=$1; op=$2; shift 2; mkdir -p "$d"; echo "$op $*" >> "$d/log"
alive() { [ -s "$d/pid" ] && kill -0 "$(cat "$d/pid")" 2>/dev/null; }
up() { alive && return 0
  boot=c; [ "$(cat "$d/boot" 2>/dev/null)" = pxe ] && boot=n
  qemu-system-x86_64 -machine pc,accel=tcg -m 64 -display none -boot $boot \
    -netdev user,id=n0${BOOTFILE:+,bootfile=$BOOTFILE} -device virtio-net-pci,netdev=n0 \
    -serial file:"$d/serial.log" -pidfile "$d/pid" -daemonize </dev/null >"$d/qemu.out" 2>&1
  echo "start $(cat "$d/pid")" >> "$d/log"; }
down() { alive || return 0; p=$(cat "$d/pid"); kill "$p"; n=0
  while kill -0 "$p" 2>/dev/null; do n=$((n+1)); [ $n -gt 40 ] && kill -9 "$p"; sleep 0.05; done; rm -f "$d/pid"; }
case $op in
get) for p in "$@"; do case $p in
       power) alive && echo power:1 || echo power:0 ;;
       boot) echo "boot:$(cat "$d/boot" 2>/dev/null || echo default)" ;;
       *) echo "unknown $p"; exit 1 ;; esac; done ;;
set) while [ $# -ge 2 ]; do case $1 in
       power) [ "$2" = 1 ] && up || down ;;
       reset) alive && { down; up; } ;;
       shutdown) down ;;
       boot|identify) echo "$2" > "$d/$1" ;;
       *) echo "unknown $1"; exit 1 ;; esac; shift 2; done ;;
esac; exit 0
