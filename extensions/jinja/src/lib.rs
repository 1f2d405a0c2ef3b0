//! Jinja2 templates of extensions (extensions §1, `templates/`), by [`minijinja`]: strict about undefined variables,
//! bounded in work and output, with errors that name template, line and column.
//!
//! Nothing is escaped by itself: a template makes a script or a configuration file, and only its author knows of which
//! language. So there are filters that write any value as one word or literal of a language:
//!
//! | Filter | Writes |
//! |---|---|
//! | `sh`, `quote` | one word of a POSIX shell; a list becomes words |
//! | `tonu` | a Nushell expression |
//! | `tonickel` | a Nickel expression |
//! | `tojson`, `toyaml` | a document; both take `indent` |
//!
//! ```
//! use drp_jinja::Templates;
//! use serde_json::json;
//!
//! let templates = Templates::of_text("install.sh.j2", "apt-get install -y {{ packages | sh }}\n").unwrap();
//! let text = templates.render("install.sh.j2", &json!({"packages": ["nginx", "$(reboot)"]})).unwrap();
//! assert_eq!(text, "apt-get install -y nginx '$(reboot)'\n");
//!
//! let error = templates.render("install.sh.j2", &json!({"package": []})).unwrap_err();
//! assert_eq!(error.to_string(), "template install.sh.j2, line 1, column 23: `packages` is undefined");
//! assert_eq!(error.hint().unwrap(), "did you mean `package`?");
//! ```

mod error;
mod filters;
mod folder;
mod literal;
mod near;
mod output;
mod shape;
mod templates;

pub use error::{Place, TemplateError};
pub use templates::{Limits, Templates};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
