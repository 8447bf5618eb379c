//! The assets manifest: a row for every brick that was asked for, in every run.

use crate::state::{BrickRecord, BrickState};
use coaddkit_sky::BrickName;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

/// The columns, in order.
pub(crate) const COLUMNS: [&str; 10] = [
    "brickname",
    "state",
    "ok",
    "error",
    "prefix",
    "files_expected",
    "files_present",
    "files_absent",
    "missing",
    "bytes",
];

impl BrickRecord {
    /// Names of the files that are missing, with `;` between them.
    pub(crate) fn missing_names(&self) -> String {
        self.missing.iter().map(|product| product.file_name(self.brick)).collect::<Vec<_>>().join(";")
    }

    /// True if every file that was asked for is there.
    pub fn is_complete(&self) -> bool {
        self.state == BrickState::Complete
    }
}

/// Writes the manifest as CSV (RFC 4180): a header, and a line a brick.
///
/// # Errors
///
/// Whatever `out` says.
pub fn write_csv<'a>(out: impl Write, records: impl IntoIterator<Item = &'a BrickRecord>) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(COLUMNS)?;
    for record in records {
        csv.write_record([
            record.brick.as_str(),
            record.state.name(),
            if record.is_complete() { "1" } else { "0" },
            // A brick stays a line, whatever an error says.
            &record.error.as_deref().unwrap_or_default().replace(['\n', '\r'], " "),
            &record.prefix,
            &record.files_expected.to_string(),
            &record.files_present.to_string(),
            &record.files_absent.to_string(),
            &record.missing_names(),
            &record.bytes.to_string(),
        ])?;
    }
    csv.flush()
}

/// Files that an earlier manifest says the origin does not have: they need not be asked for again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownAbsent {
    files: BTreeSet<(BrickName, String)>,
}

impl KnownAbsent {
    /// The absent files of a manifest in CSV: of bricks that are `absent` or `partial`, whose only lack is what the
    /// origin does not have.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no manifest; the error says where.
    pub fn read(path: &Path) -> io::Result<Self> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let bad = |line: u64, what: String| {
            named(io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {what}")))
        };
        let mut csv = csv::Reader::from_path(path).map_err(|e| named(e.into()))?;
        let header = csv.headers().map_err(|e| named(e.into()))?;
        let find = |name: &str| header.iter().position(|field| field == name);
        let (Some(brick), Some(state), Some(missing)) = (find("brickname"), find("state"), find("missing"))
        else {
            return Err(bad(1, "no assets manifest: it has no columns brickname, state, missing".into()));
        };
        let mut files = BTreeSet::new();
        for record in csv.records() {
            let record = record.map_err(|e| named(e.into()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |column: usize| record.get(column).unwrap_or_default();
            let brick: BrickName = field(brick).parse().map_err(|e| bad(line, format!("{e}")))?;
            let state = BrickState::named(field(state))
                .ok_or_else(|| bad(line, format!("there is no state {:?}", field(state))))?;
            if matches!(state, BrickState::Absent | BrickState::Partial) {
                let names = field(missing).split(';').filter(|name| !name.is_empty());
                files.extend(names.map(|name| (brick, name.to_owned())));
            }
        }
        Ok(Self { files })
    }

    /// True if the origin is known not to have this file.
    pub fn contains(&self, brick: BrickName, file_name: &str) -> bool {
        self.files.contains(&(brick, file_name.to_owned()))
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}
