use crate::pool::compat;
use coaddkit_examples::{Common, Exit, Run, StepBar, Table, print};
use coaddkit_manifest::Severity;
use coaddkit_manifest::negatives::{Compat, SamplingConfig, Validate, Validation, read_positions};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// The sample, or a folder of files
    file: PathBuf,
    /// The configuration it was made by (YAML; TOML if it ends in .toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A catalogue of known lenses that the sample must keep away from; may be given several times
    #[arg(long, value_name = "FILE")]
    positives: Vec<PathBuf>,
    /// The published job whose splits it has: 2026-02-07 or 2026-02-09
    #[arg(long, value_name = "DAY", value_parser = compat)]
    compat: Option<Compat>,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("negative-sampling validate");
    let common = &args.common;
    let bar = StepBar::new(common.quiet);
    let validation = common.on_threads(|| {
        let mut validate = Validate::new(&SamplingConfig::read(&args.config)?);
        validate.compat = args.compat;
        validate.positives = read_positions(&args.positives)?;
        validate.file(&args.file, &bar)
    });
    bar.finish();
    let validation = match validation {
        Ok(validation) => validation,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    let folder = args.file.with_extension("validation");
    if let Err(e) = validation.write(&folder) {
        return run.refuse(common, e.class().into(), &e.to_string());
    }
    run.counts.extend([
        ("done", 1),
        ("rows", validation.total_rows),
        ("gates", validation.gates.len() as u64),
        ("gates_failed", validation.gates.iter().filter(|g| !g.passed).count() as u64),
    ]);
    let exit = failures(&mut run, &args.file, &validation);
    run.extra.insert("validation".to_owned(), json!(validation));
    if !common.quiet {
        print(&(gates(&validation) + &format!("\n  report  {}\n", folder.display())));
    }
    run.end(common, exit)
}

/// Critical gates that failed are failures, the others alerts.
pub fn failures(run: &mut Run, file: &Path, validation: &Validation) -> Exit {
    for gate in validation.gates.iter().filter(|g| !g.passed) {
        let what = format!("gate {}: expected {}, found {}", gate.name, gate.expected, gate.found);
        match gate.severity {
            Severity::Critical => run.failed(file, what),
            Severity::Warning => run.alerts.push(what),
        }
    }
    if validation.is_fatal() { Exit::BadData } else { Exit::Complete }
}

pub fn gates(validation: &Validation) -> String {
    let mut table = Table::new(["gate", "passed", "expected", "found"]);
    for gate in &validation.gates {
        let passed = match (gate.passed, gate.severity) {
            (true, _) => "yes",
            (false, Severity::Warning) => "warning",
            (false, Severity::Critical) => "NO",
        };
        table.row([gate.name.clone(), passed.to_owned(), gate.expected.clone(), gate.found.clone()]);
    }
    table.to_string()
}
