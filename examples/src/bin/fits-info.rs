//! fits-info
fn main() {}
