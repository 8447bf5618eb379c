//! Whether a sample may be used.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use coaddkit_sky::{Exclusion, Healpix, SkyCoord, Split};
use rayon::prelude::*;
use serde::Serialize;

use super::config::{Compat, NanPolicy, SamplingConfig};
use super::draw::Stratum;
use super::schema::{NEGATIVE_POOL, NEGATIVE_SAMPLE};
use super::sweep::type_bin;
use crate::{Error, Field, Gate, Progress, Schema, SeededHash, Severity, Source};

/// Columns that must have a value in every row.
const CRITICAL: [&str; 7] = ["galaxy_id", "ra", "dec", "type", "nobs_z", "pool", "split"];

/// Magnitudes of the histogram: from the first to the last in tenths.
const MAGS: (f64, f64) = (12.0, 24.0);

/// Checks a sample (or a pool) against the rules it was made by.
#[derive(Clone, Debug)]
pub struct Validate {
    config: SamplingConfig,
    /// The published job whose splits it has.
    pub compat: Option<Compat>,
    /// Known lenses to keep away from; without them that gate is left out.
    pub positives: Vec<SkyCoord>,
    /// What was asked for; without it, what the file says in its metadata.
    pub strata: Option<Vec<Stratum>>,
}

/// How many rows have which value, by value.
pub type Distribution = BTreeMap<String, u64>;

/// The gates, and what is in the sample.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Validation {
    /// The time that the rows carry.
    pub timestamp: Option<String>,
    /// Rows.
    pub total_rows: u64,
    /// Different identities.
    pub unique_galaxies: u64,
    /// Rows of N1 and N2.
    pub pool_distribution: Distribution,
    /// Rows of train, val and test.
    pub split_distribution: Distribution,
    /// Rows of each class of types.
    pub type_distribution: Distribution,
    /// Rows of each class of exposures.
    pub nobs_distribution: Distribution,
    /// Rows of each class of N2.
    pub confuser_distribution: Distribution,
    /// Smallest and largest right ascension in degrees.
    pub ra_range: Option<[f64; 2]>,
    /// Smallest and largest declination in degrees.
    pub dec_range: Option<[f64; 2]>,
    /// Versions of the code that rows carry.
    pub git_commits: Vec<String>,
    /// What was asked for and drawn, by stratum.
    pub strata: Vec<Stratum>,
    /// The checks.
    pub gates: Vec<Gate>,
    /// Rows by z magnitude, in tenths from 12 to 24.
    #[serde(skip)]
    pub(super) mags: Vec<u64>,
    /// Rows of each HEALPix cell, nside 64, nested.
    #[serde(skip)]
    pub(super) cells: BTreeMap<u32, u64>,
}

impl Validation {
    /// Whether a critical gate failed.
    pub fn is_fatal(&self) -> bool {
        self.gates.iter().any(Gate::is_fatal)
    }
}

/// What is added up over the rows.
#[derive(Clone, Debug)]
struct Sums {
    rows: u64,
    nulls: [u64; CRITICAL.len()],
    ids: Vec<u64>,
    pools: Distribution,
    splits: Distribution,
    kinds: Distribution,
    bins: Distribution,
    confusers: Distribution,
    commits: Distribution,
    stamps: Distribution,
    ra: [f64; 2],
    dec: [f64; 2],
    bad_ra: u64,
    bad_dec: u64,
    wrong_cell: u64,
    wrong_split: u64,
    wrong_class: u64,
    too_faint: u64,
    wrong_type: u64,
    few_exposures: u64,
    masked: u64,
    near_lenses: u64,
    mags: Vec<u64>,
    cells: BTreeMap<u32, u64>,
    /// Bits of the sets that each cell of the split has.
    sets: BTreeMap<u64, u8>,
}

/// What rows are checked against.
struct Rules<'a> {
    config: &'a SamplingConfig,
    split: Split,
    cells: Healpix,
    exclusion: Option<Exclusion>,
    labels: Vec<String>,
    mask: i32,
}

