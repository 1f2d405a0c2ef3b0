//! `packet-ipmi`: machines of the Equinix Metal (Packet) API and compatible ones (plugins §2.3).

mod answer;
mod boot;
mod definition;
mod metal;
mod names;
mod plugin;
mod power;
mod provision;
mod reconcile;
mod records;
mod retire;
mod settings;
mod vm;
mod work;

fn main() -> std::process::ExitCode {
    definition::definition().run(plugin::PacketPlugin::default())
}
