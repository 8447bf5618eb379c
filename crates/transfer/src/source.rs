use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use crate::Error;

/// Where a file comes from: `http(s)://…`, `s3://bucket/key`, `file://…` or a path.
///
/// Shown without credentials: user and password of an address, and the values of such parameters as
/// `X-Amz-Signature` or `token`, are replaced by `…`, in `Debug` too.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Source {
    text: Box<str>,
}

/// A source in its parts.
pub(crate) enum Parts {
    Http(Url),
    #[cfg_attr(not(feature = "aws"), allow(dead_code))]
    S3 {
        bucket: String,
        key: String,
    },
    File(PathBuf),
}

impl Source {
    pub(crate) fn file(path: &Path) -> Result<Self, Error> {
        path.to_str()
            .map(|text| Self { text: text.into() })
            .ok_or_else(|| Error::usage(path.display(), "the path is not UTF-8"))
    }

    pub(crate) fn parts(&self) -> Result<Parts, Error> {
        let Some((scheme, rest)) = self.text.split_once("://") else {
            return Ok(Parts::File(PathBuf::from(&*self.text)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                let url =
                    Url::parse(&self.text).map_err(|e| Error::usage(self, format!("no address: {e}")))?;
                Ok(Parts::Http(url))
            }
            "s3" | "s3a" => match rest.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                    Ok(Parts::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
                }
                _ => Err(Error::usage(self, "an object is s3://bucket/key")),
            },
            "file" => {
                let url =
                    Url::parse(&self.text).map_err(|e| Error::usage(self, format!("no address: {e}")))?;
                url.to_file_path()
                    .map(Parts::File)
                    .map_err(|()| Error::usage(self, "no path of this machine"))
            }
            other => {
                Err(Error::usage(self, format!("{other}:// is not supported; http, https, s3, file are")))
            }
        }
    }

    /// The last part of its path, which is the name that the file has at home.
    ///
    /// # Errors
    ///
    /// The address ends with a slash.
    pub fn name(&self) -> Result<String, Error> {
        let path = match self.parts()? {
            Parts::Http(url) => url.path().to_owned(),
            Parts::S3 { key, .. } => key,
            Parts::File(path) => path.to_string_lossy().into_owned(),
        };
        match path.rsplit('/').next() {
            Some(name) if !name.is_empty() => Ok(name.to_owned()),
            _ => Err(Error::usage(self, "the address names no file")),
        }
    }

    /// As given, with all that is secret.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::usage("source", "empty"));
        }
        let source = Self { text: text.into() };
        source.parts().map(|_| source)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.text))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address without what is secret in it.
pub(crate) fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    // A password may hold an @ that should have been escaped.
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(_, host)| ("…@", host));
    let rest = rest.split('#').next().unwrap_or_default();
    let Some((path, query)) = rest.split_once('?') else { return format!("{scheme}://{user}{host}{rest}") };
    let shown: Vec<String> = query.split('&').map(redact_parameter).collect();
    format!("{scheme}://{user}{host}{path}?{}", shown.join("&"))
}

fn redact_parameter(parameter: &str) -> String {
    const SECRET: [&str; 9] =
        ["sig", "token", "credential", "secret", "passw", "pwd", "auth", "key", "session"];
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let lower = name.to_ascii_lowercase();
    if value.is_empty() || !SECRET.iter().any(|word| lower.contains(word)) {
        return parameter.to_owned();
    }
    format!("{name}=…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        for (address, shown) in [
            ("https://me:s3cret@a.org/x.fits", "https://…@a.org/x.fits"),
            ("https://me:s3@cret@a.org/x.fits", "https://…@a.org/x.fits"),
            ("https://s3cret@a.org?a=1", "https://…@a.org?a=1"),
            (
                "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKs3cret&X-Amz-Date=2026&X-Amz-Signature=s3cret",
                "https://b.s3.amazonaws.com/k?X-Amz-Credential=…&X-Amz-Date=2026&X-Amz-Signature=…",
            ),
            ("https://a.org/get?id=42&access_token=s3cret", "https://a.org/get?id=42&access_token=…"),
            ("https://a.org/x#s3cret", "https://a.org/x"),
            ("s3://bucket/key", "s3://bucket/key"),
            ("data/x.fits", "data/x.fits"),
        ] {
            let source: Source = address.parse().unwrap();
            assert_eq!(source.to_string(), shown);
            assert_eq!(format!("{source:?}"), shown);
        }
    }

    #[test]
    fn errors_do_not_show_them_either() {
        for wrong in ["ftp://me:s3cret@a.org/x", "http://me:s3cret@a.org:port/x", "s3://s3cret@/", "https://"]
        {
            let error = wrong.parse::<Source>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn names() {
        let name = |text: &str| text.parse::<Source>().unwrap().name();
        assert_eq!(name("https://a.org/b/c.fits?x=/y").unwrap(), "c.fits");
        assert_eq!(name("s3://b/c/d.fits").unwrap(), "d.fits");
        assert_eq!(name("/b/e.fits").unwrap(), "e.fits");
        assert!(name("https://a.org/").is_err());
    }
}
