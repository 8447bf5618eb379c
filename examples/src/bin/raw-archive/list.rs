//! What to fetch: a list of files, or the answer of the archive to a query.

use coaddkit_examples::{Exit, Refused};
use coaddkit_transfer::Digest;
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// A file of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Its name in the folder.
    pub name: String,
    /// Where it comes from.
    pub url: String,
    /// Its MD5 in small hexadecimal digits, if the list has it.
    pub md5: Option<String>,
    /// Its length in bytes, if the list has it.
    pub size: Option<u64>,
}

impl Raw {
    /// As a digest of the transfer.
    pub fn digest(&self) -> Option<Digest> {
        self.md5.as_ref().and_then(|hex| format!("md5:{hex}").parse().ok())
    }
}

/// The columns of a list, and what the archive calls them in its answers.
const COLUMNS: [(&str, &str); 4] =
    [("name", "archive_filename"), ("url", "url"), ("md5sum", "md5sum"), ("size", "filesize")];

/// Reads a CSV or JSON file, told apart by how it begins; names stand once.
pub fn read(path: &Path) -> Result<Vec<Raw>, Refused> {
    let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let bytes = std::fs::read(path).map_err(|e| (Exit::of_reader(e.kind()), at(&e)))?;
    parse(&bytes).map_err(|e| (Exit::BadData, at(&e)))
}

fn parse(bytes: &[u8]) -> Result<Vec<Raw>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let rows = match bytes.trim_ascii_start().first() {
        Some(b'[' | b'{') => json(bytes)?,
        _ => csv(bytes)?,
    };
    let mut seen: HashMap<String, (usize, String)> = HashMap::new();
    let mut raws: Vec<Raw> = Vec::new();
    for (place, fields) in rows {
        let raw = raw(fields).map_err(|why| format!("{place}: {why}"))?;
        match seen.get(&raw.name) {
            // The same row twice, as answers of overlapping queries have it.
            Some((at, _)) if raws[*at] == raw => {}
            Some((_, first)) => {
                return Err(format!(
                    "{place}: {} stands at {first} already, and there it is another file",
                    raw.name
                ));
            }
            None => {
                seen.insert(raw.name.clone(), (raws.len(), place));
                raws.push(raw);
            }
        }
    }
    if raws.is_empty() { Err("the list names no files".to_owned()) } else { Ok(raws) }
}

/// Name, url, md5sum and size of a row, as they stand, and where the row is.
type Row = (String, [String; 4]);

fn csv(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let head = reader.headers().map_err(|e| e.to_string())?.clone();
    let find = |name: &str| head.iter().position(|field| field.eq_ignore_ascii_case(name));
    let columns = COLUMNS.map(|(ours, theirs)| find(ours).or_else(|| find(theirs)));
    for (column, (ours, theirs)) in columns.iter().zip(COLUMNS).take(2) {
        if column.is_none() {
            let or = if ours == theirs { String::new() } else { format!(" or {theirs}") };
            return Err(format!("line 1: no column {ours}{or}"));
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let place = format!("line {}", record.position().map_or(0, csv::Position::line));
        let field = |column: Option<usize>| column.and_then(|c| record.get(c)).unwrap_or_default().to_owned();
        rows.push((place, columns.map(field)));
    }
    Ok(rows)
}

fn json(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let Value::Array(items) = value else {
        let what = "an answer to a query is a JSON array";
        let query = value.get("outfields").is_some() || value.get("search").is_some();
        let hint =
            if query { "; this is a query: send it to the archive, and give what comes back" } else { "" };
        return Err(format!("{what}{hint}"));
    };
    let mut rows = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let place = format!("element {number}");
        let Value::Object(item) = item else { return Err(format!("{place}: not an object")) };
        let field = |(ours, theirs): (&str, &str)| match item.get(ours).or_else(|| item.get(theirs)) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let fields = COLUMNS.map(field);
        // The first element says what was asked.
        if number == 0 && fields.iter().all(String::is_empty) {
            continue;
        }
        rows.push((place, fields));
    }
    Ok(rows)
}

