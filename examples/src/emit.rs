//! `emit`: scripts for the engines that people run already.

use crate::cli::{Exit, print};
use crate::inputs::Refused;
use crate::shards::{ShardArgs, refused};
use clap::{Args, Command, ValueEnum};
use coaddkit_tasks::{Emit, Engine};
use std::fs;
use std::path::{Path, PathBuf};

/// The engines, as they are named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// An array of jobs and a merge that depends on it
    Slurm,
    /// A driver for spark-submit that sends the program to the executors
    Spark,
    /// A Python script, for one machine or under Slurm
    Parsl,
    /// An array job on AWS Batch
    Batch,
    /// An indexed Job on Kubernetes
    K8s,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Slurm => Self::Slurm,
            EngineName::Spark => Self::Spark,
            EngineName::Parsl => Self::Parsl,
            EngineName::Batch => Self::Batch,
            EngineName::K8s => Self::Kubernetes,
        }
    }
}

/// What a shard gets, and where the scripts go.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scripts")]
pub struct ClusterArgs {
    /// At most so many shards at once: what an archive bears is shared by all of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,
    /// Cores of a shard
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    cpus: u32,
    /// Memory of a shard in MiB; else what the job is known to need
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..))]
    memory_mib: Option<u32>,
    /// Units of the job, where its inputs are not here to be counted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    units: Option<u32>,
    /// Limit of time of a shard in minutes; else three times what its units are thought to take
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: Option<u32>,
    /// A further line for Slurm, such as --directive=--constraint=cpu; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    directive: Vec<String>,
    /// The image of a container that has the program
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// The program as the scripts call it; else where this one is, in a container its name
    #[arg(long, value_name = "PATH")]
    binary: Option<String>,
    /// Where relative paths of the scripts count from; else here
    #[arg(long, value_name = "DIR")]
    chdir: Option<String>,
    /// Where the scripts go; else into the folder of the run, or one here of its name
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
}

impl ClusterArgs {
    /// The units that the caller says, or counted ones.
    ///
    /// # Errors
    ///
    /// What counting says.
    pub fn units(&self, count: impl FnOnce() -> Result<usize, Refused>) -> Result<usize, Refused> {
        self.units.map_or_else(count, |units| Ok(units as usize))
    }
}

/// A job of a binary that has several.
#[derive(Args, Clone, Debug)]
pub struct OfJob<J: Args> {
    /// Its own arguments.
    #[command(flatten)]
    pub job: J,
    /// And what a shard gets.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// What is known of a job before it runs.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Units of its plan.
    pub units: usize,
    /// About what one takes on a core, in seconds.
    pub seconds_a_unit: f64,
    /// Memory of a shard, in MiB.
    pub memory_mib: u32,
}

/// A job that is to be handed over.
#[derive(Clone, Debug)]
pub struct Handed<'a> {
    /// Words of the command that come before the arguments of the job: `["count"]`.
    pub job: &'a [&'a str],
    /// Words between `emit ENGINE` and the arguments of the job: `["fill"]` if the binary has several.
    pub named: &'a [&'a str],
    /// Where the account of the run goes.
    pub out: &'a Path,
    /// What the merge takes beside the place of the account.
    pub merge: &'a [&'a str],
}

