//! A small read-only file system for the seed of a server: ISO 9660 with Joliet names (ECMA-119; Joliet Specification
//! 1995), files in its root only.

/// Bytes of a sector.
const SECTOR: usize = 2048;
/// The first sector of a directory; before it are the system area, descriptors and path tables.
const ROOT: u32 = 23;

/// The file system, as the bytes of a disk. Names are at most 31 characters.
pub(crate) fn image(label: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut disk = vec![0; 16 * SECTOR];
    let mut at = ROOT + 2;
    let mut places = Vec::new();
    for (name, data) in files {
        places.push((*name, at, size(data)));
        at += sectors(data);
    }
    let total = at;
    disk.extend(descriptor(1, label, total, ROOT, 19));
    disk.extend(descriptor(2, label, total, ROOT + 1, 21));
    disk.extend(sector(b"\xffCD001\x01"));
    for (root, tables) in [(ROOT, 2), (ROOT + 1, 2)] {
        for table in 0..tables {
            let mut path = vec![1, 0];
            path.extend(if table == 0 { root.to_le_bytes() } else { root.to_be_bytes() });
            path.extend(if table == 0 { 1u16.to_le_bytes() } else { 1u16.to_be_bytes() });
            path.extend([0, 0]);
            disk.extend(sector(&path));
        }
    }
    for (joliet, own) in [(false, ROOT), (true, ROOT + 1)] {
        let mut directory = entry(own, u32::try_from(SECTOR).unwrap_or_default(), 2, &[0]);
        directory.extend(entry(own, u32::try_from(SECTOR).unwrap_or_default(), 2, &[1]));
        for (name, place, length) in &places {
            let name: Vec<u8> = if joliet {
                name.encode_utf16().flat_map(u16::to_be_bytes).collect()
            } else {
                format!("{};1", name.to_uppercase().replace('-', "_")).into_bytes()
            };
            directory.extend(entry(*place, *length, 0, &name));
        }
        disk.extend(sector(&directory));
    }
    for (_, data) in files {
        disk.extend_from_slice(data);
        disk.resize(disk.len().next_multiple_of(SECTOR), 0);
    }
    disk
}

fn size(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

fn sectors(data: &[u8]) -> u32 {
    u32::try_from(data.len().div_ceil(SECTOR)).unwrap_or_default()
}

/// The bytes, filled up to a sector.
fn sector(bytes: &[u8]) -> Vec<u8> {
    let mut sector = bytes.to_vec();
    sector.resize(SECTOR, 0);
    sector
}

/// A number in both orders, as most of its fields are.
fn both32(number: u32) -> [u8; 8] {
    let (le, be) = (number.to_le_bytes(), number.to_be_bytes());
    [le[0], le[1], le[2], le[3], be[0], be[1], be[2], be[3]]
}

fn both16(number: u16) -> [u8; 4] {
    let (le, be) = (number.to_le_bytes(), number.to_be_bytes());
    [le[0], le[1], be[0], be[1]]
}

/// A directory record (ECMA-119 §9.1). The date is 2000-01-01, so that the same seed has the same bytes.
fn entry(place: u32, length: u32, flags: u8, name: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0];
    record.extend(both32(place));
    record.extend(both32(length));
    record.extend([100, 1, 1, 0, 0, 0, 0, flags, 0, 0]);
    record.extend(both16(1));
    record.push(u8::try_from(name.len()).unwrap_or_default());
    record.extend_from_slice(name);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    record[0] = u8::try_from(record.len()).unwrap_or_default();
    record
}

/// A primary (1) or supplementary (2) volume descriptor (ECMA-119 §8.4, §8.5).
fn descriptor(kind: u8, label: &str, total: u32, root: u32, tables: u32) -> Vec<u8> {
    let joliet = kind == 2;
    let text = |text: &str, length: usize| -> Vec<u8> {
        let mut bytes: Vec<u8> = if joliet {
            text.encode_utf16().flat_map(u16::to_be_bytes).collect()
        } else {
            text.as_bytes().to_vec()
        };
        while bytes.len() < length {
            bytes.extend_from_slice(if joliet { &[0, b' '] } else { b" " });
        }
        bytes.truncate(length);
        bytes
    };
    let mut d = vec![kind];
    d.extend(b"CD001\x01\x00");
    d.extend(text("LINUX", 32));
    d.extend(text(label, 32));
    d.extend([0; 8]);
    d.extend(both32(total));
    // Escape sequence of UCS-2 level 3 (Joliet §3.2).
    d.extend(if joliet { b"%/E" } else { b"\0\0\0" });
    d.extend([0; 29]);
    d.extend(both16(1));
    d.extend(both16(1));
    d.extend(both16(u16::try_from(SECTOR).unwrap_or_default()));
    d.extend(both32(10));
    d.extend(tables.to_le_bytes());
    d.extend([0; 4]);
    d.extend((tables + 1).to_be_bytes());
    d.extend([0; 4]);
    d.extend(entry(root, u32::try_from(SECTOR).unwrap_or_default(), 2, &[0]));
    for length in [128, 128, 128, 128] {
        d.extend(text("", length));
    }
    for length in [37, 37, 37] {
        d.extend(text("", length));
    }
    for _ in 0..4 {
        d.extend(b"0000000000000000\0");
    }
    d.push(1);
    sector(&d)
}

#[cfg(test)]
mod tests {
    use super::{ROOT, SECTOR, image};

    #[test]
    fn the_fields_are_where_the_standard_has_them() {
        let big = vec![b'x'; 5000];
        let disk = image("cidata", &[("meta-data", b"m"), ("user-data", &big)]);
        let at = |sector: u32, offset: usize| &disk[sector as usize * SECTOR + offset..];
        for (sector, kind) in [(16, 1), (17, 2), (18, 255)] {
            assert_eq!((at(sector, 0)[0], &at(sector, 1)[..5]), (kind, b"CD001".as_slice()));
        }
        assert!(at(16, 40).starts_with(b"cidata          "));
        assert!(at(17, 40).starts_with(b"\0c\0i\0d\0a\0t\0a\0 "));
        assert!(at(17, 88).starts_with(b"%/E"));
        // Volume size, block size, root directory.
        assert_eq!(at(16, 80)[..4], u32::try_from(disk.len() / SECTOR).unwrap().to_le_bytes());
        assert_eq!(at(16, 128)[..4], [0, 8, 8, 0]);
        assert_eq!(at(16, 156)[0], 34);
        assert_eq!(at(16, 158)[..4], ROOT.to_le_bytes());
        assert_eq!(at(16, 881)[0], 1, "version of the file structure");
        assert_eq!(at(25, 0)[0], b'm');
        assert!(at(26, 0).starts_with(&big));
    }
}
