//! For build scripts: bundles a package's `content/` directory.

use crate::{ContentError, directory};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Bundles `content/` beside the package's `Cargo.toml` into `$OUT_DIR/drp-content.json`, where
/// `drp_plugin_sdk::content!()` finds it. The whole build script of a plugin is
///
/// ```no_run
/// drp_content::build::bundle();
/// ```
///
/// The build fails with the file and line of what is wrong; nothing is found out at run time.
pub fn bundle() {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let dir = variable("CARGO_MANIFEST_DIR").join("content");
    let outcome = bundle_into(&dir, &variable("OUT_DIR").join("drp-content.json"));
    let mut out = std::io::stdout().lock();
    match outcome {
        Ok(watched) => {
            for path in watched {
                let _ = writeln!(out, "cargo::rerun-if-changed={}", path.display());
            }
        }
        Err(error) => {
            let _ = writeln!(out, "cargo::rerun-if-changed={}", dir.display());
            let _ = writeln!(out, "cargo::error={}", error.to_string().replace('\n', " "));
        }
    }
}

fn bundle_into(dir: &Path, target: &Path) -> Result<Vec<PathBuf>, ContentError> {
    let text = directory::bundled(dir)?;
    fs::write(target, text).map_err(ContentError::io("write", target))?;
    directory::all_paths(dir)
}

#[cfg(test)]
mod tests {
    use super::bundle_into;

    #[test]
    fn the_bundle_is_one_json_text() {
        let dir = tempfile::tempdir().unwrap();
        let params = dir.path().join("content/params");
        std::fs::create_dir_all(&params).unwrap();
        std::fs::write(params.join("a.yaml"), "Name: lamp/id\n").unwrap();
        let target = dir.path().join("out.json");
        let watched = bundle_into(&dir.path().join("content"), &target).unwrap();
        assert!(watched.contains(&params.join("a.yaml")) && watched.contains(&params));
        let bundle = crate::parse("out.json", &std::fs::read_to_string(&target).unwrap()).unwrap();
        assert!(bundle.sections["params"].contains_key("lamp/id"));
        let text = bundle_into(&dir.path().join("nowhere"), &target).unwrap_err().to_string();
        assert!(text.starts_with("cannot list ") && text.contains("nowhere"), "{text}");
    }
}
