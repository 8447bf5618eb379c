//! Servers of others, started for a test on free ports of the loopback interface and stopped after it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

mod nginx;
mod slurm;
mod store;

pub use nginx::{Nginx, Portal};
pub use slurm::Slurm;
pub use store::Store;

/// How long a server may take until it answers; a busy machine is slow.
const READY: Duration = Duration::from_secs(60);

/// A port that was free may be taken before the server has it.
const ATTEMPTS: usize = 4;

/// A running server with a folder of its own; dropping it ends the one and removes the other.
#[derive(Debug)]
struct Process {
    child: Child,
    dir: TempDir,
}

impl Process {
    /// Starts a server. `prepare` fills its folder and says how to call it, `ready` whether it answers; both get
    /// the same free ports, which are new in every attempt.
    ///
    /// # Panics
    ///
    /// When it ends at once in all attempts, or does not answer.
    fn start(
        name: &str,
        ports: usize,
        prepare: impl Fn(&Path, &[u16]) -> io::Result<Command>,
        ready: impl Fn(&[u16]) -> bool,
    ) -> (Self, Vec<u16>) {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let ports = free_ports(ports);
            let dir = scratch().unwrap_or_else(|e| panic!("a folder for {name}: {e}"));
            let log = dir.path().join("server.log");
            let started = prepare(dir.path(), &ports).and_then(|mut command| {
                let out = File::create(&log)?;
                // Sockets and the like go where they are removed.
                command.env("TMPDIR", dir.path()).stdin(Stdio::null());
                command.stdout(out.try_clone()?).stderr(out).spawn()
            });
            let child = started.unwrap_or_else(|e| panic!("{name} does not start: {e}"));
            let mut process = Self { child, dir };
            let start = Instant::now();
            while start.elapsed() < READY {
                if ready(&ports) {
                    return (process, ports);
                }
                if !matches!(process.child.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            said = std::fs::read_to_string(&log).unwrap_or_default();
        }
        panic!("{name} does not answer: {said}");
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It holds nothing that anybody wants to keep.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of this name: in `$COADDKIT_TOOLS`, where `cargo xtask` puts tools and Python packages, beside
/// `$COADDKIT_PYTHON`, or on the path.
pub fn tool(name: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let python = std::env::var_os("COADDKIT_PYTHON").map(PathBuf::from);
    let own = std::env::var_os("COADDKIT_TOOLS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = own
        .into_iter()
        .chain([target.join("tools/bin"), target.join("venv/bin")])
        .chain(python.and_then(|python| Some(python.parent()?.to_owned())))
        .chain(std::env::split_paths(&path))
        // Not everybody's path has it, and servers are there.
        .chain([PathBuf::from("/usr/sbin")]);
    dirs.map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A folder that is removed when it is dropped, in memory where there is a file system for it.
///
/// # Errors
///
/// It cannot be made.
pub fn scratch() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("coaddkit-");
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir())
}

/// Different ports that nobody listens on.
fn free_ports(count: usize) -> Vec<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let mut held: Vec<TcpListener> = Vec::new();
    let mut ports = Vec::new();
    while ports.len() < count {
        let listener = bind(0).expect("a free port on the loopback interface");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        held.push(listener);
        ports.push(port);
    }
    ports
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The status and the body of a GET.
fn get(port: u16, target: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // In HTTP/1.0 the body ends with the connection.
    write!(stream, "GET {target} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(answer.len().saturating_sub(4));
    let status = String::from_utf8_lossy(&answer[..end]).split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.unwrap_or(0), answer.split_off(end + 4)))
}

fn command(program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}
