use crate::count::Counts;
use crate::publish::publish;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

impl Counts {
    /// Writes `counts.csv` (`brickname,lrg_count`, sorted by name) and, beside it, the report.
    ///
    /// Both are whole or absent. Where every file failed no counts are written, only the report; counts of
    /// an earlier run under that name stay as they are.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, csv: &Path, exit_code: u8) -> io::Result<()> {
        if self.files.iter().any(|f| f.error.is_none()) {
            publish(csv, |out| {
                writeln!(out, "brickname,lrg_count")?;
                self.bricks.iter().try_for_each(|(name, n)| writeln!(out, "{name},{n}"))
            })?;
        }
        publish(&report_path(csv), |out| {
            serde_json::to_writer_pretty(&mut *out, &self.report(exit_code)).map_err(io::Error::from)?;
            writeln!(out)
        })
    }

    /// The report: every file with its rows, selection, time and error; the cut-flow; the totals.
    pub fn report(&self, exit_code: u8) -> Value {
        let files = self.files.iter().map(|f| {
            json!({
                "path": f.path.to_string_lossy(),
                "rows": f.rows,
                "selected": f.selected,
                "bytes": f.bytes,
                "seconds": f.seconds,
                "error": f.error.as_ref().map(ToString::to_string),
            })
        });
        let flow = self
            .flow
            .clauses()
            .iter()
            .map(|c| json!({ "clause": c.clause, "in": c.given, "kept": c.kept, "lost": c.lost() }));
        json!({
            "files": files.collect::<Vec<_>>(),
            "cutflow": flow.collect::<Vec<_>>(),
            "bricks": self.bricks.len(),
            "rows": self.rows(),
            "selected": self.selected(),
            "exit_code": exit_code,
        })
    }
}

/// `counts.csv` → `counts.report.json`.
pub fn report_path(csv: &Path) -> PathBuf {
    csv.with_extension("report.json")
}
