use crate::cli::Exit;
use coaddkit_tasks::{Error, ErrorKind};
use coaddkit_transfer::Cancel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Ends a run early: at a signal, when its time is over, or when going on makes no sense. What is on its way is dropped
/// or comes to its end, and the run says what became of everything.
#[derive(Debug, Default)]
pub struct Stop {
    cancel: Cancel,
    why: Mutex<Option<Error>>,
}

impl Stop {
    /// Ends the run; the first reason stays.
    pub fn end(&self, why: Error) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.cancel.cancel();
    }

    /// Whether the run goes on.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn goes_on(&self) -> Result<(), Error> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    /// What transfers of the run listen to.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Ends the run at Ctrl-C, at the SIGTERM of batch systems, and after so many seconds; a second signal ends the
    /// process at once. Where the system does not tell of signals, the process ends as one that is killed.
    pub fn listen(self: &Arc<Self>, give_up_after: Option<u64>) {
        let stop = Arc::clone(self);
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(stop.wait(give_up_after));
        });
    }

    async fn wait(&self, give_up_after: Option<u64>) {
        let signal = || {
            let signal = Cancel::default();
            signal.on_signals().map(|()| signal)
        };
        let ends = |what: String| self.end(Error::new(ErrorKind::Transient, "run", what));
        let Ok(first) = signal() else { return };
        let time = Duration::from_secs(give_up_after.unwrap_or(u64::from(u32::MAX)));
        let in_time = tokio::time::timeout(time, first.cancelled()).await.is_ok();
        let second = if in_time {
            ends("interrupted; the same command goes on from here".to_owned());
            signal()
        } else {
            ends(format!("the {} s of --give-up-after are over", time.as_secs()));
            Ok(first)
        };
        let Ok(second) = second else { return };
        if in_time {
            say!("ending; once more ends at once");
        }
        second.cancelled().await;
        std::process::exit(Exit::Transient.code().into());
    }
}
