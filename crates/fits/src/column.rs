use crate::card::Value;
use crate::error::ErrorKind;
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
    /// A field of an ASCII table.
    Ascii,
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
    fn width(self, repeat: u64) -> Option<u64> {
        match self {
            Self::Logical | Self::U8 | Self::Text | Self::Ascii => Some(repeat),
            Self::Bit => Some(repeat.div_ceil(8)),
            Self::I16 => repeat.checked_mul(2),
            Self::I32 | Self::F32 => repeat.checked_mul(4),
            Self::I64 | Self::F64 | Self::C32 | Self::Array32 => repeat.checked_mul(8),
            Self::C64 | Self::Array64 => repeat.checked_mul(16),
        }
    }
}

/// Splits a binary TFORM into repeat count and type.
fn parse_tform(tform: &str) -> Option<(u64, ColumnType)> {
    let tform = tform.trim();
    let digits = tform.bytes().take_while(u8::is_ascii_digit).count();
    let repeat = if digits == 0 { 1 } else { tform[..digits].parse().ok()? };
    let kind = ColumnType::from_code(tform.as_bytes().get(digits)?.to_ascii_uppercase())?;
    let arrays = matches!(kind, ColumnType::Array32 | ColumnType::Array64);
    // A field holds at most one descriptor (FITS 4.0, section 7.3.5).
    (!(arrays && repeat > 1)).then_some((repeat, kind))
}

/// Width of an ASCII-table field from its format: `I5`, `E10.4`, `A12`.
fn ascii_width(tform: &str) -> Option<u64> {
    let rest = tform.trim().strip_prefix(['A', 'I', 'F', 'E', 'D'])?;
    rest.split('.').next()?.parse().ok()
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
}

/// All columns of a table with `row_bytes` (NAXIS1) bytes a row.
pub(crate) fn columns(header: &Header, ascii: bool, row_bytes: u64) -> Result<Vec<Column>, ErrorKind> {
    let bad = |keyword: String, problem: String| ErrorKind::Header { keyword, problem };
    let count = crate::structure::integer_at_least(header, "TFIELDS", 0)?
        .ok_or_else(|| bad("TFIELDS".into(), "is missing".into()))?;
    if count > 999 {
        return Err(bad("TFIELDS".into(), format!("is {count}, must be at most 999")));
    }
    let compressed = header.logical("ZTABLE") == Some(true);
    let mut keywords = vec![Keywords::default(); count as usize];
    for (index, card) in header.cards().enumerate() {
        let keyword = card.short_keyword();
        let digits = keyword.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let (stem, number) = keyword.split_at(keyword.len() - digits);
        let slot = match stem {
            b"TTYPE" | b"TFORM" | b"ZFORM" | b"TUNIT" | b"TBCOL" | b"TSCAL" | b"TZERO" | b"TNULL" => {
                std::str::from_utf8(number).ok().and_then(|n| n.parse::<usize>().ok())
            }
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
            b"ZFORM" if compressed => entry.form = Some(value),
            b"TFORM" => _ = (!compressed).then(|| entry.form.get_or_insert(value)),
            b"TBCOL" => _ = entry.start.get_or_insert(value),
            b"TSCAL" => _ = entry.scale.get_or_insert(value),
            b"TZERO" => _ = entry.zero.get_or_insert(value),
            b"TNULL" => _ = entry.null.get_or_insert(value),
            _ => {}
        }
    }
    let mut offset = 0_u64;
    let mut columns = Vec::with_capacity(keywords.len());
    for (n, k) in (1..).zip(keywords) {
        let tform = match k.form {
            Some(Value::Text(t)) => t.trim().to_owned(),
            Some(v) => return Err(bad(format!("TFORM{n}"), format!("is {v}, must be a string"))),
            None => return Err(bad(format!("TFORM{n}"), "is missing".into())),
        };
        let unknown = || bad(format!("TFORM{n}"), format!("is '{tform}', which is not a field format"));
        let (repeat, kind, width);
        if ascii {
            width = ascii_width(&tform).ok_or_else(unknown)?;
            (repeat, kind) = (1, ColumnType::Ascii);
            offset = match k.start {
                Some(Value::Integer(start)) if start >= 1 => start.unsigned_abs() - 1,
                _ => return Err(bad(format!("TBCOL{n}"), "is missing or not a column number".into())),
            };
        } else {
            (repeat, kind) = parse_tform(&tform).ok_or_else(unknown)?;
            width = kind.width(repeat).ok_or_else(unknown)?;
        }
        let end = offset.checked_add(width).ok_or_else(unknown)?;
        if !compressed && end > row_bytes {
            let problem = format!("ends at byte {end} of a row of {row_bytes} (NAXIS1)");
            return Err(bad(format!("TFORM{n}"), problem));
        }
        let number = |v: Option<Value>, keyword: &str, default: f64| match v {
            None => Ok(default),
            Some(Value::Integer(v)) => Ok(v as f64),
            Some(Value::Real(v)) => Ok(v),
            Some(v) => Err(bad(format!("{keyword}{n}"), format!("is {v}, must be a number"))),
        };
        let null = match k.null {
            Some(Value::Integer(v)) => Some(v),
            // In an ASCII table TNULL is a string; elsewhere the standard allows integers only.
            _ => None,
        };
        columns.push(Column {
            name: k.name.unwrap_or_default(),
            unit: k.unit.filter(|u| !u.is_empty()),
            scale: number(k.scale, "TSCAL", 1.0)?,
            zero: number(k.zero, "TZERO", 0.0)?,
            null,
            kind,
            repeat,
            offset,
            width,
            tform,
        });
        offset = end;
    }
    if !ascii && !compressed && offset != row_bytes {
        let problem = format!("is {row_bytes}, but the columns take {offset} bytes");
        return Err(bad("NAXIS1".into(), problem));
    }
    Ok(columns)
}
