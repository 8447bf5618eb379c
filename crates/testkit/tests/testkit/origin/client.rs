//! An HTTP client that reports what it sees and judges nothing.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

use coaddkit_testkit::FaultOrigin;

pub struct Client {
    reader: BufReader<TcpStream>,
    stream: TcpStream,
}

/// An answer; status 0 means that none came.
#[derive(Debug, Default)]
pub struct Got {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The body has the length that was promised, or its last chunk.
    pub complete: bool,
    pub error: Option<ErrorKind>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

pub fn get(origin: &FaultOrigin, path: &str, headers: &[(&str, &str)]) -> Got {
    Client::new(origin).ask("GET", path, headers)
}

pub fn head(origin: &FaultOrigin, path: &str) -> Got {
    Client::new(origin).ask("HEAD", path, &[])
}

impl Client {
    pub fn new(origin: &FaultOrigin) -> Self {
        let stream = TcpStream::connect(origin.address()).unwrap();
        Self { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    pub fn get(&mut self, path: &str) -> Got {
        self.ask("GET", path, &[])
    }

    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send(method, path, headers);
        self.read(method == "HEAD")
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let mut text = format!("{method} /{path} HTTP/1.1\r\nHost: localhost\r\n");
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        self.stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    }

    /// True if the other side has closed.
    pub fn closed(&mut self) -> bool {
        self.reader.fill_buf().map_or(true, <[u8]>::is_empty)
    }

    pub fn read(&mut self, head: bool) -> Got {
        let mut got = Got::default();
        match self.fill(&mut got, head) {
            Ok(complete) => got.complete = complete,
            Err(e) => got.error = Some(e.kind()),
        }
        got
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn fill(&mut self, got: &mut Got, head: bool) -> std::io::Result<bool> {
        let status = self.line()?;
        let Some(code) = status.split(' ').nth(1) else { return Ok(false) };
        got.status = code.parse().unwrap();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            got.headers.push((name.to_lowercase(), value.to_owned()));
        }
        if head || got.status == 304 {
            return Ok(true);
        }
        if got.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = self.line()?;
                let Ok(size) = usize::from_str_radix(&size, 16) else { return Ok(false) };
                let whole = self.bytes(size, &mut got.body)?;
                let end = self.line()?;
                if !whole || !end.is_empty() {
                    return Ok(false);
                }
                if size == 0 {
                    return Ok(true);
                }
            }
        }
        let length = got.header("content-length").unwrap().parse().unwrap();
        self.bytes(length, &mut got.body)
    }

    /// Reads so many bytes, and keeps those that came before an error.
    fn bytes(&mut self, count: usize, out: &mut Vec<u8>) -> std::io::Result<bool> {
        let mut part = vec![0; 4096];
        let mut left = count;
        while left > 0 {
            let wanted = part.len().min(left);
            let n = self.reader.read(&mut part[..wanted])?;
            if n == 0 {
                return Ok(false);
            }
            out.extend_from_slice(&part[..n]);
            left -= n;
        }
        Ok(true)
    }
}
