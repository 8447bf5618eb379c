use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use csv::ByteRecord;
use flate2::read::MultiGzDecoder;

use super::{BATCH_ROWS, SourceFile, Step, cast, constant, missing};
use crate::{Error, ErrorClass, Field, Kind, Schema};

fn reader(path: &Path, gzip: bool) -> Result<csv::Reader<Box<dyn Read>>, Error> {
    let file = BufReader::with_capacity(1 << 18, File::open(path).map_err(|e| Error::io(path, &e))?);
    let input: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input))
}

fn header(path: &Path, reader: &mut csv::Reader<Box<dyn Read>>) -> Result<Vec<String>, Error> {
    let names = reader.byte_headers().map_err(|e| failed(path, e))?;
    let names: Vec<String> = names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    if names.is_empty() {
        return Err(Error::bad(path, "the file is empty; it must start with a line of column names"));
    }
    Ok(names)
}

fn failed(path: &Path, error: csv::Error) -> Error {
    match error.kind() {
        csv::ErrorKind::Io(inner) => Error::io(path, inner),
        _ => Error::bad(path, error),
    }
}

pub(super) fn columns(path: &Path, gzip: bool) -> Result<Vec<String>, Error> {
    header(path, &mut reader(path, gzip)?)
}

pub(super) fn for_each(
    file: &SourceFile,
    gzip: bool,
    fields: &[Field<'_>],
    step: &Step<'_>,
) -> Result<(), Error> {
    let mut reader = reader(&file.path, gzip)?;
    let names = header(&file.path, &mut reader)?;
    let mut places = Vec::new();
    for field in fields {
        let found = names.iter().position(|name| name.eq_ignore_ascii_case(field.name()));
        if found.is_none() && constant(file, field.name()).is_none() {
            return Err(missing(field.name(), names.iter().map(String::as_str)));
        }
        places.push(found);
    }
    let wanted = Schema::new("", 0, fields).arrow();
    let mut builders: Vec<Builder> = fields.iter().map(|field| Builder::new(field.kind())).collect();
    let (mut first, mut rows) = (0_u64, 0);
    let mut record = ByteRecord::new();
    loop {
        let more = reader.read_byte_record(&mut record).map_err(|e| failed(&file.path, e))?;
        if more {
            for ((field, place), builder) in fields.iter().zip(&places).zip(&mut builders) {
                let Some(place) = place else { continue };
                let cell = record.get(*place).unwrap_or_default();
                builder.push(cell, field).map_err(|what| {
                    let line = record.position().map_or(0, csv::Position::line);
                    Error::new(ErrorClass::BadData, format!("line {line}, column {}: {what}", field.name()))
                })?;
            }
            rows += 1;
        }
        if rows == BATCH_ROWS || (!more && rows > 0) {
            let columns: Result<Vec<ArrayRef>, Error> = fields
                .iter()
                .zip(&places)
                .zip(&mut builders)
                .map(|((field, place), builder)| match place {
                    Some(_) => Ok(builder.finish()),
                    None => cast::constant(constant(file, field.name()).unwrap_or_default(), field, rows),
                })
                .collect();
            let batch =
                RecordBatch::try_new(wanted.clone(), columns?).map_err(|e| Error::bad(&file.path, e))?;
            step(first, batch)?;
            first += rows as u64;
            rows = 0;
        }
        if !more {
            return Ok(());
        }
    }
}

enum Builder {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
}

impl Builder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Int32 => Self::Int32(Int32Builder::new()),
            Kind::Int64 => Self::Int64(Int64Builder::new()),
            Kind::Float32 => Self::Float32(Float32Builder::new()),
            Kind::Float64 => Self::Float64(Float64Builder::new()),
        }
    }

    fn push(&mut self, cell: &[u8], field: &Field<'_>) -> Result<(), String> {
        let text = std::str::from_utf8(cell).map_err(|_| format!("'{}' is no UTF-8", cell.escape_ascii()))?;
        let null =
            text.is_empty() || (field.kind() != Kind::Text && ["null", "NULL", "None"].contains(&text));
        if null && field.null_rule().is_none() {
            return Err(format!("is empty, must be {}", field.kind().name()));
        }
        fn number<T: std::str::FromStr>(null: bool, text: &str, kind: Kind) -> Result<Option<T>, String> {
            if null {
                return Ok(None);
            }
            text.parse().map(Some).map_err(|_| format!("'{text}' is no {}", kind.name()))
        }
        let kind = field.kind();
        match self {
            Self::Text(b) => b.append_option((!null).then_some(text)),
            Self::Bool(b) => b.append_option(match text {
                _ if null => None,
                "1" => Some(true),
                "0" => Some(false),
                _ if text.eq_ignore_ascii_case("true") => Some(true),
                _ if text.eq_ignore_ascii_case("false") => Some(false),
                _ => return Err(format!("'{text}' is no bool")),
            }),
            Self::Int32(b) => b.append_option(number(null, text, kind)?),
            Self::Int64(b) => b.append_option(number(null, text, kind)?),
            Self::Float32(b) => b.append_option(number(null, text, kind)?),
            Self::Float64(b) => b.append_option(number(null, text, kind)?),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => Arc::new(b.finish()),
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int32(b) => Arc::new(b.finish()),
            Self::Int64(b) => Arc::new(b.finish()),
            Self::Float32(b) => Arc::new(b.finish()),
            Self::Float64(b) => Arc::new(b.finish()),
        }
    }
}
