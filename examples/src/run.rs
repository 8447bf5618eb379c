use crate::cli::{Common, Exit, print};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// The report of one run, for `--json` and `--report`.
#[derive(Debug)]
pub struct Run {
    command: &'static str,
    start: Instant,
    /// How many items ended in which way.
    pub counts: BTreeMap<&'static str, u64>,
    /// Bytes read.
    pub bytes: u64,
    /// What did not work.
    pub failures: Vec<Failed>,
    /// What is there, but should be looked at.
    pub alerts: Vec<String>,
    /// Further keys of the report.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// An item that did not work.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    /// What it is called.
    pub item: String,
    /// Where it is.
    pub path: String,
    /// Why it failed.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
}

impl Run {
    /// Starts the clock.
    pub fn start(command: &'static str) -> Self {
        Self {
            command,
            start: Instant::now(),
            counts: BTreeMap::new(),
            bytes: 0,
            failures: Vec::new(),
            alerts: Vec::new(),
            extra: serde_json::Map::new(),
        }
    }

    /// Notes an input that failed.
    pub fn failed(&mut self, path: &Path, reason: String) {
        let item =
            path.file_name().map_or_else(|| path.to_string_lossy(), |n| n.to_string_lossy()).into_owned();
        self.failed_item(&item, &path.to_string_lossy(), reason);
    }

    /// Notes an item that failed, under its own name.
    pub fn failed_item(&mut self, item: &str, path: &str, reason: String) {
        self.failures.push(Failed { item: item.to_owned(), path: path.to_owned(), reason, attempts: 1 });
    }

    /// Says on stderr why the run ends here, and ends it.
    pub fn refuse(self, common: &Common, exit: Exit, reason: &str) -> Exit {
        eprintln!("{}: {reason}", self.command);
        let mut run = self;
        run.failures.push(Failed {
            item: run.command.to_owned(),
            path: String::new(),
            reason: reason.to_owned(),
            attempts: 1,
        });
        run.end(common, exit)
    }

    /// Writes the report where it was asked for.
    pub fn end(self, common: &Common, exit: Exit) -> Exit {
        let status = match exit {
            Exit::Complete => "complete",
            Exit::Usage | Exit::Bug => "failed",
            _ if self.counts.get("done").is_some_and(|&n| n > 0) => "incomplete",
            _ => "failed",
        };
        let mut report = json!({
            "command": self.command,
            "version": env!("CARGO_PKG_VERSION"),
            "status": status,
            "exit_code": exit.code(),
            "counts": self.counts,
            "bytes": self.bytes,
            "seconds": self.start.elapsed().as_secs_f64(),
            "failures": self.failures,
            "alerts": self.alerts,
        });
        for (key, value) in self.extra {
            report[key] = value;
        }
        let mut exit = exit;
        if let Some(dir) = &common.report {
            let written = std::fs::create_dir_all(dir).and_then(|()| {
                coaddkit_density::publish(&dir.join("report.json"), |out| writeln!(out, "{report:#}"))
            });
            if let Err(e) = written {
                eprintln!("{}: cannot write the report to {}: {e}", self.command, dir.display());
                exit = if exit == Exit::Complete { Exit::Transient } else { exit };
            }
        }
        if common.json {
            print(&format!("{report}\n"));
        }
        exit
    }
}
