//! What the command line asks of the daemon's own code.

use drp_cli::{Exit, Failure, Flags, Hooks, OneAction, Setting};
use drp_extensions::Hosting;
use drp_server::{ExtensionHost, Loaded, Overrides, Settings};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// The daemon of this build.
pub(crate) struct Daemon;

/// Settings from the flags, the environment and the settings file.
fn load(flags: &Flags) -> Result<Loaded, Failure> {
    let overrides = flags
        .values
        .iter()
        .fold(Overrides::default(), |all, (name, value)| all.set(name, value))
        .settings_file(flags.settings_file.clone());
    Settings::load(&overrides).map_err(|e| {
        Failure::usage(e.to_string())
            .hint("`drp config show --origin` with the same flags shows where values come from")
    })
}

impl Hooks for Daemon {
    fn serve(&self, flags: &Flags) -> Result<(), Failure> {
        drp_server::serve(load(flags)?.settings).map_err(|e| Failure::new(Exit::General, e.to_string()))
    }

    fn settings(&self, flags: &Flags) -> Result<Vec<Setting>, Failure> {
        let setting =
            |o: drp_server::Origin| Setting { name: o.name.to_owned(), value: o.value, origin: o.origin };
        Ok(load(flags)?.origins.into_iter().map(setting).collect())
    }

    fn restore(&self, flags: &Flags, file: &Path) -> Result<(), Failure> {
        let settings = load(flags)?.settings;
        std::fs::metadata(file).map_err(|e| Failure::io(file.display(), &e))?;
        drp_server::restore(&settings, file).map(drop).map_err(|e| Failure::new(Exit::General, e.to_string()))
    }

    fn plugin_run(&self, action: &OneAction) -> Result<Value, Failure> {
        crate::standalone::run(action)
    }

    fn hosting(&self, logs: bool) -> Arc<dyn Hosting> {
        Arc::new(ExtensionHost::beside_this_program().log(move |line| crate::standalone::report(&line, logs)))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_setting_has_its_flag() {
        let mut command = drp_cli::command();
        command.build();
        let serve = command.find_subcommand("serve").unwrap();
        let flags: Vec<&str> = serve.get_arguments().filter_map(clap::Arg::get_long).collect();
        for key in drp_server::KEYS {
            assert!(flags.contains(&key.name), "drp serve has no flag --{}", key.name);
        }
    }
}
