//! What `VBoxManage` prints for programs: `showvminfo --machinereadable`, `list vms`, versions.
//!
//! The forms are those of VirtualBox 5 to 7 (manual, chapter "VBoxManage"; `VBoxManageInfo.cpp` for what is quoted):
//! `key="text"`, `key=number`, keys in quotes when they hold blanks (`"SATA Controller-0-0"="…"`), backslashes before
//! quotes and backslashes in newer versions, values of several lines, and here and there a line that is none of it.

use std::collections::BTreeMap;

/// Longest value of several lines.
const MAX_LINES: usize = 1_000;

/// `key=value` lines. Of a key that comes twice the first one holds: the description of a machine, which is any text,
/// comes late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(BTreeMap<String, String>);

impl Pairs {
    /// Reads everything that can be read; other lines are passed over.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let mut pairs = BTreeMap::new();
        while let Some(line) = lines.next() {
            let Some((key, rest)) = split(line) else { continue };
            let value = match rest.strip_prefix('"') {
                None => rest.to_owned(),
                Some(open) => match open.strip_suffix('"').filter(|inner| closed(inner)) {
                    Some(inner) => unescape(inner),
                    None => several_lines(open, &mut lines),
                },
            };
            pairs.entry(key).or_insert(value);
        }
        Self(pairs)
    }

    /// A value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Key and raw value of a line.
fn split(line: &str) -> Option<(String, &str)> {
    let line = line.trim_end_matches('\r');
    let (key, value) = match line.strip_prefix('"') {
        // A quoted key may hold `=`; it ends at `"=`.
        Some(rest) => {
            let end = rest.find("\"=")?;
            (unescape(&rest[..end]), &rest[end + 2..])
        }
        None => {
            let (key, value) = line.split_once('=')?;
            (key.to_owned(), value)
        }
    };
    (!key.trim().is_empty()).then_some((key, value))
}

/// Whether the quote after this text is a closing one: it is not when an odd number of backslashes stands before it.
/// A text of a Windows path in an old version ends so too; it is rather read than lost.
fn closed(inner: &str) -> bool {
    let slashes = inner.bytes().rev().take_while(|byte| *byte == b'\\').count();
    slashes % 2 == 0
}

/// A value that goes on until a line that ends in a quote; without one, its first line.
fn several_lines(first: &str, lines: &mut std::str::Lines<'_>) -> String {
    let mut ahead = lines.clone();
    let mut value = first.to_owned();
    for _ in 0..MAX_LINES {
        let Some(line) = ahead.next() else { break };
        value.push('\n');
        if let Some(last) = line.strip_suffix('"').filter(|inner| closed(inner)) {
            value.push_str(last);
            *lines = ahead;
            return unescape(&value);
        }
        value.push_str(line);
    }
    unescape(first)
}

/// `\"` and `\\` are what newer versions write for a quote and a backslash; any other backslash is itself.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next @ ('"' | '\\')) if c == '\\' => {
                out.push(*next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// One line of `list vms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as it is.
    pub name: String,
    /// Its UUID in lower case.
    pub uuid: String,
}

impl Listed {
    /// VirtualBox lists what it cannot read under this name.
    #[must_use]
    pub fn is_inaccessible(&self) -> bool {
        self.name == "<inaccessible>"
    }
}

/// The machines of `list vms` and `list runningvms`: `"name" {uuid}`. Names may hold anything, quotes and braces
/// too, so lines are read from their end. Other lines (warnings) are passed over.
#[must_use]
pub fn list(bytes: &[u8]) -> Vec<Listed> {
    String::from_utf8_lossy(bytes).lines().filter_map(listed).collect()
}

fn listed(line: &str) -> Option<Listed> {
    let (name, uuid) = line.trim_end().strip_suffix('}')?.rsplit_once('{')?;
    let name = name.trim_end().strip_prefix('"')?.strip_suffix('"')?;
    is_uuid(uuid).then(|| Listed { name: name.to_owned(), uuid: uuid.to_ascii_lowercase() })
}

