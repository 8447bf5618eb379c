//! What differs between two manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use rayon::prelude::*;
use serde::Serialize;

use crate::{Error, Field, Key, Kind, Progress, Rows, SeededHash, Source};

/// Columns that may identify a row, in order of preference.
const IDENTITIES: [&str; 2] = ["task_id", "galaxy_id"];

/// The column that says which experiment a row belongs to.
const EXPERIMENT: &str = "experiment_id";

/// Examples that are named.
const EXAMPLES: usize = 20;

/// What differs between two manifests; see [`compare`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The column that identifies a row.
    pub identity: String,
    /// Columns that only the older has.
    pub columns_lost: Vec<String>,
    /// Columns that only the newer has.
    pub columns_gained: Vec<String>,
    /// Columns of another type, as `name: old -> new`.
    pub columns_retyped: Vec<String>,
    /// One entry an experiment that either has, by name; one without a name for tables without experiments.
    pub experiments: Vec<ExperimentComparison>,
}

/// What differs in one experiment.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ExperimentComparison {
    /// Its name.
    pub experiment_id: String,
    /// Rows of the older.
    pub old_rows: u64,
    /// Rows of the newer.
    pub new_rows: u64,
    /// Digest of the columns that both have over all rows of the older, whatever their order.
    pub old_digest: String,
    /// The same of the newer.
    pub new_digest: String,
    /// Identities that stand in one of the two more than once.
    pub repeated: u64,
    /// Identities that only the older has.
    pub lost: u64,
    /// Identities that only the newer has.
    pub gained: u64,
    /// The first of them in alphabetical order, at most 20.
    pub lost_examples: Vec<String>,
    /// The first of them in alphabetical order, at most 20.
    pub gained_examples: Vec<String>,
    /// Columns in which rows of the same identity differ.
    pub columns: Vec<ColumnDifference>,
}

/// A column in which rows of the same identity differ.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ColumnDifference {
    /// Its name.
    pub column: String,
    /// How many rows differ.
    pub rows: u64,
    /// Identity of one of them.
    pub example: String,
    /// Its older value; null is empty.
    pub old: String,
    /// Its newer value.
    pub new: String,
}

impl Comparison {
    /// Whether nothing differs but the order of the rows.
    pub fn is_same(&self) -> bool {
        let columns = self.columns_lost.len() + self.columns_gained.len() + self.columns_retyped.len();
        columns == 0 && self.experiments.iter().all(ExperimentComparison::is_same)
    }
}

impl ExperimentComparison {
    /// Whether nothing differs but the order of the rows.
    pub fn is_same(&self) -> bool {
        self.lost + self.gained + self.repeated == 0
            && self.columns.is_empty()
            && self.old_rows == self.new_rows
    }
}

/// Compares two manifests: folders as [`Build`](crate::injection::Build) writes them, or any tables with a column
/// `task_id` or `galaxy_id`.
///
/// # Memory
///
/// 16 bytes for each row of the larger experiment of both, and as much again where a column differs.
///
/// # Errors
///
/// When one cannot be read, or has no column that identifies rows.
pub fn compare(old: &Path, new: &Path, progress: &dyn Progress) -> Result<Comparison, Error> {
    let sides = [Side::open(old)?, Side::open(new)?];
    let [old, new] = &sides;
    let identity = IDENTITIES.iter().find(|name| old.kind(name).is_some() && new.kind(name).is_some());
    let Some(&identity) = identity else {
        let what = format!("has no column {} that the other has too", IDENTITIES.join(" or "));
        return Err(Error::bad(&old.path, what));
    };
    let mut result = Comparison {
        identity: identity.to_owned(),
        columns_lost: old.without(new),
        columns_gained: new.without(old),
        columns_retyped: Vec::new(),
        experiments: Vec::new(),
    };
    let mut columns = Vec::new();
    for (name, kind) in &old.columns {
        match new.kind(name) {
            Some(other) if other == *kind => columns.push((name.as_str(), *kind)),
            Some(other) => {
                result.columns_retyped.push(format!("{name}: {} -> {}", kind.name(), other.name()))
            }
            None => {}
        }
    }
    let job = Job {
        identity,
        columns,
        experiments: old.kind(EXPERIMENT).is_some() && new.kind(EXPERIMENT).is_some(),
        progress,
    };
    let [old_sums, new_sums] = [job.sums(old)?, job.sums(new)?];
    let names: BTreeSet<&String> = old_sums.keys().chain(new_sums.keys()).collect();
    for name in names {
        let none = Sums::new(job.columns.len());
        let pair = [old_sums.get(name).unwrap_or(&none), new_sums.get(name).unwrap_or(&none)];
        result.experiments.push(job.experiment(name, pair, &sides)?);
    }
    Ok(result)
}

