use crate::card::Value;
use crate::error::{Error, ErrorKind, Location};
use crate::header::Header;

/// What a field of a table row holds (FITS 4.0, tables 18 and 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// `L`: one byte, `T`, `F` or 0 for null.
    Logical,
    /// `X`: bits, most significant first.
    Bit,
    /// `B`: unsigned byte.
    U8,
    /// `I`: 16-bit integer.
    I16,
    /// `J`: 32-bit integer.
    I32,
    /// `K`: 64-bit integer.
    I64,
    /// `A`: characters.
    Text,
    /// `E`: single precision.
    F32,
    /// `D`: double precision.
    F64,
    /// `C`: single-precision complex.
    C32,
    /// `M`: double-precision complex.
    C64,
    /// `P`: descriptor of a variable-length array, 32-bit.
    Array32,
    /// `Q`: descriptor of a variable-length array, 64-bit.
    Array64,
    /// `I` of an ASCII table: an integer in decimal digits.
    AsciiInteger,
    /// `F`, `E` or `D` of an ASCII table: a number in decimal digits.
    AsciiReal,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Column {
    /// TTYPE, empty where the file gives none.
    pub name: String,
    /// TFORM as it stands in the file.
    pub tform: String,
    /// TUNIT.
    pub unit: Option<String>,
    /// What one element is.
    pub kind: ColumnType,
    /// Elements in a row: 0, 1 or the length of a vector; for text the number of characters.
    pub repeat: u64,
    /// Bytes before this field in a row.
    pub offset: u64,
    /// Bytes of this field in a row.
    pub width: u64,
    /// TSCAL, 1 where absent.
    pub scale: f64,
    /// TZERO, 0 where absent.
    pub zero: f64,
    /// TNULL of an integer column.
    pub null: Option<i64>,
    /// TNULL of a number in an ASCII table: the text that stands for null, without surrounding blanks.
    pub null_text: Option<String>,
    /// What the variable-length arrays of a `P` or `Q` column hold.
    pub element: Option<ColumnType>,
    /// TDIM: the shape of a field, slowest axis first. For text the last axis is the length of a string. `None`
    /// where it is absent, malformed or larger than the field.
    pub dim: Option<Vec<u64>>,
    /// Digits after the implied decimal point of an ASCII number.
    pub(crate) decimals: u32,
}

/// Which of its two sets of formats a table is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An ASCII table.
    Ascii,
    /// A binary table as it is stored: TFORM.
    Stored,
    /// A tile-compressed table as it was before it was compressed: ZFORM.
    Original,
}

impl ColumnType {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            b'L' => Self::Logical,
            b'X' => Self::Bit,
            b'B' => Self::U8,
            b'I' => Self::I16,
            b'J' => Self::I32,
            b'K' => Self::I64,
            b'A' => Self::Text,
            b'E' => Self::F32,
            b'D' => Self::F64,
            b'C' => Self::C32,
            b'M' => Self::C64,
            b'P' => Self::Array32,
            b'Q' => Self::Array64,
            _ => return None,
        })
    }

    /// Bytes of `repeat` elements.
    pub(crate) fn width(self, repeat: u64) -> Option<u64> {
        match self {
            Self::Logical | Self::U8 | Self::Text | Self::AsciiInteger | Self::AsciiReal => Some(repeat),
            Self::Bit => Some(repeat.div_ceil(8)),
            Self::I16 => repeat.checked_mul(2),
            Self::I32 | Self::F32 => repeat.checked_mul(4),
            Self::I64 | Self::F64 | Self::C32 | Self::Array32 => repeat.checked_mul(8),
            Self::C64 | Self::Array64 => repeat.checked_mul(16),
        }
    }
}

/// Making columns, for [`NewTable`](crate::NewTable).
///
/// # Examples
///
/// ```
/// use coaddkit_fits::Column;
///
/// # fn main() -> Result<(), coaddkit_fits::Error> {
/// let flux = Column::new("FLUX", "5E")?.with_unit("nanomaggy");
/// let id = Column::new("ID", "J")?.unsigned();
/// let class = Column::new("CLASS", "I")?.with_null(-1);
/// let image = Column::new("STAMP", "12I")?.with_dim(&[3, 4]); // 3 rows of 4
/// assert!(Column::new("NAME", "8Z").is_err());
/// # Ok(())
/// # }
/// ```
impl Column {
    /// A column of this name and TFORM.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unwritable`] if it is not a field format of binary tables.
    pub fn new(name: &str, tform: &str) -> Result<Self, Error> {
        let tform = tform.trim().to_ascii_uppercase();
        // The longest array is for the writer to say.
        let bare = tform.split_once('(').map_or(&*tform, |(bare, _)| bare);
        let letters = bare.trim_start_matches(|c: char| c.is_ascii_digit());
        let format = Format::binary(&tform).filter(|f| letters.len() == 1 + usize::from(f.element.is_some()));
        let Some(format) = format else {
            let (what, problem) = (format!("column {name}"), format!("'{tform}' is not a field format"));
            return Err(Error::new(Location::default(), ErrorKind::Unwritable { what, problem }));
        };
        let Format { repeat, kind, width, element, decimals } = format;
        Ok(Self {
            name: name.to_owned(),
            unit: None,
            scale: 1.0,
            zero: 0.0,
            null: None,
            null_text: None,
            dim: None,
            offset: 0,
            tform,
            kind,
            repeat,
            width,
            element,
            decimals,
        })
    }

