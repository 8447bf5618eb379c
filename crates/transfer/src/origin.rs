//! Where bytes come from: HTTP, S3 as HTTP, or a file of this machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;

use crate::destination::blocking;
use crate::http::{Answer, Ask, Body, Http, Version};
use crate::source::Parts;
use crate::{Error, ErrorKind, Source, Transfer};

/// Bytes read from a local file at once.
const READ: usize = 512 << 10;

/// All kinds of origins.
#[derive(Debug)]
pub(crate) struct Origins {
    pub http: Http,
    #[cfg(feature = "aws")]
    pub objects: crate::s3::Objects,
}

impl Origins {
    /// As the options of a transfer say.
    pub(crate) fn of(transfer: &Transfer) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(&transfer.hosts.user_agent, &transfer.timeouts)?,
            #[cfg(feature = "aws")]
            objects: crate::s3::Objects::new(&transfer.s3, &transfer.hosts, &transfer.timeouts),
        })
    }

    /// What is asked politely together: the host of an address, nothing for a local file.
    pub(crate) fn host(&self, source: &Source) -> Result<Option<String>, Error> {
        let url = match source.parts()? {
            Parts::Http(url) => url,
            #[cfg(feature = "aws")]
            Parts::S3 { bucket, key } => self.objects.plain(&bucket, &key)?,
            #[cfg(not(feature = "aws"))]
            Parts::S3 { .. } => return Err(Error::usage(source, "built without the feature aws")),
            Parts::File(_) => return Ok(None),
        };
        let host = url.host_str().ok_or_else(|| Error::usage(source, "the address has no host"))?;
        Ok(Some(format!("{host}:{}", url.port_or_known_default().unwrap_or(0))))
    }

    pub(crate) async fn get(&self, source: &Source, ask: Ask<'_>) -> Answer {
        match self.whither(source).await {
            Ok(Whither::Url(url)) => self.http.get(url, ask).await,
            Ok(Whither::File(path)) => match blocking(move || Ok(open(&path))).await {
                Ok(answer) => answer,
                Err(e) => Answer::Broke(e.what().to_owned()),
            },
            Err(answer) => answer,
        }
    }

    /// The length of a source that is there, if the origin tells; otherwise why it is not.
    pub(crate) async fn probe(&self, source: &Source) -> Result<Option<u64>, Answer> {
        match self.whither(source).await? {
            Whither::Url(url) => self.http.probe(url).await,
            Whither::File(path) => match blocking(move || Ok(open(&path))).await {
                Ok(Answer::Body { length, .. }) => Ok(length),
                Ok(answer) => Err(answer),
                Err(e) => Err(Answer::Broke(e.what().to_owned())),
            },
        }
    }

    /// Where to ask for a source now.
    async fn whither(&self, source: &Source) -> Result<Whither, Answer> {
        match source.parts().map_err(|e| Answer::Denied(e.what().to_owned()))? {
            Parts::Http(url) => Ok(Whither::Url(url)),
            #[cfg(feature = "aws")]
            Parts::S3 { bucket, key } => match self.objects.address(&bucket, &key).await {
                Ok(url) => Ok(Whither::Url(url)),
                Err(e) if e.kind() == ErrorKind::Transient => Err(Answer::Broke(e.what().to_owned())),
                Err(e) => Err(Answer::Denied(e.what().to_owned())),
            },
            #[cfg(not(feature = "aws"))]
            Parts::S3 { .. } => Err(Answer::Denied("built without the feature aws".to_owned())),
            Parts::File(path) => Ok(Whither::File(path)),
        }
    }
}

/// What a source comes down to.
enum Whither {
    Url(url::Url),
    File(std::path::PathBuf),
}

fn open(path: &Path) -> Answer {
    let open = || -> io::Result<Answer> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // A pipe has no length to tell.
        let length = meta.is_file().then_some(meta.len());
        let last_modified = meta.modified().ok().map(httpdate::fmt_http_date);
        Ok(Answer::Body {
            start: 0,
            length,
            version: Version { etag: None, last_modified },
            body: Box::new(Flow::File(Some(file))),
        })
    };
    match open() {
        Ok(answer) => answer,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Answer::Absent(404)
        }
        Err(e) => Answer::Denied(e.to_string()),
    }
}

/// Bytes as they come.
#[derive(Debug)]
pub(crate) enum Flow {
    Http(Body),
    /// None while it is being read.
    File(Option<File>),
}

impl Flow {
    /// The next bytes, or none at the end; the error says why the rest does not come.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Http(body) => body.next().await,
            Self::File(slot) => {
                let Some(mut file) = slot.take() else { return Ok(None) };
                let read = blocking(move || {
                    let mut buffer = Vec::with_capacity(READ);
                    match file.by_ref().take(READ as u64).read_to_end(&mut buffer) {
                        Ok(_) => Ok((file, buffer)),
                        Err(e) => Err(Error::new(ErrorKind::Transient, "source", e)),
                    }
                });
                let (file, buffer) = read.await.map_err(|e| e.what().to_owned())?;
                *slot = Some(file);
                Ok((!buffer.is_empty()).then(|| buffer.into()))
            }
        }
    }
}