impl Validate {
    /// Checks against these rules.
    pub fn new(config: &SamplingConfig) -> Self {
        Self { config: config.clone(), compat: None, positives: Vec::new(), strata: None }
    }

    /// Checks a file or a folder of files.
    ///
    /// # Errors
    ///
    /// When it cannot be read. What is wrong with its rows stands in the gates.
    pub fn file(&self, path: &Path, progress: &dyn Progress) -> Result<Validation, Error> {
        let source = Source::open(path)?;
        let kinds = source.kinds()?;
        let wrong: Vec<String> = NEGATIVE_POOL
            .fields()
            .iter()
            .filter_map(|field| match kinds.iter().find(|(name, _)| name == field.name()) {
                None => Some(format!("{} is missing", field.name())),
                Some((_, kind)) if *kind != field.kind() => {
                    Some(format!("{} is {}, must be {}", field.name(), kind.name(), field.kind().name()))
                }
                Some(_) => None,
            })
            .collect();
        let schema = Gate::new(
            "schema_complete",
            Severity::Critical,
            wrong.is_empty(),
            "the 48 columns of the pool, each with its type",
            if wrong.is_empty() { format!("{} columns", kinds.len()) } else { wrong.join("; ") },
        )
        .because("the published gate asked for 25 columns or more; the manifest has 48, and each is checked by name and type");
        if !wrong.is_empty() {
            let rows = source.rows()?.unwrap_or(0);
            return Ok(Sums::new().finish(rows, vec![schema], Vec::new()));
        }
        let strata = match &self.strata {
            Some(strata) => strata.clone(),
            None => {
                let metadata = source.metadata()?;
                let targets = metadata.iter().find(|(key, _)| key == "coaddkit.targets");
                targets.and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default()
            }
        };
        // Nulls are what a gate looks for, so reading must not refuse them.
        let fields: Vec<Field<'_>> = NEGATIVE_POOL.fields().iter().map(|field| field.null("")).collect();
        progress.begin("validating", source.rows()?.unwrap_or(0));
        let rules = self.rules()?;
        let step = |sums: &mut Sums, rows: &crate::Rows| {
            sums.add(&rows.batch, &rules);
            progress.advance(rows.batch.num_rows() as u64);
            Ok(())
        };
        let sums = source.fold(&fields, Sums::new, step, Sums::merge)?;
        Ok(self.judge(sums, vec![schema], strata))
    }

    /// Checks rows in memory.
    pub(super) fn batches(
        &self,
        batches: &[RecordBatch],
        progress: &dyn Progress,
    ) -> Result<Validation, Error> {
        progress.begin("validating", batches.iter().map(|batch| batch.num_rows() as u64).sum());
        let rules = self.rules()?;
        let one = |batch: &RecordBatch| {
            crate::write::check(&NEGATIVE_SAMPLE, batch)?;
            let mut sums = Sums::new();
            sums.add(batch, &rules);
            progress.advance(batch.num_rows() as u64);
            Ok::<_, Error>(sums)
        };
        let parts: Result<Vec<Sums>, Error> = batches.par_iter().map(one).collect();
        let sums = parts?.into_iter().fold(Sums::new(), Sums::merge);
        let found = format!("{} columns", NEGATIVE_SAMPLE.fields().len());
        let schema = Gate::new("schema_complete", Severity::Critical, true, "the columns of a sample", found);
        Ok(self.judge(sums, vec![schema], self.strata.clone().unwrap_or_default()))
    }

