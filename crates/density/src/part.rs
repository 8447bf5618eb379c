//! Counts on their way from one process to another.

use crate::count::{Counts, FileCount};
use coaddkit_photometry::{ClauseFlow, CutFlow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// As JSON.
#[derive(Serialize, Deserialize)]
struct Part {
    format: String,
    files: Vec<File>,
    flow: Vec<(String, u64, u64)>,
    bricks: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
struct File {
    path: String,
    rows: u64,
    selected: u64,
    bytes: u64,
    seconds: f64,
}

const FORMAT: &str = "coaddkit-counts/1";

impl Counts {
    /// Writes what was counted in files that were read wholly, for [`Counts::read_part`] in another process. Files that
    /// failed are left out.
    ///
    /// # Errors
    ///
    /// What the writer says.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_density::{Count, Counts};
    ///
    /// let counts = Count::new("mag(flux_z) < 20.4".parse()?).none();
    /// let mut part = Vec::new();
    /// counts.write_part(&mut part)?;
    /// assert_eq!(Counts::read_part(&mut part.as_slice())?.bricks, counts.bricks);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_part(&self, out: &mut dyn Write) -> io::Result<()> {
        let file = |file: &FileCount| File {
            path: file.path.to_string_lossy().into_owned(),
            rows: file.rows,
            selected: file.selected,
            bytes: file.bytes,
            seconds: file.seconds,
        };
        let part = Part {
            format: FORMAT.to_owned(),
            files: self.files.iter().filter(|file| file.error.is_none()).map(file).collect(),
            flow: self
                .flow
                .clauses()
                .iter()
                .map(|line| (line.clause.clone(), line.given, line.kept))
                .collect(),
            bricks: self.bricks.clone(),
        };
        serde_json::to_writer(out, &part).map_err(io::Error::from)
    }

    /// Reads what [`Counts::write_part`] wrote.
    ///
    /// # Errors
    ///
    /// What the reader says, and [`io::ErrorKind::InvalidData`] for bytes that are no counts or do not add up.
    pub fn read_part(from: &mut dyn Read) -> io::Result<Self> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let part: Part = serde_json::from_reader(from).map_err(|e| match e.classify() {
            serde_json::error::Category::Io => e.into(),
            _ => io::Error::new(io::ErrorKind::InvalidData, e),
        })?;
        if part.format != FORMAT {
            return Err(bad("these are no counts"));
        }
        let lines = part.flow.into_iter().map(|(clause, given, kept)| ClauseFlow { clause, given, kept });
        let flow =
            CutFlow::from_clauses(lines.collect()).ok_or_else(|| bad("the cut-flow does not add up"))?;
        let add = |sum: u64, n: u64| sum.checked_add(n);
        let counted = part.bricks.values().copied().try_fold(0, add);
        let selected = part.files.iter().map(|file| file.selected).try_fold(0, add);
        if counted.is_none() || counted != selected {
            return Err(bad("the bricks do not add up to what was selected"));
        }
        let files = part.files.into_iter().map(|file| FileCount {
            path: file.path.into(),
            rows: file.rows,
            selected: file.selected,
            bytes: file.bytes,
            seconds: file.seconds,
            error: None,
        });
        Ok(Self { bricks: part.bricks, flow, files: files.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_add_up_is_refused() {
        let text = |kept: u64, selected: u64, bricks: &str| {
            format!(
                r#"{{"format":"coaddkit-counts/1","files":[{{"path":"a.fits","rows":9,"selected":{selected},
                "bytes":8,"seconds":1.5}}],"flow":[["a",9,{kept}],["b",5,3]],"bricks":{{{bricks}}}}}"#
            )
        };
        let read = |text: String| Counts::read_part(&mut text.as_bytes());
        let counts = read(text(5, 3, r#""0001m002":2,"0001p000":1"#)).unwrap();
        assert_eq!((counts.rows(), counts.selected(), counts.bricks["0001m002"]), (9, 3, 2));
        for bad in [
            text(4, 3, r#""0001m002":3"#),
            text(5, 4, r#""0001m002":3"#),
            text(5, 3, r#""a":18446744073709551615,"b":4"#),
            text(5, 3, r#""0001m002":3"#).replace("counts/1", "counts/2"),
            text(5, 3, r#""0001m002":3"#).replace("9,5", "-9,5"),
            String::new(),
        ] {
            assert_eq!(read(bad).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
