//! Lines of keys in TOML and YAML texts, for errors that are found after a text was read.

/// The line, from 1, of a key given with those of the tables around it. `None` when it is not written in the usual way.
pub(crate) fn of_key(text: &str, keys: &[&str]) -> Option<usize> {
    in_toml(text, keys).or_else(|| in_yaml(text, keys))
}

fn plain(key: &str) -> &str {
    key.trim().trim_matches(['"', '\''])
}

/// The key of a line and what comes after it.
fn split(line: &str, sign: char) -> Option<(&str, &str)> {
    let (key, rest) = line.split_once(sign)?;
    Some((key, rest))
}

/// The parts of `a.b`; a quoted key is one.
fn parts(key: &str) -> Vec<String> {
    if key.trim().starts_with(['"', '\'']) {
        return vec![plain(key).to_owned()];
    }
    key.split('.').map(|part| plain(part).to_owned()).collect()
}

fn in_toml(text: &str, keys: &[&str]) -> Option<usize> {
    let mut table: Vec<String> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            table = parts(header.trim_start_matches('['));
            if table == keys {
                return Some(n + 1);
            }
        } else if let Some((key, _)) = split(line, '=')
            && table.iter().cloned().chain(parts(key)).eq(keys.iter().map(|key| (*key).to_owned()))
        {
            return Some(n + 1);
        }
    }
    None
}

fn in_yaml(text: &str, keys: &[&str]) -> Option<usize> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some((key, _)) = split(line.trim_start().trim_start_matches("- "), ':') else { continue };
        if key.trim().is_empty() || key.starts_with('#') {
            continue;
        }
        open.retain(|(other, _)| *other < indent);
        open.push((indent, plain(key)));
        if open.iter().map(|(_, key)| *key).eq(keys.iter().copied()) {
            return Some(n + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::of_key;

    #[test]
    fn keys_have_lines() {
        let toml = "# x\n[extension]\nname = \"a\"\n\n[dependencies]\n\"../b\" = \"*\"\nrequires.c = \"*\"\n[dependencies.optional]\nd = \"*\"\n";
        assert_eq!(of_key(toml, &["extension"]), Some(2));
        assert_eq!(of_key(toml, &["extension", "name"]), Some(3));
        assert_eq!(of_key(toml, &["dependencies", "../b"]), Some(6));
        assert_eq!(of_key(toml, &["dependencies", "requires", "c"]), Some(7));
        assert_eq!(of_key(toml, &["dependencies", "optional", "d"]), Some(9));
        assert_eq!(of_key(toml, &["name"]), None);
        let yaml = "extension:\n  name: a\n  metadata:\n    license: MIT\n  requires:\n    - b\n";
        assert_eq!(of_key(yaml, &["extension", "metadata", "license"]), Some(4));
        assert_eq!(of_key(yaml, &["extension", "requires"]), Some(5));
        assert_eq!(of_key(yaml, &["license"]), None);
    }
}
