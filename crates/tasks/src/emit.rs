//! Scripts for the engines that people run already: they place the shards, and this crate schedules nothing.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde_json::json;

use crate::Error;

/// An engine that places processes and starts those that were lost again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Slurm: an array of jobs, and a merge that depends on it.
    Slurm,
    /// Apache Spark 3.3 and later: a driver in Python that sends the program to the executors.
    Spark,
    /// Parsl, on one machine or under Slurm.
    Parsl,
    /// AWS Batch: an array job.
    Batch,
    /// Kubernetes: an indexed Job.
    Kubernetes,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Slurm, Self::Spark, Self::Parsl, Self::Batch, Self::Kubernetes];

    /// `slurm`, `spark`, `parsl`, `batch`, `k8s`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slurm => "slurm",
            Self::Spark => "spark",
            Self::Parsl => "parsl",
            Self::Batch => "batch",
            Self::Kubernetes => "k8s",
        }
    }
}

impl Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == text);
        found.ok_or_else(|| Error::usage(text, "the engines are slurm, spark, parsl, batch and k8s"))
    }
}

/// A file for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
    /// Whether it is a program.
    pub executable: bool,
}

/// A job in shards, as the scripts of an engine start it.
///
/// # Examples
///
/// ```
/// use coaddkit_tasks::{Emit, Engine};
///
/// let emit = Emit::new("./lrg-density", ["count", "--list", "sweeps.txt", "--out", "density"], 8)
///     .merge(["merge", "density", "--out", "counts.csv"])
///     .status(["status", "density"])
///     .scripts_in("density/slurm")
///     .at_once(4);
/// let scripts = emit.scripts(Engine::Slurm)?;
/// let array = scripts.iter().find(|script| script.name == "array.sbatch").unwrap();
/// assert!(array.text.contains("#SBATCH --array=0-7%4\n"));
/// assert!(array.text.contains("./lrg-density count --list sweeps.txt --out density \\\n"));
/// # Ok::<(), coaddkit_tasks::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Emit {
    program: String,
    job: Vec<String>,
    shards: u32,
    merge: Vec<String>,
    status: Vec<String>,
    folder: Option<String>,
    scripts_in: String,
    at_once: Option<u32>,
    cpus: u32,
    memory_mib: u32,
    units: usize,
    seconds_a_unit: f64,
    minutes: Option<u32>,
    directives: Vec<String>,
    image: Option<String>,
}

impl Emit {
    /// A program, and the arguments by which it works on this run, all but `--shards` and `--shard`.
    pub fn new(
        program: impl Into<String>,
        job: impl IntoIterator<Item = impl Into<String>>,
        shards: u32,
    ) -> Self {
        Self {
            program: program.into(),
            job: texts(job),
            shards,
            merge: Vec::new(),
            status: Vec::new(),
            folder: None,
            scripts_in: ".".to_owned(),
            at_once: None,
            cpus: 1,
            memory_mib: 1024,
            units: shards as usize,
            seconds_a_unit: 60.0,
            minutes: None,
            directives: Vec::new(),
            image: None,
        }
    }

    /// The arguments that put the parts together.
    pub fn merge(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.merge = texts(args);
        self
    }

    /// The arguments that say how the run stands. With `--shards N --unfinished` the program prints the shards that are
    /// not finished in the form `0-3,7`.
    pub fn status(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.status = texts(args);
        self
    }

