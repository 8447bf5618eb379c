//! A writer of FITS binary tables for tests, independent of the published crate.
//!
//! It panics on misuse (a value of another type than its column, a card that does not fit): a fixture that is not
//! what its author meant must not become a test.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use crate::gzip::gzip;

mod cells;

pub use cells::Cells;

const BLOCK: usize = 2880;
const CARD: usize = 80;

/// One column of a [`FitsTable`].
#[derive(Debug, Clone)]
pub struct Column {
    name: Option<String>,
    form: String,
    cards: Vec<(&'static str, String)>,
    code: u8,
    /// Elements of the field; of a descriptor column, the type of its elements on the heap is `element`.
    repeat: usize,
    element: u8,
    width: usize,
}

impl Column {
    /// A column by TTYPE and TFORM, such as `("DCHISQ", "5E")`, `("NAME", "8A")` or `("TRACE", "1PE")`.
    pub fn new(name: &str, form: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::unnamed(form) }
    }

    /// A column without TTYPE.
    pub fn unnamed(form: &str) -> Self {
        let digits = form.bytes().take_while(u8::is_ascii_digit).count();
        let repeat: usize = if digits == 0 { 1 } else { form[..digits].parse().expect("a repeat count") };
        let code = *form.as_bytes().get(digits).expect("a TFORM has a letter");
        let element = match code {
            b'P' | b'Q' => {
                assert!(repeat <= 1, "TFORM {form}: a descriptor repeats at most once");
                *form.as_bytes().get(digits + 1).expect("a descriptor names the type of its elements")
            }
            _ => code,
        };
        let width = match code {
            b'X' => repeat.div_ceil(8),
            b'P' => 8 * repeat,
            b'Q' => 16 * repeat,
            _ => size_of_element(code) * repeat,
        };
        Self { name: None, form: form.to_owned(), cards: Vec::new(), code, repeat, element, width }
    }

    /// TUNIT.
    #[must_use]
    pub fn unit(self, unit: &str) -> Self {
        self.with("TUNIT", quoted(unit))
    }

    /// TNULL.
    #[must_use]
    pub fn null(self, value: i64) -> Self {
        self.with("TNULL", value.to_string())
    }

    /// TSCAL.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        self.with("TSCAL", format!("{factor:?}").to_uppercase())
    }

    /// TZERO; whole numbers are written without a point, so that 2^63 stays exact for every reader.
    #[must_use]
    pub fn zero(self, offset: f64) -> Self {
        let whole = offset.fract() == 0.0;
        self.with("TZERO", if whole { format!("{offset:.0}") } else { format!("{offset:?}").to_uppercase() })
    }

    /// TDIM, such as `(2,3)`.
    #[must_use]
    pub fn dim(self, dimensions: &str) -> Self {
        self.with("TDIM", quoted(dimensions))
    }

    /// TDISP.
    #[must_use]
    pub fn disp(self, format: &str) -> Self {
        self.with("TDISP", quoted(format))
    }

    fn with(mut self, root: &'static str, value: String) -> Self {
        self.cards.push((root, value));
        self
    }
}

fn size_of_element(code: u8) -> usize {
    match code {
        b'L' | b'X' | b'B' | b'A' => 1,
        b'I' => 2,
        b'J' | b'E' => 4,
        b'K' | b'D' | b'C' => 8,
        b'M' => 16,
        _ => panic!("no TFORM letter: {}", char::from(code)),
    }
}

/// A file of a primary header and one binary table, and whatever follows by [`FitsTable::then`].
///
/// ```
/// use coaddkit_testkit::{Column, FitsTable};
///
/// let bytes = FitsTable::new("STARS")
///     .column(Column::new("RA", "D").unit("deg"))
///     .column(Column::new("NAME", "4A"))
///     .column(Column::new("LIGHT", "1PE"))
///     .rows(3, |row, cells| {
///         cells.put(row as f64 * 0.5).put("ab").put(&[1.0_f32, 2.0][..row.min(2)]);
///     })
///     .to_bytes();
/// assert_eq!(bytes.len() % 2880, 0);
/// ```
#[derive(Debug, Clone)]
pub struct FitsTable {
    name: String,
    columns: Vec<Column>,
    primary_cards: Vec<String>,
    cards: Vec<String>,
    rows: usize,
    data: Vec<u8>,
    heap_gap: usize,
    heap: Vec<u8>,
    after: Vec<u8>,
}

