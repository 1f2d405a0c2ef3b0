//! Symbolic links that stay in the tree.

use std::path::{Component, Path};

/// Whether a link may be kept. `name` is where it stands in the tree; its target may go up at its beginning only, and
/// not above the tree. Going up later is refused, because what comes before may itself be a link.
pub(super) fn stays(name: &str, target: &str) -> Result<(), String> {
    let leaves = || Err(format!("is a link to {target:?}, which is outside of the tree"));
    if !super::printable(target) {
        return Err("is a link to a name that is empty or has control characters".into());
    }
    let mut level = Path::new(name).components().count().saturating_sub(1);
    let mut went_down = false;
    for part in Path::new(target).components() {
        match part {
            Component::CurDir => {}
            Component::Normal(_) => went_down = true,
            Component::ParentDir if went_down => {
                return Err(format!("is a link to {target:?}, which goes up again after going down"));
            }
            Component::ParentDir if level == 0 => return leaves(),
            Component::ParentDir => level -= 1,
            Component::RootDir | Component::Prefix(_) => return leaves(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::stays;

    #[test]
    fn links_stay_in_the_tree() {
        for (name, target) in
            [("a", "b"), ("d/a", "../b"), ("d/e/a", "../../b/c"), ("a", "./b"), ("d/a", "..")]
        {
            assert_eq!(stays(name, target), Ok(()), "{name} -> {target}");
        }
        for (name, target) in [
            ("a", "/etc/passwd"),
            ("a", ".."),
            ("a", "../b"),
            ("d/a", "../../b"),
            ("a", "d/../b"),
            ("d/a", ".././../b"),
            ("a", ""),
            ("a", "b\nc"),
            ("a", "b\0c"),
        ] {
            assert!(stays(name, target).is_err(), "{name} -> {target}");
        }
    }
}
