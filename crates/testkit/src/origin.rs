//! An HTTP/1.1 origin on the loopback interface that misbehaves on demand and remembers what it was asked.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

mod fault;
mod files;
mod log;
mod reply;
mod request;
mod send;

pub use fault::{Fault, RateLimit, RetryAfter, Rule};
pub use files::Files;
pub use log::Exchange;

use log::{Log, Witness, lock};
use reply::Reply;
use request::Request;
use send::Stop;

/// A server for tests: it answers GET and HEAD with keep-alive, single ranges, strong ETags, If-Range and
/// If-None-Match, and breaks whatever a [`Rule`] tells it to break.
///
/// Each connection has a thread; the origin stops when it is dropped. The n-th request of a path meets the same
/// faults in every run. Time enters only where a pause, a speed or a rate is asked for.
///
/// ```
/// use std::io::{Read, Write};
/// use coaddkit_testkit::{Fault, FaultOrigin, Files};
///
/// let origin = FaultOrigin::new(Files::memory([("a/b.fits", "x".repeat(5000))]));
/// origin.fault(Fault::Status(503).on("a/b.fits").first(1));
///
/// let mut client = std::net::TcpStream::connect(origin.address()).unwrap();
/// client.write_all(b"GET /a/b.fits HTTP/1.1\r\n\r\n").unwrap();
/// let mut status = [0; 12];
/// client.read_exact(&mut status).unwrap();
/// assert_eq!(&status, b"HTTP/1.1 503");
/// assert_eq!(origin.count("a/b.fits"), 1);
/// ```
pub struct FaultOrigin {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    files: Mutex<Files>,
    rules: Mutex<Rules>,
    limits: Mutex<Limits>,
    log: Mutex<Log>,
    /// Open sockets by connection, so that stopping ends a read.
    sockets: Mutex<HashMap<u64, TcpStream>>,
    stop: Stop,
    start: Instant,
}

#[derive(Default)]
struct Rules {
    list: Vec<Rule>,
    /// Requests so far by rule and path.
    counts: HashMap<(usize, String), u64>,
}

#[derive(Default)]
struct Limits {
    rate: Option<RateLimit>,
    tokens: f64,
    filled: Option<Instant>,
    connections: Option<usize>,
}

impl FaultOrigin {
    /// Starts an origin on a free port.
    pub fn new(files: Files) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on the loopback interface");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            files: Mutex::new(files),
            rules: Mutex::default(),
            limits: Mutex::default(),
            log: Mutex::default(),
            sockets: Mutex::default(),
            stop: Stop::default(),
            start: Instant::now(),
        });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self { shared, address, accepting: Some(accepting) }
    }

    /// Adds a fault.
    pub fn fault(&self, rule: Rule) {
        lock(&self.shared.rules).list.push(rule);
    }

    /// Takes all faults and limits away.
    pub fn heal(&self) {
        *lock(&self.shared.rules) = Rules::default();
        *lock(&self.shared.limits) = Limits::default();
    }

    /// Refuses what comes faster, with 429. Refused requests meet no faults and are not counted by their rules.
    pub fn limit_rate(&self, rate: RateLimit) {
        let mut limits = lock(&self.shared.limits);
        limits.tokens = f64::from(rate.burst);
        limits.filled = None;
        limits.rate = Some(rate);
    }

    /// Answers 503 on connections above this number and closes them.
    pub fn limit_connections(&self, most: usize) {
        lock(&self.shared.limits).connections = Some(most);
    }

    /// Adds or replaces a file, which gets another ETag and a later Last-Modified.
    pub fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        lock(&self.shared.files).put(path, body.into());
    }

    /// Takes a file of [`Files::memory`] away: 404 from now on.
    pub fn remove(&self, path: &str) {
        lock(&self.shared.files).remove(path);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the root, without a slash at the end.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of a path, which is taken as it stands.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{}", self.base(), path.trim_start_matches('/'))
    }

    /// All requests so far, in the order in which they were answered; one that waits for a status is among them.
    pub fn requests(&self) -> Vec<Exchange> {
        lock(&self.shared.log).exchanges.clone()
    }

    /// Requests of a path, whatever their method and answer.
    pub fn count(&self, path: &str) -> usize {
        let path = path.trim_start_matches('/');
        lock(&self.shared.log).exchanges.iter().filter(|e| e.path == path).count()
    }

    /// Requests that were answered with a status.
    pub fn count_status(&self, status: u16) -> usize {
        lock(&self.shared.log).exchanges.iter().filter(|e| e.status == status).count()
    }

    /// Bytes of bodies sent.
    pub fn body_bytes(&self) -> u64 {
        lock(&self.shared.log).exchanges.iter().map(|e| e.body_bytes).sum()
    }

    /// The largest number of requests that were being answered at once. A client that hangs up in the middle of
    /// an answer is seen to do so only when more is sent.
    pub fn max_concurrent(&self) -> usize {
        lock(&self.shared.log).most_active
    }

    /// The largest number of connections that were open at once.
    pub fn max_connections(&self) -> usize {
        lock(&self.shared.log).most_open
    }

    /// Forgets the requests so far; what is open or being answered goes on counting.
    pub fn forget(&self) {
        let mut log = lock(&self.shared.log);
        log.exchanges.clear();
        log.most_active = log.active;
        log.most_open = log.open;
    }
}

