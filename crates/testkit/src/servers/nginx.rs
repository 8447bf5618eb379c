//! nginx as a portal.

use std::io;
use std::path::Path;

use super::{Process, command, listens, tool};
use crate::shared::skip;

/// How the portals of an [`Nginx`] behave that are not plain.
#[derive(Debug, Clone)]
pub struct Portal {
    /// Requests a second of the polite portal; above it, 429 with `Retry-After: 1`.
    pub requests_per_second: u32,
    /// Requests at once that the polite portal takes on top.
    pub burst: u32,
    /// Connections at once that the polite portal takes.
    pub connections: u32,
    /// Bytes a second of each connection to the slow portal.
    pub slow_bytes_per_second: u32,
    /// Whether requests are logged.
    pub log: bool,
}

impl Default for Portal {
    fn default() -> Self {
        let slow_bytes_per_second = 200_000;
        Self { requests_per_second: 20, burst: 5, connections: 8, slow_bytes_per_second, log: true }
    }
}

/// An nginx that serves one folder in four manners, each on a port of its own.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    ports: Vec<u16>,
}

impl Nginx {
    /// Starts it. When nginx is not installed, the skip is said on stderr and `None` is returned.
    ///
    /// # Panics
    ///
    /// When it is not installed and [`crate::require_all`] holds, or when it does not start.
    pub fn start(root: &Path, portal: &Portal) -> Option<Self> {
        let Some(program) = tool("nginx") else {
            skip("nginx");
            return None;
        };
        let prepare = |dir: &Path, ports: &[u16]| {
            let config = dir.join("nginx.conf");
            std::fs::write(&config, configuration(dir, &root.canonicalize()?, ports, portal))?;
            let paths = [dir.as_os_str(), config.as_os_str()];
            Ok::<_, io::Error>(command(&program, ["-p".as_ref(), paths[0], "-c".as_ref(), paths[1]]))
        };
        let (process, ports) = Process::start("nginx", 4, prepare, |ports| ports.iter().all(|p| listens(*p)));
        Some(Self { process, ports })
    }

    /// As a good portal does: keep-alive, ranges, ETag, Last-Modified.
    pub fn plain(&self) -> String {
        self.base(0)
    }

    /// With limits on requests and connections, and 429 with Retry-After above them.
    pub fn polite(&self) -> String {
        self.base(1)
    }

    /// At a crawl.
    pub fn slow(&self) -> String {
        self.base(2)
    }

    /// Without ranges: always the whole file.
    pub fn no_ranges(&self) -> String {
        self.base(3)
    }

    /// Requests answered with a status so far, by all four. nginx logs an answer after it has sent it.
    pub fn count_status(&self, status: u16) -> usize {
        let log = std::fs::read_to_string(self.process.path().join("access.log")).unwrap_or_default();
        log.lines().filter(|line| line.split(' ').nth(2) == Some(&status.to_string())).count()
    }

    fn base(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[index])
    }
}

/// One process without workers, so that ending it ends all of it.
fn configuration(dir: &Path, root: &Path, ports: &[u16], portal: &Portal) -> String {
    let dir = dir.display();
    let root = root.display();
    let Portal { requests_per_second, burst, connections, slow_bytes_per_second, log } = portal;
    let log = if *log { format!("{dir}/access.log m") } else { "off".to_owned() };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
        .concat();
    // It may run as root, and then serves what belongs to root.
    format!(
        "daemon off;\nmaster_process off;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log warn;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n{temporary}  log_format m '$server_port $request_method $status $uri';\n  access_log {log};\n  \
         sendfile on;\n  tcp_nopush on;\n  keepalive_requests 100000;\n  types {{ }}\n  \
         default_type application/octet-stream;\n  root {root};\n  \
         limit_req_zone $binary_remote_addr zone=rate:1m rate={requests_per_second}r/s;\n  \
         limit_conn_zone $binary_remote_addr zone=connections:1m;\n  \
         server {{ listen 127.0.0.1:{plain}; }}\n  \
         server {{\n    listen 127.0.0.1:{polite};\n    limit_req zone=rate burst={burst} nodelay;\n    \
         limit_conn connections {connections};\n    limit_req_status 429;\n    limit_conn_status 429;\n    \
         error_page 429 @busy;\n    \
         location @busy {{ internal; add_header Retry-After 1 always; return 429; }}\n  }}\n  \
         server {{ listen 127.0.0.1:{slow}; limit_rate {slow_bytes_per_second}; }}\n  \
         server {{ listen 127.0.0.1:{no_ranges}; max_ranges 0; }}\n}}\n",
        plain = ports[0],
        polite = ports[1],
        slow = ports[2],
        no_ranges = ports[3],
    )
}
