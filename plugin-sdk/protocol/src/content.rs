//! Content bundles in their wire form (wire-protocol §2.5).

use crate::JsonMap;
use std::collections::BTreeMap;

model! {
    /// What a bundle says about itself. All text is trimmed by its reader except `Documentation`.
    pub struct BundleMeta [] {
        /// Name of the layer the bundle becomes.
        name: String = "Name",
        /// Semantic version, with or without a leading `v`.
        version: String = "Version",
        /// One line for people.
        description: String = "Description",
        /// Where the bundle was made.
        source: String = "Source",
        /// Longer text, kept to the byte.
        documentation: String = "Documentation",
        /// Comma list of server features the bundle cannot do without.
        required_features: String = "RequiredFeatures",
        /// Comma list of `name[: range]` of other bundles that must be there.
        prerequisites: String = "Prerequisites",
        /// Colour for user interfaces.
        color: String = "Color",
        /// Icon for user interfaces.
        icon: String = "Icon",
        /// Who wrote it.
        author: String = "Author",
        /// Name for people.
        display_name: String = "DisplayName",
        /// Licence identifier.
        license: String = "License",
        /// Copyright line.
        copyright: String = "Copyright",
        /// Where its source lives.
        code_source: String = "CodeSource",
        /// Sort hint for user interfaces, a number as text.
        order: String = "Order",
        /// Comma list.
        tags: String = "Tags",
        /// Where its documentation lives.
        doc_url: String = "DocUrl",
        /// Kind of layer: `dynamic`, `plugin`, `basic`, `writable`, `local`, `default`.
        r#type: String = "Type",
        /// Objects of the layer may be changed. Derived from the type.
        writable: bool = "Writable",
        /// Another layer may hide objects of this one. Derived from the type.
        overwritable: bool = "Overwritable",
    }
}

model! {
    /// A bundle: its meta and its objects by prefix and key.
    pub struct Bundle [] {
        /// Identity and requirements.
        meta: BundleMeta = "meta",
        /// Prefix to key to object.
        sections: BTreeMap<String, BTreeMap<String, JsonMap>> = "sections",
    }
}

model! {
    /// What the API tells about an installed bundle.
    pub struct BundleSummary [] {
        /// Identity and requirements.
        meta: BundleMeta = "meta",
        /// Prefix to number of objects.
        counts: BTreeMap<String, i64> = "Counts",
        /// Texts about things that are allowed and suspicious.
        warnings: Vec<String> = "Warnings",
    }
}
