//! Executors of Spark.

use std::process::Stdio;

use coaddkit_testkit::{skip, tool};

use super::*;

/// `spark-submit` with a master, if Spark and Java are here.
fn submit(master: &str, survey: &Survey, out: &str) -> Option<Command> {
    let (Some(submit), Some(_), Some(python)) = (tool("spark-submit"), tool("java"), tool("python3")) else {
        skip("spark-submit and java");
        return None;
    };
    let python = submit.parent().map(|bin| bin.join("python3")).filter(|own| own.is_file()).unwrap_or(python);
    let mut command = Command::new(submit);
    command.args(["--master", master, "--conf", "spark.ui.enabled=false", "--driver-memory", "512m"]);
    // Where a worker is gone it is known at once.
    command.args(["--conf", "spark.executor.heartbeatInterval=2s", "--conf", "spark.network.timeout=60s"]);
    command.arg(format!("{out}/spark/run.py")).current_dir(survey.path());
    command.env("PYSPARK_PYTHON", &python).env("PYSPARK_DRIVER_PYTHON", &python);
    command.env("SPARK_LOCAL_IP", "127.0.0.1");
    Some(command)
}

#[test]
fn a_killed_executor_changes_nothing() {
    let survey = Survey::new(16);
    survey.slow(1.0);
    survey.emit("spark", 8, "d", &["--memory-mib", "384"]);
    let Some(mut command) = submit("local-cluster[2,1,1024]", &survey, "d") else { return };
    let mut driver = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = {
        let mut stderr = driver.stderr.take().unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = std::io::Read::read_to_string(&mut stderr, &mut text);
            text
        })
    };
    // Of this driver, and not of another test.
    let of = driver.id();
    let mine = |words: &[&str]| {
        let all = processes(words).into_iter().map(|(pid, _)| pid);
        all.filter(|pid| descends(*pid, of)).collect::<Vec<_>>()
    };
    let ended = |driver: &mut std::process::Child| driver.try_wait().unwrap().is_some();
    let two = wait("two executors at work", || {
        assert!(!ended(&mut driver), "it ended early");
        let two = mine(&["org.apache.spark.executor.CoarseGrainedExecutorBackend"]);
        (two.len() == 2 && mine(&["--shard", "d"]).len() == 2).then_some(two)
    });
    kill(two[0]);
    let out = driver.wait_with_output().unwrap();
    let log = log.join().unwrap();
    assert!(out.status.success(), "{log}");
    assert!(log.contains("Lost executor"), "{log}");
    assert_eq!(survey.merged("d"), survey.counts);
}

#[test]
fn a_file_that_is_bad_fails_the_job_and_is_named() {
    let survey = Survey::new(4);
    spoil(&survey, "sweep-02.fits");
    survey.emit("spark", 4, "d", &[]);
    let Some(mut command) = submit("local[2,4]", &survey, "d") else { return };
    let ran = command.output().unwrap();
    assert!(!ran.status.success());
    let text = said(&ran);
    assert!(text.contains("1 of 4 shards failed"), "{text}");
    assert!(text.contains("ended with 65"), "{text}");
    let url = survey.origin.url("sweep-02.fits");
    assert!(text.lines().any(|line| line.trim_start().starts_with(&format!("{url}: "))), "{text}");
    assert_eq!(survey.merged("d"), "");
    // The other shards were not kept from their work.
    assert_eq!(survey.status("d")["counts"]["done"], 3);
}
