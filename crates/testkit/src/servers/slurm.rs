//! Slurm on one node, the engine that supercomputers run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Process, command, listens, tool};
use crate::shared::skip;

/// A controller and one node of two cores, which share this machine with everything else.
#[derive(Debug)]
pub struct Slurm {
    // Ended in this order.
    _node: Process,
    controller: Process,
}

impl Slurm {
    /// Starts both, and waits until the node takes jobs. When Slurm is not installed, the skip is said on stderr and
    /// `None` is returned.
    ///
    /// # Panics
    ///
    /// When it is not installed and [`crate::require_all`] holds, or when it does not start.
    pub fn start() -> Option<Self> {
        let tools = ["slurmctld", "slurmd", "sbatch", "sinfo"].map(tool);
        let [Some(controller), Some(node), Some(_), Some(info)] = tools else {
            skip("slurmctld, slurmd and sbatch");
            return None;
        };
        let prepare = |dir: &Path, ports: &[u16]| {
            let config = dir.join("slurm.conf");
            for folder in ["state", "spool"] {
                std::fs::create_dir_all(dir.join(folder))?;
            }
            std::fs::write(&config, configuration(dir, ports)?)?;
            Ok::<_, io::Error>(command(
                &controller,
                ["-D".as_ref(), "-i".as_ref(), "-f".as_ref(), config.as_os_str()],
            ))
        };
        let (controller, ports) = Process::start("slurmctld", 2, prepare, |ports| listens(ports[0]));
        let config = controller.path().join("slurm.conf");
        let prepare = |_: &Path, _: &[u16]| {
            Ok::<_, io::Error>(command(
                &node,
                ["-D", "-N", NODE, "-f"].map(AsRef::as_ref).into_iter().chain([config.as_os_str()]),
            ))
        };
        let idle = |_: &[u16]| {
            let mut info = Command::new(&info);
            let out = info.args(["--noheader", "--format=%T"]).env("SLURM_CONF", &config).output();
            listens(ports[1]) && out.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).trim() == "idle")
        };
        let (node, _) = Process::start("slurmd", 0, prepare, idle);
        Some(Self { _node: node, controller })
    }

    /// What a process needs to talk to it: `SLURM_CONF`.
    pub fn environment(&self) -> [(&'static str, PathBuf); 1] {
        [("SLURM_CONF", self.controller.path().join("slurm.conf"))]
    }

    /// The answer of one of its commands.
    ///
    /// # Panics
    ///
    /// When the command fails.
    pub fn ask(&self, name: &str, args: &[&str]) -> String {
        let program = tool(name).unwrap_or_else(|| panic!("{name} is not there"));
        let out = Command::new(program).args(args).envs(self.environment()).output().expect("it starts");
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// The states of all jobs and elements of arrays: name, number of the element (or `N/A`), state.
    pub fn jobs(&self) -> Vec<(String, String, String)> {
        let text = self.ask("squeue", &["--array", "--noheader", "--states=all", "--format=%j %K %T"]);
        let mut jobs: Vec<_> = text
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace().map(str::to_owned);
                Some((words.next()?, words.next()?, words.next()?))
            })
            .collect();
        jobs.sort();
        jobs
    }

    /// Waits until nothing waits or runs any more.
    ///
    /// # Panics
    ///
    /// When that takes longer than `limit`.
    pub fn drained(&self, limit: Duration) {
        let start = std::time::Instant::now();
        let alive =
            |state: &str| ["PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"].contains(&state);
        while self.jobs().iter().any(|(_, _, state)| alive(state)) {
            assert!(start.elapsed() < limit, "still at work: {:?}", self.jobs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

const NODE: &str = "node1";

fn configuration(dir: &Path, ports: &[u16]) -> io::Result<String> {
    let user = Command::new("id").arg("-un").output()?;
    let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let (host, dir) = (host.trim().split('.').next().unwrap_or_default().to_owned(), dir.display());
    let [controller, node] = [ports[0], ports[1]];
    Ok(format!(
        "ClusterName=coaddkit
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0,bf_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=60
SlurmdTimeout=60
KillWait=2
MinJobAge=3600
MaxArraySize=10001
MaxJobCount=20000
NodeName={NODE} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=main Nodes={NODE} Default=YES MaxTime=INFINITE State=UP
"
    ))
}