/// One manifest.
struct Side {
    path: PathBuf,
    sources: Vec<Source>,
    columns: Vec<(String, Kind)>,
}

impl Side {
    fn open(path: &Path) -> Result<Self, Error> {
        let manifests = path.join("manifests");
        let mut sources = Vec::new();
        if manifests.is_dir() {
            let entries = std::fs::read_dir(&manifests).map_err(|e| Error::io(&manifests, &e))?;
            let mut folders: Vec<PathBuf> =
                entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
            folders.sort();
            // The same rows stand beside in CSV.
            let copy = |folder: &PathBuf| folder.to_string_lossy().ends_with("_csv") || !folder.is_dir();
            folders.retain(|folder| !copy(folder));
            for folder in folders {
                sources.push(Source::open(folder)?);
            }
            if sources.is_empty() {
                return Err(Error::new(crate::ErrorClass::Missing, "holds no manifest").at(&manifests));
            }
        } else {
            sources.push(Source::open(path)?);
        }
        let mut columns = Vec::new();
        for source in &sources {
            let kinds = source.kinds()?;
            if !columns.is_empty() && columns != kinds {
                return Err(Error::bad(source.path(), "has other columns than the manifests beside it"));
            }
            columns = kinds;
        }
        Ok(Self { path: path.to_owned(), sources, columns })
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        self.columns.iter().find(|(column, _)| column == name).map(|&(_, kind)| kind)
    }

    fn without(&self, other: &Self) -> Vec<String> {
        let names = self.columns.iter().map(|(name, _)| name);
        names.filter(|name| other.kind(name).is_none()).cloned().collect()
    }
}

struct Job<'a> {
    identity: &'a str,
    /// What both have.
    columns: Vec<(&'a str, Kind)>,
    experiments: bool,
    progress: &'a dyn Progress,
}

/// Sums over the rows of an experiment.
#[derive(Clone)]
struct Sums {
    ids: Vec<u64>,
    rows: [u64; 2],
    columns: Vec<u64>,
}

impl Sums {
    fn new(columns: usize) -> Self {
        Self { ids: Vec::new(), rows: [0; 2], columns: vec![0; columns] }
    }

    fn merge(&mut self, mut other: Self) {
        self.ids.append(&mut other.ids);
        self.rows.iter_mut().zip(other.rows).for_each(|(a, b)| *a = a.wrapping_add(b));
        self.columns.iter_mut().zip(other.columns).for_each(|(a, b)| *a = a.wrapping_add(b));
    }
}

type ByExperiment = BTreeMap<String, Sums>;