    /// With a unit, TUNIT.
    #[must_use]
    pub fn with_unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.to_owned());
        self
    }

    /// Stored values times `scale` plus `zero` are the physical ones: TSCAL and TZERO.
    #[must_use]
    pub fn with_scale(mut self, scale: f64, zero: f64) -> Self {
        (self.scale, self.zero) = (scale, zero);
        self
    }

    /// With the stored integer that means null, TNULL.
    #[must_use]
    pub fn with_null(mut self, stored: i64) -> Self {
        self.null = Some(stored);
        self
    }

    /// With the shape of a field, slowest axis first: TDIM.
    #[must_use]
    pub fn with_dim(mut self, axes: &[u64]) -> Self {
        self.dim = Some(axes.to_vec());
        self
    }

    /// Unsigned integers in a column of type `I`, `J` or `K`, by the TZERO that means so; of type `B`, signed bytes.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.zero = match self.element.unwrap_or(self.kind) {
            ColumnType::U8 => -128.0,
            ColumnType::I16 => 32_768.0,
            ColumnType::I32 => 2_147_483_648.0,
            ColumnType::I64 => (1_u64 << 63) as f64,
            _ => self.zero,
        };
        self
    }
}

/// A field format taken apart.
struct Format {
    repeat: u64,
    kind: ColumnType,
    width: u64,
    element: Option<ColumnType>,
    decimals: u32,
}

impl Format {
    /// A binary TFORM: `5E`, `12A`, `1PJ(30)`.
    fn binary(tform: &str) -> Option<Self> {
        let digits = tform.bytes().take_while(u8::is_ascii_digit).count();
        let repeat = if digits == 0 { 1 } else { tform[..digits].parse().ok()? };
        let letter = |at: usize| {
            tform.as_bytes().get(at).and_then(|code| ColumnType::from_code(code.to_ascii_uppercase()))
        };
        let kind = letter(digits)?;
        let mut element = None;
        if matches!(kind, ColumnType::Array32 | ColumnType::Array64) {
            element = Some(letter(digits + 1)?);
            // A field holds at most one descriptor, and arrays of arrays do not exist (FITS 4.0, section 7.3.5).
            let nested = matches!(element, Some(ColumnType::Array32 | ColumnType::Array64));
            if repeat > 1 || nested {
                return None;
            }
        }
        Some(Self { repeat, kind, width: kind.width(repeat)?, element, decimals: 0 })
    }

    /// The format of an ASCII-table field: `A12`, `I5`, `F9.3`, `E10.4`, `D20.12` (FITS 4.0, section 7.2.1).
    fn ascii(tform: &str) -> Option<Self> {
        let (code, rest) = (tform.chars().next()?, tform.get(1..)?);
        let (width, decimals) = rest.split_once('.').map_or((rest, None), |(w, d)| (w, Some(d)));
        let decimals = decimals.map(str::parse).transpose().ok()?;
        let width: u64 = width.parse().ok()?;
        let (repeat, kind) = match (code.to_ascii_uppercase(), decimals) {
            ('A', None) => (width, ColumnType::Text),
            ('I', None) => (1, ColumnType::AsciiInteger),
            ('F' | 'E' | 'D', _) => (1, ColumnType::AsciiReal),
            _ => return None,
        };
        Some(Self { repeat, kind, width, element: None, decimals: decimals.unwrap_or(0) })
    }
}

/// TDIM: `(4,3)` is 3 rows of 4.
pub(crate) fn dimensions(tdim: &str) -> Option<Vec<u64>> {
    let inner = tdim.trim().strip_prefix('(')?.strip_suffix(')')?;
    let mut axes: Vec<u64> = inner.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    axes.reverse();
    Some(axes)
}

/// The per-column keywords, gathered in one pass: a sweep has 400 cards and asking for each is quadratic.
#[derive(Default, Clone)]
struct Keywords {
    name: Option<String>,
    form: Option<Value>,
    unit: Option<String>,
    start: Option<Value>,
    scale: Option<Value>,
    zero: Option<Value>,
    null: Option<Value>,
    dim: Option<Value>,
}