impl Drop for FaultOrigin {
    fn drop(&mut self) {
        self.shared.stop.tell();
        for socket in lock(&self.shared.sockets).values() {
            // One that has gone already needs no end.
            let _ = socket.shutdown(Shutdown::Both);
        }
        // A last connection wakes the thread that waits for one.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stop.told() {
                return;
            }
            let Ok(stream) = stream else { continue };
            let shared = Arc::clone(self);
            thread::spawn(move || shared.connection(stream));
        }
    }

    fn connection(&self, mut stream: TcpStream) {
        let (Ok(reader), Ok(handle)) = (stream.try_clone(), stream.try_clone()) else { return };
        let _ = stream.set_nodelay(true);
        let (connection, open) = {
            let mut log = lock(&self.log);
            log.connections += 1;
            log.open += 1;
            log.most_open = log.most_open.max(log.open);
            (log.connections - 1, log.open)
        };
        lock(&self.sockets).insert(connection, handle);
        let refused = lock(&self.limits).connections.is_some_and(|most| open > most);
        let mut reader = BufReader::new(reader);
        while !self.stop.told() {
            let request = match Request::read(&mut reader) {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(e) => {
                    if e.kind() == std::io::ErrorKind::InvalidData {
                        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
                    }
                    break;
                }
            };
            if !self.exchange(&mut stream, request, connection, refused) {
                break;
            }
        }
        lock(&self.sockets).remove(&connection);
        lock(&self.log).open -= 1;
    }

    /// Answers one request; false ends the connection.
    fn exchange(&self, stream: &mut TcpStream, request: Request, connection: u64, refused: bool) -> bool {
        let at = self.start.elapsed();
        let mut witness = Witness::begin(&self.log);
        let serial = witness.serial();
        let reply = self.reply(&request, serial, refused);
        let head = request.method == "HEAD";
        witness.answers(Exchange {
            method: request.method,
            path: request.path,
            headers: request.headers,
            status: if reply.manner.hangup { 0 } else { reply.status },
            body_bytes: 0,
            at,
            connection,
            serial,
        });
        send::send(stream, &reply, head, &self.stop, &mut witness).unwrap_or(false)
    }

    fn reply(&self, request: &Request, serial: u64, refused: bool) -> Reply {
        if refused {
            let mut reply = Reply::to(request, None, &[Fault::Status(503)], serial);
            reply.manner.close = true;
            return reply;
        }
        if let Some(retry_after) = lock(&self.limits).refusal() {
            return Reply::to(request, None, &[Fault::Busy(429, retry_after)], serial);
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Reply::to(request, None, &[Fault::Status(405)], serial);
        }
        let faults = lock(&self.rules).faults(request);
        let entry = lock(&self.files).get(&request.path);
        Reply::to(request, entry, &faults, serial)
    }
}

impl Rules {
    fn faults(&mut self, request: &Request) -> Vec<Fault> {
        let head = request.method == "HEAD";
        let ranged = request.header("range").is_some();
        let mut faults = Vec::new();
        for (index, rule) in self.list.iter().enumerate() {
            if (head && !rule.head) || (rule.ranged && !ranged) || !(rule.accepts)(&request.path) {
                continue;
            }
            let key = if rule.together { String::new() } else { request.path.clone() };
            let count = self.counts.entry((index, key)).or_default();
            *count += 1;
            if rule.hits(&request.path, *count) {
                faults.push(rule.fault.clone());
            }
        }
        faults
    }
}

impl Limits {
    /// Takes a token, or says when to come again.
    fn refusal(&mut self) -> Option<RetryAfter> {
        let rate = self.rate.as_ref()?;
        let now = Instant::now();
        let passed = self.filled.replace(now).map_or(0.0, |then| now.duration_since(then).as_secs_f64());
        self.tokens = (self.tokens + passed * rate.per_second).min(f64::from(rate.burst));
        if self.tokens < 1.0 {
            return Some(rate.retry_after.clone());
        }
        self.tokens -= 1.0;
        None
    }
}
