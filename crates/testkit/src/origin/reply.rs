//! What is answered: the right reply first, then what the faults make of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::fault::{Fault, RetryAfter};
use super::files::Entry;
use super::request::{Range, Request};
use crate::gzip::gzip;

/// A reply, and how it is sent.
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Arc<[u8]>,
    /// The part of `body` that is sent.
    pub part: std::ops::Range<usize>,
    pub manner: Manner,
}

/// How a reply is sent.
#[derive(Default)]
pub(super) struct Manner {
    pub delay: Duration,
    pub bytes_per_second: Option<u32>,
    pub stalls: Vec<(u64, Duration)>,
    pub end: Option<(u64, End)>,
    pub chunked: bool,
    pub close: bool,
    pub hangup: bool,
}

/// How a body ends early.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Close,
    Reset,
}

const HTML: &str = "<!DOCTYPE html>\n<html><head><title>Service temporarily unavailable</title></head>\n\
                    <body><h1>Sorry</h1><p>The portal is down for maintenance.</p></body></html>\n";
const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                   <Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>\n";

impl Reply {
    /// A page instead of a file.
    pub fn page(status: u16, kind: &str, text: &str) -> Self {
        let body: Arc<[u8]> = text.as_bytes().into();
        let headers = vec![("Content-Type", kind.to_owned())];
        Self { status, headers, part: 0..body.len(), body, manner: Manner::default() }
    }

    /// A page that says the status.
    pub fn status(status: u16) -> Self {
        Self::page(status, "text/plain", &format!("{status} {}\n", reason(status)))
    }

    /// A status with Retry-After.
    pub fn busy(status: u16, retry_after: &RetryAfter) -> Self {
        let mut reply = Self::status(status);
        let value = match retry_after {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date(from_now) => {
                // HTTP-dates have whole seconds; never sooner than asked.
                httpdate::fmt_http_date(SystemTime::now() + *from_now + Duration::from_millis(999))
            }
            RetryAfter::Text(text) => text.clone(),
            RetryAfter::Absent => return reply,
        };
        reply.headers.push(("Retry-After", value));
        reply
    }

    /// The answer to a request that these faults hit; `serial` is different for every request.
    pub fn to(request: &Request, entry: Option<Entry>, faults: &[Fault], serial: u64) -> Self {
        let mut reply = Self::instead(faults).unwrap_or_else(|| Self::file(request, entry, faults, serial));
        reply.disturb(faults);
        reply
    }

    /// What some faults answer whatever was asked.
    fn instead(faults: &[Fault]) -> Option<Self> {
        faults.iter().find_map(|fault| match fault {
            Fault::Status(status) => Some(Self::status(*status)),
            Fault::Busy(status, retry_after) => Some(Self::busy(*status, retry_after)),
            Fault::HtmlPage => Some(Self::page(200, "text/html; charset=utf-8", HTML)),
            Fault::XmlError => Some(Self::page(200, "application/xml", XML)),
            Fault::Redirect(to) => {
                let mut reply = Self::status(302);
                reply.headers.push(("Location", to.clone()));
                Some(reply)
            }
            _ => None,
        })
    }

    fn file(request: &Request, entry: Option<Entry>, faults: &[Fault], serial: u64) -> Self {
        let Some(mut entry) = entry else { return Self::status(404) };
        for fault in faults {
            match fault {
                Fault::Content(body) => {
                    entry = Entry::new(body.clone(), entry.modified + Duration::from_secs(1));
                }
                Fault::NewEtag => entry.etag = format!("{}-{serial}\"", entry.etag.trim_end_matches('"')),
                _ => {}
            }
        }
        let has = |fault: &Fault| faults.contains(fault);
        let modified = httpdate::fmt_http_date(entry.modified);
        let matches = |tags: &str| tags.split(',').any(|tag| tag.trim() == "*" || tag.trim() == entry.etag);
        if request.header("if-none-match").is_some_and(matches) {
            let headers = vec![("ETag", entry.etag)];
            return Self { status: 304, headers, part: 0..0, body: entry.body, manner: Manner::default() };
        }
        let length = entry.body.len() as u64;
        // RFC 9110, 13.1.5: a range is only good for the version that it was asked of.
        let same = request.header("if-range").is_none_or(|v| v == entry.etag || v == modified);
        let ranged = (same || has(&Fault::IgnoreIfRange)) && !has(&Fault::NoRange) && !has(&Fault::Gzip);
        let range = if ranged { request.range(length) } else { None };
        if range == Some(Range::Outside) || (range.is_some() && has(&Fault::RangeNotSatisfiable)) {
            let mut reply = Self::status(416);
            reply.headers.push(("Content-Range", format!("bytes */{length}")));
            return reply;
        }
        let mut headers = vec![
            ("Content-Type", "application/octet-stream".to_owned()),
            ("ETag", entry.etag),
            ("Last-Modified", modified),
        ];
        if !has(&Fault::NoRange) {
            headers.push(("Accept-Ranges", "bytes".to_owned()));
        }
        let (status, part) = match range {
            Some(Range::Part(start, end)) => {
                headers.push(("Content-Range", format!("bytes {start}-{}/{length}", end - 1)));
                (206, start as usize..end as usize)
            }
            _ => (200, 0..entry.body.len()),
        };
        Self { status, headers, body: entry.body, part, manner: Manner::default() }
    }

    /// Changes the body and how it is sent.
    fn disturb(&mut self, faults: &[Fault]) {
        for fault in faults {
            if let Fault::FlipBit { at, bit } = fault {
                let at = *at as usize;
                if matches!(self.status, 200 | 206) && self.part.contains(&at) {
                    let mut body = self.body.to_vec();
                    body[at] ^= 1 << (bit % 8);
                    self.body = body.into();
                }
            }
        }
        if faults.contains(&Fault::Gzip) && self.status == 200 {
            self.body = gzip(&self.body[self.part.clone()]).into();
            self.part = 0..self.body.len();
            self.headers.push(("Content-Encoding", "gzip".to_owned()));
        }
        let whole = self.part.len() as u64;
        let mut length = whole;
        for fault in faults {
            match fault {
                Fault::ResetAt(at) if *at < whole => self.manner.end = Some((*at, End::Reset)),
                Fault::CloseAt(at) if *at < whole => self.manner.end = Some((*at, End::Close)),
                Fault::ShortLength(bytes) => {
                    length = (*bytes).min(whole);
                    self.part.end = self.part.start + length as usize;
                }
                Fault::LongLength(more) => {
                    length = whole + more;
                    self.manner.end = Some((whole, End::Close));
                }
                Fault::Stall { at, pause } => self.manner.stalls.push((*at, *pause)),
                Fault::Delay(pause) => self.manner.delay += *pause,
                Fault::Trickle(rate) => self.manner.bytes_per_second = Some(*rate),
                Fault::Chunked => self.manner.chunked = true,
                Fault::NoKeepAlive => self.manner.close = true,
                Fault::Hangup => self.manner.hangup = true,
                _ => {}
            }
        }
        self.manner.stalls.sort_unstable();
        if self.status == 304 {
            // It has neither a body nor a length.
        } else if self.manner.chunked {
            self.headers.push(("Transfer-Encoding", "chunked".to_owned()));
        } else {
            self.headers.push(("Content-Length", length.to_string()));
        }
        for fault in faults {
            if let Fault::Header(name, value) = fault {
                self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
                self.headers.extend(value.iter().map(|value| (*name, value.clone())));
            }
        }
    }
}

pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