/// All columns of a table with `row_bytes` (NAXIS1) bytes a row.
pub(crate) fn columns(header: &Header, form: Form, row_bytes: u64) -> Result<Vec<Column>, ErrorKind> {
    let bad = |keyword: String, problem: String| ErrorKind::Header { keyword, problem };
    let count = crate::structure::integer_at_least(header, "TFIELDS", 0)?
        .ok_or_else(|| bad("TFIELDS".into(), "is missing".into()))?;
    if count > 999 {
        return Err(bad("TFIELDS".into(), format!("is {count}, must be at most 999")));
    }
    let mut keywords = vec![Keywords::default(); count as usize];
    for (index, card) in header.cards().enumerate() {
        let keyword = card.short_keyword();
        let digits = keyword.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let (stem, number) = keyword.split_at(keyword.len() - digits);
        let slot = match stem {
            b"TTYPE" | b"TFORM" | b"ZFORM" | b"TUNIT" | b"TBCOL" | b"TSCAL" | b"TZERO" | b"TNULL"
            | b"TDIM" => std::str::from_utf8(number).ok().and_then(|n| n.parse::<usize>().ok()),
            _ => None,
        };
        let Some(entry) = slot.and_then(|n| n.checked_sub(1)).and_then(|n| keywords.get_mut(n)) else {
            continue;
        };
        let Some(value) = card.value().map(|v| header.joined(index, v)) else { continue };
        let text = |v: &Value| if let Value::Text(t) = v { Some(t.clone()) } else { None };
        match stem {
            b"TTYPE" if entry.name.is_none() => entry.name = text(&value),
            b"TUNIT" if entry.unit.is_none() => entry.unit = text(&value),
            // In a compressed table TFORM describes the descriptors and ZFORM the values.
            b"ZFORM" if form == Form::Original => _ = entry.form.get_or_insert(value),
            b"TFORM" if form != Form::Original => _ = entry.form.get_or_insert(value),
            b"TBCOL" => _ = entry.start.get_or_insert(value),
            b"TSCAL" => _ = entry.scale.get_or_insert(value),
            b"TZERO" => _ = entry.zero.get_or_insert(value),
            b"TNULL" => _ = entry.null.get_or_insert(value),
            b"TDIM" => _ = entry.dim.get_or_insert(value),
            _ => {}
        }
    }
    let (keyword, row_keyword) =
        if form == Form::Original { ("ZFORM", "ZNAXIS1") } else { ("TFORM", "NAXIS1") };
    let mut offset = 0_u64;
    let mut columns = Vec::with_capacity(keywords.len());
    for (n, k) in (1..).zip(keywords) {
        let tform = match k.form {
            Some(Value::Text(t)) => t.trim().to_owned(),
            Some(v) => return Err(bad(format!("{keyword}{n}"), format!("is {v}, must be a string"))),
            None => return Err(bad(format!("{keyword}{n}"), "is missing".into())),
        };
        let unknown = || bad(format!("{keyword}{n}"), format!("is '{tform}', which is not a field format"));
        let format = if form == Form::Ascii { Format::ascii(&tform) } else { Format::binary(&tform) };
        let Format { repeat, kind, width, element, decimals } = format.ok_or_else(unknown)?;
        if form == Form::Ascii {
            offset = match k.start {
                Some(Value::Integer(start)) if start >= 1 => start.unsigned_abs() - 1,
                _ => return Err(bad(format!("TBCOL{n}"), "is missing or not a column number".into())),
            };
        }
        let end = offset.checked_add(width).ok_or_else(unknown)?;
        if end > row_bytes {
            let problem = format!("ends at byte {end} of a row of {row_bytes} ({row_keyword})");
            return Err(bad(format!("{keyword}{n}"), problem));
        }
        let number = |v: Option<Value>, keyword: &str, default: f64| match v {
            None => Ok(default),
            Some(Value::Integer(v)) => Ok(v as f64),
            Some(Value::Real(v)) => Ok(v),
            Some(v) => Err(bad(format!("{keyword}{n}"), format!("is {v}, must be a number"))),
        };
        // A string in an ASCII table, an integer elsewhere; the standard has no other.
        let (null, null_text) = match k.null {
            Some(Value::Integer(v)) if form != Form::Ascii => (Some(v), None),
            Some(Value::Text(t)) if form == Form::Ascii => (None, Some(t.trim().to_owned())),
            _ => (None, None),
        };
        let dim = match &k.dim {
            Some(Value::Text(t)) => dimensions(t),
            _ => None,
        };
        let size = |axes: &[u64]| axes.iter().try_fold(1_u64, |product, &n| product.checked_mul(n));
        let fits = |axes: &Vec<u64>| element.is_some() || size(axes).is_some_and(|n| n <= repeat);
        columns.push(Column {
            name: k.name.unwrap_or_default(),
            unit: k.unit.filter(|u| !u.is_empty()),
            scale: number(k.scale, "TSCAL", 1.0)?,
            zero: number(k.zero, "TZERO", 0.0)?,
            null,
            null_text,
            dim: dim.filter(fits),
            kind,
            repeat,
            element,
            decimals,
            offset,
            width,
            tform,
        });
        offset = end;
    }
    if form != Form::Ascii && offset != row_bytes {
        let problem = format!("is {row_bytes}, but the columns take {offset} bytes");
        return Err(bad(row_keyword.into(), problem));
    }
    Ok(columns)
}
