//! Whether the headers of a 200, 206 or 416 fit what was asked.

use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap};

use super::{Answer, Ask, Version, text};

/// Which bytes an answer carries.
pub(super) enum Framing {
    Bytes { start: u64, length: Option<u64>, version: Version },
    Unusable(Box<Answer>),
}

fn unusable(answer: Answer) -> Framing {
    Framing::Unusable(Box::new(answer))
}

/// `length` is that of the body.
pub(super) fn framing(status: StatusCode, headers: &HeaderMap, length: Option<u64>, ask: Ask<'_>) -> Framing {
    let version = Version {
        etag: text(headers, header::ETAG).map(str::to_owned),
        last_modified: text(headers, header::LAST_MODIFIED).map(str::to_owned),
    };
    if let Some(encoding) = encoding(headers) {
        // Some servers declare `x.fits.gz` as encoded by gzip, and send the file as it is.
        let as_is = ask.compressed
            && length.is_some()
            && ["gzip", "x-gzip", "compress", "x-compress", "x-bzip2"].contains(&encoding.as_str())
            && !version.etag.as_deref().is_some_and(|etag| etag.contains("gzip"));
        if !as_is {
            return unusable(Answer::Stale(format!(
                "the body is encoded as {encoding}, which was not asked for"
            )));
        }
    }
    if status == StatusCode::OK {
        // To a request with a range as well: the server knows no ranges, or the file has changed.
        return Framing::Bytes { start: 0, length, version };
    }
    if ask.have == 0 {
        return unusable(Answer::Stale("206 although no range was asked for".to_owned()));
    }
    let Some((first, last, total)) = text(headers, header::CONTENT_RANGE).and_then(content_range) else {
        return unusable(Answer::Stale("206 without a Content-Range that can be read".to_owned()));
    };
    let asked = ask.have;
    let total = total.or(ask.length);
    if first != asked || ask.length.is_some_and(|known| total != Some(known)) {
        let range = text(headers, header::CONTENT_RANGE).unwrap_or_default();
        return unusable(Answer::Stale(format!("asked for bytes from {asked}, got Content-Range {range:?}")));
    }
    if length.is_some_and(|length| length != last - first + 1) {
        return unusable(Answer::Stale("Content-Length and Content-Range do not agree".to_owned()));
    }
    if differs(&version.etag, &ask.version.etag)
        || differs(&version.last_modified, &ask.version.last_modified)
    {
        return unusable(Answer::Stale("the file changed at the origin".to_owned()));
    }
    let version = Version {
        etag: version.etag.or_else(|| ask.version.etag.clone()),
        last_modified: version.last_modified.or_else(|| ask.version.last_modified.clone()),
    };
    Framing::Bytes { start: first, length: total, version }
}

fn differs(new: &Option<String>, old: &Option<String>) -> bool {
    matches!((new, old), (Some(new), Some(old)) if new != old)
}

/// The answer to 416: all is there already, or what is there is of no use.
pub(super) fn unsatisfiable(headers: &HeaderMap, ask: Ask<'_>) -> Answer {
    let total = text(headers, header::CONTENT_RANGE)
        .and_then(|range| range.trim().strip_prefix("bytes */")?.trim().parse::<u64>().ok());
    if ask.have > 0 && total == Some(ask.have) && ask.length.is_none_or(|known| known == ask.have) {
        return Answer::Whole;
    }
    Answer::Stale(match total {
        Some(total) => format!("416: asked for bytes from {}, the file has {total}", ask.have),
        None => format!("416: bytes from {} cannot be had", ask.have),
    })
}

/// Encodings other than none.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let encoding = text(headers, header::CONTENT_ENCODING)?.trim().to_ascii_lowercase();
    (!encoding.is_empty() && encoding != "identity").then_some(encoding)
}

/// The length of the whole, of an answer with a part of it.
pub(super) fn total(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_RANGE).and_then(content_range)?.2
}

/// `bytes 0-99/1000` or `bytes 0-99/*`.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse::<u64>().ok()?),
    };
    (first <= last && total.is_none_or(|total| last < total) && last < u64::MAX)
        .then_some((first, last, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 10-99/100"), Some((10, 99, Some(100))));
        assert_eq!(content_range("bytes 10-99/*"), Some((10, 99, None)));
        for wrong in
            ["bytes */100", "bytes 10-100/100", "bytes 9-8/10", "items 0-1/2", "bytes 0-1", "bytes -1-1/2"]
        {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
        let most = u64::MAX;
        assert_eq!(content_range(&format!("bytes 0-{most}/*")), None);
    }

    fn judge(
        status: StatusCode,
        headers: &[(&'static str, &str)],
        length: u64,
        ask: Ask<'_>,
    ) -> Result<u64, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        match framing(status, &map, Some(length), ask) {
            Framing::Bytes { start, .. } => Ok(start),
            Framing::Unusable(answer) => match *answer {
                Answer::Stale(why) => Err(why),
                other => panic!("{other:?}"),
            },
        }
    }

    #[test]
    fn a_part_must_be_the_one_asked_for() {
        let version = Version { etag: Some("\"v1\"".into()), last_modified: None };
        let ask = Ask { have: 10, version: &version, length: Some(100), fresh: false, compressed: false };
        let part = |headers: &[(&'static str, &str)], length| {
            judge(StatusCode::PARTIAL_CONTENT, headers, length, ask)
        };
        let good = ("content-range", "bytes 10-99/100");
        assert_eq!(part(&[good], 90), Ok(10));
        assert_eq!(part(&[good, ("etag", "\"v1\"")], 90), Ok(10));
        assert!(part(&[good, ("etag", "\"v2\"")], 90).unwrap_err().contains("changed"));
        assert!(part(&[good], 89).unwrap_err().contains("do not agree"));
        assert!(part(&[("content-range", "bytes 11-99/100")], 89).is_err());
        assert!(part(&[("content-range", "bytes 10-100/101")], 91).is_err());
        assert!(part(&[], 90).is_err());
        assert_eq!(judge(StatusCode::OK, &[], 100, ask), Ok(0));
        assert!(judge(StatusCode::PARTIAL_CONTENT, &[good], 90, Ask { have: 0, ..ask }).is_err());
    }

    #[test]
    fn an_encoded_body_is_refused_unless_it_is_how_the_server_calls_a_compressed_file() {
        let version = Version::default();
        let plain = Ask { have: 0, version: &version, length: None, fresh: false, compressed: false };
        let gzip = ("content-encoding", "gzip");
        assert_eq!(judge(StatusCode::OK, &[("content-encoding", "identity")], 9, plain), Ok(0));
        assert!(judge(StatusCode::OK, &[gzip], 9, plain).unwrap_err().contains("gzip"));
        let named = Ask { compressed: true, ..plain };
        assert_eq!(judge(StatusCode::OK, &[gzip], 9, named), Ok(0));
        // Apache marks what it compresses on the way.
        assert!(judge(StatusCode::OK, &[gzip, ("etag", "\"1-gzip\"")], 9, named).is_err());
    }
}