/// 8-4-4-4-12 hexadecimal digits.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Major and minor number in the output of `--version`. Warnings about kernel modules come before it, on the same
/// stream.
#[must_use]
pub fn version(bytes: &[u8]) -> Option<(u32, u32)> {
    String::from_utf8_lossy(bytes).lines().rev().find_map(|line| {
        let mut numbers = line.trim().split('.');
        let mut number = || numbers.next()?.parse::<u32>().ok();
        Some((number()?, number()?))
    })
}

/// The UUID in a line `UUID: …` or `Medium created. UUID: …`.
#[must_use]
pub fn made(bytes: &[u8]) -> Option<String> {
    String::from_utf8_lossy(bytes).lines().find_map(|line| {
        let (_, uuid) = line.split_once("UUID:")?;
        is_uuid(uuid.trim()).then(|| uuid.trim().to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_and_values() {
        let pairs = Pairs::parse(
            b"name=\"my \\\"vm\\\"\"\nmemory=2048\n\"SATA Controller-0-0\"=\"/vm/a=b.vdi\"\r\nno sign here\n=x\n\
              VMState=\"running\"\ndescription=\"first\nVMState=\"poweroff\"\nlast\"\nVMState=\"saved\"\nempty=\"\"\nraw=\xff\n",
        );
        for (key, value) in [
            ("name", "my \"vm\""),
            ("memory", "2048"),
            ("SATA Controller-0-0", "/vm/a=b.vdi"),
            ("VMState", "running"),
            ("empty", ""),
            ("raw", "\u{fffd}"),
        ] {
            assert_eq!(pairs.get(key), Some(value), "{key}");
        }
        assert_eq!(pairs.get("no sign here"), None);
    }

    #[test]
    fn values_of_several_lines() {
        let pairs = Pairs::parse(b"description=\"one\ntwo\nthree\"\ncpus=2\nopen=\"never closed\nnext=1\n");
        assert_eq!(pairs.get("description"), Some("one\ntwo\nthree"));
        assert_eq!(pairs.get("cpus"), Some("2"));
        assert_eq!(pairs.get("open"), Some("never closed"));
        assert_eq!(pairs.get("next"), Some("1"));
    }

    #[test]
    fn names_of_any_kind_are_listed() {
        let text = b"WARNING: no kernel module\n\"plain\" {8D8F4B1C-9B1A-4B0E-8F5C-3C2D1E0F9A8B}\n\
            \"with space_and \"quotes\" {x}\" {00000000-0000-0000-0000-000000000001}\n\"bad\" {123}\n\
            \"<inaccessible>\" {00000000-0000-0000-0000-000000000002}\n";
        let vms = list(text);
        assert_eq!(vms.len(), 3);
        assert_eq!(
            (vms[0].name.as_str(), vms[0].uuid.as_str()),
            ("plain", "8d8f4b1c-9b1a-4b0e-8f5c-3c2d1e0f9a8b")
        );
        assert_eq!(vms[1].name, "with space_and \"quotes\" {x}");
        assert!(vms[2].is_inaccessible());
    }

    #[test]
    fn versions_and_ids() {
        assert_eq!(
            version(b"WARNING: The vboxdrv kernel module is not loaded.\n7.0.14r161095\n"),
            Some((7, 0))
        );
        assert_eq!(version(b"7\n"), None);
        assert_eq!(version(b""), None);
        let created =
            b"Virtual machine 'N' is created and registered.\nUUID: 00000000-0000-0000-0000-00000000000A\n";
        assert_eq!(made(created).unwrap(), "00000000-0000-0000-0000-00000000000a");
        assert_eq!(made(b"UUID: nonsense"), None);
        assert!(!is_uuid("00000000-0000-0000-0000-00000000000g") && !is_uuid(""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (Pairs::parse(&bytes), list(&bytes), version(&bytes), made(&bytes));
        }

        #[test]
        fn escaped_values_come_back(value in "[^\n\r]{0,30}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let pairs = Pairs::parse(format!("name=\"{escaped}\"\n").as_bytes());
            prop_assert_eq!(pairs.get("name"), Some(value.as_str()));
        }
    }
}