impl Job<'_> {
    /// The columns that are read: identity, experiment if there is one, then the others.
    fn fields<'b>(&'b self, columns: &[(&'b str, Kind)]) -> Vec<Field<'b>> {
        let mut fields = vec![Field::new(self.identity, Kind::Text, "")];
        if self.experiments {
            fields.push(Field::new(EXPERIMENT, Kind::Text, ""));
        }
        fields.extend(columns.iter().map(|&(name, kind)| Field::new(name, kind, "").null("")));
        fields
    }

    /// Calls `each` with the experiment, the hash of the identity, and the row.
    fn rows(&self, rows: &Rows, mut each: impl FnMut(&str, u64, usize)) {
        let ids = rows.batch.column(0).as_string::<i32>();
        let experiment = self.experiments.then(|| rows.batch.column(1).as_string::<i32>());
        for row in 0..rows.batch.num_rows() {
            let experiment = experiment.map_or("", |column| column.value(row));
            each(experiment, SeededHash::new(0).text(ids.value(row)), row);
        }
        self.progress.advance(rows.batch.num_rows() as u64);
    }

    fn values<'b>(&self, rows: &'b Rows) -> &'b [ArrayRef] {
        &rows.batch.columns()[1 + usize::from(self.experiments)..]
    }

    fn sums(&self, side: &Side) -> Result<ByExperiment, Error> {
        self.sums_of(side, |_, _| true)
    }

    fn sums_of(&self, side: &Side, wanted: impl Fn(&str, u64) -> bool + Sync) -> Result<ByExperiment, Error> {
        let fields = self.fields(&self.columns);
        let step = |all: &mut ByExperiment, rows: &Rows| {
            let values = self.values(rows);
            let (mut key, mut whole) = (Key::new(), Key::new());
            self.rows(rows, |experiment, id, row| {
                if !wanted(experiment, id) {
                    return;
                }
                if !all.contains_key(experiment) {
                    all.insert(experiment.to_owned(), Sums::new(self.columns.len()));
                }
                let Some(sums) = all.get_mut(experiment) else { return };
                sums.ids.push(id);
                whole.clear();
                for (column, sum) in values.iter().zip(&mut sums.columns) {
                    key.clear();
                    key.push_int(id as i64);
                    push(&mut key, column, row);
                    let hash = SeededHash::new(0).key(&key);
                    *sum = sum.wrapping_add(hash);
                    whole.push_int(hash as i64);
                }
                for (seed, sum) in (1..).zip(&mut sums.rows) {
                    *sum = sum.wrapping_add(SeededHash::new(seed).key(&whole));
                }
            });
            Ok(())
        };
        let mut all = ByExperiment::new();
        self.progress.begin("comparing", 0);
        for source in &side.sources {
            let part = source.fold(&fields, ByExperiment::new, step, merged)?;
            all = merged(all, part);
        }
        all.values_mut().for_each(|sums| sums.ids.par_sort_unstable());
        Ok(all)
    }

    fn experiment(
        &self,
        name: &str,
        sums: [&Sums; 2],
        sides: &[Side; 2],
    ) -> Result<ExperimentComparison, Error> {
        let [old, new] = sums;
        let digest = |sums: &Sums| format!("{:016x}{:016x}", sums.rows[0], sums.rows[1]);
        let repeated = |ids: &[u64]| ids.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        let lost = difference(&old.ids, &new.ids);
        let gained = difference(&new.ids, &old.ids);
        let mut result = ExperimentComparison {
            experiment_id: name.to_owned(),
            old_rows: old.ids.len() as u64,
            new_rows: new.ids.len() as u64,
            old_digest: digest(old),
            new_digest: digest(new),
            repeated: repeated(&old.ids) + repeated(&new.ids),
            lost: lost.len() as u64,
            gained: gained.len() as u64,
            lost_examples: self.names(&sides[0], name, &lost)?,
            gained_examples: self.names(&sides[1], name, &gained)?,
            columns: Vec::new(),
        };
        let common = |ids: &[u64], without: &[u64]| ids.len() > without.len();
        if !common(&old.ids, &lost) || !common(&new.ids, &gained) || result.repeated > 0 {
            return Ok(result);
        }
        let (a, b);
        let [old, new] = if lost.is_empty() && gained.is_empty() {
            [old, new]
        } else {
            // Once more, over the rows that both have.
            let here = |id: u64, without: &[u64]| without.binary_search(&id).is_err();
            a = self.sums_of(&sides[0], |experiment, id| experiment == name && here(id, &lost))?;
            b = self.sums_of(&sides[1], |experiment, id| experiment == name && here(id, &gained))?;
            match (a.get(name), b.get(name)) {
                (Some(a), Some(b)) => [a, b],
                _ => return Ok(result),
            }
        };
        for (index, (old, new)) in old.columns.iter().zip(&new.columns).enumerate() {
            if old != new {
                result.columns.extend(self.column(name, index, sides)?);
            }
        }
        Ok(result)
    }

    /// How many rows differ in a column, and one of them.
    fn column(&self, name: &str, index: usize, sides: &[Side; 2]) -> Result<Option<ColumnDifference>, Error> {
        let column = [self.columns[index]];
        let hashes = |side: &Side| -> Result<Vec<(u64, u64)>, Error> {
            let step = |all: &mut Vec<(u64, u64)>, rows: &Rows| {
                let mut key = Key::new();
                self.rows(rows, |experiment, id, row| {
                    if experiment == name {
                        key.clear();
                        push(&mut key, &self.values(rows)[0], row);
                        all.push((id, SeededHash::new(0).key(&key)));
                    }
                });
                Ok(())
            };
            let mut all = Vec::new();
            for source in &side.sources {
                all.append(&mut source.fold(&self.fields(&column), Vec::new, step, appended)?);
            }
            all.par_sort_unstable();
            Ok(all)
        };
        let [old, new] = [hashes(&sides[0])?, hashes(&sides[1])?];
        let (mut rows, mut example) = (0, None);
        for (id, value) in old {
            let other = new.partition_point(|&(other, _)| other < id);
            if new.get(other).is_some_and(|&(other, v)| other == id && v != value) {
                rows += 1;
                example.get_or_insert(id);
            }
        }
        let Some(id) = example else { return Ok(None) };
        let [(example, old), (_, new)] =
            [self.value(&sides[0], name, column[0], id)?, self.value(&sides[1], name, column[0], id)?];
        Ok(Some(ColumnDifference { column: column[0].0.to_owned(), rows, example, old, new }))
    }

    /// The identity and the value of one row, as text.
    fn value(
        &self,
        side: &Side,
        name: &str,
        column: (&str, Kind),
        id: u64,
    ) -> Result<(String, String), Error> {
        let step = |found: &mut Option<(String, String)>, rows: &Rows| {
            self.rows(rows, |experiment, other, row| {
                if experiment == name && other == id {
                    let identity = rows.batch.column(0).as_string::<i32>().value(row).to_owned();
                    *found = Some((identity, text(&self.values(rows)[0], row)));
                }
            });
            Ok(())
        };
        let mut found = None;
        for source in &side.sources {
            found = found.or(source.fold(&self.fields(&[column]), || None, step, Option::or)?);
        }
        Ok(found.unwrap_or_default())
    }

    /// The first few identities whose hashes are given.
    fn names(&self, side: &Side, name: &str, ids: &[u64]) -> Result<Vec<String>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keep = |mut names: BTreeSet<String>| {
            while names.len() > EXAMPLES {
                names.pop_last();
            }
            names
        };
        let step = |found: &mut BTreeSet<String>, rows: &Rows| {
            self.rows(rows, |experiment, id, row| {
                if experiment == name && ids.binary_search(&id).is_ok() {
                    let text = rows.batch.column(0).as_string::<i32>().value(row);
                    if found.len() < EXAMPLES || found.last().is_some_and(|last| text < last.as_str()) {
                        found.insert(text.to_owned());
                        *found = keep(std::mem::take(found));
                    }
                }
            });
            Ok(())
        };
        let mut found = BTreeSet::new();
        for source in &side.sources {
            let more = source.fold(&self.fields(&[]), BTreeSet::new, step, |mut a, mut b| {
                a.append(&mut b);
                keep(a)
            })?;
            found.extend(more);
        }
        Ok(keep(found).into_iter().collect())
    }
}

