//! Columns.

use super::{files, name};
use coaddkit_fits::{Cell, ErrorKind, Fits, HduKind, Table, cfitsio};
use coaddkit_testkit::shared;

/// Where CFITSIO is not to be followed: the end of the file's name, the column, why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    (
        "tables/ascii.fits.gz[1]",
        "NULLABLE",
        "it looks for TNULL at the start of a field, not after the blanks",
    ),
    ("tables/fixed.fits.gz[1]", "MSCALED", "it adds TZERO to the imaginary part too"),
];

/// Compressed tables that CFITSIO cannot decompress, and why.
const REFUSED: [(&str, &str); 2] = [
    ("tables/compressed_plain.fits.gz[1]", "it knows no NOCOMPRESS in tables"),
    ("tables/compressed_swapped.fits.gz[1]", "it knows one order of the descriptors of compressed arrays"),
];

/// Equality of bits; for `close`, to within some units in the last place.
trait Same {
    fn same(&self, other: &Self, close: bool) -> bool;
}

macro_rules! same {
    ($($type:ty),*) => {$(
        impl Same for $type {
            fn same(&self, other: &Self, _: bool) -> bool {
                self == other
            }
        }
    )*};
}
same!(u8, i8, u16, i16, u32, i32, u64, i64, bool, Option<bool>, String);

impl Same for f32 {
    fn same(&self, other: &Self, _: bool) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl Same for f64 {
    fn same(&self, other: &Self, close: bool) -> bool {
        self.to_bits() == other.to_bits() || close && (self - other).abs() <= 4.0 * f64::EPSILON * self.abs()
    }
}

impl<T: Same, const N: usize> Same for [T; N] {
    fn same(&self, other: &Self, close: bool) -> bool {
        self.iter().zip(other).all(|(a, b)| a.same(b, close))
    }
}

impl<T: Same> Same for Vec<T> {
    fn same(&self, other: &Self, close: bool) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(a, b)| a.same(b, close))
    }
}

/// Compares a column as `T`; `None` if it is not to be had as that.
fn compare<T: Cell + Same + std::fmt::Debug>(
    ours: &Table,
    theirs: &cfitsio::Table,
    index: usize,
    close: bool,
) -> Option<Result<(), String>> {
    let found = match ours.column_at::<T>(index) {
        Err(error) if matches!(error.kind(), ErrorKind::ColumnType { .. }) => return None,
        other => other.unwrap_or_else(|e| panic!("{e}")),
    };
    let other = match theirs.column_at::<T>(index) {
        Ok(other) => other,
        Err(error) => return Some(Err(error.to_string())),
    };
    if found.same(&other, close) {
        return Some(Ok(()));
    }
    let row = found.iter().zip(&other).position(|(a, b)| !a.same(b, close));
    let what = |all: &[T]| row.map(|row| format!("{:?}", all[row])).unwrap_or_default();
    Some(Err(format!(
        "{} and {} cells, {row:?}: {:.100} {:.100}",
        found.len(),
        other.len(),
        what(&found),
        what(&other)
    )))
}

/// In the narrowest type, which is that of the column.
pub fn column(ours: &Table, theirs: &cfitsio::Table, index: usize, close: bool) -> Result<(), String> {
    macro_rules! first {
        ($($type:ty),*) => {
            $(if let Some(result) = compare::<$type>(ours, theirs, index, close) {
                return result;
            })*
        };
    }
    first!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, [f32; 2], [f64; 2], bool, Option<bool>, String);
    first!(Vec<u8>, Vec<i8>, Vec<u16>, Vec<i16>, Vec<u32>, Vec<i32>, Vec<u64>, Vec<i64>, Vec<f32>, Vec<f64>);
    first!(Vec<[f32; 2]>, Vec<[f64; 2]>, Vec<bool>, Vec<Option<bool>>, Vec<String>);
    Err("no type".to_owned())
}

/// Every column of 150 real files and of the conformance set.
#[test]
fn columns_are_those_of_cfitsio() {
    let (mut tables, mut columns, mut refused, mut wrong, mut excused) = (0, 0, 0, Vec::new(), Vec::new());
    for path in files() {
        let Ok(fits) = Fits::open(&path) else { continue };
        let theirs = cfitsio::Fits::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let hdus: Vec<_> = fits.hdus().collect::<Result<_, _>>().unwrap();
        for hdu in hdus.iter().filter(|hdu| matches!(hdu.kind(), HduKind::Table | HduKind::AsciiTable)) {
            let label = format!("{}[{}]", name(&path), hdu.index());
            let table = hdu.table().unwrap_or_else(|e| panic!("{e}"));
            let other = match theirs.hdu(hdu.index()).and_then(|hdu| hdu.table()) {
                Ok(other) => other,
                Err(error) => {
                    match REFUSED.iter().any(|(file, _)| *file == label) {
                        true => refused += 1,
                        false => wrong.push(format!("{label}: {error}")),
                    }
                    continue;
                }
            };
            assert_eq!(
                (table.rows(), table.columns().len()),
                (other.rows(), other.columns().len()),
                "{label}"
            );
            // CFITSIO sums the digits of ASCII tables up in double precision.
            let close = hdu.kind() == HduKind::AsciiTable;
            for (index, about) in table.columns().iter().enumerate() {
                if let Err(why) = column(&table, &other, index, close) {
                    let known = |e: &&(&str, &str, &str)| label.contains(e.0) && about.name == e.1;
                    let text = format!("{label} {} {} {}: {why}", index + 1, about.name, about.tform);
                    match EXCEPTIONS.iter().find(known) {
                        Some(_) => excused.push(text),
                        None => wrong.push(text),
                    }
                }
                columns += 1;
            }
            tables += 1;
        }
    }
    println!("{tables} tables, {columns} columns");
    assert!(wrong.is_empty(), "{} of {columns} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((excused.len(), refused), (EXCEPTIONS.len(), REFUSED.len()), "{excused:#?}");
    if shared("data").is_some() {
        assert!(tables > 110 && columns > 2600, "{tables} tables, {columns} columns");
    }
}
