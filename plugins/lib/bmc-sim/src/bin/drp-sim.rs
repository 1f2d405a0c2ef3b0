//! drp-sim
fn main() {}
