//! From columns to fields.

use super::elements::{Builder, Kind};
use crate::column::{Column, ColumnType};
use crate::decoder::Decoder;
use crate::error::{Error, ErrorKind};
use crate::header::Header;
use crate::scan::Scan;
use crate::values::Values;
use arrow_schema::{DataType, Field, FieldRef};
use std::collections::HashMap;
use std::sync::Arc;

type Metadata = HashMap<String, String>;

/// How one column becomes an array.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    name: String,
    metadata: Metadata,
    nullable: bool,
    pub(super) kind: Kind,
    /// Real and imaginary part.
    pub(super) pair: bool,
    pub(super) layout: Layout,
    /// Elements of a field, for those whose values are slices of numbers.
    pub(super) repeat: usize,
    /// Takes the stored fields instead of the values.
    pub(super) stored: bool,
    is_text: bool,
    /// Text as the bytes of the file.
    bytes: Kind,
}

/// Sizes are signed 32-bit numbers in Arrow.
fn size(n: u64) -> Result<i32, ErrorKind> {
    let (what, limit) = ("the size of a field", i32::MAX as u64);
    i32::try_from(n).map_err(|_| ErrorKind::Limit { what, wanted: n, limit })
}

/// How elements make rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    One,
    Fixed(i32),
    /// Lists that are all empty.
    Empty,
    /// Of variable-length arrays; with 64-bit offsets for `Q`.
    List {
        large: bool,
    },
}

/// The plans of the projected columns, the metadata of the table, and all columns as they are to be decoded.
pub(super) fn plan(scan: &Scan) -> Result<(Vec<Plan>, Metadata, Vec<Column>), Error> {
    let (table, hdu) = (&scan.table, scan.table.hdu());
    let mut decoded = table.columns().to_vec();
    let (fields, rest) = metadata(hdu.header(), decoded.len());
    let mut plans = Vec::with_capacity(scan.columns.len());
    for &index in &scan.columns {
        let column = &table.columns()[index];
        let mut plan = Plan::new(column).map_err(|kind| hdu.error(kind))?;
        if plan.keeps_integers(column) {
            decoded[index].null = None;
        }
        if column.name.is_empty() {
            plan.name = format!("col{}", index + 1);
        }
        // A column can be asked for twice.
        plan.metadata = fields[index].clone();
        plan.metadata.insert("FITS:TFORM".to_owned(), column.tform.clone());
        plans.push(plan);
    }
    Ok((plans, rest, decoded))
}

impl Plan {
    fn new(column: &Column) -> Result<Self, ErrorKind> {
        let stored = column.element.unwrap_or(column.kind);
        let integer = matches!(stored, ColumnType::U8 | ColumnType::I16 | ColumnType::I32 | ColumnType::I64);
        let null = column.null.filter(|_| integer);
        let digits = column.null_text.is_some();
        let bare = Decoder::new(&Column { null: None, ..column.clone() });
        let mut kind = Kind::of(bare.elements(), null);
        let pair = matches!(stored, ColumnType::C32 | ColumnType::C64);
        let integer_digits = stored == ColumnType::AsciiInteger && column.scale == 1.0 && column.zero == 0.0;
        if digits && integer_digits {
            let null = column.null_text.iter().flat_map(|t| t.chars()).map(|c| c as u8).collect();
            kind = Kind::Digits { null };
        } else if digits || null.is_some() && matches!(bare.elements(), Values::F64(_)) {
            // Nothing else makes a number that is scaled or read from digits NaN.
            kind = Kind::F64 { null: Some(f64::NAN) };
        }
        let (array, large) = (column.element.is_some(), column.kind == ColumnType::Array64);
        let mut repeat = column.repeat;
        let is_text = stored == ColumnType::Text;
        if is_text {
            // By TDIM a field can hold several strings; its last axis is the length of one.
            let axes = column.dim.as_deref().filter(|dim| dim.len() > 1);
            let length = axes.and_then(|dim| dim.last().copied()).filter(|&n| n > 0);
            repeat = length.map_or(1, |n| repeat / n);
            let length = length.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
            kind = Kind::Text { length, large: array && large };
        }
        let several = matches!(kind, Kind::Text { length: Some(_), .. });
        let width = size(column.width)?;
        let layout = match size(repeat)? {
            // A variable-length array of characters is one string.
            _ if is_text && !several => Layout::One,
            _ if array => Layout::List { large },
            0 => Layout::Empty,
            1 if column.dim.as_ref().is_none_or(|dim| dim.len() < 2) => Layout::One,
            n => Layout::Fixed(n),
        };
        let nullable = null.is_some() || digits || stored == ColumnType::Logical;
        Ok(Self {
            name: column.name.clone(),
            metadata: Metadata::new(),
            nullable,
            stored: matches!(kind, Kind::Digits { .. }),
            kind,
            pair,
            layout,
            repeat: repeat as usize,
            bytes: Kind::Bytes { width: Some(width).filter(|&n| n > 0 && !array), large: array && large },
            is_text,
        })
    }

