//! Maps in FITS files: two headers and one column, which need no library for tables.

use super::{Moc, MocError, MocLayout};
use crate::{CellSet, Healpix, HealpixCell};

const BLOCK: usize = 2880;
const CARD: usize = 80;
const FINEST: u8 = 29;

pub(super) fn write(moc: &Moc, layout: MocLayout) -> Vec<u8> {
    let values: Vec<u64> = match layout {
        MocLayout::Range => moc.cells.ranges().iter().flat_map(|range| [range.start, range.end]).collect(),
        MocLayout::Nuniq => {
            let mut uniqs: Vec<u64> = moc.cells.cells().map(HealpixCell::uniq).collect();
            uniqs.sort_unstable();
            uniqs
        }
    };
    let mut out = Vec::new();
    card(&mut out, "SIMPLE", "T");
    card(&mut out, "BITPIX", 8);
    card(&mut out, "NAXIS", 0);
    card(&mut out, "EXTEND", "T");
    end(&mut out);
    text(&mut out, "XTENSION", "BINTABLE");
    card(&mut out, "BITPIX", 8);
    card(&mut out, "NAXIS", 2);
    card(&mut out, "NAXIS1", 8);
    card(&mut out, "NAXIS2", values.len());
    card(&mut out, "PCOUNT", 0);
    card(&mut out, "GCOUNT", 1);
    card(&mut out, "TFIELDS", 1);
    let (column, ordering) = match layout {
        MocLayout::Range => ("RANGE", "RANGE"),
        MocLayout::Nuniq => ("UNIQ", "NUNIQ"),
    };
    text(&mut out, "TTYPE1", column);
    text(&mut out, "TFORM1", "1K");
    text(&mut out, "MOCVERS", "2.0");
    text(&mut out, "MOCDIM", "SPACE");
    text(&mut out, "PIXTYPE", "HEALPIX");
    text(&mut out, "ORDERING", ordering);
    text(&mut out, "COORDSYS", "C");
    card(&mut out, "MOCORD_S", moc.grid.order());
    if layout == MocLayout::Nuniq {
        // The name of version 1.
        card(&mut out, "MOCORDER", moc.grid.order());
    }
    text(&mut out, "MOCTOOL", concat!("coaddkit-sky ", env!("CARGO_PKG_VERSION")));
    end(&mut out);
    out.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    pad(&mut out, 0);
    out
}

fn card(out: &mut Vec<u8>, keyword: &str, value: impl ToString) {
    out.extend(format!("{:<80}", format!("{keyword:<8}= {:>20}", value.to_string())).bytes());
}

fn text(out: &mut Vec<u8>, keyword: &str, value: &str) {
    out.extend(format!("{:<80}", format!("{keyword:<8}= '{value:<8}'")).bytes());
}

fn end(out: &mut Vec<u8>) {
    out.extend(b"END");
    pad(out, b' ');
}

fn pad(out: &mut Vec<u8>, byte: u8) {
    out.resize(out.len().next_multiple_of(BLOCK), byte);
}

pub(super) fn read(bytes: &[u8]) -> Result<Moc, MocError> {
    let mut at = 0;
    let mut header = Header::parse(bytes, at)?;
    if !header.raw(0).starts_with(b"SIMPLE  =") {
        return Err(bad(0, "no FITS file: it does not begin with SIMPLE"));
    }
    loop {
        let data = at + header.size();
        let size = header.data_size()?;
        if header.text("XTENSION").is_some_and(|(_, kind)| kind == "BINTABLE") {
            match header.text("ORDERING") {
                Some((_, ordering)) if ordering == "NUNIQ" || ordering == "RANGE" => {
                    return table(bytes, &header, data, &ordering);
                }
                Some((offset, value)) if value == "NESTED" || value == "RING" => {
                    let problem = "a map of values is no coverage map";
                    return Err(MocError::Unsupported { offset, keyword: "ORDERING", value, problem });
                }
                _ => {}
            }
        }
        let next = size.checked_next_multiple_of(BLOCK).and_then(|size| data.checked_add(size));
        at = next.filter(|&next| next < bytes.len()).ok_or_else(|| {
            bad(bytes.len(), "the file ends before a table with ORDERING = 'NUNIQ' or 'RANGE'")
        })?;
        header = Header::parse(bytes, at)?;
    }
}

