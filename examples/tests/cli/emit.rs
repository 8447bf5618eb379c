//! The scripts in `examples/engines` are what `emit` writes today, and what their readers can read.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{names, run};

const ENGINES: [&str; 5] = ["slurm", "spark", "parsl", "batch", "k8s"];

/// Writes the folder anew instead of comparing it.
const WRITE: &str = "COADDKIT_WRITE_ENGINES";

/// A job as its scripts are asked for: its name, its program, the words between the engine and its options, and these.
struct Handed {
    name: &'static str,
    program: &'static str,
    job: &'static [&'static str],
    options: &'static [&'static str],
    /// Options whose values are files, which containers do not have.
    files: &'static [(&'static str, &'static str)],
    units: &'static str,
}

const JOBS: [Handed; 7] = [
    Handed {
        name: "lrg-density-count",
        program: env!("CARGO_BIN_EXE_lrg-density"),
        job: &[],
        options: &["--variant", "v3", "--deredden", "--shards", "16"],
        files: &[("--list", "sweeps.txt")],
        units: "1436",
    },
    Handed {
        name: "negative-sampling-pool",
        program: env!("CARGO_BIN_EXE_negative-sampling"),
        job: &["pool"],
        options: &["--positives", "lenses.csv", "--config", "negative_sampling_v1.yaml", "--shards", "16"],
        files: &[("--list", "sweeps.txt")],
        units: "1436",
    },
    Handed {
        name: "negative-sampling-sample",
        program: env!("CARGO_BIN_EXE_negative-sampling"),
        job: &["sample"],
        options: &[
            "--pool",
            "pool",
            "--positives",
            "matched.parquet",
            "--config",
            "negative_sampling_v1.yaml",
            "--shards",
            "8",
        ],
        files: &[],
        units: "64",
    },
    Handed {
        name: "coadd-cache-fill",
        program: env!("CARGO_BIN_EXE_coadd-cache"),
        job: &["fill"],
        options: &[
            "--source",
            "https://portal.nersc.gov/cfs/cosmo/data/legacysurvey/dr10/south/coadd",
            "--cache",
            "s3://survey/coadds",
            "--connections",
            "4",
            "--shards",
            "64",
        ],
        files: &[("--bricks", "bricks.csv")],
        units: "2819",
    },
    Handed {
        name: "coadd-cache-verify",
        program: env!("CARGO_BIN_EXE_coadd-cache"),
        job: &["verify"],
        options: &["--cache", "s3://survey/coadds", "--level", "checksum", "--shards", "64"],
        files: &[("--bricks", "bricks.csv")],
        units: "2819",
    },
    Handed {
        name: "desi-tiles-run",
        program: env!("CARGO_BIN_EXE_desi-tiles"),
        job: &[],
        options: &["--source", "s3://desidata", "--no-sign-request", "--shards", "32"],
        files: &[("--inventory", "s3_desi_inventory.csv")],
        units: "12207",
    },
    Handed {
        name: "injection-manifest-build",
        program: env!("CARGO_BIN_EXE_injection-manifest"),
        job: &[],
        options: &["--config", "injection.toml", "--shards", "6"],
        files: &[],
        units: "6",
    },
];

/// A folder with what the jobs read.
fn inputs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    // Sizes decide the limits of time, so there are none.
    let list: Vec<String> = (0..1436).map(|i| format!("sweeps/sweep-{i:04}.fits")).collect();
    std::fs::write(dir.path().join("sweeps.txt"), list.join("\n")).unwrap();
    dir
}

/// The scripts of a job for an engine, by name.
fn scripts(job: &Handed, engine: &str, dir: &Path) -> Vec<(String, String)> {
    let program = format!("./{}", Path::new(job.program).file_name().unwrap().to_str().unwrap());
    let remote = ["batch", "k8s"].contains(&engine);
    let out = if remote { format!("s3://survey/{}", job.name) } else { job.name.to_owned() };
    let mut args = ["emit", engine].to_vec();
    args.extend(job.job);
    let files: Vec<(&str, String)> = job
        .files
        .iter()
        .map(|(option, file)| {
            (*option, if remote { format!("s3://survey/{file}") } else { (*file).to_owned() })
        })
        .collect();
    files.iter().for_each(|(option, file)| args.extend([*option, file.as_str()]));
    args.extend(job.options);
    args.extend(["--out", &out, "--at-once", "8", "--units", job.units]);
    if remote {
        args.extend(["--image", "registry.example.org/coaddkit:0.1.0"]);
    } else {
        args.extend(["--binary", &program, "--chdir", "/pscratch/survey"]);
    }
    let ran = run(job.program, &args, dir);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    let folder = dir.join(job.name).join(engine);
    let texts = names(&folder).into_iter().map(|name| {
        let text = std::fs::read_to_string(folder.join(&name)).unwrap();
        (name, text)
    });
    texts.collect()
}

fn committed(job: &str, engine: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(job).join(engine)
}

#[test]
fn examples_are_what_the_emitters_write() {
    let dir = inputs();
    for job in &JOBS {
        for engine in ENGINES {
            let (texts, folder) = (scripts(job, engine, dir.path()), committed(job.name, engine));
            if std::env::var_os(WRITE).is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                for (name, text) in &texts {
                    std::fs::write(folder.join(name), text).unwrap();
                }
            }
            let found: Vec<_> = texts.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names(&folder), found, "{}; {WRITE}=1 writes them anew", folder.display());
            for (name, text) in texts {
                let there = std::fs::read_to_string(folder.join(&name)).unwrap();
                assert!(there == text, "{} differs; {WRITE}=1 writes it anew", folder.join(&name).display());
                readable(&name, &text, dir.path());
            }
        }
    }
}

