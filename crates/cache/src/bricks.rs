//! Which bricks are asked for: names on a line, a list, or a table of them.

use coaddkit_sky::BrickName;
use std::collections::HashSet;
use std::path::Path;

/// What the survey's table of bricks says of the conditions in one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Depth of point sources in r, in magnitudes.
    pub psfdepth_r: f64,
    /// Seeing in r (FWHM), in arcseconds.
    pub psfsize_r: f64,
    /// Galactic reddening E(B-V), in magnitudes.
    pub ebv: f64,
}

impl Conditions {
    /// The columns, as they are called in tables.
    pub const COLUMNS: [&'static str; 3] = ["psfdepth_r", "psfsize_r", "ebv"];

    pub(crate) fn values(self) -> [f64; 3] {
        [self.psfdepth_r, self.psfsize_r, self.ebv]
    }
}

/// The bricks that are asked for, in the order given, each once.
///
/// # Examples
///
/// ```
/// use coaddkit_cache::BrickList;
///
/// let list = BrickList::named("0001m002,0001m005")?;
/// assert_eq!(list.bricks().len(), 2);
/// assert!(BrickList::named("0001m002,nowhere").is_err());
/// # Ok::<(), coaddkit_cache::BrickListError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrickList {
    bricks: Vec<BrickName>,
    conditions: Vec<Option<Conditions>>,
    repeated: u64,
}

/// Why there is no list of bricks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrickListError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file, or the text, is no list of bricks.
    #[error("{place}: {problem}")]
    Content {
        /// The file and line or row, or `bricks` for a text.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

impl BrickListError {
    fn content(place: impl std::fmt::Display, problem: impl std::fmt::Display) -> Self {
        Self::Content { place: place.to_string(), problem: problem.to_string() }
    }
}

impl BrickList {
    /// Names with commas between them.
    ///
    /// # Errors
    ///
    /// A name is none, or there is no name.
    pub fn named(text: &str) -> Result<Self, BrickListError> {
        let mut rows = Rows::default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            rows.add(name.as_bytes(), None).map_err(|e| BrickListError::content("bricks", e))?;
        }
        rows.done("bricks")
    }

    /// A FITS table, a CSV file with a column `brickname`, or a text with a name a line; `#` starts a comment. With
    /// columns `psfdepth_r`, `psfsize_r` and `ebv` the list has the [`Conditions`] of each brick.
    ///
    /// # Errors
    ///
    /// The file cannot be read, has no such column, no bricks, or something else for a name; the error says where.
    pub fn read(path: &Path) -> Result<Self, BrickListError> {
        let shown = path.display().to_string();
        let read = |source| BrickListError::Read { path: shown.clone(), source };
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if name.contains(".fits") || name.ends_with(".fit") {
            // That it can be opened is told apart from what is in it.
            std::fs::File::open(path).map_err(read)?;
            return Self::of_fits(path, &shown);
        }
        let text = std::fs::read(path).map_err(read)?;
        let text = String::from_utf8(text).map_err(|e| {
            BrickListError::content(
                format!("{shown}: byte {}", e.utf8_error().valid_up_to()),
                "it is no text",
            )
        })?;
        Self::of_text(text.trim_start_matches('\u{feff}'), &shown)
    }

    fn of_text(text: &str, shown: &str) -> Result<Self, BrickListError> {
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut rows = Rows::default();
        let mut columns: Option<Columns> = None;
        for record in csv.records() {
            let record = record.map_err(|e| BrickListError::content(shown, e))?;
            let line = record.position().map_or(0, csv::Position::line);
            let at = |problem: String| BrickListError::content(format!("{shown}: line {line}"), problem);
            let first = record.get(0).unwrap_or_default();
            if rows.is_empty() && columns.is_none() && first.parse::<BrickName>().is_err() {
                columns = Some(Columns::of(&record).map_err(at)?);
                continue;
            }
            let (name, conditions) = match &columns {
                Some(columns) => columns.take(&record).map_err(at)?,
                None => (first, None),
            };
            rows.add(name.as_bytes(), conditions).map_err(at)?;
        }
        rows.done(shown)
    }

    fn of_fits(path: &Path, shown: &str) -> Result<Self, BrickListError> {
        let bad = |e: coaddkit_fits::Error| BrickListError::content(shown, e);
        let fits = coaddkit_fits::Fits::open(path).map_err(bad)?;
        let table = fits.hdu(1).and_then(|hdu| hdu.table()).map_err(bad)?;
        let has = |name: &str| table.columns().iter().any(|c| c.name.eq_ignore_ascii_case(name));
        let known = Conditions::COLUMNS.iter().all(|name| has(name));
        let mut scan = table.scan().column("brickname").map_err(bad)?;
        if known {
            for name in Conditions::COLUMNS {
                scan = scan.column(name).map_err(bad)?;
            }
        }
        let mut rows = Rows::default();
        let mut number = 0_u64;
        scan.for_each(|chunk| {
            for (name, conditions) in chunk_rows(chunk, known).map_err(Stop::Content)? {
                number += 1;
                rows.add(&name, conditions).map_err(|e| Stop::Content(format!("row {number}: {e}")))?;
            }
            Ok(())
        })
        .map_err(|stop| match stop {
            Stop::Fits(e) => bad(e),
            Stop::Content(problem) => BrickListError::content(shown, problem),
        })?;
        rows.done(shown)
    }

    /// The bricks.
    pub fn bricks(&self) -> &[BrickName] {
        &self.bricks
    }

    /// The list in parts of so many bricks each, at least one, in order; together they are the list.
    pub fn chunks(&self, bricks: usize) -> impl ExactSizeIterator<Item = Self> {
        let size = bricks.max(1);
        self.bricks.chunks(size).zip(self.conditions.chunks(size)).map(|(bricks, conditions)| Self {
            bricks: bricks.to_vec(),
            conditions: conditions.to_vec(),
            repeated: 0,
        })
    }

    /// The conditions in a brick, by its place in [`Self::bricks`].
    pub fn conditions(&self, index: usize) -> Option<Conditions> {
        self.conditions.get(index).copied().flatten()
    }

    /// How many names stood there again; each brick is asked for once.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }
}

