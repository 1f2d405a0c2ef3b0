//! drp
fn main() {}