/// Whether those who read it can: bash, Python, JSON, YAML.
fn readable(name: &str, text: &str, dir: &Path) {
    let left = text
        .split('@')
        .nth(1)
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase()));
    assert!(left.is_none_or(|word| word == "ROLE"), "{name}: @{}@ stands there", left.unwrap());
    let path = dir.join(format!("read-{name}"));
    std::fs::write(&path, text).unwrap();
    let reads = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).arg(&path).output().unwrap();
        assert!(out.status.success(), "{name}: {}\n{text}", String::from_utf8_lossy(&out.stderr));
    };
    match name.rsplit_once('.').unwrap().1 {
        "sh" | "sbatch" => reads("bash", &["-n"]),
        "py" => reads("python3", &["-m", "py_compile"]),
        "json" => drop(serde_json::from_str::<serde_json::Value>(text).unwrap()),
        "yaml" => {
            use saphyr::LoadableYamlNode;
            let jobs = saphyr::Yaml::load_from_str(text).unwrap();
            let [job] = &jobs[..] else { panic!("{} documents", jobs.len()) };
            assert_eq!((job["apiVersion"].as_str(), job["kind"].as_str()), (Some("batch/v1"), Some("Job")));
            let container = &job["spec"]["template"]["spec"]["containers"][0];
            assert!(container["command"].as_sequence().is_some_and(|words| words.len() > 2), "{text}");
        }
        other => panic!("{other}?"),
    }
}

/// Whatever stands in an argument arrives in the program as it was given.
#[test]
fn arguments_survive_every_script() {
    let dir = inputs();
    let odd = r#"mag(flux_z) < 20.4 & type != 'PSF' & "$HOME" != `x` & a\b"#;
    // A program that prints its arguments.
    let tell = dir.path().join("tell");
    std::fs::write(&tell, "#!/bin/sh\nfor a in \"$@\"; do printf '[%s]\\n' \"$a\"; done\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&tell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Not a cut, so it goes where any text may.
    let args = |engine| {
        let job =
            ["emit", engine, "--list", "sweeps.txt", "--shards", "2", "--out", "an out", "--user-agent", odd];
        [&job[..], &["--binary", "./tell", "--directive", "--comment=it's"]].concat()
    };
    let program = env!("CARGO_BIN_EXE_lrg-density");
    for engine in ["slurm", "spark"] {
        let ran = run(program, &args(engine), dir.path());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let expected = format!(
        "[count]\n[--list]\n[sweeps.txt]\n[--out]\n[an out]\n[--user-agent]\n[{odd}]\n[--threads]\n[1]\n"
    );
    let shards = "[--shards]\n[2]\n[--shard]\n[1]\n";
    let told = |command: &mut Command| {
        String::from_utf8(command.current_dir(&dir).output().unwrap().stdout).unwrap()
    };
    let mut array = Command::new("bash");
    array.arg("an out/slurm/array.sbatch").env("SLURM_ARRAY_TASK_ID", "1");
    assert_eq!(told(&mut array), format!("{expected}{shards}"));
    let text = std::fs::read_to_string(dir.path().join("an out/slurm/array.sbatch")).unwrap();
    assert!(text.contains("\n#SBATCH --comment=it's\n"), "{text}");
    let mut merge = Command::new("bash");
    assert_eq!(
        told(merge.arg("an out/slurm/merge.sbatch")),
        "[merge]\n[an out]\n[--out]\n[an out/counts.csv]\n"
    );
    // The list of the driver, as Python reads it.
    let script = "import re, sys; t = open('an out/spark/run.py').read(); \
                  print(''.join('[%s]\\n' % a for a in eval(re.search(r'^JOB = (.*)$', t, re.M).group(1))), end='')";
    let mut python = Command::new("python3");
    assert_eq!(told(python.args(["-c", script])), expected);
}

#[test]
fn what_an_engine_cannot_take_is_refused() {
    let dir = inputs();
    let emit = |args: &[&str]| {
        let args = [&["emit"], args, &["--list", "sweeps.txt", "--out", "d"]].concat();
        run(env!("CARGO_BIN_EXE_lrg-density"), &args, dir.path())
    };
    for (args, why) in [
        (&["slurm"][..], "into how many --shards"),
        (&["slurm", "--shards", "0"], "0 is not in"),
        (&["slurm", "--shards", "4", "--shard", "1"], "leave --shard out"),
        (&["batch", "--shards", "4"], "which image"),
        (&["batch", "--shards", "1", "--image", "i"], "2 to 10,000"),
        (&["batch", "--shards", "10001", "--image", "i"], "2 to 10,000"),
        (&["slurm", "--shards", "4", "--user-agent", "a\nb"], "line breaks"),
        (&["slurm", "--shards", "4", "--cut", "mag(flux_z) <"], "--cut does not parse"),
        (&["--shards", "4", "slurm"], "in this order"),
        (&["hadoop", "--shards", "4"], "possible values"),
        (&["slurm", "--shards", "4", "--directive=constraint=cpu"], "begins with -"),
        (&["parsl", "--shards", "4", "--scripts", "a b"], "spaces in their names"),
    ] {
        let ran = emit(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{args:?}: {}", ran.stderr);
    }
    assert!(!dir.path().join("d").exists(), "nothing is written");
    // Not wrong, but worth a word.
    let ran = emit(&["k8s", "--shards", "2000", "--image", "i"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.contains("all of them mount it") && ran.stderr.contains("nothing to do"),
        "{}",
        ran.stderr
    );
}
