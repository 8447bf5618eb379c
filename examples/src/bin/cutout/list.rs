//! Positions to cut stamps about.

use crate::Refused;
use coaddkit_cache::Stamp;
use coaddkit_density::publish;
use coaddkit_examples::Exit;
use coaddkit_sky::{BrickGrid, BrickName, SkyCoord};
use std::collections::HashSet;
use std::path::Path;

/// One stamp to cut.
pub struct Target {
    /// What its files are called.
    pub name: String,
    pub position: SkyCoord,
    /// The brick to cut from, where the catalogue says which.
    pub brick: Option<BrickName>,
    /// Its place in the list.
    pub row: usize,
}

impl Target {
    /// The brick to cut from.
    pub fn brick(&self) -> BrickName {
        self.brick.unwrap_or_else(|| BrickGrid::legacy().brick_at(self.position).name)
    }
}

/// A CSV file with columns `ra`, `dec` and, if there are, `name` (or `task_id`) and `brickname`; brick by brick, so
/// that each is opened once.
pub fn read(path: &Path) -> Result<Vec<Target>, Refused> {
    let bad = |what: String| (Exit::BadData, format!("{}: {what}", path.display()));
    let file = std::fs::File::open(path).map_err(|e| (Exit::Missing, format!("{}: {e}", path.display())))?;
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(file);
    let header = csv.headers().map_err(|e| bad(e.to_string()))?.clone();
    let find = |names: &[&str]| {
        header.iter().position(|field| names.iter().any(|name| field.eq_ignore_ascii_case(name)))
    };
    let column = |name: &str| find(&[name]).ok_or_else(|| bad(format!("there is no column {name}")));
    let (ra, dec) = (column("ra")?, column("dec")?);
    let (name, brick) = (find(&["name", "task_id"]), find(&["brickname"]));
    let (mut targets, mut names) = (Vec::new(), HashSet::new());
    for record in csv.records() {
        let record = record.map_err(|e| bad(e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let at = |what: String| bad(format!("line {line}: {what}"));
        let field = |column: usize| record.get(column).unwrap_or_default();
        let number = |column: usize| {
            field(column).parse::<f64>().map_err(|_| at(format!("{:?} is no number", field(column))))
        };
        let position = SkyCoord::from_degrees(number(ra)?, number(dec)?).map_err(|e| at(e.to_string()))?;
        let brick = match brick.map(field).filter(|text| !text.is_empty()) {
            Some(text) => Some(text.parse().map_err(|e| at(format!("{e}")))?),
            None => None,
        };
        let name =
            name.map_or_else(|| format!("stamp_{:06}", targets.len()), |column| field(column).to_owned());
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(at(format!("{name:?} cannot be the name of a file")));
        }
        if !names.insert(name.clone()) {
            return Err(at(format!("the name {name} stands twice; one stamp would replace the other")));
        }
        targets.push(Target { name, position, brick, row: targets.len() });
    }
    if targets.is_empty() {
        return Err(bad("there is no position in it".to_owned()));
    }
    targets.sort_by_cached_key(Target::brick);
    Ok(targets)
}

/// What became of each position, for `stamps.csv`.
#[derive(Default)]
pub struct Index(Vec<(usize, [String; 8])>);

impl Index {
    /// Notes how a stamp ended.
    pub fn add(&mut self, target: &Target, cut: &Result<Stamp, Refused>) {
        let [x0, y0] =
            cut.as_ref().map_or([String::new(), String::new()], |s| s.origin.map(|v| v.to_string()));
        let ok = cut.as_ref().is_ok_and(|stamp| stamp.complete);
        let why = match cut {
            Ok(stamp) if stamp.complete => "",
            Ok(_) => "reaches beyond what is cached",
            Err((_, why)) => why,
        };
        self.0.push((
            target.row,
            [
                target.name.clone(),
                target.position.ra_deg().to_string(),
                target.position.dec_deg().to_string(),
                target.brick().to_string(),
                x0,
                y0,
                u8::from(ok).to_string(),
                why.replace(['\n', '\r'], " "),
            ],
        ));
    }

    /// Writes it, in the order of the list.
    pub fn write(mut self, path: &Path) -> std::io::Result<()> {
        self.0.sort_by_key(|(row, _)| *row);
        publish(path, |out| {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(["name", "ra", "dec", "brickname", "x0", "y0", "cutout_ok", "error"])?;
            self.0.iter().try_for_each(|(_, line)| csv.write_record(line))?;
            csv.flush()
        })
    }
}