    /// True where integers with TNULL are decoded as integers.
    fn keeps_integers(&self, column: &Column) -> bool {
        column.null.is_some() && !matches!(self.kind, Kind::F64 { .. })
    }

    pub(super) fn make_raw(&mut self) {
        if self.is_text {
            (self.kind, self.layout) = (self.bytes.clone(), Layout::One);
        }
    }

    /// An empty builder, for about `rows` rows.
    pub(super) fn builder(&self, rows: usize) -> Builder {
        Builder::new(self, self.element(), rows)
    }

    /// The type of the elements, without lists.
    fn element(&self) -> FieldRef {
        let item = |data_type, nullable| Arc::new(Field::new_list_field(data_type, nullable));
        let number = self.kind.data_type();
        if self.pair {
            return item(DataType::FixedSizeList(item(number, false), 2), false);
        }
        item(number, self.nullable)
    }

    pub(super) fn field(&self) -> Field {
        let element = self.element();
        let (data_type, nullable) = match self.layout {
            Layout::One => (element.data_type().clone(), self.nullable),
            Layout::Fixed(n) => (DataType::FixedSizeList(element, n), false),
            Layout::Empty | Layout::List { large: false } => (DataType::List(element), false),
            Layout::List { large: true } => (DataType::LargeList(element), false),
        };
        Field::new(&self.name, data_type, nullable).with_metadata(self.metadata.clone())
    }
}

/// Keywords of one column that are carried over.
const OF_COLUMNS: [&str; 12] = [
    "TUNIT", "TDISP", "TDIM", "TNULL", "TSCAL", "TZERO", "TUCD", "TCOMM", "TLMIN", "TLMAX", "TDMIN", "TDMAX",
];

/// Keywords that say how a table is stored: with a number and without one.
const OF_STORAGE: [&str; 21] = [
    "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "THEAP", "CHECKSUM",
    "DATASUM", "ZTABLE", "ZTILELEN", "ZNAXIS1", "ZNAXIS2", "ZPCOUNT", "ZTHEAP", "ZTENSION", "ZHECKSUM",
    "ZDATASUM", "CONTINUE",
];
const OF_STORED_COLUMNS: [&str; 5] = ["TTYPE", "TFORM", "TBCOL", "ZFORM", "ZCTYP"];

/// Metadata of each column, and of the table.
fn metadata(header: &Header, columns: usize) -> (Vec<Metadata>, Metadata) {
    let (mut fields, mut rest) = (vec![Metadata::new(); columns], Metadata::new());
    for (index, card) in header.cards().enumerate() {
        let keyword = card.keyword();
        let value = card.value().map(|value| header.joined(index, value));
        let stem = keyword.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = keyword[stem.len()..].parse::<usize>().ok();
        if let Some(field) = number.and_then(|n| n.checked_sub(1)).and_then(|n| fields.get_mut(n)) {
            let mut keep = |key: &str, text: String| {
                if !text.is_empty() {
                    field.entry(format!("FITS:{key}")).or_insert(text);
                }
            };
            if stem == "TTYPE" {
                keep("comment", card.comment());
            }
            if OF_STORED_COLUMNS.contains(&stem) {
                continue;
            }
            if OF_COLUMNS.contains(&stem) {
                if let Some(value) = value {
                    keep(stem, value.to_string());
                }
                continue;
            }
        }
        if keyword.is_empty() || OF_STORAGE.contains(&keyword.as_str()) {
            continue;
        }
        let key = format!("FITS:{keyword}");
        match (value, keyword.as_str()) {
            (Some(value), _) => _ = rest.entry(key).or_insert_with(|| value.to_string()),
            (None, "COMMENT" | "HISTORY") => {
                let lines = rest.entry(key).or_default();
                if !lines.is_empty() {
                    lines.push('\n');
                }
                lines.push_str(&card.comment());
            }
            (None, _) => {}
        }
    }
    (fields, rest)
}
