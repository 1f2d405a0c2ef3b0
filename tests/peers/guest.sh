#!/usr/bin/env bash
# Puts what Linux guests need into .guest: Debian's kernel, its modules for IPMI and for virtual machines, a static busybox,
# and in ssh/ a small SSH server with its libraries. Nothing is installed.
# Debian's kernel, since it has the drivers of system interfaces; the running one may have none. Done once.
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=.guest
[ -f "$dir/complete" ] && [ -f "$dir/ssh/complete" ] && exit 0
for program in apt-get apt-cache dpkg; do
  command -v "$program" >/dev/null || { echo "guest.sh: no $program: this is for Debian" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Root's downloads are apt's own user's.
chmod 755 "$work"
# Says nothing when the lists have none.
find_kernel() {
  { apt-cache depends linux-image-amd64 2>/dev/null || true; } |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}
kernel=$(find_kernel)
if [ -z "$kernel" ] && [ "$(id -u)" -eq 0 ]; then
  apt-get update -qq || true
  kernel=$(find_kernel)
fi
[ -n "$kernel" ] || { echo "guest.sh: apt knows no kernel; apt-get update" >&2; exit 1; }
# Lists that are old name packages that are gone.
server=(dropbear-bin libtomcrypt1 libtommath1 libgmp10 libcrypt1 zlib1g)
fetch() {
  (cd "$work" && timeout 300 apt-get download -qq "$kernel" busybox-static "${server[@]}" >/dev/null 2>"$work/errors")
}
if ! fetch; then
  if [ "$(id -u)" -eq 0 ]; then apt-get update -qq || true; kernel=$(find_kernel); fi
  fetch || { cat "$work/errors" >&2; exit 1; }
fi
for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done

rm -rf "$dir"
mkdir -p "$dir"
cp "$work"/root/boot/vmlinuz-* "$dir/vmlinuz"
busybox=$(find "$work/root" -path '*bin/busybox' -type f)
cp "$busybox" "$dir/busybox"
# The first three depend on each other alone; of the others each comes after those that it depends on.
for module in ipmi_msghandler ipmi_si ipmi_devintf \
  virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net virtio_blk \
  cdrom isofs button evdev; do
  found=$(find "$work/root" -name "$module.ko*")
  case $found in
    *.ko) cp "$found" "$dir/" ;;
    *.ko.xz) xz -dc "$found" > "$dir/$module.ko" ;;
    *) echo "guest.sh: $kernel has no $module" >&2; exit 1 ;;
  esac
done
mkdir -p "$dir/ssh"
for part in usr/sbin/dropbear usr/bin/dropbearkey; do cp "$work/root/$part" "$dir/ssh/"; done
find "$work/root" \( -name 'libtom*.so.*' -o -name 'libgmp.so.*' -o -name 'libcrypt.so.*' -o -name 'libz.so.*' \) \
  -exec cp -L {} "$dir/ssh/" \;
echo "${server[*]}" > "$dir/ssh/complete"
echo "$kernel" > "$dir/complete"