fn bad(offset: usize, problem: impl Into<String>) -> MocError {
    MocError::Fits { offset, problem: problem.into() }
}

fn table(bytes: &[u8], header: &Header<'_>, data: usize, ordering: &str) -> Result<Moc, MocError> {
    let only = |keyword: &'static str, accepted: &[&str], problem| match header.text(keyword) {
        Some((offset, value)) if !accepted.contains(&value.as_str()) => {
            Err(MocError::Unsupported { offset, keyword, value, problem })
        }
        _ => Ok(()),
    };
    only("MOCDIM", &["SPACE"], "only maps of space are supported")?;
    only("PIXTYPE", &["HEALPIX"], "only HEALPix is supported")?;
    only("COORDSYS", &["C", "ICRS"], "only maps in ICRS are supported")?;
    let (form_at, form) = header.text("TFORM1").ok_or_else(|| bad(header.offset, "there is no TFORM1"))?;
    let width = match form.as_str() {
        "J" | "1J" => 4,
        "K" | "1K" => 8,
        _ => {
            let problem = "the first column must be of integers, J or K";
            return Err(MocError::Unsupported { offset: form_at, keyword: "TFORM1", value: form, problem });
        }
    };
    for (keyword, neutral) in [("TSCAL1", 1.0), ("TZERO1", 0.0)] {
        if let Some((offset, value)) = header.value(keyword).filter(|(_, value)| value.parse() != Ok(neutral))
        {
            let problem = "scaled numbers of cells are not supported";
            return Err(MocError::Unsupported { offset, keyword, value, problem });
        }
    }
    let (row_size, rows) = (header.count("NAXIS1")?, header.count("NAXIS2")?);
    if row_size < width {
        return Err(bad(header.offset, format!("NAXIS1 = {row_size} is less than the column {form} takes")));
    }
    // Of the size of all data, which fits, this is a part.
    let table = bytes.get(data..).and_then(|rest| rest.get(..row_size * rows)).ok_or_else(|| {
        let there = bytes.len().saturating_sub(data) / row_size;
        bad(bytes.len(), format!("the file ends after {there} of {rows} rows"))
    })?;
    let value = |row: &[u8]| match width {
        4 => i64::from(i32::from_be_bytes([row[0], row[1], row[2], row[3]])),
        _ => i64::from_be_bytes([row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]]),
    };
    let values = table.chunks_exact(row_size).map(value);
    let wrong = |row, value, problem| MocError::Row { row, offset: data + row * row_size, value, problem };
    let (cells, mut finest) =
        if ordering == "NUNIQ" { uniqs(values, wrong)? } else { ranges(values, wrong)? };
    for keyword in ["MOCORD_S", "MOCORDER"] {
        if let Some((offset, value)) = header.value(keyword) {
            let order = value.parse().ok().and_then(|order| Healpix::new(order).ok());
            // Finer cells than announced are not thrown away.
            finest = finest
                .max(order.ok_or_else(|| bad(offset, format!("{keyword} = {value} is no HEALPix order")))?);
            break;
        }
    }
    Ok(Moc { cells, grid: finest })
}

