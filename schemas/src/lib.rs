//! The Nickel contracts of drp (settings, manifests, extensions) and their evaluator.
//!
//! Nickel has no limits of its own: a document may loop for ever, and running out of memory ends the process it
//! runs in. So nothing is evaluated here. An [`Evaluator`] keeps worker processes (the program `drp-nickel`) with a
//! memory limit, gives each request a deadline, kills the worker that exceeds it, and goes on with a new one.
//!
//! ```no_run
//! # async fn example() -> Result<(), drp_schemas::SchemaError> {
//! use drp_schemas::{Document, Evaluator, Settings};
//! let evaluator = Evaluator::new(Settings::beside_this_program()?);
//! let contract = r#"(import "drp/extension.ncl").Manifest"#;
//! let checked = evaluator.check(&Document::file("my-provider/metadata.toml"), contract).await?;
//! println!("{}", checked.value); // with the defaults of the contract filled in
//! # Ok(()) }
//! ```

mod answer;
mod cache;
mod contracts;
mod document;
mod error;
mod evaluator;
mod request;
mod settings;
mod worker;

pub use answer::{Answer, Checked, Field, Outcome};
pub use cache::CacheStatistics;
pub use contracts::{CONTRACTS, Contract, install, install_for_user};
pub use document::{Document, Format};
pub use error::{Diagnostic, Place, SchemaError};
pub use evaluator::Evaluator;
pub use request::{Ask, Request};
pub use settings::Settings;
