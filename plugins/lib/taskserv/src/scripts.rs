//! What machines are told, as scripts of the POSIX shell. Values are `$1`, `$2`, … and are never put into the text.

/// Prints what there is: `arch`, `os`, `uid`, and a line `missing NAME` for each of the programs `$@` that is absent.
pub(crate) const FACTS: &str = r#"
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
echo "arch $(uname -m)"; echo "os $(uname -s)"; echo "uid $(id -u)"
for program in "$@"; do
  case "$program" in
    curl) command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || echo "missing curl or wget" ;;
    *) command -v "$program" >/dev/null 2>&1 || echo "missing $program" ;;
  esac
done
"#;

/// `$1` folder of task services, then names: prints those that are neither installed by us nor programs.
pub(crate) const DEPENDENCIES: &str = r#"
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
all=$1; shift
for name in "$@"; do
  [ -e "$all/$name/state.json" ] || command -v "$name" >/dev/null 2>&1 || echo "$name"
done
"#;

/// `$1` folder of the task service: takes its lock as long as somebody is there.
pub(crate) const LOCK: &str = r#"
PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"
umask 077
mkdir -p "$1" || exit 3
exec flock -n "$1/lock" sh -c 'echo held; exec cat >/dev/null'
"#;

/// `$1` a file: prints it, or nothing when it is not there.
pub(crate) const READ: &str = r#"[ ! -e "$1" ] || head -c 1048576 -- "$1""#;

/// `$1` URL, `$2` file, `$3` seconds.
pub(crate) const FETCH: &str = r#"
umask 077
mkdir -p "$(dirname "$2")" || exit 3
rm -f -- "$2"
if command -v curl >/dev/null 2>&1; then
  exec curl -q -g -fsSL --proto '=http,https' --proto-redir '=http,https' --max-time "$3" -o "$2" --url "$1"
fi
exec wget -q -T "$3" -O "$2" -- "$1"
"#;

/// `$1` URL, `$2` seconds: prints what is there.
pub(crate) const GET: &str = r#"
if command -v curl >/dev/null 2>&1; then
  exec curl -q -g -fsSL --proto '=http,https' --proto-redir '=http,https' --max-time "$2" --url "$1"
fi
exec wget -q -T "$2" -O - -- "$1"
"#;

/// Files: prints the SHA-256 of each, or `-`.
pub(crate) const SUMS: &str = r#"
for file in "$@"; do
  if [ -f "$file" ]; then sha256sum < "$file" | cut -d' ' -f1; else echo -; fi
done
"#;

/// `$1` archive, `$2` folder, which is made anew.
pub(crate) const UNPACK: &str = r#"
umask 022
rm -rf -- "$2"; mkdir -p "$2" || exit 3
case "$1" in
  *.tar | *.tar.* | *.tgz | *.txz | *.tbz2) tar -xf "$1" -C "$2" --no-same-owner --no-same-permissions ;;
  *.zip) unzip -q "$1" -d "$2" ;;
  *) cp -- "$1" "$2/" ;;
esac
"#;

