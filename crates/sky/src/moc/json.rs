//! Maps in JSON: one object of lists of integers, so that a few functions read it without a tree in between.

use std::fmt::Write;

use super::{Moc, MocError};
use crate::{CellSet, Healpix, HealpixCell};

pub(super) fn write(moc: &Moc) -> String {
    let mut cells: Vec<HealpixCell> = moc.cells.cells().collect();
    cells.sort_unstable();
    let mut text = String::from("{");
    for group in cells.chunk_by(|a, b| a.order() == b.order()) {
        open(&mut text, group[0].order());
        for (k, cell) in group.iter().enumerate() {
            let comma = if k == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{}", cell.index());
        }
        text.push(']');
    }
    let finest = moc.grid.order();
    if cells.last().is_none_or(|cell| cell.order() < finest) {
        open(&mut text, finest);
        text.push(']');
    }
    text.push('}');
    text
}

fn open(text: &mut String, order: u8) {
    let comma = if text.len() == 1 { "" } else { "," };
    let _ = write!(text, "{comma}\"{order}\":[");
}

pub(super) fn read(text: &str) -> Result<Moc, MocError> {
    let mut input = Input { bytes: text.as_bytes(), at: 0 };
    let mut cells = Vec::new();
    let mut finest = Healpix::from_valid(0);
    input.expect(b'{', "a coverage map in JSON is an object of lists")?;
    if !input.next_is(b'}') {
        loop {
            let grid = input.order()?;
            finest = finest.max(grid);
            input.list(grid, &mut cells)?;
            if !input.next_is(b',') {
                break;
            }
        }
        input.expect(b'}', "a comma or the end of the object is missing")?;
    }
    input.skip_space();
    if input.at < input.bytes.len() {
        return Err(input.error("there is more after the object"));
    }
    Ok(Moc { cells: CellSet::from_iter(cells), grid: finest })
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn error(&self, problem: impl Into<String>) -> MocError {
        MocError::Json { offset: self.at, problem: problem.into() }
    }

    fn skip_space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Takes the next character if it is this one.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), MocError> {
        if self.next_is(byte) { Ok(()) } else { Err(self.error(problem)) }
    }

    fn number(&mut self) -> Result<u64, MocError> {
        self.skip_space();
        let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.bytes[self.at..self.at + digits]).unwrap_or_default();
        // JSON has no zeros in front.
        let number = text.parse().ok().filter(|_| digits == 1 || !text.starts_with('0'));
        let number = number.ok_or_else(|| self.error("a whole number that is not negative is missing"))?;
        self.at += digits;
        Ok(number)
    }

    /// `"3":`
    fn order(&mut self) -> Result<Healpix, MocError> {
        self.expect(b'"', "an order in quotes is missing")?;
        let start = self.at;
        let number = self.number()?;
        let grid = u8::try_from(number).ok().and_then(|order| Healpix::new(order).ok());
        let grid = grid.ok_or_else(|| MocError::Json {
            offset: start,
            problem: format!("{number} is no HEALPix order: it must be at most 29"),
        })?;
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.error("an order has digits only"));
        }
        self.at += 1;
        self.expect(b':', "a colon after the order is missing")?;
        Ok(grid)
    }

    fn list(&mut self, grid: Healpix, cells: &mut Vec<HealpixCell>) -> Result<(), MocError> {
        self.expect(b'[', "a list of cells is missing")?;
        if self.next_is(b']') {
            return Ok(());
        }
        loop {
            self.skip_space();
            let start = self.at;
            let number = self.number()?;
            let cell = grid.cell(number);
            cells.push(cell.map_err(|e| MocError::Json { offset: start, problem: e.to_string() })?);
            if !self.next_is(b',') {
                return self.expect(b']', "a comma or the end of the list is missing");
            }
        }
    }
}
