//! `drp bench`: prints the promises with the floors measured in the same run.

#[path = "../bench/mod.rs"]
mod bench;

fn main() -> std::process::ExitCode {
    bench::main()
}