/// Writes the scripts of a job, whose arguments are those of this process but for what is the engine's.
///
/// # Errors
///
/// No number of shards, one that the engine does not take, and a folder that cannot be written to.
pub fn emit(
    (engine, handed): (EngineName, &Handed<'_>),
    (shards, cluster): (&ShardArgs, &ClusterArgs),
    needs: Needs,
) -> Result<String, Refused> {
    let usage = |what: String| (Exit::Usage, what);
    let count = shards.shards.ok_or_else(|| usage("into how many --shards?".to_owned()))?;
    if shards.shard.is_some() {
        return Err(usage("the engine numbers the shards; leave --shard out".to_owned()));
    }
    let args = std::env::args_os().map(|arg| arg.into_string());
    let args = args.collect::<Result<Vec<_>, _>>().map_err(|_| usage("an argument is no text".to_owned()))?;
    let given = own(&args, engine, handed.named)?;
    let out = handed.out.to_string_lossy().into_owned();
    let remote = out.contains("://");
    let engine_name = Engine::from(engine).name();
    let beside = PathBuf::from(out.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    let beside = if remote { beside } else { handed.out.to_owned() };
    let folder = cluster.scripts.clone().unwrap_or_else(|| beside.join(engine_name));
    let mut job: Vec<String> = handed.job.iter().map(|&word| word.to_owned()).collect();
    job.extend(given.clone());
    if !given.iter().any(|arg| arg == "--threads" || arg.starts_with("--threads=")) {
        job.extend(["--threads".to_owned(), cluster.cpus.to_string()]);
    }
    let container = matches!(engine, EngineName::Batch | EngineName::K8s);
    let here =
        || std::env::current_exe().map_or_else(|_| name(&args), |path| path.to_string_lossy().into_owned());
    let binary = cluster.binary.clone().unwrap_or_else(|| if container { name(&args) } else { here() });
    let merge: Vec<String> =
        ["merge", &out].into_iter().chain(handed.merge.iter().copied()).map(str::to_owned).collect();
    let cwd = || std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).ok();
    let mut emit = Emit::new(binary, job, count)
        .merge(merge)
        .status(["status", &out])
        .scripts_in(folder.to_string_lossy())
        .size(cluster.cpus, cluster.memory_mib.unwrap_or(needs.memory_mib))
        .work(needs.units, needs.seconds_a_unit / f64::from(cluster.cpus));
    if let (Some(folder), false) = (cluster.chdir.clone().or_else(cwd), container) {
        emit = emit.folder(folder);
    }
    if let Some(at_once) = cluster.at_once {
        emit = emit.at_once(at_once);
    }
    if let Some(minutes) = cluster.minutes {
        emit = emit.minutes(minutes);
    }
    if let Some(image) = &cluster.image {
        emit = emit.image(image);
    }
    emit = cluster.directive.iter().fold(emit, |emit, line| emit.directive(line));
    let scripts = emit.scripts(engine.into()).map_err(|e| refused(&e))?;
    if container && !remote {
        say!("note: containers reach {out} only if all of them mount it; --out may be s3://bucket/prefix");
    }
    if engine == EngineName::Slurm && count > 1001 {
        say!(
            "note: many clusters take arrays of at most 1001 elements: scontrol show config | grep MaxArraySize"
        );
    }
    if (count as usize) > needs.units {
        say!("note: {count} shards for {} units: some will have nothing to do", needs.units);
    }
    if engine == EngineName::Batch && cluster.at_once.is_some() {
        say!("note: an array of AWS Batch has no limit of its own: give --at-once to its queue, as vCPUs");
    }
    if container || remote {
        let value = |arg: &String| arg.split_once('=').map_or(arg.clone(), |(_, value)| value.to_owned());
        let files = given.iter().map(value).filter(|value| Path::new(value).is_file());
        files.for_each(|file| say!("note: {file} is a file of this machine; do the others have it?"));
    }
    let there = if remote { None } else { coaddkit_tasks::status(handed.out).ok().map(|stand| stand.shards) };
    if let Some(other) = there.filter(|other| *other != 0 && *other != count) {
        return Err(usage(format!("{out} is worked through in {other} shards, not in {count}")));
    }
    let edited = |script: &coaddkit_tasks::Script| {
        fs::read_to_string(folder.join(script.name)).is_ok_and(|there| there != script.text)
    };
    let force = args.iter().any(|arg| arg == "--force");
    if let Some(script) = scripts.iter().find(|script| !force && edited(script)) {
        let path = folder.join(script.name);
        return Err(usage(format!("{} is there and differs; --force replaces it", path.display())));
    }
    let mut text = String::new();
    for script in &scripts {
        let path = folder.join(script.name);
        write(&path, &script.text, script.executable)
            .map_err(|e| (Exit::of_reader(e.kind()), format!("{}: {e}", path.display())))?;
        text.push_str(&format!("  wrote   {}\n", path.display()));
    }
    let at = |name: &str| {
        let path = folder.join(name).display().to_string();
        if path.contains(char::is_whitespace) { format!("'{path}'") } else { path }
    };
    let start = match engine {
        EngineName::Slurm => at("submit.sh"),
        EngineName::Spark => format!("spark-submit {}", at("run.py")),
        EngineName::Parsl => format!("python {}", at("run.py")),
        EngineName::Batch => format!("QUEUE=… ROLE=… {}", at("submit.sh")),
        EngineName::K8s => format!("kubectl apply -f {}", at("job.yaml")),
    };
    Ok(format!("{text}  start   {start}\n"))
}

/// Says what was written, or why nothing was.
pub fn end(command: &str, emitted: Result<String, Refused>) -> Exit {
    match emitted {
        Ok(text) => {
            print(&text);
            Exit::Complete
        }
        Err((exit, why)) => {
            say!("{command}: {why}");
            exit
        }
    }
}

fn name(args: &[String]) -> String {
    let program = args.first().map_or("", String::as_str);
    Path::new(program).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The arguments of the job among those of this process.
fn own(args: &[String], engine: EngineName, named: &[&str]) -> Result<Vec<String>, Refused> {
    let engine = Engine::from(engine).name();
    let head: Vec<&str> = ["emit", engine].into_iter().chain(named.iter().copied()).collect();
    let rest =
        args.get(1..1 + head.len()).filter(|given| given.iter().map(String::as_str).eq(head.iter().copied()));
    if rest.is_none() {
        return Err((
            Exit::Usage,
            format!("write it in this order: {} and then the options", head.join(" ")),
        ));
    }
    let drop = ClusterArgs::augment_args(ShardArgs::augment_args(Command::new("emit")));
    // A run in shards goes on where it was; with --force it would begin anew each time.
    const FLAGS: [&str; 2] = ["--force", "--quiet"];
    let drop: Vec<String> =
        drop.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
    let mut own = Vec::new();
    let mut rest = args[1 + head.len()..].iter();
    while let Some(arg) = rest.next() {
        let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
        if FLAGS.contains(&name) {
            continue;
        }
        if !drop.iter().any(|option| option == name) {
            own.push(arg.clone());
        } else if name == arg {
            // All of them have a value.
            rest.next();
        }
    }
    Ok(own)
}

fn write(path: &Path, text: &str, executable: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    coaddkit_density::publish(path, |out| out.write_all(text.as_bytes()))?;
    #[cfg(unix)]
    if executable {
        use std::os::unix::fs::PermissionsExt;
        let mut mode = fs::metadata(path)?.permissions();
        // Whoever may read it may run it.
        mode.set_mode(mode.mode() | (mode.mode() & 0o444) >> 2);
        fs::set_permissions(path, mode)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_engines_is_taken_out_of_the_arguments() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let line = "x emit slurm --list L --shards 8 --at-once=4 --directive --qos=debug --out D --max-sweeps 3 a.fits";
        let own_args = own(&args(line), EngineName::Slurm, &[]).unwrap();
        assert_eq!(own_args.join(" "), "--list L --out D --max-sweeps 3 a.fits");
        assert!(own(&args("x emit --shards 8 slurm"), EngineName::Slurm, &[]).is_err());
        let own_args = own(&args("x emit spark fill --bricks B"), EngineName::Spark, &["fill"]).unwrap();
        assert_eq!(own_args, ["--bricks", "B"]);
    }
}