    fn rules(&self) -> Result<Rules<'_>, Error> {
        let usage = |e: coaddkit_sky::Error| Error::usage(e);
        let radius = self.config.exclusion.known_lens_radius_arcsec;
        Ok(Rules {
            config: &self.config,
            split: self.config.split(self.compat)?,
            cells: Healpix::from_nside(128).map_err(usage)?,
            exclusion: match self.positives.is_empty() {
                true => None,
                false => Some(Exclusion::new(&self.positives, radius).map_err(usage)?),
            },
            labels: self.config.nobs_labels(),
            mask: self
                .config
                .exclusion
                .exclude_maskbits
                .iter()
                .fold(0, |mask, bit| mask | (1_u32 << bit) as i32),
        })
    }

    fn judge(&self, mut s: Sums, mut gates: Vec<Gate>, strata: Vec<Stratum>) -> Validation {
        use Severity::{Critical, Warning};
        let rows = s.rows;
        let share = |of: u64| if rows == 0 { 0.0 } else { of as f64 / rows as f64 };
        let none = |name: &str, severity: Severity, found: u64, what: &str| {
            Gate::new(name, severity, found == 0, format!("no row {what}"), format!("{found} rows"))
        };
        gates.push(Gate::new("rows_exist", Critical, rows > 0, "rows", rows.to_string()));
        let target: u64 = strata.iter().map(|s| s.target).sum();
        if target > 0 {
            let least = target.saturating_mul(9).div_ceil(10);
            gates.push(
                Gate::new("row_count", Critical, rows >= least, format!("{least} or more, 90 % of {target}"), rows.to_string())
                    .because("the published gate expected about 250,000 rows, for 2,500 positives; the target follows from the positives that there are"),
            );
            let empty: Vec<_> = strata
                .iter()
                .filter(|s| s.n1 + s.n2 == 0)
                .map(|s| format!("{} {}", s.nobs_z_bin, s.type_bin))
                .collect();
            gates.push(
                Gate::new("strata_represented", Warning, empty.is_empty(), "negatives in every stratum of the positives", match empty.is_empty() {
                    true => format!("{} strata", strata.len()),
                    false => format!("none for {}", empty.join(", ")),
                })
                .because("the published gate asked for 4 type bins; galaxy_types leaves 3, and fewer exposures than nobs_min do not occur"),
            );
        }
        let nulls: Vec<_> = CRITICAL
            .iter()
            .zip(s.nulls)
            .filter(|(_, n)| *n > 0)
            .map(|(name, n)| format!("{name}: {n}"))
            .collect();
        let found = if nulls.is_empty() { "none".to_owned() } else { nulls.join(", ") };
        gates.push(Gate::new(
            "no_nulls",
            Critical,
            nulls.is_empty(),
            format!("no nulls in {}", CRITICAL.join(", ")),
            found,
        ));
        s.ids.par_sort_unstable();
        let repeated = s.ids.windows(2).filter(|w| w[0] == w[1]).count() as u64;
        gates.push(none("no_duplicates", Critical, repeated, "repeats a galaxy_id"));
        let n1 = share(s.pools.get("N1").copied().unwrap_or(0));
        let found = format!("{:.1} % N1", 100.0 * n1);
        gates.push(Gate::new(
            "pool_ratio",
            Warning,
            n1 > 0.75 && n1 < 0.95,
            "N1 above 75 % and below 95 %",
            found.clone(),
        ));
        gates.push(Gate::new(
            "pool_ratio_sampled",
            Warning,
            (0.80..=0.92).contains(&n1),
            "N1 80 % to 92 %",
            found,
        ));
        let a = self.config.spatial_splits.allocations;
        let off = [("train", a.train), ("val", a.val), ("test", a.test)]
            .map(|(name, wanted)| (name, wanted, share(s.splits.get(name).copied().unwrap_or(0))));
        let worst = off.iter().map(|(_, wanted, got)| (wanted - got).abs()).fold(0.0, f64::max);
        let found = off.map(|(name, _, got)| format!("{name} {:.1} %", 100.0 * got)).join(", ");
        let verify = self.config.quality_gates.split_verification;
        if verify.enabled {
            let limit = |most: f64| format!("each share within {most} of its target");
            gates.push(Gate::new(
                "split_shares",
                Warning,
                worst <= verify.tolerance,
                limit(verify.tolerance),
                found.clone(),
            ));
        }
        gates.push(
            Gate::new(
                "split_shares_far_off",
                Critical,
                worst <= 0.05,
                "each share within 0.05 of its target",
                found,
            )
            .because("cells are split, not galaxies: small areas are off by chance, whole surveys are not"),
        );
        gates.push(none("ra_range", Critical, s.bad_ra, "with a right ascension outside of 0 to 360"));
        gates.push(none("dec_range", Critical, s.bad_dec, "with a declination beyond a pole"));
        gates.push(none("cells", Critical, s.wrong_cell, "in another HEALPix cell than its position"));
        gates.push(none("splits", Critical, s.wrong_split, "in another set than its cell"));
        let mixed = s.sets.values().filter(|bits| bits.count_ones() > 1).count();
        gates.push(Gate::new(
            "no_leaks",
            Critical,
            mixed == 0,
            "every cell in one set",
            format!("{mixed} cells in several"),
        ));
        gates.push(none(
            "classes",
            Critical,
            s.wrong_class,
            "whose classes contradict its type, exposures or pool",
        ));
        gates.push(none("types", Critical, s.wrong_type, "of another type than galaxy_types"));
        let limit = self.config.negative_pools.pool_n1.z_mag_limit;
        gates.push(none("z_mag", Critical, s.too_faint, &format!("fainter than {limit} in z")));
        gates.push(none("exposures", Critical, s.few_exposures, "with fewer exposures in z than nobs_min"));
        gates.push(none("maskbits", Critical, s.masked, "with a mask bit that is excluded"));
        if !self.positives.is_empty() {
            let radius = self.config.exclusion.known_lens_radius_arcsec;
            gates.push(none(
                "known_lenses",
                Critical,
                s.near_lenses,
                &format!("within {radius}\" of a known lens"),
            ));
        }
        s.finish(rows, gates, strata)
    }
}

