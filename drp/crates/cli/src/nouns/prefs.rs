//! Preferences.

use crate::commands::Context;
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, hints, input};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `drp prefs …`.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All preferences
    List,
    /// One preference
    Show {
        /// Its name
        name: String,
    },
    /// Set preferences
    Set {
        /// Names and values by turns; a value - is read from standard input
        #[arg(required = true, num_args = 2.., value_names = ["NAME", "VALUE"])]
        pairs: Vec<String>,
    },
}

pub(super) const NOUN: Noun = noun!("prefs", "Preferences of the daemon", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List => cx.printer.value(&json!(cx.client.prefs().await?)),
        Verb::Show { name } => {
            let prefs = cx.client.prefs().await?;
            match prefs.get(&name) {
                Some(value) => cx.printer.value(&Value::String(value.clone())),
                None => {
                    let failure = Failure::new(Exit::NotFound, format!("there is no preference {name}"));
                    Err(match hints::did_you_mean(&name, prefs.keys().map(String::as_str)) {
                        Some(hint) => failure.hint(hint),
                        None => failure,
                    })
                }
            }
        }
        Verb::Set { pairs } => {
            if pairs.len() % 2 == 1 {
                return Err(Failure::usage(format!(
                    "the preference {} has no value",
                    pairs[pairs.len() - 1]
                )));
            }
            let mut prefs = BTreeMap::new();
            for pair in pairs.chunks_exact(2) {
                let value =
                    if pair[1] == "-" { input::text("-")?.trim_end().to_owned() } else { pair[1].clone() };
                prefs.insert(pair[0].clone(), value);
            }
            let hidden = |name: &str| name.to_lowercase().contains("secret");
            let shown: BTreeMap<_, _> =
                prefs.iter().map(|(n, v)| (n, if hidden(n) { "***" } else { v.as_str() })).collect();
            if cx.dry("POST", "prefs", &json!(shown))? {
                return Ok(());
            }
            let mut now = cx.client.set_prefs(&prefs).await?;
            for (name, value) in &mut now {
                if hidden(name) {
                    "***".clone_into(value);
                }
            }
            cx.printer.value(&json!(now))
        }
    }
}
