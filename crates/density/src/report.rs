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
        let report = report_path(csv);
        // Counts never stand beside the report of another run.
        match std::fs::remove_file(&report) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        if self.any() {
            publish(csv, |out| {
                writeln!(out, "brickname,lrg_count")?;
                self.bricks.iter().try_for_each(|(name, n)| writeln!(out, "{name},{n}"))
            })?;
        }
        publish(&report, |out| {
            serde_json::to_writer_pretty(&mut *out, &self.report(csv, exit_code)).map_err(io::Error::from)?;
            writeln!(out)
        })
    }

    /// Whether there is anything to write.
    fn any(&self) -> bool {
        self.files.iter().any(|f| f.error.is_none())
    }

    /// The report: every file with its rows, selection, time and error; the cut-flow; the totals; the name of the
    /// counts, null if there are none.
    pub fn report(&self, csv: &Path, exit_code: u8) -> Value {
        let name = csv.file_name().unwrap_or(csv.as_os_str());
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
            "counts": self.any().then(|| name.to_string_lossy()),
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
