//! Content bundles (wire-protocol §2.5): reading and writing JSON and YAML, the directory form, and bundling a
//! package's `content/` directory at build time.
//!
//! ```
//! let bundle = drp_content::parse("lamps.yaml", "
//! meta: {Name: lamps, Version: v1.0.0}
//! sections:
//!   params: {lamp/id: {name: lamp/id, schema: {type: integer}}}
//! ")?;
//! assert_eq!(bundle.meta.name, "lamps");
//! assert_eq!(bundle.sections["params"]["lamp/id"]["Name"], "lamp/id"); // names in any case are taken
//! # Ok::<(), drp_content::ContentError>(())
//! ```

mod brackets;
pub mod build;
mod bundle;
mod directory;
mod document;
mod error;
mod escape;
mod kinds;
mod meta;
mod needs;
mod text;

pub use bundle::{parse, summary, to_json, to_yaml};
pub use directory::{read_dir, read_path, write_dir};
pub use document::document;
pub use drp_protocol::{Bundle, BundleMeta, BundleSummary};
pub use error::ContentError;
pub use escape::{escape, unescape};
pub use kinds::key_field;
pub use meta::{set_field, settle};
pub use needs::{Need, features, needs};
pub use text::{Format, Once, read as read_value};
