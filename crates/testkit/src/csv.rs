//! A small reader of comma-separated reference tables, plain or gzipped.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// A whole CSV table as text; the caller parses the fields, so that no precision is lost on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    /// Column names, from the first line.
    pub header: Vec<String>,
    /// The other lines; each has as many fields as the header.
    pub rows: Vec<Vec<String>>,
    path: PathBuf,
}

impl Csv {
    /// Reads a file; gzip is recognised by its magic bytes, not by the name.
    ///
    /// # Errors
    ///
    /// The file cannot be read or inflated, is not UTF-8, has no header, or has a row of another width (all but
    /// the first kind are `InvalidData`, and name the file and the line).
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| at(path, e.kind(), &e.to_string()))?;
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            MultiGzDecoder::new(bytes.as_slice())
                .read_to_end(&mut plain)
                .map_err(|e| at(path, io::ErrorKind::InvalidData, &e.to_string()))?;
            plain
        } else {
            bytes
        };
        let text = String::from_utf8(bytes)
            .map_err(|e| at(path, io::ErrorKind::InvalidData, &format!("not UTF-8: {e}")))?;
        Self::parse(path, &text)
    }

    /// Parses text; `path` only names the table in messages.
    ///
    /// # Errors
    ///
    /// `InvalidData`: no header, a row of another width, or a quote that is never closed.
    pub fn parse(path: &Path, text: &str) -> io::Result<Self> {
        let bad =
            |line: usize, what: &str| at(path, io::ErrorKind::InvalidData, &format!("line {line}: {what}"));
        let mut records = records(text).map_err(|line| bad(line, "a quote is not closed"))?.into_iter();
        let (_, header) = records.next().ok_or_else(|| bad(1, "no header"))?;
        let mut rows = Vec::with_capacity(records.len());
        for (line, row) in records {
            if row.len() != header.len() {
                return Err(bad(line, &format!("{} fields, the header has {}", row.len(), header.len())));
            }
            rows.push(row);
        }
        Ok(Self { header, rows, path: path.to_owned() })
    }

    /// The index of a column.
    ///
    /// # Panics
    ///
    /// When there is no such column; the message names the file and its header.
    pub fn column(&self, name: &str) -> usize {
        self.header.iter().position(|h| h == name).unwrap_or_else(|| {
            panic!("{} has no column {name}; it has {}", self.path.display(), self.header.join(","))
        })
    }
}

fn at(path: &Path, kind: io::ErrorKind, what: &str) -> io::Error {
    io::Error::new(kind, format!("{}: {what}", path.display()))
}

/// Splits text into (line number, fields); the error is the line on which an open quote started.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let (mut line, mut start) = (1, 1);
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted_since = None;
    let mut was_quoted = false;
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        match c {
            '"' if quoted_since.is_some() => {
                if chars.peek() == Some(&'"') {
                    chars.next();
                    field.push('"');
                } else {
                    quoted_since = None;
                }
            }
            _ if quoted_since.is_some() => field.push(c),
            '"' if field.is_empty() => {
                quoted_since = Some(line);
                was_quoted = true;
            }
            ',' => fields.push(std::mem::take(&mut field)),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                // A blank line is no record; a quoted empty field is one.
                if !(fields.is_empty() && field.is_empty() && !was_quoted) {
                    fields.push(std::mem::take(&mut field));
                    out.push((start, std::mem::take(&mut fields)));
                }
                was_quoted = false;
                start = line;
            }
            _ => field.push(c),
        }
    }
    if let Some(line) = quoted_since {
        return Err(line);
    }
    if !(fields.is_empty() && field.is_empty() && !was_quoted) {
        fields.push(field);
        out.push((start, fields));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> io::Result<Csv> {
        Csv::parse(Path::new("t.csv"), text)
    }

    #[test]
    fn quotes_crlf_and_a_missing_last_newline() {
        let t = parse("a,b\r\n\"x,\"\"y\"\"\nz\",\r\n1,2").unwrap();
        assert_eq!(t.header, ["a", "b"]);
        assert_eq!(t.rows, [vec!["x,\"y\"\nz", ""], vec!["1", "2"]]);
        assert_eq!(t.column("b"), 1);
    }

    #[test]
    fn errors_name_file_and_line() {
        let e = parse("a,b\n1,2\n3\n").unwrap_err();
        assert_eq!(e.to_string(), "t.csv: line 3: 1 fields, the header has 2");
        assert_eq!(parse("a\n\"x\ny").unwrap_err().to_string(), "t.csv: line 2: a quote is not closed");
        assert_eq!(parse("").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    #[should_panic(expected = "t.csv has no column c; it has a,b")]
    fn an_absent_column_panics_with_the_header() {
        parse("a,b\n").unwrap().column("c");
    }
}