/// `$1` folder, `$2` file in it, `$3` where it goes, `$4` its mode.
pub(crate) const PUT: &str = r#"
top=$(readlink -f "$1") && file=$(readlink -f "$1/$2") || { echo "the archive has no file $2" >&2; exit 4; }
case "$file" in
  "$top"/*) ;;
  *) echo "$2 leads out of the archive" >&2; exit 5 ;;
esac
[ -f "$file" ] || { echo "the archive has no file $2" >&2; exit 4; }
[ ! -d "$3" ] || { echo "$3 is a folder" >&2; exit 6; }
mkdir -p "$(dirname "$3")" || exit 3
trap 'rm -f -- "$3.new-$$"' EXIT
cp -- "$file" "$3.new-$$" && chmod "$4" "$3.new-$$" && mv -f "$3.new-$$" "$3"
"#;

/// `$1` user, `$2` group, `$3` home: made when they are not there.
pub(crate) const ACCOUNT: &str = r#"
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
grep -q "^$2:" /etc/group || getent group "$2" >/dev/null 2>&1 || groupadd --system "$2" || exit 3
id -u "$1" >/dev/null 2>&1 ||
  useradd --system --gid "$2" --home-dir "$3" --no-create-home --shell /usr/sbin/nologin "$1"
"#;

/// Folders: prints those that are not there.
pub(crate) const ABSENT: &str = r#"for folder in "$@"; do [ -d "$folder" ] || printf '%s\n' "$folder"; done"#;

/// `$1` owner `user:group` or nothing, then folders: makes those that are not there.
pub(crate) const FOLDERS: &str = r#"
owner=$1; shift
umask 022
for folder in "$@"; do
  if [ ! -d "$folder" ]; then
    mkdir -p "$folder" || exit 3
    [ -z "$owner" ] || [ "$(stat -c %U:%G "$folder")" = "$owner" ] || chown "$owner" "$folder" || exit 4
  fi
done
"#;

/// `$1` owner `user:group`, `$2` file.
pub(crate) const OWN: &str = r#"[ "$(stat -c %U:%G "$2")" = "$1" ] || chown "$1" "$2""#;

/// `$1` folder of the task service, then paths: keeps them as they are.
pub(crate) const KEEP: &str = r#"
here=$1; shift
umask 077
rm -rf -- "$here/previous"; mkdir -p "$here/previous" || exit 3
n=0
for path in "$@"; do
  n=$((n + 1))
  if [ -e "$path" ] || [ -L "$path" ]; then cp -a -- "$path" "$here/previous/$n" || exit 4; fi
done
[ ! -e "$here/state.json" ] || cp -a "$here/state.json" "$here/previous/state.json"
"#;

/// `$1` folder of the task service, then the same paths: puts back what was kept, and removes what was not there.
pub(crate) const RESTORE: &str = r#"
here=$1; shift
[ -d "$here/previous" ] || { echo "nothing was kept" >&2; exit 3; }
n=0; bad=0
for path in "$@"; do
  n=$((n + 1))
  if [ -e "$here/previous/$n" ] || [ -L "$here/previous/$n" ]; then
    cp -a -- "$here/previous/$n" "$path.old-$$" && mv -f "$path.old-$$" "$path" || bad=4
  else
    rm -f -- "$path" || bad=4
  fi
done
exit $bad
"#;

/// `$1` folder of the task service: what it was before becomes what it is.
pub(crate) const SETTLE: &str = r#"
if [ -e "$1/previous/state.json" ]; then mv -f "$1/previous/state.json" "$1/state.json"; else rm -f "$1/state.json"; fi
rm -rf -- "$1/previous" "$1/download"
"#;

/// Removes files.
pub(crate) const REMOVE: &str = r#"rm -f -- "$@""#;

/// Removes folders with all that is in them; a link is removed itself.
pub(crate) const REMOVE_FOLDERS: &str = r#"
bad=0
for folder in "$@"; do
  if [ -L "$folder" ]; then rm -f -- "$folder" || bad=3; else rm -rf -- "$folder" || bad=3; fi
done
exit $bad
"#;

/// `$1` a process: how long it has run, its memory in kB, its share of a CPU in percent.
pub(crate) const PROCESS: &str = r#"ps -o etimes=,rss=,pcpu= -p "$1""#;

/// `$1` URL, `$2` seconds: ends with 0 when it answers 2xx.
pub(crate) const HTTP: &str = r#"
if command -v curl >/dev/null 2>&1; then
  code=$(curl -q -g -s -o /dev/null -w '%{http_code}' --proto '=http,https' --max-time "$2" --url "$1") || { echo "no answer" >&2; exit 3; }
  case "$code" in 2??) exit 0 ;; *) echo "status $code" >&2; exit 4 ;; esac
fi
wget -q -T "$2" -t 1 -O /dev/null -- "$1" || { echo "no answer, or not 2xx" >&2; exit 3; }
"#;

/// Sockets of TCP that listen, as the kernel tells them.
pub(crate) const SOCKETS: &str = r#"cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; true"#;
