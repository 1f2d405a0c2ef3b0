//! `ipmi`: out-of-band control of machines through their BMCs (plugins §2.1).

mod answer;
mod definition;
mod mode;
mod params;
mod plugin;

fn main() -> std::process::ExitCode {
    definition::definition().run(plugin::IpmiPlugin::default())
}
