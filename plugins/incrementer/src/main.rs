//! incrementer
fn main() {}