impl FitsTable {
    /// An empty table; an empty name means no EXTNAME.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            columns: Vec::new(),
            primary_cards: Vec::new(),
            cards: Vec::new(),
            rows: 0,
            data: Vec::new(),
            heap_gap: 0,
            heap: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Appends a column.
    #[must_use]
    pub fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// Appends a card with a number or anything else that is written as it prints (`T`, `1.5E3`).
    #[must_use]
    pub fn card(mut self, keyword: &str, value: impl Display) -> Self {
        self.cards.push(card(keyword, &value.to_string(), ""));
        self
    }

    /// Appends a card with a string.
    #[must_use]
    pub fn text_card(mut self, keyword: &str, value: &str) -> Self {
        self.cards.push(card(keyword, &quoted(value), ""));
        self
    }

    /// Appends a card as it stands: COMMENT, CONTINUE, HIERARCH, or an odd one.
    #[must_use]
    pub fn raw_card(mut self, text: &str) -> Self {
        self.cards.push(padded(text));
        self
    }

    /// Appends a card to the primary header as it stands.
    #[must_use]
    pub fn primary_card(mut self, text: &str) -> Self {
        self.primary_cards.push(padded(text));
        self
    }

    /// Appends rows, each filled by the closure, which must put every column.
    #[must_use]
    pub fn rows(mut self, count: usize, mut fill: impl FnMut(usize, &mut Cells<'_>)) -> Self {
        for row in 0..count {
            let mut cells =
                Cells { columns: &self.columns, next: 0, out: &mut self.data, heap: &mut self.heap };
            fill(row, &mut cells);
            cells.finish(row);
        }
        self.rows += count;
        self
    }

    /// Appends rows as stored.
    #[must_use]
    pub fn raw_rows(mut self, count: usize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), count * self.row_bytes(), "{count} rows of {} bytes", self.row_bytes());
        self.rows += count;
        self.data.extend_from_slice(bytes);
        self
    }

    /// Appends bytes to the heap; descriptors in raw rows may point there.
    #[must_use]
    pub fn raw_heap(mut self, bytes: &[u8]) -> Self {
        self.heap.extend_from_slice(bytes);
        self
    }

    /// Leaves unused bytes between the rows and the heap, and says so with THEAP.
    #[must_use]
    pub fn heap_gap(mut self, bytes: usize) -> Self {
        self.heap_gap = bytes;
        self
    }

    /// Appends further HDUs, for example of [`FitsTable::extension`] or [`image_extension`].
    #[must_use]
    pub fn then(mut self, hdu: &[u8]) -> Self {
        assert_eq!(hdu.len() % BLOCK, 0, "an HDU is whole blocks");
        self.after.extend_from_slice(hdu);
        self
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.columns.iter().map(|c| c.width).sum()
    }

    /// The whole file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.primary();
        out.extend(self.extension());
        out.extend_from_slice(&self.after);
        out
    }

    /// The table's HDU alone.
    pub fn extension(&self) -> Vec<u8> {
        let mut out = self.header(self.rows);
        out.extend_from_slice(&self.data);
        out.resize(out.len() + self.heap_gap, 0);
        out.extend_from_slice(&self.heap);
        pad(&mut out, 0);
        out
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.to_bytes())
    }

    /// Writes the file gzipped.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_gz(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, gzip(&self.to_bytes()))
    }

    /// Writes the file with `count` rows that are made on the way out, so that it may be larger than memory.
    /// For tables without heap and without rows of their own.
    ///
    /// # Errors
    ///
    /// The destination fails.
    pub fn stream(
        &self,
        count: usize,
        out: &mut impl Write,
        mut fill: impl FnMut(usize, &mut Cells<'_>),
    ) -> io::Result<()> {
        assert!(self.rows == 0 && self.heap.is_empty(), "a streamed table has neither rows nor heap yet");
        out.write_all(&self.primary())?;
        out.write_all(&self.header(count))?;
        let (mut buffer, mut heap) = (Vec::new(), Vec::new());
        for row in 0..count {
            let mut cells = Cells { columns: &self.columns, next: 0, out: &mut buffer, heap: &mut heap };
            fill(row, &mut cells);
            cells.finish(row);
            if buffer.len() >= 1 << 18 {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
        assert!(heap.is_empty(), "a streamed table has no heap");
        buffer.resize(buffer.len() + padding(count * self.row_bytes()), 0);
        out.write_all(&buffer)?;
        out.write_all(&self.after)
    }

    fn primary(&self) -> Vec<u8> {
        let mut cards = vec![
            card("SIMPLE", "T", "conforms to FITS standard"),
            card("BITPIX", "8", ""),
            card("NAXIS", "0", ""),
            card("EXTEND", "T", ""),
        ];
        cards.extend_from_slice(&self.primary_cards);
        header(&cards)
    }

    fn header(&self, rows: usize) -> Vec<u8> {
        let heap = if self.heap.is_empty() { 0 } else { self.heap_gap + self.heap.len() };
        let mut cards = vec![
            card("XTENSION", &quoted("BINTABLE"), "binary table extension"),
            card("BITPIX", "8", ""),
            card("NAXIS", "2", ""),
            card("NAXIS1", &self.row_bytes().to_string(), "bytes in a row"),
            card("NAXIS2", &rows.to_string(), "rows"),
            card("PCOUNT", &heap.to_string(), ""),
            card("GCOUNT", "1", ""),
            card("TFIELDS", &self.columns.len().to_string(), ""),
        ];
        for (n, column) in (1..).zip(&self.columns) {
            if let Some(name) = &column.name {
                cards.push(card(&format!("TTYPE{n}"), &quoted(name), ""));
            }
            cards.push(card(&format!("TFORM{n}"), &quoted(&column.form), ""));
            for (root, value) in &column.cards {
                cards.push(card(&format!("{root}{n}"), value, ""));
            }
        }
        if self.heap_gap > 0 {
            let start = rows * self.row_bytes() + self.heap_gap;
            cards.push(card("THEAP", &start.to_string(), ""));
        }
        if !self.name.is_empty() {
            cards.push(card("EXTNAME", &quoted(&self.name), ""));
        }
        cards.extend_from_slice(&self.cards);
        header(&cards)
    }
}

/// The HDU of an image extension; `data` is as stored.
pub fn image_extension(name: &str, bitpix: i32, axes: &[usize], data: &[u8]) -> Vec<u8> {
    let elements = if axes.is_empty() { 0 } else { axes.iter().product() };
    assert_eq!(
        data.len(),
        elements * bitpix.unsigned_abs() as usize / 8,
        "data of {axes:?} at BITPIX {bitpix}"
    );
    let mut cards = vec![
        card("XTENSION", &quoted("IMAGE"), ""),
        card("BITPIX", &bitpix.to_string(), ""),
        card("NAXIS", &axes.len().to_string(), ""),
    ];
    cards.extend((1..).zip(axes).map(|(n, axis)| card(&format!("NAXIS{n}"), &axis.to_string(), "")));
    cards.extend([card("PCOUNT", "0", ""), card("GCOUNT", "1", ""), card("EXTNAME", &quoted(name), "")]);
    let mut out = header(&cards);
    out.extend_from_slice(data);
    pad(&mut out, 0);
    out
}

/// A value card: strings start in column 11, everything else ends in column 30.
fn card(keyword: &str, value: &str, comment: &str) -> String {
    assert!(keyword.len() <= 8, "keyword {keyword}");
    let value = if value.starts_with('\'') { format!("{value:<20}") } else { format!("{value:>20}") };
    let comment = if comment.is_empty() { String::new() } else { format!(" / {comment}") };
    padded(&format!("{keyword:<8}= {value}{comment}"))
}

fn quoted(text: &str) -> String {
    format!("'{:<8}'", text.replace('\'', "''"))
}

fn padded(text: &str) -> String {
    assert!(text.len() <= CARD, "a card of {} characters: {text}", text.len());
    format!("{text:<CARD$}")
}

fn header(cards: &[String]) -> Vec<u8> {
    let mut out: Vec<u8> = cards.concat().into_bytes();
    out.extend_from_slice(padded("END").as_bytes());
    pad(&mut out, b' ');
    out
}

fn pad(out: &mut Vec<u8>, with: u8) {
    out.resize(out.len() + padding(out.len()), with);
}

fn padding(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK) - bytes
}
