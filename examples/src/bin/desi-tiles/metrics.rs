//! Sizes and times of batches, in one form whether this run or an earlier log gave them.

use coaddkit_examples::Table;
use serde::Serialize;
use serde_json::{Value, json};

pub const MIB: f64 = 1024.0 * 1024.0;

/// A batch of pixels that came to its end. Sizes in MiB, which earlier logs call MB.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Batch {
    /// From 1; 0 for the pixels of earlier runs, of which the seconds are not known.
    pub batch: usize,
    pub pixels: u64,
    /// Of which nothing is selected, or whose table is shown as 0.00 MB.
    pub zero: u64,
    pub failed: u64,
    pub fits_mib: f64,
    pub parquet_mib: f64,
    pub seconds: f64,
}

impl Batch {
    /// Per cent that are saved; nothing where nothing came.
    pub fn reduction(&self) -> Option<f64> {
        (self.fits_mib > 0.0).then(|| 100.0 * (1.0 - self.parquet_mib / self.fits_mib))
    }

    /// MiB of FITS a second, fetched and converted.
    pub fn speed(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.fits_mib / self.seconds)
    }
}

/// What the batches come to.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// All of them as one; its seconds are those of the whole run.
    pub all: Batch,
    /// What earlier runs did of it, if they did something.
    pub earlier: Option<Batch>,
    /// MiB a second, of this run.
    pub speed: Option<f64>,
    pub mean_reduction: Option<f64>,
    pub mean_speed: Option<f64>,
    /// Batches without a failure.
    pub clean: usize,
    pub batches: usize,
}

impl Totals {
    /// `seconds` is what the run took, where batches overlap; otherwise that is the sum of theirs.
    pub fn of(batches: &[Batch], seconds: Option<f64>) -> Self {
        let mut all = Batch::default();
        for batch in batches {
            all.pixels += batch.pixels;
            all.zero += batch.zero;
            all.failed += batch.failed;
            all.fits_mib += batch.fits_mib;
            all.parquet_mib += batch.parquet_mib;
            all.seconds += batch.seconds;
        }
        all.seconds = seconds.unwrap_or(all.seconds);
        let mean = |of: &dyn Fn(&Batch) -> Option<f64>| {
            let values: Vec<f64> = batches.iter().filter_map(of).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self {
            mean_reduction: mean(&Batch::reduction),
            mean_speed: mean(&Batch::speed),
            clean: batches.iter().filter(|batch| batch.failed == 0).count(),
            batches: batches.len(),
            earlier: None,
            speed: all.speed(),
            all,
        }
    }

    /// Takes up what earlier runs did, which took none of the time of this one.
    pub fn with_earlier(mut self, earlier: Batch) -> Self {
        if earlier.pixels == 0 {
            return self;
        }
        self.all.pixels += earlier.pixels;
        self.all.zero += earlier.zero;
        self.all.failed += earlier.failed;
        self.all.fits_mib += earlier.fits_mib;
        self.all.parquet_mib += earlier.parquet_mib;
        self.earlier = Some(earlier);
        self
    }

    pub fn json(&self) -> Value {
        let all = &self.all;
        json!({
            "batches": self.batches, "pixels": all.pixels, "zero": all.zero, "failed": all.failed,
            "fits_mib": all.fits_mib, "parquet_mib": all.parquet_mib, "seconds": all.seconds,
            "reduction_percent": all.reduction(), "mean_reduction_percent": self.mean_reduction,
            "mib_per_second": self.speed, "mean_mib_per_second": self.mean_speed,
            "earlier_pixels": self.earlier.as_ref().map_or(0, |earlier| earlier.pixels),
        })
    }

    /// As rows of a name and a value.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let all = &self.all;
        let zero = format!("{} of {}, {}", all.zero, all.pixels, Table::percent(all.zero, all.pixels));
        let mut rows = vec![
            ("batches", Table::number(self.batches as u64)),
            ("pixels", Table::number(all.pixels)),
            ("pixels without rows", zero),
            ("pixels that failed", Table::number(all.failed)),
            ("FITS / MiB", format!("{:.2}", all.fits_mib)),
            ("Parquet / MiB", format!("{:.2}", all.parquet_mib)),
            ("reduction overall / %", shown(all.reduction())),
            ("reduction, mean of batches / %", shown(self.mean_reduction)),
            ("seconds", format!("{:.2}", all.seconds)),
            ("MiB/s overall", shown(self.speed)),
            ("MiB/s, mean of batches", shown(self.mean_speed)),
        ];
        if let Some(earlier) = &self.earlier {
            rows.insert(2, ("of these in earlier runs", Table::number(earlier.pixels)));
        }
        rows
    }

    pub fn table(&self) -> Table {
        let mut table = Table::new(["total", "value"]);
        self.rows().into_iter().for_each(|(name, value)| table.row([name.to_owned(), value]));
        table
    }
}

/// Two decimals, or a dash.
pub fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

/// The batches, the last ones if they are many.
pub fn table(batches: &[Batch]) -> Table {
    const MANY: usize = 20;
    let mut table = Table::new([
        "batch",
        "pixels",
        "zero",
        "failed",
        "FITS / MiB",
        "Parquet / MiB",
        "% less",
        "MiB/s",
        "s",
    ]);
    if batches.len() > MANY {
        table.row([(); 9].map(|()| "…".to_owned()));
    }
    for batch in &batches[batches.len().saturating_sub(MANY)..] {
        table.row(cells(batch));
    }
    table
}

pub fn cells(batch: &Batch) -> [String; 9] {
    let earlier = batch.batch == 0;
    [
        if earlier { "earlier".to_owned() } else { batch.batch.to_string() },
        batch.pixels.to_string(),
        batch.zero.to_string(),
        batch.failed.to_string(),
        format!("{:.2}", batch.fits_mib),
        format!("{:.2}", batch.parquet_mib),
        shown(batch.reduction()),
        shown(batch.speed()),
        if earlier { "–".to_owned() } else { format!("{:.2}", batch.seconds) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_batches_take_no_longer_than_the_run() {
        let batch = |fits_mib, parquet_mib, seconds| Batch {
            pixels: 8,
            zero: 2,
            fits_mib,
            parquet_mib,
            seconds,
            ..Batch::default()
        };
        let batches = [batch(100.0, 1.0, 10.0), batch(300.0, 9.0, 20.0)];
        let totals = Totals::of(&batches, Some(25.0));
        assert_eq!(totals.all.speed(), Some(16.0));
        assert_eq!(totals.mean_speed, Some(12.5));
        assert_eq!((totals.all.reduction(), totals.mean_reduction), (Some(97.5), Some(98.0)));
        assert_eq!(Totals::of(&batches, None).all.seconds, 30.0);
        let more = Totals::of(&batches, Some(25.0)).with_earlier(batch(600.0, 0.0, 0.0));
        assert_eq!((more.all.pixels, more.all.reduction(), more.speed), (24, Some(99.0), Some(16.0)));
        let none = Totals::of(&[], Some(0.0));
        assert_eq!((none.all.speed(), none.mean_reduction), (None, None));
        assert_eq!(none.rows()[2].1, "0 of 0, –");
    }
}
