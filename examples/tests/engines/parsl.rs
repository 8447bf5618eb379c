//! Workers of Parsl.

use coaddkit_testkit::{skip, tool};

use super::*;

#[test]
fn a_killed_worker_changes_nothing() {
    // Installed beside the Python that has it.
    let python = tool("process_worker_pool.py").and_then(|pool| Some(pool.parent()?.join("python3")));
    let Some(python) = python.filter(|python| python.is_file()) else { return skip("parsl") };
    let survey = Survey::new(6);
    survey.slow(1.0);
    survey.emit("parsl", 3, "d", &["--at-once", "2"]);
    let path = std::env::join_paths(
        python
            .parent()
            .map(Path::to_owned)
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut command = Command::new(&python);
    command.arg("d/parsl/run.py").current_dir(survey.path()).env("PATH", path.unwrap());
    let mut driver =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // Its workers are no children of the driver, but they work in the folder of this test.
    let here = survey.path().to_owned();
    let pid = wait("a shard at work", || {
        assert!(driver.try_wait().unwrap().is_none(), "it ended early");
        let mine = |pid: u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == here);
        let at_work = processes(&[LRG_DENSITY, "--shard", "d"]);
        at_work.into_iter().map(|(pid, _)| pid).find(|pid| mine(*pid))
    });
    kill(pid);
    let out = driver.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(survey.merged("d"), survey.counts);
}
