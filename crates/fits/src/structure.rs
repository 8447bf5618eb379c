//! What the mandatory keywords say an HDU is, and how many bytes its data take (FITS 4.0, section 4.4.1).

use crate::card::Value;
use crate::error::ErrorKind;
use crate::header::Header;

/// The kind of an HDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HduKind {
    /// A primary array or IMAGE extension, also without data; or a tile-compressed image.
    Image,
    /// A BINTABLE extension, also a tile-compressed one.
    Table,
    /// A TABLE extension.
    AsciiTable,
    /// Random groups (FITS 4.0, section 6).
    Groups,
    /// An extension of another type.
    Other,
}

/// How a tile-compressed image is stored (FITS 4.0, section 10.1).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TileCompression {
    /// The algorithm, from ZCMPTYPE, as it stands in the file (`RICE_1`, and also the alias `RICE_ONE`).
    pub codec: String,
    /// How floats were quantised, from ZQUANTIZ.
    pub quantize: Option<String>,
    /// Tile size, slowest axis first.
    pub tile: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Structure {
    pub(crate) kind: HduKind,
    pub(crate) bitpix: i64,
    /// Axis lengths as a user sees them (uncompressed), slowest axis first.
    pub(crate) shape: Vec<u64>,
    pub(crate) compression: Option<TileCompression>,
    /// Keyword and problem of a compressed image that makes no sense; its size is known all the same.
    pub(crate) senseless: Option<(String, String)>,
    /// Bytes of data, padding not counted.
    pub(crate) data_bytes: u64,
}

fn bad(keyword: impl Into<String>, problem: impl Into<String>) -> ErrorKind {
    ErrorKind::Header { keyword: keyword.into(), problem: problem.into() }
}

/// A keyword that must be an integer of at least `least`; `None` if absent.
pub(crate) fn integer_at_least(header: &Header, keyword: &str, least: i64) -> Result<Option<i64>, ErrorKind> {
    match header.get(keyword) {
        None => Ok(None),
        Some(Value::Integer(v)) if v >= least => Ok(Some(v)),
        Some(Value::Integer(v)) => Err(bad(keyword, format!("is {v}, must be at least {least}"))),
        Some(v) => Err(bad(keyword, format!("is {v}, must be an integer"))),
    }
}

fn required(header: &Header, keyword: &str, least: i64) -> Result<i64, ErrorKind> {
    integer_at_least(header, keyword, least)?.ok_or_else(|| bad(keyword, "is missing"))
}

/// The mandatory keywords have fixed places; out of place they are a sign of damage.
fn in_place(header: &Header, keyword: &str, place: usize) -> Result<(), ErrorKind> {
    match header.find(keyword) {
        Some((index, _)) if index == place => Ok(()),
        Some((index, _)) => Err(bad(keyword, format!("is card {}, must be card {}", index + 1, place + 1))),
        None => Err(bad(keyword, "is missing")),
    }
}

/// `{prefix}1`, `{prefix}2`, … `{prefix}{count}`, slowest axis first.
fn axes(header: &Header, prefix: &str, count: i64) -> Result<Vec<u64>, ErrorKind> {
    (1..=count).rev().map(|n| Ok(required(header, &format!("{prefix}{n}"), 0)?.unsigned_abs())).collect()
}

impl Structure {
    pub(crate) fn of(header: &Header, primary: bool) -> Result<Self, ErrorKind> {
        in_place(header, "BITPIX", 1)?;
        in_place(header, "NAXIS", 2)?;
        let bitpix = required(header, "BITPIX", i64::MIN)?;
        if !matches!(bitpix, 8 | 16 | 32 | 64 | -32 | -64) {
            return Err(bad("BITPIX", format!("is {bitpix}, must be 8, 16, 32, 64, -32 or -64")));
        }
        let naxis = required(header, "NAXIS", 0)?;
        if naxis > 999 {
            return Err(bad("NAXIS", format!("is {naxis}, must be at most 999")));
        }
        for n in 1..=naxis {
            in_place(header, &format!("NAXIS{n}"), 2 + n as usize)?;
        }
        let mut shape = axes(header, "NAXIS", naxis)?;
        let pcount = integer_at_least(header, "PCOUNT", 0)?.unwrap_or(0).unsigned_abs();
        let gcount = integer_at_least(header, "GCOUNT", 0)?.unwrap_or(1).unsigned_abs();
        // Random groups: NAXIS1 = 0 marks them and is no factor of the size.
        let groups = primary && header.logical("GROUPS") == Some(true) && shape.last() == Some(&0);
        let sized = if groups { &shape[..shape.len() - 1] } else { &shape[..] };
        let elements = if sized.is_empty() {
            Some(0)
        } else {
            sized.iter().try_fold(1, |product: u64, &n| product.checked_mul(n))
        };
        let data_bytes = elements
            .and_then(|n| n.checked_add(pcount))
            .and_then(|n| n.checked_mul(gcount))
            .and_then(|n| n.checked_mul(bitpix.unsigned_abs() / 8))
            // Offsets in a file are signed 64-bit numbers for every operating system.
            .filter(|&n| i64::try_from(n).is_ok())
            .ok_or_else(|| bad("NAXISn, PCOUNT, GCOUNT", "give a data size that no file can have"))?;
        // Without axes there are no data, whatever PCOUNT says.
        let data_bytes = if naxis == 0 { 0 } else { data_bytes };

        let mut kind = if groups { HduKind::Groups } else { HduKind::Image };
        if !primary {
            kind = match header.text("XTENSION").unwrap_or_default().as_str() {
                "IMAGE" | "IUEIMAGE" => HduKind::Image,
                "BINTABLE" | "A3DTABLE" => HduKind::Table,
                "TABLE" => HduKind::AsciiTable,
                _ => HduKind::Other,
            };
        }
        let mut structure =
            Self { kind, bitpix, shape: Vec::new(), compression: None, senseless: None, data_bytes };
        if kind == HduKind::Table && header.logical("ZIMAGE") == Some(true) {
            structure.kind = HduKind::Image;
            shape = Vec::new();
            match compressed(header) {
                Ok((bitpix, axes, compression)) => {
                    (structure.bitpix, shape, structure.compression) = (bitpix, axes, Some(compression));
                }
                // The HDUs that follow can be read.
                Err(ErrorKind::Header { keyword, problem }) => structure.senseless = Some((keyword, problem)),
                Err(other) => return Err(other),
            }
        } else if kind == HduKind::Table && header.logical("ZTABLE") == Some(true) {
            let codec = "ZTABLE".to_owned();
            structure.compression = Some(TileCompression { codec, quantize: None, tile: Vec::new() });
        }
        structure.shape = shape;
        Ok(structure)
    }
}

