//! `virtualbox-ipmi`: power, boot order, creation and removal of VirtualBox machines (plugins §1.5, §2.4).

mod answer;
mod definition;
mod destroy;
mod flow;
mod host;
mod import;
mod lifecycle;
mod make;
mod outcome;
mod params;
mod plugin;
mod power;
mod records;
mod work;

fn main() -> std::process::ExitCode {
    definition::definition().run(plugin::VirtualBox::default())
}
