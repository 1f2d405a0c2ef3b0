//! `local-provider`: servers that are QEMU virtual machines of this host (extensions §2, §12).

mod config;
mod definition;
mod failure;
mod firewall;
mod folder;
mod image;
mod iso;
mod launch;
mod operations;
mod plan;
mod plugin;
mod probe;
mod process;
mod qmp;
mod record;
mod seed;
mod server;
mod settings;

fn main() -> std::process::ExitCode {
    definition::definition().run(plugin::Local::default())
}
