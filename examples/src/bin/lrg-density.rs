//! lrg-density
fn main() {}
