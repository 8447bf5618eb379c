//! Programs killed at random moments.

use std::io;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Rng;

/// Runs a command again and again and kills it each time (SIGKILL, which it cannot see coming) at a moment that
/// the seed decides, and in the end lets it finish.
///
/// ```no_run
/// use std::process::Command;
/// use std::time::Duration;
/// use coaddkit_testkit::Kills;
///
/// let kills = Kills { seed: 1, count: 20, within: Duration::from_millis(800) };
/// let summary = kills
///     .run(
///         || {
///             let mut command = Command::new("coadd-cache");
///             command.args(["fill", "--bricks", "0001p000"]);
///             command
///         },
///         |ended| assert!(ended.killed || ended.status.success(), "nothing may be half done here"),
///     )
///     .unwrap();
/// assert!(summary.killed > 0 && summary.last.status.success());
/// ```
#[derive(Debug, Clone)]
pub struct Kills {
    /// Decides the moments.
    pub seed: u64,
    /// Runs that are meant to be killed.
    pub count: u32,
    /// Moments are uniform between the start and this; should be near what a whole run takes.
    pub within: Duration,
}

/// A run that has ended, one way or the other.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Counts the runs from 0.
    pub number: u32,
    /// Time from its start to the kill, or to its own end.
    pub after: Duration,
    /// Whether it was killed; otherwise it had ended before its moment came.
    pub killed: bool,
    /// How it ended.
    pub status: ExitStatus,
}

/// What became of all runs.
#[derive(Debug, Clone)]
pub struct KillSummary {
    /// Runs that were killed.
    pub killed: u32,
    /// Runs that had ended before their moment came.
    pub finished: u32,
    /// The last run, which nobody disturbed.
    pub last: Output,
}

impl Kills {
    /// Runs the command `count` times, calls `check` after each, and then runs it to its end.
    ///
    /// # Errors
    ///
    /// The command cannot be started.
    pub fn run(
        &self,
        mut command: impl FnMut() -> Command,
        mut check: impl FnMut(&Ended),
    ) -> io::Result<KillSummary> {
        let mut rng = Rng::new(self.seed);
        let (mut killed, mut finished) = (0, 0);
        for number in 0..self.count {
            let moment = self.within.mul_f64(rng.unit());
            let ended = until(command(), number, moment)?;
            if ended.killed {
                killed += 1
            } else {
                finished += 1
            }
            check(&ended);
        }
        let last = command().stdin(Stdio::null()).output()?;
        Ok(KillSummary { killed, finished, last })
    }
}

/// Runs a command until a moment after its start.
fn until(mut command: Command, number: u32, moment: Duration) -> io::Result<Ended> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended { number, after: start.elapsed(), killed: false, status });
        }
        let left = moment.saturating_sub(start.elapsed());
        if left.is_zero() {
            child.kill()?;
            let status = child.wait()?;
            // It may have ended between the look and the shot.
            return Ok(Ended { number, after: start.elapsed(), killed: status.code().is_none(), status });
        }
        thread::sleep(left.min(Duration::from_millis(2)));
    }
}
