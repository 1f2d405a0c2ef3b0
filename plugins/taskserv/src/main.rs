//! `taskserv`: hosts task services that are data and templates only (extensions §2).

fn main() -> std::process::ExitCode {
    drp_taskserv::host(std::env::args_os().skip(1))
}
