//! Names that look like another one.

/// How many are told.
const MOST: usize = 3;

/// Those of `known` that are most like `name`, the likest first.
pub(crate) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let folded = fold(name);
    // A third of the name may be wrong; of a name of one letter, nothing.
    let most = folded.len() / 3;
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|other| *other != name && other.len() < 200)
        .map(|other| (distance(&folded, &fold(other)), other))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
}

/// Case and the sort of dash make no difference.
fn fold(name: &str) -> Vec<char> {
    name.chars().take(200).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Levenshtein's distance: letters to add, leave out or change.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn likest_first() {
        assert_eq!(near("hostnme", ["zone", "hostname", "host", "host_name"]), ["hostname", "host_name"]);
        assert_eq!(near("server-id", ["server_id"]), ["server_id"]);
        assert!(near("x", ["y", "z"]).is_empty());
        assert!(near("plan", ["zone", "os"]).is_empty());
    }
}