fn raw([name, url, md5, size]: [String; 4]) -> Result<Raw, String> {
    // The archive gives the path that a file has there.
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    if name.is_empty() || name.starts_with(['.', '_']) || name.contains(['\\', '\0', '\n', '\r']) {
        return Err(format!("{name:?} is no name for a raw file"));
    }
    if url.is_empty() {
        return Err(format!("{name} has no url"));
    }
    let md5 = (!md5.is_empty()).then(|| md5.to_ascii_lowercase());
    if let Some(md5) = md5.as_ref().filter(|m| m.len() != 32 || !m.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(format!("{name}: md5sum {md5:?} is not 32 hexadecimal digits"));
    }
    let number =
        |text: &str| text.parse().map_err(|_| format!("{name}: size {text:?} is no number of bytes"));
    let size = if size.is_empty() { None } else { Some(number(&size)?) };
    Ok(Raw { name, url, md5, size })
}

/// Writes a list that [`read`] reads.
pub fn write(path: &Path, raws: &[&Raw]) -> std::io::Result<()> {
    let row = |fields: [&str; 4]| {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(fields)?;
        writer.into_inner().map_err(|e| std::io::Error::other(e.to_string()))
    };
    coaddkit_density::publish(path, |out: &mut dyn Write| {
        out.write_all(&row(COLUMNS.map(|(ours, _)| ours))?)?;
        for raw in raws {
            let size = raw.size.map_or_else(String::new, |n| n.to_string());
            out.write_all(&row([&raw.name, &raw.url, raw.md5.as_deref().unwrap_or_default(), &size])?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn lists_and_answers_of_the_archive_are_the_same_files() {
        let csv = format!("name,url,md5sum,size\na.fits.fz,http://x/1,{MD5},7\nb.fits.fz,http://x/2,,\n");
        let theirs = format!(
            "md5sum,archive_filename,filesize,proposal,url\n{},/net/archive/mtn/20181012/a.fits.fz,7,\"P, I\",http://x/1\n\
             ,b.fits.fz,,,http://x/2\n",
            MD5.to_uppercase()
        );
        let json = format!(
            r#"[{{"META": {{"endpoint": "adv_search/find"}}, "PARAMETERS": {{"limit": 9}}}},
               {{"archive_filename": "/net/archive/mtn/20181012/a.fits.fz", "url": "http://x/1", "md5sum": "{MD5}",
                 "filesize": 7, "exposure": 90.0}},
               {{"archive_filename": "b.fits.fz", "url": "http://x/2", "md5sum": null}}]"#
        );
        let read: Vec<_> = [&csv, &theirs, &json].map(|text| parse(text.as_bytes()).unwrap()).into();
        assert_eq!(read[0].len(), 2);
        assert_eq!((read[0][0].md5.as_deref(), read[0][0].size), (Some(MD5), Some(7)));
        assert_eq!((read[0][1].md5.as_deref(), read[0][1].size), (None, None));
        assert_eq!(read[0], read[1]);
        assert_eq!(read[0], read[2]);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("again.csv");
        write(&path, &read[0].iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(super::read(&path).unwrap(), read[0]);
    }

    #[test]
    fn mistakes_say_where() {
        let head = "name,url,md5sum,size\n";
        for (text, what) in [
            ("url,md5sum\n".to_owned(), "line 1: no column name or archive_filename"),
            ("name,md5sum\n".to_owned(), "line 1: no column url"),
            (head.to_owned(), "names no files"),
            (format!("{head}a,http://x/1,{},7\n", &MD5[1..]), "line 2: a: md5sum"),
            (format!("{head}a,http://x/1,,many\n"), "line 2: a: size \"many\""),
            (format!("{head}a,,,\n"), "line 2: a has no url"),
            (format!("{head}a,http://x/1,,\n..,http://x/2,,\n"), "line 3: \"..\" is no name"),
            (format!("{head}_check,http://x/1,,\n"), "line 2: \"_check\" is no name"),
            (format!("{head}a,http://x/1,,\na,http://x/2,,\n"), "line 3: a stands at line 2 already"),
            (format!("{head}a,http://x/1\n"), "line"),
            ("[1]".to_owned(), "element 0: not an object"),
            ("[{}, {\"url\": \"http://x\"}]".to_owned(), "element 1: \"\" is no name"),
            ("{\"outfields\": [], \"search\": []}".to_owned(), "send it to the archive"),
            ("[{]".to_owned(), "line 1 column"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
        // Rows that say the same count once.
        let twice = format!("{head}a,http://x/1,,\na,http://x/1,,\n");
        assert_eq!(parse(twice.as_bytes()).unwrap().len(), 1);
    }
}
