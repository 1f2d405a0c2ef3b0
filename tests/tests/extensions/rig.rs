//! Folders of extensions, and an evaluator.

use drp_schemas::{Evaluator, Settings};
use drp_tests::daemon::binary;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

/// An evaluator of untrusted documents. Workers belong to a runtime, so every test has its own.
pub fn evaluator() -> Evaluator {
    static CONTRACTS: OnceLock<TempDir> = OnceLock::new();
    let folder = CONTRACTS.get_or_init(|| tempfile::tempdir().unwrap());
    let mut settings = Settings::with_worker(binary("drp-nickel"));
    settings.import_paths = vec![drp_schemas::install(folder.path()).unwrap()];
    settings.roots = Some(Vec::new());
    // These machines are shared, and a debug build of Nickel is seven times slower.
    settings.deadline = std::time::Duration::from_secs(60);
    Evaluator::new(settings)
}

/// A folder with these files; those in `plugin/` can be run.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(folder.path(), name, text.as_bytes());
    }
    folder
}

pub fn write(root: &Path, name: &str, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    if name.starts_with("plugin/") {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The manifest of the reference of the interface.
pub const MY_PROVIDER: &str = r#"[extension]
name = "my-provider"
type = "provider"
version = "1.0.0"
description = "Custom cloud provider integration"
author = "Your Name "
license = "MIT"

[compatibility]
provisioning_version = ">=2.0.0"
nushell_version = ">=0.107.0"
nickel_version = ">=1.15.0"

[capabilities]
server_management = true
load_balancer = false
storage_encryption = true
backup = true
monitoring = false

[authentication]
methods = ["api_key", "certificate"]
required_fields = ["api_key", "api_secret"]

[regions]
default = "us-east-1"
available = ["us-east-1", "us-west-2", "eu-west-1"]

[support]
documentation = "https://docs.example.com/provider"
issues = "https://github.com/example/provider/issues"
"#;

/// A manifest without anything that could be left out.
pub fn manifest(name: &str, kind: &str) -> String {
    format!(
        "[extension]\nname = \"{name}\"\ntype = \"{kind}\"\nversion = \"1.0.0\"\ndescription = \"One.\"\n"
    )
}
