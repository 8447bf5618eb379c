/// The rows of one column in one block, as they are stored.
///
/// The numeric variants are plain slices in native byte order.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Values<'a> {
    U8(&'a [u8]),
    I8(&'a [i8]),
    I16(&'a [i16]),
    U16(&'a [u16]),
    I32(&'a [i32]),
    U32(&'a [u32]),
    I64(&'a [i64]),
    U64(&'a [u64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Text(Text<'a>),
}

/// A column of fixed-width texts that may lie scattered in rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    data: &'a [u8],
    stride: usize,
    width: usize,
}

impl<'a> Text<'a> {
    /// Texts of `width` bytes that start every `stride` bytes, the first at the start of `data`.
    ///
    /// There are as many as lie wholly in `data`; the last need not be followed by a whole stride. A stride
    /// below `width`, or of zero, is no column: it has no rows.
    ///
    /// ```
    /// use coaddkit_photometry::Text;
    /// let text = Text::new(b"PSF \x00\x01DEV ", 6, 4);
    /// assert_eq!(text.rows(), 2);
    /// assert_eq!(text.get(1), Some(&b"DEV"[..]));
    /// ```
    pub fn new(data: &'a [u8], stride: usize, width: usize) -> Self {
        Self { data, stride, width }
    }

    /// Number of texts.
    pub fn rows(&self) -> usize {
        if self.stride == 0 || self.stride < self.width || self.data.len() < self.width.max(1) {
            return 0;
        }
        (self.data.len() - self.width) / self.stride + 1
    }

    /// The bytes of one text without trailing blanks and NULs; nothing else is changed.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        if row >= self.rows() {
            return None;
        }
        Some(trimmed(&self.data[row * self.stride..][..self.width]))
    }
}

pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| !matches!(b, b' ' | 0)).map_or(0, |i| i + 1);
    &bytes[..end]
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Text,
}

impl Kind {
    pub(crate) fn is_integer(self) -> bool {
        !matches!(self, Kind::F32 | Kind::F64 | Kind::Text)
    }

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => "unsigned integers",
            Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => "integers",
            Kind::F32 => "32-bit floats",
            Kind::F64 => "64-bit floats",
            Kind::Text => "text",
        }
    }
}

/// Runs an expression on the slice of a numeric variant, another on text.
macro_rules! each {
    ($values:expr, $slice:ident => $numeric:expr, $text:ident => $other:expr) => {
        match $values {
            Values::U8($slice) => $numeric,
            Values::I8($slice) => $numeric,
            Values::I16($slice) => $numeric,
            Values::U16($slice) => $numeric,
            Values::I32($slice) => $numeric,
            Values::U32($slice) => $numeric,
            Values::I64($slice) => $numeric,
            Values::U64($slice) => $numeric,
            Values::F32($slice) => $numeric,
            Values::F64($slice) => $numeric,
            Values::Text($text) => $other,
        }
    };
}
pub(crate) use each;

impl Values<'_> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        each!(self, s => s.len(), t => t.rows())
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Values::U8(_) => Kind::U8,
            Values::I8(_) => Kind::I8,
            Values::I16(_) => Kind::I16,
            Values::U16(_) => Kind::U16,
            Values::I32(_) => Kind::I32,
            Values::U32(_) => Kind::U32,
            Values::I64(_) => Kind::I64,
            Values::U64(_) => Kind::U64,
            Values::F32(_) => Kind::F32,
            Values::F64(_) => Kind::F64,
            Values::Text(_) => Kind::Text,
        }
    }

    /// The value of a row as f64; NaN for a text.
    #[inline]
    // One of the types is f64 itself.
    #[allow(clippy::unnecessary_cast)]
    pub(crate) fn number(&self, row: usize) -> f64 {
        each!(self, s => s[row] as f64, _t => f64::NAN)
    }

    /// The value of a row if the column holds integers.
    pub(crate) fn integer(&self, row: usize) -> Option<i128> {
        match self {
            Values::F32(_) | Values::F64(_) => None,
            other => each!(other, s => Some(s[row] as i128), _t => None),
        }
    }
}
