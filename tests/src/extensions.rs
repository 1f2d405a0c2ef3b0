//! The extensions that ship, put together as they are installed.

use crate::daemon::binary;
use drp_extensions::launcher::{self, Programs};
use drp_protocol::{ExtensionType, HostedExtension, extension_plugin};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Assembled extensions, in a folder that goes away with this.
pub struct Assembled {
    dir: tempfile::TempDir,
}

impl Assembled {
    /// Runs `extensions/assemble.sh` on this build for some of them, each `providers/NAME` and so on.
    pub fn new(wanted: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("extensions-").tempdir().expect("a temporary folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../extensions/assemble.sh");
        let target = binary("drp").parent().expect("target directory").to_owned();
        let run =
            Command::new(script).arg(target).arg(dir.path()).args(wanted).output().expect("assemble.sh");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        Self { dir }
    }

    /// Folder of one of them.
    pub fn path(&self, extension: &str) -> PathBuf {
        self.dir.path().join(extension)
    }

    /// The launcher of one, as registering writes it, with its record beside it: a file for
    /// [`Builder::plugin_file`](crate::daemon::Builder::plugin_file) under the name that it gives too.
    pub fn launcher(&self, kind: ExtensionType, name: &str) -> (String, PathBuf) {
        let root = self.path(&format!("{}/{name}", kind.folder()));
        let plugin = extension_plugin(kind, name);
        let record: HostedExtension =
            serde_json::from_value(json!({"type": kind, "name": name, "version": "0.1.0", "root": root}))
                .expect("a record");
        let kept = self.dir.path().join(format!("{plugin}.json"));
        std::fs::write(&kept, serde_json::to_vec(&record).expect("JSON")).expect("record");
        let host = launcher::hosted_by(kind, &root).expect("something that runs it");
        let folder = binary("drp").parent().expect("target directory").to_owned();
        let programs = Programs::in_folders(&[folder]);
        let file = self.dir.path().join(&plugin);
        std::fs::write(&file, launcher::text(&record, &host, &programs, &kept)).expect("launcher");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("launcher");
        (plugin, file)
    }
}
