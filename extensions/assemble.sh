#!/usr/bin/env bash
# Puts the extensions that ship together as they are installed: OUT/{providers,taskservs,clusters}/NAME, from the sources here
# and the programs in a target directory. Packages of Rust are left out; the program of `plugin-src` becomes `plugin/PROGRAM`.
#   extensions/assemble.sh target/debug OUT [TYPE/NAME …]
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 TARGET_DIR OUT [providers/NAME …]" >&2; exit 2; }
target=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")"

wanted=("$@")
if [ ${#wanted[@]} -eq 0 ]; then
  for manifest in {providers,taskservs,clusters}/*/metadata.toml; do
    [ -f "$manifest" ] && wanted+=("$(dirname "$manifest")")
  done
fi
for extension in "${wanted[@]}"; do
  case /$extension/ in */../* | //*) echo "$0: $extension is no TYPE/NAME" >&2; exit 2 ;; esac
  [ -f "$extension/metadata.toml" ] || { echo "$0: extensions/$extension has no metadata.toml" >&2; exit 1; }
  # Beside its place and then into it: nobody sees half an extension.
  new=$(mktemp -d "$out/.new.XXXXXX")
  for entry in "$extension"/*; do
    [ -f "$entry/Cargo.toml" ] || cp -R "$entry" "$new/"
  done
  if [ -f "$extension/plugin-src/Cargo.toml" ]; then
    program=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$extension/plugin-src/Cargo.toml" | head -n 1)
    [ -x "$target/$program" ] || { echo "$0: $target/$program is not built: cargo build -p $program" >&2; exit 1; }
    mkdir -p "$new/plugin"
    cp "$target/$program" "$new/plugin/$program"
  fi
  chmod 755 "$new"
  mkdir -p "$out/$(dirname "$extension")"
  rm -rf "${out:?}/$extension"
  mv "$new" "$out/$extension"
done
