//! The head of a request.

use std::io::{self, BufRead, Read};
use std::net::TcpStream;

const MAX_HEAD: u64 = 64 * 1024;

pub(super) struct Request {
    pub method: String,
    /// Without leading slash and query, percent signs decoded.
    pub path: String,
    pub headers: Vec<(String, String)>,
}

/// Part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// From the first byte to one after the last.
    Part(u64, u64),
    /// None of it exists.
    Outside,
}

impl Request {
    /// The next request of a connection; none when the client has closed it.
    pub fn read(stream: &mut io::BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut head = stream.by_ref().take(MAX_HEAD);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(bad("no request line"));
        };
        let (method, path) = (method.to_owned(), path_of(target));
        let mut headers = Vec::new();
        loop {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return Err(bad("the head ends early"));
            }
            if line.trim_end().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad("a header without colon"))?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let request = Self { method, path, headers };
        let body: u64 = request.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        io::copy(&mut stream.by_ref().take(body), &mut io::sink())?;
        Ok(Some(request))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The single range that the request asks of a file of this length. Several ranges, other units and
    /// nonsense count as none, which RFC 9110 allows.
    pub fn range(&self, length: u64) -> Option<Range> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let (start, end) = match (first.trim(), last.trim()) {
            ("", suffix) => (length.saturating_sub(number(suffix)?), length),
            (first, "") => (number(first)?, length),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                (first, last.saturating_add(1).min(length))
            }
        };
        Some(if start < end { Range::Part(start, end) } else { Range::Outside })
    }
}

fn path_of(target: &str) -> String {
    // A client of a proxy sends the whole address.
    let path =
        target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Option<Range> {
        let headers = vec![("range".to_owned(), text.to_owned())];
        Request { method: "GET".to_owned(), path: String::new(), headers }.range(100)
    }

    #[test]
    fn ranges_of_a_hundred_bytes() {
        for (text, expected) in [
            ("bytes=0-9", Some(Range::Part(0, 10))),
            ("bytes=90-", Some(Range::Part(90, 100))),
            ("bytes=90-200", Some(Range::Part(90, 100))),
            ("bytes=-7", Some(Range::Part(93, 100))),
            ("bytes=-700", Some(Range::Part(0, 100))),
            ("bytes=100-", Some(Range::Outside)),
            ("bytes=-0", Some(Range::Outside)),
            ("bytes=9-5", None),
            ("bytes=0-1,5-6", None),
            ("lines=0-9", None),
            ("bytes=-", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_are_decoded() {
        assert_eq!(path_of("/a%20b/c%2Bd.fits?x=1"), "a b/c+d.fits");
        assert_eq!(path_of("http://host:1/a/b"), "a/b");
        assert_eq!(path_of("/100%"), "100%");
    }
}
