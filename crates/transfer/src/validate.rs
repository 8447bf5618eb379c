use std::borrow::Cow;
use std::fs::File;
use std::io;

use bytes::Bytes;

use crate::Item;

/// Judges files before they are published. What it refuses never appears under its final name.
///
/// A closure of the item and its whole [`Content`] is one; implement the trait to see the bytes as they come.
///
/// # Examples
///
/// ```
/// use coaddkit_transfer::{Content, Item, Validate};
///
/// /// FITS files consist of blocks of 2880 bytes, and begin with SIMPLE.
/// fn looks_like_fits(_: &Item, content: &Content<'_>) -> Result<(), String> {
///     let mut first = [0; 6];
///     let n = content.read_at(&mut first, 0).map_err(|e| e.to_string())?;
///     match content.len() % 2880 {
///         0 if &first[..n] == b"SIMPLE" => Ok(()),
///         _ => Err("not a FITS file".to_owned()),
///     }
/// }
/// # fn takes(_: impl Validate) {}
/// # takes(looks_like_fits);
/// ```
pub trait Validate: Send + Sync {
    /// Begins to judge a file; called again when it has to be fetched anew.
    fn start(&self, item: &Item) -> Box<dyn Check>;
}

/// The judgement of one file.
pub trait Check: Send {
    /// The next bytes, in order. Called on a thread that may block.
    fn update(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// All bytes have been seen, and are at hand once more.
    ///
    /// # Errors
    ///
    /// Why the file may not be published, for people.
    fn finish(self: Box<Self>, content: &Content<'_>) -> Result<(), String>;
}

impl<F> Validate for F
where
    F: Fn(&Item, &Content<'_>) -> Result<(), String> + Clone + Send + Sync + 'static,
{
    fn start(&self, item: &Item) -> Box<dyn Check> {
        Box::new(Whole { judge: self.clone(), item: item.clone() })
    }
}

struct Whole<F> {
    judge: F,
    item: Item,
}

impl<F: Fn(&Item, &Content<'_>) -> Result<(), String> + Send> Check for Whole<F> {
    fn finish(self: Box<Self>, content: &Content<'_>) -> Result<(), String> {
        (self.judge)(&self.item, content)
    }
}

/// The bytes of a file that is not published yet, in memory or on disk.
#[derive(Debug)]
pub struct Content<'a> {
    pub(crate) bytes: Stored<'a>,
    pub(crate) len: u64,
}

#[derive(Debug)]
pub(crate) enum Stored<'a> {
    /// The pieces, with the offset of each.
    Memory(Cow<'a, [(u64, Bytes)]>),
    File(&'a File),
    /// Of a handle that outlives the judgement.
    Own(File),
}

impl Content<'_> {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A handle of its own to the same bytes, for readers that want to own what they read. No byte is copied.
    ///
    /// # Errors
    ///
    /// What the system says of one more handle to a file; never where the content is in memory.
    pub fn share(&self) -> io::Result<Content<'static>> {
        let bytes = match &self.bytes {
            Stored::Memory(pieces) => Stored::Memory(Cow::Owned(pieces.to_vec())),
            Stored::File(file) => Stored::Own(file.try_clone()?),
            Stored::Own(file) => Stored::Own(file.try_clone()?),
        };
        Ok(Content { bytes, len: self.len })
    }

    /// Reads into `buf` from an offset, as much as there is; the result is shorter than `buf` only at the end.
    ///
    /// # Errors
    ///
    /// What the disk says; never where the content is in memory.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = match &self.bytes {
            Stored::Memory(pieces) => return Ok(read_pieces(pieces, buf, offset)),
            Stored::File(file) => *file,
            Stored::Own(file) => file,
        };
        let mut done = 0;
        while done < buf.len() {
            match read_file_at(file, &mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }
}

fn read_pieces(pieces: &[(u64, Bytes)], buf: &mut [u8], offset: u64) -> usize {
    let first = pieces.partition_point(|(start, bytes)| start + bytes.len() as u64 <= offset);
    let mut done = 0;
    for (start, bytes) in &pieces[first..] {
        // Only the first piece can begin before the offset.
        let skip = usize::try_from(offset.saturating_sub(*start)).unwrap_or(usize::MAX).min(bytes.len());
        let piece = &bytes[skip..];
        let n = piece.len().min(buf.len() - done);
        buf[done..done + n].copy_from_slice(&piece[..n]);
        done += n;
        if done == buf.len() {
            break;
        }
    }
    done
}

#[cfg(unix)]
fn read_file_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

/// Whether bytes begin like a page for people, or like the error document of an object store.
pub(crate) fn looks_like_a_page(first: &[u8]) -> bool {
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first).trim_ascii_start();
    let begins = |with: &[u8]| first.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    [&b"<!doctype"[..], b"<html", b"<head", b"<body", b"<?xml", b"<error", b"<!--"]
        .iter()
        .any(|with| begins(with))
}

/// Whether a file of this name is a page or XML by right.
pub(crate) fn is_a_page_by_name(name: &str) -> bool {
    let extension = name.rsplit('/').next().unwrap_or(name).rsplit_once('.').map_or("", |(_, e)| e);
    ["html", "htm", "xhtml", "xml", "vot", "votable", "svg", "xsd", "xsl", "rss", "kml"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_read_as_one() {
        let whole: Vec<u8> = (0..=255).collect();
        let mut pieces = Vec::new();
        let mut at = 0;
        for len in [1usize, 7, 0, 100, 48, 100] {
            pieces.push((at as u64, Bytes::copy_from_slice(&whole[at..at + len])));
            at += len;
        }
        assert_eq!(at, 256);
        let content = Content { bytes: Stored::Memory(Cow::Borrowed(&pieces)), len: 256 };
        for offset in 0..=260usize {
            for len in [0, 1, 3, 99, 256, 300] {
                let mut buf = vec![0; len];
                let n = content.read_at(&mut buf, offset as u64).unwrap();
                let expected = &whole[offset.min(256)..(offset + len).min(256).max(offset.min(256))];
                assert_eq!(&buf[..n], expected, "{offset} {len}");
                assert_eq!(content.share().unwrap().read_at(&mut buf, offset as u64).unwrap(), n);
                assert_eq!(&buf[..n], expected, "{offset} {len}, shared");
            }
        }
    }

    #[test]
    fn pages_are_told_from_data() {
        for page in
            ["<!DOCTYPE html>", " \n<html>", "\u{feff}<?xml version='1.0'?>", "<Error><Code>", "<!-- x"]
        {
            assert!(looks_like_a_page(page.as_bytes()), "{page}");
        }
        for data in ["", "SIMPLE  =", "<", "<h", "ra,dec", "<table"] {
            assert!(!looks_like_a_page(data.as_bytes()), "{data}");
        }
        assert!(is_a_page_by_name("a/index.HTML") && is_a_page_by_name("b.vot"));
        assert!(!is_a_page_by_name("a.html/b.fits") && !is_a_page_by_name("html"));
    }
}
