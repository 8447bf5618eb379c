//! GET from an HTTP origin: what is asked, and what the answer means.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use crate::Error;
use crate::policy::Timeouts;

mod answer;

use crate::origin::Flow;
use answer::Framing;

/// What identifies a version of a file, as the origin told.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Version {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

impl Version {
    /// What If-Range takes: a strong ETag, else the date.
    pub(crate) fn condition(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// Bytes that are in hand, of this version and of a file of this length, if known.
    pub have: u64,
    pub version: &'a Version,
    pub length: Option<u64>,
    /// On a connection of its own.
    pub fresh: bool,
    /// The name ends like that of a compressed file, so that a Content-Encoding may be how the server calls it.
    pub compressed: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Bytes from `start`.
    Body { start: u64, length: Option<u64>, version: Version, body: Box<Flow> },
    /// All bytes are in hand already.
    Whole,
    /// 404 or 410.
    Absent(u16),
    /// 429 or 503.
    Refused { status: u16, retry_after: Option<Duration> },
    /// The bytes in hand are of no use any more.
    Stale(String),
    /// It may work another time.
    Broke(String),
    /// It will not.
    Denied(String),
}

/// A client of origins.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    kept: Client,
    fresh: Client,
    timeouts: Timeouts,
}

impl Http {
    pub(crate) fn new(user_agent: &str, timeouts: &Timeouts) -> Result<Self, Error> {
        let client = |idle: usize| {
            Client::builder()
                .user_agent(user_agent)
                .connect_timeout(timeouts.connect)
                .pool_max_idle_per_host(idle)
                .pool_idle_timeout(Duration::from_secs(20))
                // One file a connection: a stream that stalls does not take others with it.
                .http1_only()
                .redirect(redirect::Policy::custom(follow))
                .build()
                .map_err(|e| Error::usage("HTTP client", chain(&e)))
        };
        Ok(Self { kept: client(usize::MAX)?, fresh: client(0)?, timeouts: timeouts.clone() })
    }

    pub(crate) async fn get(&self, url: Url, ask: Ask<'_>) -> Answer {
        let client = if ask.fresh { &self.fresh } else { &self.kept };
        let mut request = client.get(url).header(header::ACCEPT_ENCODING, "identity");
        if ask.have > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", ask.have));
            if let Some(condition) = ask.version.condition() {
                request = request.header(header::IF_RANGE, condition);
            }
        }
        match self.send(request).await {
            Ok(response) => self.judge(response, ask).await,
            Err(answer) => answer,
        }
    }

    /// Whether a file is there, and its length if the origin tells: by its first byte, which a signed address gives
    /// and which does not need the origin to know HEAD.
    pub(crate) async fn probe(&self, url: Url) -> Result<Option<u64>, Answer> {
        let request = self.kept.get(url).header(header::ACCEPT_ENCODING, "identity");
        let request = request.header(header::RANGE, "bytes=0-0");
        let mut response = self.send(request).await?;
        match response.status() {
            // Without ranges the body is on its way; the connection ends with it.
            StatusCode::OK => Ok(response.content_length()),
            StatusCode::PARTIAL_CONTENT => {
                drain(&mut response).await;
                Ok(answer::total(response.headers()))
            }
            // An empty file has no first byte.
            StatusCode::RANGE_NOT_SATISFIABLE => {
                drain(&mut response).await;
                Ok(Some(0))
            }
            _ => {
                let version = Version::default();
                let ask = Ask { have: 0, version: &version, length: None, fresh: false, compressed: false };
                Err(refused(response, ask).await)
            }
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Answer> {
        match tokio::time::timeout(self.timeouts.first_byte, request.send()).await {
            Err(_) => {
                Err(Answer::Broke(format!("no answer for {} s", self.timeouts.first_byte.as_secs_f64())))
            }
            Ok(Err(e)) if e.is_redirect() => Err(Answer::Denied(chain(&e))),
            Ok(Err(e)) => Err(Answer::Broke(chain(&e))),
            Ok(Ok(response)) => Ok(response),
        }
    }

    async fn judge(&self, response: Response, ask: Ask<'_>) -> Answer {
        let status = response.status();
        if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return refused(response, ask).await;
        }
        let length = response.content_length();
        match answer::framing(status, response.headers(), length, ask) {
            Framing::Bytes { start, length, version } => {
                let body = Box::new(Flow::Http(Body::new(response, &self.timeouts)));
                Answer::Body { start, length, version, body }
            }
            Framing::Unusable(answer) => *answer,
        }
    }
}

