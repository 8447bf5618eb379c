//! What goes wrong, where, and how often.

use std::fmt;
use std::time::Duration;

use crate::Rng;

/// One way in which an answer differs from what it should be.
///
/// Faults that meet in one request add up: chunked *and* reset, slow *and* with another ETag. Offsets count the
/// bytes of the body that is sent, so that a transfer which resumes gets further each time; only
/// [`Fault::FlipBit`] counts bytes of the file, because a bad byte stays where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The connection is reset (RST) after so many bytes of the body. Of the last bytes, some may be lost.
    ResetAt(u64),
    /// The connection is closed in an orderly way after so many bytes, under the Content-Length of the whole.
    CloseAt(u64),
    /// Only so many bytes are sent, and Content-Length says that they are all: only a length known from
    /// elsewhere, or the content, shows that something is missing.
    ShortLength(u64),
    /// Content-Length promises so many bytes more than there are; then the connection closes.
    LongLength(u64),
    /// The connection is closed without any answer.
    Hangup,
    /// One bit of a byte of the file is inverted. Bits count from the least significant.
    FlipBit {
        /// The byte, in the file.
        at: u64,
        /// The bit, 0 to 7.
        bit: u8,
    },
    /// Nothing is sent for a while after so many bytes; then it goes on.
    Stall {
        /// Bytes of the body before the pause.
        at: u64,
        /// How long it lasts.
        pause: Duration,
    },
    /// The status line comes after a pause.
    Delay(Duration),
    /// The body drips at so many bytes a second.
    Trickle(u32),
    /// A status with a page about it instead of the file.
    Status(u16),
    /// As [`Fault::Status`], with Retry-After: 429 and 503.
    Busy(u16, RetryAfter),
    /// Status 200, and the body is a page in HTML that says sorry.
    HtmlPage,
    /// Status 200, and the body is an `<Error>` in XML, as object stores write it.
    XmlError,
    /// Status 200, and the body is this instead of the file, with its own ETag and length: the file changed.
    Content(Vec<u8>),
    /// Each answer has another ETag, so that no If-Range holds.
    NewEtag,
    /// The range is honoured although If-Range does not hold.
    IgnoreIfRange,
    /// A server that knows no ranges: 200 and the whole file.
    NoRange,
    /// 416 although the range could be served.
    RangeNotSatisfiable,
    /// The body is compressed with gzip although nobody accepts that.
    Gzip,
    /// The body comes in chunks, without Content-Length.
    Chunked,
    /// The connection is closed after the answer.
    NoKeepAlive,
    /// 302 to another address, relative or absolute.
    Redirect(String),
    /// A header is set to a value, whatever it was, or left out: ETag, Last-Modified, Content-Range,
    /// Content-Length (which changes what is said, not what is sent) and all others.
    Header(&'static str, Option<String>),
}

impl Fault {
    /// For one path.
    pub fn on(self, path: &str) -> Rule {
        let path = path.trim_start_matches('/').to_owned();
        self.matching(move |asked| asked == path)
    }

    /// For every path.
    pub fn everywhere(self) -> Rule {
        self.matching(|_| true)
    }

    /// For the paths that the closure accepts; they come without a leading slash.
    pub fn matching(self, accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Rule {
        Rule {
            fault: self,
            accepts: Box::new(accepts),
            when: When::Always,
            head: false,
            ranged: false,
            together: false,
        }
    }
}

/// The forms of Retry-After.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// An HTTP-date so far from now, rounded up to whole seconds.
    Date(Duration),
    /// As it stands: nonsense, a date in the past.
    Text(String),
    /// No such header.
    Absent,
}

/// A fault with the requests that it hits: all GETs of its paths, unless restricted.
pub struct Rule {
    pub(super) fault: Fault,
    pub(super) accepts: Box<dyn Fn(&str) -> bool + Send + Sync>,
    when: When,
    pub(super) head: bool,
    pub(super) ranged: bool,
    pub(super) together: bool,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Always,
    First(u64),
    After(u64),
    Every(u64),
    Chance(f64, u64),
}

impl Rule {
    /// Only the first `n` requests, of each path.
    #[must_use]
    pub fn first(self, n: u64) -> Self {
        Self { when: When::First(n), ..self }
    }

    /// Only after the first `n` requests, of each path.
    #[must_use]
    pub fn after(self, n: u64) -> Self {
        Self { when: When::After(n), ..self }
    }

    /// The `k`-th request and every `k`-th after it, of each path.
    #[must_use]
    pub fn every(self, k: u64) -> Self {
        assert!(k > 0, "every zeroth request");
        Self { when: When::Every(k), ..self }
    }

    /// A request with this probability. The seed, the path and the number of the request decide, not the order
    /// in which connections are served.
    #[must_use]
    pub fn chance(self, probability: f64, seed: u64) -> Self {
        Self { when: When::Chance(probability, seed), ..self }
    }

    /// Counts the requests of all paths together instead of each path by itself.
    #[must_use]
    pub fn together(self) -> Self {
        Self { together: true, ..self }
    }

    /// HEAD as well as GET.
    #[must_use]
    pub fn with_head(self) -> Self {
        Self { head: true, ..self }
    }

    /// Only requests with a Range; others are not counted either.
    #[must_use]
    pub fn ranged(self) -> Self {
        Self { ranged: true, ..self }
    }

    /// Whether the `n`-th request, counted from 1, is hit.
    pub(super) fn hits(&self, path: &str, n: u64) -> bool {
        match self.when {
            When::Always => true,
            When::First(count) => n <= count,
            When::After(count) => n > count,
            When::Every(k) => n.is_multiple_of(k),
            When::Chance(probability, seed) => {
                let path = super::files::hash(path.as_bytes());
                Rng::for_part(seed ^ path, n).chance(probability)
            }
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.fault, self.when)
    }
}

/// What one client may ask of a portal: a bucket of requests that fills at a constant rate.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    /// Requests a second, in the long run.
    pub per_second: f64,
    /// Requests at once, after a rest.
    pub burst: u32,
    /// What a refused request is told; the status is 429.
    pub retry_after: RetryAfter,
}