impl Sums {
    fn new() -> Self {
        Self {
            rows: 0,
            nulls: [0; CRITICAL.len()],
            ids: Vec::new(),
            pools: Distribution::new(),
            splits: Distribution::new(),
            kinds: Distribution::new(),
            bins: Distribution::new(),
            confusers: Distribution::new(),
            commits: Distribution::new(),
            stamps: Distribution::new(),
            ra: [f64::INFINITY, f64::NEG_INFINITY],
            dec: [f64::INFINITY, f64::NEG_INFINITY],
            bad_ra: 0,
            bad_dec: 0,
            wrong_cell: 0,
            wrong_split: 0,
            wrong_class: 0,
            too_faint: 0,
            wrong_type: 0,
            few_exposures: 0,
            masked: 0,
            near_lenses: 0,
            mags: vec![0; ((MAGS.1 - MAGS.0) * 10.0) as usize],
            cells: BTreeMap::new(),
            sets: BTreeMap::new(),
        }
    }

    fn add(&mut self, batch: &RecordBatch, rules: &Rules<'_>) {
        const POOL: Schema<'static> = NEGATIVE_POOL;
        let column = |name: &str| &batch.columns()[POOL.index_of(name).unwrap_or(0)];
        self.rows += batch.num_rows() as u64;
        for (name, nulls) in CRITICAL.iter().zip(&mut self.nulls) {
            *nulls += column(name).null_count() as u64;
        }
        let text = |name: &str| Texts::of(column(name));
        let whole = |name: &str| column(name).as_primitive::<Int32Type>();
        let cell = |name: &str| column(name).as_primitive::<Int64Type>();
        let (ids, kinds, bins, type_bins) =
            (text("galaxy_id"), text("type"), text("nobs_z_bin"), text("type_bin"));
        let (splits, pools, confusers) = (text("split"), text("pool"), text("confuser_category"));
        for (texts, counts) in [
            (&pools, &mut self.pools),
            (&splits, &mut self.splits),
            (&type_bins, &mut self.kinds),
            (&bins, &mut self.bins),
            (&confusers, &mut self.confusers),
            (&text("git_commit"), &mut self.commits),
            (&text("extraction_timestamp"), &mut self.stamps),
        ] {
            texts.count(batch.num_rows(), counts);
        }
        let [ra, dec] = ["ra", "dec"].map(|name| column(name).as_primitive::<Float64Type>());
        let mag = column("mag_z").as_primitive::<Float32Type>();
        let (nobs, mask) = (whole("nobs_z"), whole("maskbits"));
        let (cell_64, cell_128) = (cell("healpix_64"), cell("healpix_128"));
        let n1 = &rules.config.negative_pools.pool_n1;
        let keep_nan = rules.config.filters.nan_z_mag == NanPolicy::Keep;
        let own_cells = rules.split.grid() == rules.cells;
        for row in 0..batch.num_rows() {
            if let Some(id) = ids.get(row) {
                self.ids.push(SeededHash::new(0).text(id));
            }
            // A null is another gate's.
            if !ra.is_null(row) && !dec.is_null(row) {
                let (ra, dec) = (ra.value(row), dec.value(row));
                self.ra = [self.ra[0].min(ra), self.ra[1].max(ra)];
                self.dec = [self.dec[0].min(dec), self.dec[1].max(dec)];
                self.bad_ra += u64::from(!(0.0..=360.0).contains(&ra));
                self.bad_dec += u64::from(!(-90.0..=90.0).contains(&dec));
                if let Ok(position) = SkyCoord::from_degrees(ra, dec) {
                    let cell = rules.cells.locate(position);
                    let index = cell.index() as i64;
                    let same = cell_128.value(row) == index && cell_64.value(row) == index >> 2;
                    self.wrong_cell += u64::from(!same);
                    *self.cells.entry((index >> 2) as u32).or_default() += 1;
                    let (own, subset) = if own_cells {
                        (cell.index(), rules.split.subset(cell).ok())
                    } else {
                        let own = rules.split.grid().locate(position).index();
                        (own, Some(rules.split.subset_at(position)))
                    };
                    let split = splits.get(row);
                    self.wrong_split += u64::from(subset.map(|s| s.as_str()) != split);
                    let bit = super::rows::SUBSETS.iter().position(|name| Some(*name) == split);
                    *self.sets.entry(own).or_default() |= 1 << bit.unwrap_or(3);
                    if rules.exclusion.as_ref().is_some_and(|e| e.excludes(position)) {
                        self.near_lenses += 1;
                    }
                }
            }
            match mag.is_null(row) {
                true => self.too_faint += u64::from(!keep_nan),
                false => {
                    let mag = mag.value(row);
                    self.too_faint += u64::from(mag >= n1.z_mag_limit as f32);
                    let bin = ((f64::from(mag) - MAGS.0) * 10.0).floor();
                    let bin = bin.clamp(0.0, self.mags.len() as f64 - 1.0);
                    self.mags[bin as usize] += 1;
                }
            }
            if let (Some(kind), false) = (kinds.get(row), nobs.is_null(row)) {
                self.wrong_type += u64::from(!n1.galaxy_types.iter().any(|t| t == kind));
                let nobs = nobs.value(row);
                self.few_exposures += u64::from(nobs < rules.config.filters.nobs_min);
                let right = type_bins.get(row) == Some(type_bin(&n1.galaxy_types, kind))
                    && bins.get(row) == Some(rules.labels[rules.config.nobs_bin(nobs)].as_str())
                    && pools.get(row) == Some(if confusers.get(row).is_some() { "N2" } else { "N1" });
                self.wrong_class += u64::from(!right);
            }
            self.masked += u64::from(!mask.is_null(row) && mask.value(row) & rules.mask != 0);
        }
    }