/// What an answer without the file means, by its status and the document that comes with it.
async fn refused(mut response: Response, ask: Ask<'_>) -> Answer {
    let status = response.status();
    let answer = refusal(&response, ask);
    let code = code(&drain(&mut response).await);
    match (answer, code) {
        // Otherwise a mistyped bucket is one without files.
        (Answer::Absent(_), Some(code)) if code == "NoSuchBucket" => {
            Answer::Denied(format!("{status}: {code}"))
        }
        (Answer::Denied(what), Some(code)) => Answer::Denied(format!("{what}: {code}")),
        (answer, _) => answer,
    }
}

/// What a status other than success means.
fn refusal(response: &Response, ask: Ask<'_>) -> Answer {
    let (status, headers) = (response.status(), response.headers());
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Answer::Absent(status.as_u16()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let retry_after = retry_after(headers, SystemTime::now());
            Answer::Refused { status: status.as_u16(), retry_after }
        }
        StatusCode::RANGE_NOT_SATISFIABLE => answer::unsatisfiable(headers, ask),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Answer::Broke(status.to_string()),
        _ if status.is_server_error() => Answer::Broke(status.to_string()),
        _ => Answer::Denied(status.to_string()),
    }
}

/// Reads the page that comes with an error, so that the connection can be used again, and returns its beginning.
async fn drain(response: &mut Response) -> Vec<u8> {
    const MOST: usize = 64 << 10;
    let mut seen = Vec::new();
    let read = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            seen.extend_from_slice(&bytes);
            if seen.len() > MOST {
                break;
            }
        }
    };
    // A page that does not come is not worth waiting for.
    let _ = tokio::time::timeout(Duration::from_secs(2), read).await;
    seen
}

/// The code in the error document of an object store. The rest of it may repeat credentials.
fn code(page: &[u8]) -> Option<String> {
    let page = std::str::from_utf8(page).ok()?;
    let (_, rest) = page.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() < 60 && code.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| code.to_owned())
}

/// At most ten steps, and never from https to http.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let secure = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > 10 {
        attempt.error("more than 10 redirects")
    } else if secure && attempt.url().scheme() != "https" {
        attempt.error("redirect from https to http")
    } else {
        attempt.follow()
    }
}

/// The body of an answer, watched for silence and for dripping.
#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    idle: Duration,
    min_rate: u64,
    window: tokio::time::Instant,
    in_window: u64,
}

impl Body {
    fn new(response: Response, timeouts: &Timeouts) -> Self {
        let window = tokio::time::Instant::now();
        Self { response, idle: timeouts.idle, min_rate: timeouts.min_rate, window, in_window: 0 }
    }

    /// The next bytes, or none at the end; the error says why the rest does not come.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, String> {
        let chunk = tokio::time::timeout(self.idle, self.response.chunk()).await;
        let chunk = match chunk {
            Err(_) => return Err(format!("no byte for {} s", self.idle.as_secs_f64())),
            Ok(Err(e)) => return Err(chain(&e)),
            Ok(Ok(chunk)) => chunk,
        };
        self.in_window += chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let passed = self.window.elapsed();
        if passed > self.idle {
            let rate = self.in_window as f64 / passed.as_secs_f64();
            if rate < self.min_rate as f64 {
                return Err(format!("{rate:.0} bytes/s, less than {}", self.min_rate));
            }
            (self.window, self.in_window) = (tokio::time::Instant::now(), 0);
        }
        Ok(chunk)
    }
}

/// Seconds, or an HTTP-date; a date in the past is no wait.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = text(headers, header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// An error of the client with its causes, without the address, which the caller knows and may not show.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        source = cause.source();
    }
    if error.is_timeout() && causes.is_empty() {
        return "timed out".to_owned();
    }
    if causes.is_empty() { "the request failed".to_owned() } else { causes.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        // The three forms of RFC 9110, section 5.6.7.
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT"), Some(7));
        assert_eq!(read("Sun Nov  6 08:49:37 1994"), Some(7));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0));
        for nonsense in ["soon", "-1", "1.5", ""] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_weak_etag_is_no_condition() {
        let version = |etag: &str| Version { etag: Some(etag.into()), last_modified: Some("a date".into()) };
        assert_eq!(version("\"x\"").condition(), Some("\"x\""));
        assert_eq!(version("W/\"x\"").condition(), Some("a date"));
        assert_eq!(Version::default().condition(), None);
    }
}
