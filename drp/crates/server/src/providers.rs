//! The plugin providers as the API shows them: definitions with their derived `Meta` (wire-protocol §1.11).

use drp_protocol::{Bundle, BundleMeta, PluginProvider};
use std::collections::{BTreeMap, HashSet};
use std::sync::{PoisonError, RwLock};

/// All usable providers by name.
#[derive(Default)]
pub(crate) struct Providers {
    known: RwLock<BTreeMap<String, PluginProvider>>,
    /// Providers that are being uploaded: their content may push writable objects aside.
    uploading: RwLock<HashSet<String>>,
}

impl Providers {
    pub(crate) fn all(&self) -> Vec<PluginProvider> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<PluginProvider> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Whether any provider wants every event.
    pub(crate) fn any_has_publish(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().any(|p| p.has_publish)
    }

    pub(crate) fn put(&self, provider: PluginProvider) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(provider.name.clone(), provider);
    }

    pub(crate) fn remove(&self, name: &str) -> Option<PluginProvider> {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// Marks an upload; `false` when one of that name is under way.
    pub(crate) fn begin_upload(&self, name: &str) -> bool {
        self.uploading.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned())
    }

    pub(crate) fn end_upload(&self, name: &str) {
        self.uploading.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(crate) fn is_uploading(&self, name: &str) -> bool {
        self.uploading.read().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// The content of a provider as a bundle whose meta names the provider.
///
/// # Errors
/// Why the text is no bundle.
pub(crate) fn bundle(provider: &PluginProvider) -> Result<Bundle, String> {
    let text = provider.content.trim();
    let mut bundle: Bundle = match text {
        "" => Bundle::default(),
        text => drp_content::parse("Content", text).map_err(|e| format!("its Content is no bundle: {e}"))?,
    };
    let meta = &mut bundle.meta;
    meta.name.clone_from(&provider.name);
    meta.version.clone_from(&provider.version);
    "plugin".clone_into(&mut meta.r#type);
    let unset = |text: &str| matches!(text.trim(), "" | "Unspecified");
    if unset(&meta.description) {
        meta.description = format!("Content layer for {} plugin provider", provider.name);
    }
    if unset(&meta.source) {
        "FromPluginProvider".clone_into(&mut meta.source);
    }
    Ok(bundle)
}

/// A bundle's meta as the string map that a provider and its plugins carry. Clients read the colour and the icon
/// under lower-case names too.
pub(crate) fn meta_map(meta: &BundleMeta) -> BTreeMap<String, String> {
    [
        ("Author", &meta.author),
        ("CodeSource", &meta.code_source),
        ("Color", &meta.color),
        ("Copyright", &meta.copyright),
        ("Description", &meta.description),
        ("DisplayName", &meta.display_name),
        ("DocUrl", &meta.doc_url),
        ("Documentation", &meta.documentation),
        ("Icon", &meta.icon),
        ("License", &meta.license),
        ("Name", &meta.name),
        ("Order", &meta.order),
        ("Prerequisites", &meta.prerequisites),
        ("RequiredFeatures", &meta.required_features),
        ("Source", &meta.source),
        ("Tags", &meta.tags),
        ("Type", &meta.r#type),
        ("Version", &meta.version),
        ("color", &meta.color),
        ("icon", &meta.icon),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.clone()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_names_its_provider() {
        let content = "meta: {color: red, Name: other}\nsections: {params: {lamp/id: {name: lamp/id}}}";
        let provider = PluginProvider {
            name: "lamp".into(),
            version: "v1".into(),
            content: content.into(),
            ..Default::default()
        };
        let bundle = bundle(&provider).unwrap();
        let map = meta_map(&bundle.meta);
        for (key, value) in [
            ("Name", "lamp"),
            ("Version", "v1"),
            ("Type", "plugin"),
            ("Description", "Content layer for lamp plugin provider"),
            ("Source", "FromPluginProvider"),
            ("Color", "red"),
            ("color", "red"),
            ("icon", ""),
        ] {
            assert_eq!(map[key], value, "{key}");
        }
        assert_eq!(map.len(), 20);
        assert!(bundle.sections["params"].contains_key("lamp/id"));
        assert!(super::bundle(&PluginProvider { content: "[1".into(), ..Default::default() }).is_err());
    }
}