    fn merge(mut self, other: Self) -> Self {
        self.rows += other.rows;
        self.nulls.iter_mut().zip(other.nulls).for_each(|(a, b)| *a += b);
        self.ids.extend(other.ids);
        for (mine, theirs) in [
            (&mut self.pools, other.pools),
            (&mut self.splits, other.splits),
            (&mut self.kinds, other.kinds),
            (&mut self.bins, other.bins),
            (&mut self.confusers, other.confusers),
            (&mut self.commits, other.commits),
            (&mut self.stamps, other.stamps),
        ] {
            theirs.into_iter().for_each(|(name, n)| *mine.entry(name).or_default() += n);
        }
        self.ra = [self.ra[0].min(other.ra[0]), self.ra[1].max(other.ra[1])];
        self.dec = [self.dec[0].min(other.dec[0]), self.dec[1].max(other.dec[1])];
        for (mine, theirs) in [
            (&mut self.bad_ra, other.bad_ra),
            (&mut self.bad_dec, other.bad_dec),
            (&mut self.wrong_cell, other.wrong_cell),
            (&mut self.wrong_split, other.wrong_split),
            (&mut self.wrong_class, other.wrong_class),
            (&mut self.too_faint, other.too_faint),
            (&mut self.wrong_type, other.wrong_type),
            (&mut self.few_exposures, other.few_exposures),
            (&mut self.masked, other.masked),
            (&mut self.near_lenses, other.near_lenses),
        ] {
            *mine += theirs;
        }
        self.mags.iter_mut().zip(other.mags).for_each(|(a, b)| *a += b);
        other.cells.into_iter().for_each(|(cell, n)| *self.cells.entry(cell).or_default() += n);
        other.sets.into_iter().for_each(|(cell, bits)| *self.sets.entry(cell).or_default() |= bits);
        self
    }