    /// Where relative paths count from.
    pub fn folder(mut self, folder: impl Into<String>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Where the scripts will be; their logs go to `logs` below it.
    pub fn scripts_in(mut self, folder: impl Into<String>) -> Self {
        self.scripts_in = folder.into();
        self
    }

    /// At most so many shards at once: what an archive bears is shared by all of them.
    pub fn at_once(mut self, shards: u32) -> Self {
        self.at_once = Some(shards.max(1));
        self
    }

    /// Cores and memory (MiB) of a shard.
    pub fn size(mut self, cpus: u32, memory_mib: u32) -> Self {
        (self.cpus, self.memory_mib) = (cpus.max(1), memory_mib.max(1));
        self
    }

    /// Units of the plan, and about how long one takes on the cores of a shard, in seconds.
    pub fn work(mut self, units: usize, seconds_a_unit: f64) -> Self {
        (self.units, self.seconds_a_unit) = (units, seconds_a_unit);
        self
    }

    /// The limit of time of a shard, in minutes; else three times what its units are thought to take.
    pub fn minutes(mut self, minutes: u32) -> Self {
        self.minutes = Some(minutes.max(1));
        self
    }

    /// A further line for Slurm, such as `--constraint=cpu`.
    pub fn directive(mut self, text: impl Into<String>) -> Self {
        self.directives.push(text.into());
        self
    }

    /// The image of a container that has the program.
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// The scripts for an engine. Equal settings give equal texts.
    ///
    /// # Errors
    ///
    /// A number of shards that the engine does not take, and no image where it needs one.
    pub fn scripts(&self, engine: Engine) -> Result<Vec<Script>, Error> {
        let refuse = |what: &str| Err(Error::usage(engine, what));
        if self.shards == 0 {
            return refuse("no shards are asked for");
        }
        let lines = |text: &&String| text.chars().any(char::is_control);
        let texts = [&self.program, &self.scripts_in].into_iter().chain(&self.folder).chain(&self.image);
        let mut texts = texts.chain(&self.job).chain(&self.merge).chain(&self.status).chain(&self.directives);
        if let Some(text) = texts.find(lines) {
            return refuse(&format!("scripts cannot carry line breaks and the like: {text:?}"));
        }
        if let Some(line) = self.directives.iter().find(|line| !line.starts_with('-')) {
            return refuse(&format!("a directive begins with -, such as --constraint=cpu: {line:?}"));
        }
        let spaced = |text: &String| text.contains(char::is_whitespace);
        if engine == Engine::Parsl && [&self.scripts_in].into_iter().chain(&self.folder).any(spaced) {
            return refuse("it does not take folders with spaces in their names");
        }
        if engine == Engine::Batch && !(2..=10_000).contains(&self.shards) {
            return refuse("an array job has 2 to 10,000 children, so as many shards");
        }
        if matches!(engine, Engine::Batch | Engine::Kubernetes) && self.image.is_none() {
            return refuse("it runs containers: which image has the program?");
        }
        let script = |name, text, executable| Script { name, text: self.fill(text), executable };
        let shard = include_str!("emit/shard.py");
        let python = |text: &str| text.replace("@SHARD@", shard);
        Ok(match engine {
            Engine::Slurm => vec![
                script("submit.sh", include_str!("emit/submit.sh"), true),
                script("array.sbatch", include_str!("emit/array.sbatch"), false),
                script("merge.sbatch", include_str!("emit/merge.sbatch"), false),
            ],
            Engine::Spark => vec![script("run.py", &python(include_str!("emit/spark.py")), false)],
            Engine::Parsl => vec![script("run.py", &python(include_str!("emit/parsl.py")), false)],
            Engine::Batch => vec![
                script("submit.sh", include_str!("emit/batch.sh"), true),
                Script { name: "definition.json", text: self.definition(), executable: false },
                Script { name: "merge.json", text: self.batch_merge(), executable: false },
            ],
            Engine::Kubernetes => vec![
                script("job.yaml", include_str!("emit/k8s.yaml"), false),
                script("merge.yaml", include_str!("emit/k8s-merge.yaml"), false),
            ],
        })
    }

    fn fill(&self, template: &str) -> String {
        let name = self.name();
        let minutes = self.limit();
        let logs = format!("{}/logs", self.scripts_in);
        let limit = self.at_once.map_or_else(String::new, |n| format!("%{n}"));
        let last = self.shards - 1;
        let directives: String = self.directives.iter().map(|line| format!("#SBATCH {line}\n")).collect();
        let folder = self.folder.as_deref().unwrap_or(".");
        let here = self.folder.as_ref().map_or_else(|| "None".to_owned(), |folder| json!(folder).to_string());
        let values = [
            ("TITLE", self.title()),
            ("ESTIMATE", self.estimate()),
            ("NAMETEXT", json!(name).to_string()),
            ("NAME", name),
            ("SHARDS", self.shards.to_string()),
            ("ARRAY", format!("0-{last}{limit}")),
            ("LIMIT", limit),
            ("CPUS", self.cpus.to_string()),
            ("MEMORYGIB", self.memory_mib.div_ceil(1024).to_string()),
            ("MEMORY", self.memory_mib.to_string()),
            ("MERGETIME", clock(MERGE_MINUTES)),
            ("TIME", clock(minutes)),
            ("LOGSTEXT", json!(logs).to_string()),
            ("LOGS", quoted(&logs)),
            ("DIRECTIVES", directives),
            ("FOLDERTEXT", here),
            ("FOLDER", quoted(folder)),
            ("SCRIPTS", quoted(&self.scripts_in)),
            ("OUT", option(&self.job, "--out").unwrap_or_default().to_owned()),
            ("PROGRAM", json!(self.program).to_string()),
            ("JOBLIST", json!(self.job).to_string()),
            ("MERGELIST", json!(self.merge).to_string()),
            ("JOB", self.line(&self.job)),
            ("MERGE", self.line(&self.merge)),
            ("STATUS", self.line(&self.status)),
            ("PARTITIONS", self.at_once.unwrap_or(self.shards).min(self.shards).to_string()),
            (
                "WALLTIME",
                clock(minutes.saturating_mul(self.shards.div_ceil(self.at_once.unwrap_or(self.shards)))),
            ),
            ("WORKERS", self.at_once.unwrap_or(self.shards).to_string()),
            ("BLOCKS", self.at_once.unwrap_or(self.shards).to_string()),
            ("PARALLEL", self.at_once.unwrap_or(self.shards).to_string()),
            ("IMAGE", self.image.clone().unwrap_or_default()),
            ("K8SJOB", json!(self.command(&self.job, true)).to_string()),
            ("K8SMERGE", json!(self.command(&self.merge, false)).to_string()),
        ];
        values
            .iter()
            .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
    }

    /// The name of the program, in the letters that all engines take for a name.
    fn name(&self) -> String {
        let file = self.program.rsplit('/').next().unwrap_or(&self.program);
        let job = self.job.first().map_or("", String::as_str);
        let letters = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        format!("{file}-{job}").chars().map(letters).collect::<String>().trim_matches('-').to_owned()
    }

    fn title(&self) -> String {
        let file = self.program.rsplit('/').next().unwrap_or(&self.program);
        format!("{file} {}", self.job.first().map_or("", String::as_str)).trim().to_owned()
    }

    /// Units of the largest shard.
    fn most(&self) -> usize {
        self.units.div_ceil(self.shards as usize)
    }

    fn limit(&self) -> u32 {
        let thought = 3.0 * self.most() as f64 * self.seconds_a_unit / 60.0;
        self.minutes.unwrap_or_else(|| (thought.ceil() as u32).max(LEAST_MINUTES))
    }

    fn estimate(&self) -> String {
        let (units, most, shards) = (self.units, self.most(), self.shards);
        let cores = if self.cpus == 1 { "core".to_owned() } else { format!("{} cores", self.cpus) };
        let each = match self.seconds_a_unit {
            s if s >= 10.0 => format!("{s:.0}"),
            s => format!("{s:.1}"),
        };
        format!(
            "{units} units in {shards} shards, at most {most} in each; about {each} s a unit on its {cores}."
        )
    }

    fn line(&self, args: &[String]) -> String {
        std::iter::once(&self.program).chain(args).map(|arg| quoted(arg)).collect::<Vec<_>>().join(" ")
    }

    fn command(&self, args: &[String], shards: bool) -> Vec<String> {
        let mut command = vec![self.program.clone()];
        command.extend_from_slice(args);
        if shards {
            command.extend(["--shards".to_owned(), self.shards.to_string()]);
        }
        command
    }

    fn definition(&self) -> String {
        let rule = |on: &str, value: &str, action: &str| json!({ on: value, "action": action });
        let definition = json!({
            "jobDefinitionName": self.name(),
            "type": "container",
            "containerProperties": {
                "image": self.image,
                "jobRoleArn": "@ROLE@",
                // The shard is AWS_BATCH_JOB_ARRAY_INDEX.
                "command": self.command(&self.job, true),
                "resourceRequirements": [
                    { "type": "VCPU", "value": self.cpus.to_string() },
                    { "type": "MEMORY", "value": self.memory_mib.to_string() },
                ],
            },
            "retryStrategy": {
                "attempts": 4,
                "evaluateOnExit": [
                    rule("onExitCode", "65", "EXIT"),
                    rule("onExitCode", "66", "EXIT"),
                    rule("onExitCode", "2", "EXIT"),
                    rule("onReason", "*", "RETRY"),
                ],
            },
            "timeout": { "attemptDurationSeconds": 60 * u64::from(self.limit()) },
        });
        format!("{definition:#}\n")
    }

    fn batch_merge(&self) -> String {
        format!("{:#}\n", json!({ "command": self.command(&self.merge, false) }))
    }
}

/// Less is not worth the trouble of a scheduler.
const LEAST_MINUTES: u32 = 10;

const MERGE_MINUTES: u32 = 30;

fn texts(args: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    args.into_iter().map(Into::into).collect()
}

/// The value of an option.
fn option<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    args.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str())
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Hours, minutes and seconds, as Slurm takes a limit.
fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}:00", minutes / 60, minutes % 60)
}
