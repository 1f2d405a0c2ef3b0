//! ipmi
fn main() {}