    fn finish(self, rows: u64, gates: Vec<Gate>, strata: Vec<Stratum>) -> Validation {
        let mut ids = self.ids;
        ids.dedup();
        let range = |[low, high]: [f64; 2]| (low <= high).then_some([low, high]);
        Validation {
            timestamp: self.stamps.into_keys().next_back(),
            total_rows: rows,
            unique_galaxies: ids.len() as u64,
            pool_distribution: self.pools,
            split_distribution: self.splits,
            type_distribution: self.kinds,
            nobs_distribution: self.bins,
            confuser_distribution: self.confusers,
            ra_range: range(self.ra),
            dec_range: range(self.dec),
            git_commits: self.commits.into_keys().collect(),
            strata,
            gates,
            mags: self.mags,
            cells: self.cells,
        }
    }
}

/// A text column, whether it is a dictionary or not.
enum Texts<'a> {
    Plain(&'a arrow_array::StringArray),
    Coded(&'a arrow_array::Int32Array, &'a arrow_array::StringArray),
}

impl<'a> Texts<'a> {
    fn of(column: &'a ArrayRef) -> Self {
        match column.data_type() {
            DataType::Dictionary(..) => {
                let coded = column.as_dictionary::<Int32Type>();
                Self::Coded(coded.keys(), coded.values().as_string())
            }
            _ => Self::Plain(column.as_string()),
        }
    }

    fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(values) => (!values.is_null(row)).then(|| values.value(row)),
            Self::Coded(keys, values) => (!keys.is_null(row)).then(|| values.value(keys.value(row) as usize)),
        }
    }

    /// Adds up equal values; neighbours are often equal.
    fn count(&self, rows: usize, counts: &mut Distribution) {
        let (mut last, mut run) = (None, 0);
        for row in 0..=rows {
            let value = if row < rows { self.get(row) } else { None };
            if row < rows && value == last {
                run += 1;
                continue;
            }
            if let (Some(last), true) = (last, run > 0) {
                match counts.get_mut(last) {
                    Some(n) => *n += run,
                    None => _ = counts.insert(last.to_owned(), run),
                }
            }
            (last, run) = (value, 1);
        }
    }
}

/// The histogram's range, for plots.
pub(super) fn mag_label(bin: usize) -> String {
    format!("{:.1}", MAGS.0 + bin as f64 / 10.0)
}