fn merged(mut a: ByExperiment, b: ByExperiment) -> ByExperiment {
    for (name, sums) in b {
        match a.get_mut(&name) {
            Some(mine) => mine.merge(sums),
            None => _ = a.insert(name, sums),
        }
    }
    a
}

fn appended<T>(mut a: Vec<T>, mut b: Vec<T>) -> Vec<T> {
    a.append(&mut b);
    a
}

/// Elements of `a` that `b` lacks; both are sorted.
fn difference(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut rest = b;
    let mut only = Vec::new();
    for &id in a {
        while rest.first().is_some_and(|&other| other < id) {
            rest = &rest[1..];
        }
        if rest.first() != Some(&id) {
            only.push(id);
        }
    }
    only.dedup();
    only
}

/// Appends a value: whether there is one, and which.
fn push(key: &mut Key, column: &ArrayRef, row: usize) {
    use arrow_schema::DataType;
    key.push_int((!column.is_null(row)).into());
    if column.is_null(row) {
        return;
    }
    match column.data_type() {
        DataType::Int32 => key.push_int(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => key.push_int(column.as_primitive::<Int64Type>().value(row)),
        // To the bit, but that all NaN are one and that -0 is 0.
        DataType::Float32 => key.push_f32(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => key.push_f64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => key.push_int(column.as_boolean().value(row).into()),
        _ => key.push_text(column.as_string::<i32>().value(row)),
    }
}

fn text(column: &ArrayRef, row: usize) -> String {
    let mut out = Vec::new();
    crate::write::cells(column)(row, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
