use std::fmt::{self, Display};
use std::ops::Range;

use crate::Error;

/// Which units of a plan a process does: shard `i` of `n` takes the units `k` with `k % n == i`.
///
/// `Shard::default()` is the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// The variables that number the processes of an array: the number, the count, the highest number.
const ARRAYS: [(&str, Option<&str>, Option<&str>); 3] = [
    ("SLURM_ARRAY_TASK_ID", Some("SLURM_ARRAY_TASK_COUNT"), Some("SLURM_ARRAY_TASK_MAX")),
    ("AWS_BATCH_JOB_ARRAY_INDEX", Some("AWS_BATCH_JOB_ARRAY_SIZE"), None),
    ("JOB_COMPLETION_INDEX", None, None),
];

impl Shard {
    /// Shard `index`, from 0, of `count`.
    ///
    /// # Errors
    ///
    /// An index that is not below the count.
    pub fn new(index: u32, count: u32) -> Result<Self, Error> {
        if index >= count {
            return Err(Error::usage(format!("shard {index} of {count}"), "shards are counted from 0"));
        }
        Ok(Self { index, count })
    }

    /// What the caller says, and where nothing is said the variables of Slurm, AWS Batch and Kubernetes; the whole
    /// if there are none either.
    ///
    /// Give the number of shards explicitly where you can: when failed elements of an array are run again, its count
    /// is that of the elements that run again, and the units would be dealt out anew. An array of which only a part
    /// runs is therefore refused unless the number is given, and so is the index of Kubernetes, which comes
    /// without a count.
    ///
    /// ```
    /// use coaddkit_tasks::Shard;
    /// let env = |name: &str| (name == "SLURM_ARRAY_TASK_ID").then(|| "3".to_owned());
    /// assert_eq!(Shard::choose(None, Some(8), env)?, Shard::new(3, 8)?);
    /// assert_eq!(Shard::choose(Some(2), Some(8), env)?, Shard::new(2, 8)?);
    /// assert!(Shard::choose(None, None, env).is_err()); // of how many?
    /// # Ok::<(), coaddkit_tasks::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An index without a count or not below it; a variable that is no number.
    pub fn choose(
        index: Option<u32>,
        count: Option<u32>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        Self::asked(index, count, env).map(Option::unwrap_or_default)
    }

    /// As [`choose`](Self::choose), and `None` if neither the caller nor a variable says anything: for jobs that do
    /// the whole at once in another way.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn asked(
        index: Option<u32>,
        count: Option<u32>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        if let Some(index) = index {
            let count = count.ok_or_else(|| Error::usage(format!("shard {index}"), "of how many?"))?;
            return Self::new(index, count).map(Some);
        }
        let number = |name: &str| -> Result<Option<u32>, Error> {
            let Some(text) = env(name) else { return Ok(None) };
            let wrong = |e| Error::usage(name, format!("{text:?}: {e}"));
            text.trim().parse().map(Some).map_err(wrong)
        };
        for (name, of, highest) in ARRAYS {
            let Some(index) = number(name)? else { continue };
            if let Some(count) = count {
                return Self::new(index, count).map(Some);
            }
            let highest = highest.map(&number).transpose()?.flatten();
            let total = of.map(&number).transpose()?.flatten();
            return match total {
                // The numbers are 0 to n - 1, without gaps.
                Some(n) if index < n && highest.is_none_or(|h| u64::from(h) + 1 == u64::from(n)) => {
                    Self::new(index, n).map(Some)
                }
                _ => Err(Error::usage(name, "this array does not say of how many shards; give their number")),
            };
        }
        match count {
            None => Ok(None),
            Some(1) => Ok(Some(Self::default())),
            Some(count) => Err(Error::usage(format!("{count} shards"), "which of them?")),
        }
    }

    /// [`choose`](Self::choose) by the variables of this process alone.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn from_env() -> Result<Self, Error> {
        Self::choose(None, None, |name| std::env::var(name).ok())
    }

    /// From 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether unit `k` is of this shard.
    pub fn holds(self, k: usize) -> bool {
        k as u64 % u64::from(self.count) == u64::from(self.index)
    }

    /// The numbers of its units of so many.
    pub fn of(self, units: usize) -> std::iter::StepBy<Range<usize>> {
        (self.index as usize..units.max(self.index as usize)).step_by(self.count as usize)
    }

    /// The stem of the files that it writes.
    pub(crate) fn stem(self) -> String {
        format!("shard-{:05}-of-{:05}", self.index, self.count)
    }

    /// The shard whose files have this stem.
    pub(crate) fn of_stem(stem: &str) -> Option<Self> {
        let (index, count) = stem.strip_prefix("shard-")?.split_once("-of-")?;
        let shard = Self::new(index.parse().ok()?, count.parse().ok()?).ok()?;
        (shard.stem() == stem).then_some(shard)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}

impl Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.index, self.count)
    }
}
