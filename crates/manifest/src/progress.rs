/// Told of progress, from several threads at once. `()` ignores it.
pub trait Progress: Sync {
    /// A step of `total` rows begins; 0 if that is not known.
    fn begin(&self, step: &str, total: u64);
    /// So many more rows of the step are done.
    fn advance(&self, rows: u64);
}

impl Progress for () {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
}
