//! What content needs: other content, and features of the daemon (wire-protocol §2.5).

use super::refused;
use crate::{Objects, fault::Fault};
use drp_protocol::BundleMeta;

impl Objects {
    /// The needs of a bundle that are not met, one text each.
    pub(super) fn unmet(&self, meta: &BundleMeta) -> Vec<String> {
        let name = &meta.name;
        let mut out = Vec::new();
        match drp_content::needs(&meta.prerequisites) {
            Err(text) => out.push(format!("Content {name}: {text}")),
            Ok(_) if meta.prerequisites.trim().is_empty() => {}
            Ok(needs) => {
                let layers = self.all_layers();
                for need in needs {
                    match layers.iter().find(|l| *l.name == *need.name) {
                        None => out.push(format!("Content {name} needs content {need}, which is not there")),
                        Some(layer) if !need.is_met_by(&layer.meta.version) => {
                            let version = &layer.meta.version;
                            out.push(format!(
                                "Content {name} needs content {need}, and it is there as {version}"
                            ));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        let known = &self.inner.options.features;
        for feature in drp_content::features(&meta.required_features) {
            if !known.iter().any(|known| known == feature) {
                out.push(format!(
                    "Content {name} needs the feature {feature}, which this endpoint does not have"
                ));
            }
        }
        out
    }

    /// Refuses to take content away, or to put another version in its place, that other content needs.
    pub(super) fn unneeded(&self, name: &str, new: Option<&BundleMeta>) -> Result<(), Fault> {
        let layers = self.all_layers();
        let Some(old) = layers.iter().find(|l| *l.name == *name) else { return Ok(()) };
        let mut messages = Vec::new();
        for layer in layers.iter().filter(|l| *l.name != *name) {
            for need in drp_content::needs(&layer.meta.prerequisites).unwrap_or_default() {
                // What was not met before is nobody's fault now.
                let broken = need.name == name
                    && need.is_met_by(&old.meta.version)
                    && !new.is_some_and(|new| need.is_met_by(&new.version));
                if broken {
                    let word = layer.kind.label(&layer.name);
                    messages.push(match new {
                        None => format!("Content {name} is needed by layer {word} ({need})"),
                        Some(new) => format!(
                            "Content {name} is needed by layer {word} ({need}), which {} is not",
                            new.version
                        ),
                    });
                }
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        Err(Fault::InUse { model: "contents".to_owned(), key: name.to_owned(), messages })
    }

    /// Refuses a bundle whose needs are not met.
    pub(super) fn needs_met(&self, meta: &BundleMeta) -> Result<(), Fault> {
        let messages = self.unmet(meta);
        if messages.is_empty() {
            return Ok(());
        }
        Err(Fault::invalid("contents", &meta.name, messages))
    }

    /// Refuses names that are the daemon's own.
    pub(super) fn free_name(name: &str) -> Result<(), Fault> {
        let own = [super::WRITABLE, "LocalStore", "DefaultStore", "BasicStore"];
        if own.contains(&name) {
            let text = format!("{name} is a layer of the daemon itself; give the content another name");
            return Err(refused(422, "ValidationError", name, text));
        }
        Ok(())
    }
}