/// ZBITPIX, axes and compression of an image that is stored in a table.
fn compressed(header: &Header) -> Result<(i64, Vec<u64>, TileCompression), ErrorKind> {
    let bitpix = required(header, "ZBITPIX", i64::MIN)?;
    let naxis = required(header, "ZNAXIS", 0)?;
    if naxis > 999 {
        return Err(bad("ZNAXIS", format!("is {naxis}, must be at most 999")));
    }
    let shape = axes(header, "ZNAXIS", naxis)?;
    let compression = TileCompression {
        codec: header.text("ZCMPTYPE").ok_or_else(|| bad("ZCMPTYPE", "is missing"))?,
        quantize: header.text("ZQUANTIZ"),
        tile: tile(header, &shape)?,
    };
    Ok((bitpix, shape, compression))
}

/// ZTILEn, by default one row of the image (FITS 4.0, section 10.1.1).
fn tile(header: &Header, shape: &[u64]) -> Result<Vec<u64>, ErrorKind> {
    let mut tile = Vec::with_capacity(shape.len());
    for n in 1..=shape.len() {
        // A row may have no pixels, a tile of one row is counted in pixels all the same.
        let default = if n == 1 { shape[shape.len() - 1].max(1) } else { 1 };
        let size = integer_at_least(header, &format!("ZTILE{n}"), 1)?;
        tile.push(size.map_or(default, i64::unsigned_abs));
    }
    tile.reverse();
    Ok(tile)
}

/// The type of a pixel value after BSCALE, BZERO and BLANK are applied.
///
/// Integers become floats where they are scaled or may be null: 8- and 16-bit ones single precision, wider
/// ones double precision. The conventions for unsigned (and signed byte) integers keep integers (FITS 4.0,
/// section 5.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the types")]
pub enum PixelType {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl PixelType {
    /// Kind and bytes, as NumPy writes them: `u1`, `i2`, `f4`.
    pub fn code(self) -> &'static str {
        match self {
            Self::I8 => "i1",
            Self::U8 => "u1",
            Self::I16 => "i2",
            Self::U16 => "u2",
            Self::I32 => "i4",
            Self::U32 => "u4",
            Self::I64 => "i8",
            Self::U64 => "u8",
            Self::F32 => "f4",
            Self::F64 => "f8",
        }
    }

    /// Bytes of a pixel.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    pub(crate) fn of(header: &Header, bitpix: i64) -> Option<Self> {
        let (scale, zero) = (header.real("BSCALE").unwrap_or(1.0), header.real("BZERO").unwrap_or(0.0));
        let blank = header.integer("BLANK").or_else(|| header.integer("ZBLANK")).is_some();
        let (plain, float) = match bitpix {
            8 => (Self::U8, Self::F32),
            16 => (Self::I16, Self::F32),
            32 => (Self::I32, Self::F64),
            64 => (Self::I64, Self::F64),
            -32 => return Some(Self::F32),
            -64 => return Some(Self::F64),
            _ => return None,
        };
        // The shift that turns one signedness into the other.
        let shifted = match plain {
            Self::U8 => (-128.0, Self::I8),
            Self::I16 => (32_768.0, Self::U16),
            Self::I32 => (2_147_483_648.0, Self::U32),
            _ => ((1_u64 << 63) as f64, Self::U64),
        };
        Some(match (blank, scale, zero) {
            (true, ..) => float,
            (false, 1.0, 0.0) => plain,
            (false, 1.0, zero) if zero == shifted.0 => shifted.1,
            _ => float,
        })
    }
}