fn uniqs(
    values: impl Iterator<Item = i64>,
    wrong: impl Fn(usize, i64, &'static str) -> MocError,
) -> Result<(CellSet, Healpix), MocError> {
    let mut finest = Healpix::from_valid(0);
    let cells = values.enumerate().map(|(row, value)| {
        let uniq = u64::try_from(value).unwrap_or(0);
        let cell =
            HealpixCell::from_uniq(uniq).map_err(|_| wrong(row, value, "no NUNIQ of a HEALPix cell"))?;
        finest = finest.max(cell.grid());
        Ok(cell)
    });
    let cells = cells.collect::<Result<_, MocError>>()?;
    Ok((cells, finest))
}

fn ranges(
    values: impl Iterator<Item = i64>,
    wrong: impl Fn(usize, i64, &'static str) -> MocError,
) -> Result<(CellSet, Healpix), MocError> {
    let end = 12_u64 << (2 * FINEST);
    let (mut ranges, mut start, mut last) = (Vec::new(), None, (0, 0));
    for (row, value) in values.enumerate() {
        last = (row, value);
        let number = u64::try_from(value).ok().filter(|&number| number <= end);
        let number = number.ok_or_else(|| wrong(row, value, "beyond the cells of order 29"))?;
        match start.take() {
            None => start = Some(number),
            Some(start) if start < number => ranges.push(start..number),
            Some(_) => return Err(wrong(row, value, "not above the start of its range")),
        }
    }
    if start.is_some() {
        return Err(wrong(last.0, last.1, "the start of a range without an end"));
    }
    let cells = CellSet::from_ranges(ranges);
    let finest = Healpix::from_valid(cells.order());
    Ok((cells, finest))
}

/// The cards of one header.
struct Header<'a> {
    cards: &'a [u8],
    /// Where it begins in the file.
    offset: usize,
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8], offset: usize) -> Result<Self, MocError> {
        let all = &bytes[offset..];
        let count = all.chunks_exact(CARD).position(|card| card.starts_with(b"END     "));
        let count = count.ok_or_else(|| bad(bytes.len(), "the file ends in a header, before END"))?;
        Ok(Self { cards: &all[..count * CARD], offset })
    }

    /// With END, in whole blocks.
    fn size(&self) -> usize {
        (self.cards.len() + CARD).next_multiple_of(BLOCK)
    }

    fn raw(&self, index: usize) -> &'a [u8] {
        self.cards.chunks_exact(CARD).nth(index).unwrap_or_default()
    }

    /// The value of the first card with a keyword, and where it is; text without its quotes.
    fn value(&self, keyword: &str) -> Option<(usize, String)> {
        let (index, card) =
            self.cards.chunks_exact(CARD).enumerate().find(|(_, card)| {
                card[8..10] == *b"= " && card[..8].trim_ascii_end() == keyword.as_bytes()
            })?;
        let field = String::from_utf8_lossy(&card[10..]);
        let field = field.trim_start();
        let value = match field.strip_prefix('\'') {
            // None of the texts that matter here has a quote in it.
            Some(text) => text.split('\'').next().unwrap_or_default().trim_end(),
            None => field.split('/').next().unwrap_or_default().trim_end(),
        };
        Some((self.offset + index * CARD, value.to_owned()))
    }

    /// As [`value`](Self::value), without regard to case and spaces around.
    fn text(&self, keyword: &str) -> Option<(usize, String)> {
        let (offset, value) = self.value(keyword)?;
        Some((offset, value.trim().to_ascii_uppercase()))
    }

    fn count(&self, keyword: &str) -> Result<usize, MocError> {
        let (offset, value) =
            self.value(keyword).ok_or_else(|| bad(self.offset, format!("there is no {keyword}")))?;
        value.parse().map_err(|_| bad(offset, format!("{keyword} = {value} is no size")))
    }

    /// The bytes of data after the header, without padding.
    fn data_size(&self) -> Result<usize, MocError> {
        let axes = self.count("NAXIS")?;
        if axes == 0 {
            return Ok(0);
        }
        if axes > 999 {
            return Err(bad(self.offset, format!("NAXIS = {axes} is above 999")));
        }
        let or = |keyword: &str, default: usize| match self.value(keyword) {
            None => Ok(default),
            Some(_) => self.count(keyword),
        };
        let (bitpix_at, bitpix) =
            self.value("BITPIX").ok_or_else(|| bad(self.offset, "there is no BITPIX"))?;
        let bytes = match bitpix.trim_start_matches('-') {
            "8" => 1,
            "16" => 2,
            "32" => 4,
            "64" => 8,
            _ => return Err(bad(bitpix_at, format!("BITPIX = {bitpix} is no type of data"))),
        };
        let mut elements = Some(1_usize);
        for axis in 1..=axes {
            let length = self.count(&format!("NAXIS{axis}"))?;
            elements = elements.and_then(|elements| elements.checked_mul(length));
        }
        let (extra, groups) = (or("PCOUNT", 0)?, or("GCOUNT", 1)?);
        elements
            .and_then(|elements| elements.checked_add(extra)?.checked_mul(groups)?.checked_mul(bytes))
            .ok_or_else(|| bad(self.offset, "the data are larger than any memory"))
    }
}