/// Why a scan of bricks ends early.
enum Stop {
    Fits(coaddkit_fits::Error),
    Content(String),
}

impl From<coaddkit_fits::Error> for Stop {
    fn from(error: coaddkit_fits::Error) -> Self {
        Self::Fits(error)
    }
}

/// A name, which may be none, and what is known of the brick.
type Row = (Vec<u8>, Option<Conditions>);

fn chunk_rows(chunk: &coaddkit_fits::Chunk<'_>, known: bool) -> Result<Vec<Row>, String> {
    use coaddkit_fits::Values;
    let Values::Text(names) = chunk.values(0) else {
        return Err("the column brickname is no text".to_owned());
    };
    let number = |column: usize, row: usize| match chunk.values(column) {
        Values::F32(v) => Ok(f64::from(v[row])),
        Values::F64(v) => Ok(v[row]),
        _ => Err(format!("the column {} is no column of floats", Conditions::COLUMNS[column - 1])),
    };
    let mut rows = Vec::new();
    for row in 0..names.len() {
        let conditions = if known {
            let [psfdepth_r, psfsize_r, ebv] = [number(1, row)?, number(2, row)?, number(3, row)?];
            Some(Conditions { psfdepth_r, psfsize_r, ebv })
        } else {
            None
        };
        rows.push((names.get(row).trim_ascii().to_vec(), conditions));
    }
    Ok(rows)
}

/// Where the columns are in a CSV file.
struct Columns {
    name: usize,
    conditions: Option<[usize; 3]>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, String> {
        let find = |name: &str| header.iter().position(|field| field.eq_ignore_ascii_case(name));
        let Some(name) = find("brickname") else {
            let line = header.iter().collect::<Vec<_>>().join(",");
            return Err(format!("{line:?} is no brick name, and no header with a column brickname"));
        };
        let [depth, size, ebv] = Conditions::COLUMNS.map(find);
        let conditions = depth.zip(size).zip(ebv).map(|((depth, size), ebv)| [depth, size, ebv]);
        Ok(Self { name, conditions })
    }

    fn take<'a>(&self, record: &'a csv::StringRecord) -> Result<(&'a str, Option<Conditions>), String> {
        let field = |column: usize| record.get(column).ok_or(format!("there is no column {}", column + 1));
        let number = |column: usize| {
            let text = field(column)?;
            // An empty field has no value, as in the tables of the survey.
            if text.is_empty() {
                Ok(f64::NAN)
            } else {
                text.parse().map_err(|_| format!("{text:?} is no number"))
            }
        };
        let conditions = match self.conditions {
            Some([depth, size, ebv]) => {
                Some(Conditions { psfdepth_r: number(depth)?, psfsize_r: number(size)?, ebv: number(ebv)? })
            }
            None => None,
        };
        Ok((field(self.name)?, conditions))
    }
}

#[derive(Default)]
struct Rows {
    list: BrickList,
    seen: HashSet<BrickName>,
}

impl Rows {
    fn is_empty(&self) -> bool {
        self.list.bricks.is_empty()
    }

    fn add(&mut self, name: &[u8], conditions: Option<Conditions>) -> Result<(), String> {
        let brick = BrickName::from_bytes(name).map_err(|e| e.to_string())?;
        if self.seen.insert(brick) {
            self.list.bricks.push(brick);
            self.list.conditions.push(conditions);
        } else {
            self.list.repeated += 1;
        }
        Ok(())
    }

    fn done(self, place: &str) -> Result<BrickList, BrickListError> {
        if self.is_empty() {
            return Err(BrickListError::content(place, "there is no brick in it"));
        }
        Ok(self.list)
    }
}
