//! The origin against a client of fifty lines.

use std::time::Duration;

use coaddkit_testkit::{Fault, FaultOrigin, Files, RateLimit, RetryAfter, gunzip};

mod client;

use client::{Client, Got, get, head};

const PATH: &str = "000/0001p000/image.fits.fz";

/// 200,000 bytes that differ from their neighbours.
fn content() -> Vec<u8> {
    (0..50_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect()
}

fn origin() -> FaultOrigin {
    FaultOrigin::new(Files::memory([(PATH, content())]))
}

fn ranged(origin: &FaultOrigin, range: &str) -> Got {
    get(origin, PATH, &[("Range", range)])
}

#[test]
fn whole_files_and_heads() {
    let origin = origin();
    let whole = get(&origin, PATH, &[]);
    assert!(whole.status == 200 && whole.body == content() && whole.complete);
    assert_eq!(whole.header("content-length"), Some("200000"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let only = head(&origin, PATH);
    assert_eq!((only.status, only.body.len()), (200, 0));
    assert_eq!(only.header("content-length"), Some("200000"));
    assert_eq!(only.header("etag"), whole.header("etag"));
    assert!(whole.header("etag").is_some_and(|tag| tag.starts_with('"')), "a strong tag");
    assert_eq!(get(&origin, "absent", &[]).status, 404);
    assert_eq!(Client::new(&origin).ask("DELETE", PATH, &[]).status, 405);
    let asked: Vec<_> = origin.requests().iter().map(|e| (e.method.clone(), e.status)).collect();
    let expected = [("GET", 200), ("HEAD", 200), ("GET", 404), ("DELETE", 405)];
    assert_eq!(asked, expected.map(|(method, status)| (method.to_owned(), status)));
    assert_eq!(
        origin.body_bytes(),
        200_000 + "404 Not Found\n".len() as u64 + "405 Method Not Allowed\n".len() as u64
    );
}

#[test]
fn single_ranges() {
    let origin = origin();
    let part = ranged(&origin, "bytes=1000-1999");
    assert_eq!((part.status, part.body.as_slice()), (206, &content()[1000..2000]));
    assert_eq!(part.header("content-range"), Some("bytes 1000-1999/200000"));
    assert_eq!(ranged(&origin, "bytes=199990-").body, content()[199_990..]);
    assert_eq!(ranged(&origin, "bytes=-7").body, content()[199_993..]);
    let outside = ranged(&origin, "bytes=200000-");
    assert_eq!((outside.status, outside.header("content-range")), (416, Some("bytes */200000")));
    assert_eq!(origin.requests()[0].range(), Some("bytes=1000-1999"));
}

#[test]
fn conditions() {
    let origin = origin();
    let first = get(&origin, PATH, &[]);
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    let same = get(&origin, PATH, &[("If-None-Match", tag)]);
    assert_eq!((same.status, same.body.len()), (304, 0));
    for condition in [tag, date] {
        assert_eq!(get(&origin, PATH, &[("Range", "bytes=5-"), ("If-Range", condition)]).status, 206);
    }
    origin.put(PATH, content());
    origin.put(PATH, b"changed".to_vec());
    assert_ne!(head(&origin, PATH).header("last-modified"), Some(date));
    for condition in [tag, date] {
        let whole = get(&origin, PATH, &[("Range", "bytes=5-"), ("If-Range", condition)]);
        assert_eq!((whole.status, whole.body.as_slice()), (200, b"changed".as_slice()));
    }
    assert_eq!(get(&origin, PATH, &[("If-None-Match", tag)]).status, 200);
    origin.remove(PATH);
    assert_eq!(get(&origin, PATH, &[]).status, 404);
}

#[test]
fn a_folder_and_nothing_above_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "x").unwrap();
    std::fs::create_dir(dir.path().join("served")).unwrap();
    std::fs::write(dir.path().join("served/a b"), "file").unwrap();
    let origin = FaultOrigin::new(Files::folder(dir.path().join("served")));
    assert_eq!(get(&origin, "a%20b?version=1", &[]).body, b"file");
    assert_eq!(origin.count("a b"), 1);
    assert_eq!(get(&origin, "../secret", &[]).status, 404);
    assert_eq!(get(&origin, "%2e%2e/secret", &[]).status, 404);
}

#[test]
fn connections_are_kept_and_counted() {
    let origin = origin();
    let mut client = Client::new(&origin);
    for _ in 0..3 {
        assert!(client.get(PATH).complete);
    }
    let mut other = Client::new(&origin);
    assert!(other.get(PATH).complete);
    let seen: Vec<u64> = origin.requests().iter().map(|e| e.connection).collect();
    assert_eq!(seen, [0, 0, 0, 1]);
    assert_eq!((origin.max_connections(), origin.max_concurrent()), (2, 1));
    origin.fault(Fault::NoKeepAlive.everywhere());
    assert!(client.get(PATH).complete);
    assert!(client.closed());
}

#[test]
fn bodies_that_end_early() {
    let origin = origin();
    origin.fault(Fault::CloseAt(70_000).on(PATH).first(1));
    let short = get(&origin, PATH, &[]);
    assert_eq!((short.header("content-length"), short.body.len()), (Some("200000"), 70_000));
    assert!(!short.complete && short.error.is_none() && content().starts_with(&short.body));
    assert!(get(&origin, PATH, &[]).complete, "only the first");

    origin.heal();
    origin.fault(Fault::ResetAt(70_000).on(PATH));
    let reset = get(&origin, PATH, &[]);
    assert_eq!(reset.error, Some(std::io::ErrorKind::ConnectionReset));
    assert!(reset.body.len() <= 70_000 && content().starts_with(&reset.body));
    // The offset counts what is sent, so a resumed transfer gets on.
    let more = ranged(&origin, "bytes=100000-");
    assert_eq!(more.error, Some(std::io::ErrorKind::ConnectionReset));

    origin.heal();
    origin.fault(Fault::ShortLength(3000).on(PATH).first(1));
    origin.fault(Fault::LongLength(5).on(PATH).after(1));
    let short = get(&origin, PATH, &[]);
    assert_eq!(
        (short.header("content-length"), short.body.len(), short.complete),
        (Some("3000"), 3000, true)
    );
    let long = get(&origin, PATH, &[]);
    assert_eq!((long.header("content-length"), long.complete), (Some("200005"), false));
    assert_eq!(long.body, content());

    origin.heal();
    origin.fault(Fault::Hangup.on(PATH));
    assert_eq!(get(&origin, PATH, &[]).status, 0);
    assert_eq!(origin.requests().last().map(|e| e.status), Some(0));
}

#[test]
fn a_bit_stays_flipped_at_its_place_in_the_file() {
    let origin = origin();
    origin.fault(Fault::FlipBit { at: 150_000, bit: 3 }.on(PATH));
    let mut expected = content();
    expected[150_000] ^= 8;
    assert!(get(&origin, PATH, &[]).body == expected);
    assert!(ranged(&origin, "bytes=149999-150001").body == expected[149_999..150_002]);
    assert!(ranged(&origin, "bytes=0-149999").body == expected[..150_000]);
}

#[test]
fn pauses_last_at_least_as_long_as_asked() {
    let origin = origin();
    let pause = Duration::from_millis(60);
    let timed = |fault: Fault| {
        origin.heal();
        origin.fault(fault.on(PATH));
        let start = std::time::Instant::now();
        let got = get(&origin, PATH, &[("Range", "bytes=0-999")]);
        assert!(got.complete && got.body == content()[..1000]);
        start.elapsed()
    };
    assert!(timed(Fault::Stall { at: 500, pause }) >= pause);
    assert!(timed(Fault::Delay(pause)) >= pause);
    assert!(
        timed(Fault::Trickle(10_000)) >= Duration::from_millis(50),
        "the second half of 1000 bytes at 10,000 a second"
    );
}

#[test]
fn an_origin_that_stalls_still_stops() {
    let origin = origin();
    origin.fault(Fault::Stall { at: 10, pause: Duration::from_secs(3600) }.everywhere());
    let mut client = Client::new(&origin);
    client.send("GET", PATH, &[]);
    while origin.body_bytes() < 10 {
        std::thread::yield_now();
    }
    assert_eq!((origin.count(PATH), origin.max_concurrent()), (1, 1));
    drop(origin);
    assert!(!client.read(false).complete);
}

#[test]
fn statuses_and_pages() {
    let origin = origin();
    for status in [401, 403, 410, 500, 503] {
        origin.heal();
        origin.fault(Fault::Status(status).on(PATH).with_head());
        assert_eq!((get(&origin, PATH, &[]).status, head(&origin, PATH).status), (status, status));
    }
    for (fault, kind, start) in [
        (Fault::HtmlPage, "text/html; charset=utf-8", "<!DOCTYPE html>"),
        (Fault::XmlError, "application/xml", "<?xml"),
    ] {
        origin.heal();
        origin.fault(fault.on(PATH));
        let page = get(&origin, PATH, &[]);
        assert_eq!((page.status, page.header("content-type")), (200, Some(kind)));
        assert!(page.body.starts_with(start.as_bytes()) && page.complete);
        assert_eq!(head(&origin, PATH).header("content-type"), Some("application/octet-stream"), "GET only");
    }
    origin.heal();
    origin.fault(Fault::Redirect("/elsewhere".to_owned()).on(PATH));
    let moved = get(&origin, PATH, &[]);
    assert_eq!((moved.status, moved.header("location")), (302, Some("/elsewhere")));
}

#[test]
fn retry_after_in_all_forms() {
    let origin = origin();
    let with = |retry_after| {
        origin.heal();
        origin.fault(Fault::Busy(429, retry_after).on(PATH));
        let got = get(&origin, PATH, &[]);
        assert_eq!(got.status, 429);
        got.header("retry-after").map(str::to_owned)
    };
    assert_eq!(with(RetryAfter::Seconds(7)).as_deref(), Some("7"));
    assert_eq!(with(RetryAfter::Text("soon".to_owned())).as_deref(), Some("soon"));
    assert_eq!(with(RetryAfter::Absent), None);
    let date = with(RetryAfter::Date(Duration::from_secs(100))).unwrap();
    let then = httpdate::parse_http_date(&date).unwrap();
    let wait = then.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(101), "{wait:?}");
}

#[test]
fn ranges_that_go_wrong() {
    let origin = origin();
    let tag = get(&origin, PATH, &[]).header("etag").unwrap().to_owned();
    let resumed = || get(&origin, PATH, &[("Range", "bytes=100-199"), ("If-Range", &tag)]);
    assert_eq!(resumed().status, 206);

    origin.fault(Fault::NewEtag.on(PATH));
    let (one, two) = (resumed(), resumed());
    assert_eq!((one.status, one.body.len()), (200, 200_000), "If-Range does not hold");
    assert_ne!(one.header("etag"), two.header("etag"));
    origin.fault(Fault::IgnoreIfRange.on(PATH));
    let careless = resumed();
    assert_eq!((careless.status, careless.body.len()), (206, 100));
    assert_ne!(careless.header("etag"), Some(tag.as_str()));

    origin.heal();
    origin.fault(Fault::NoRange.on(PATH));
    let whole = resumed();
    assert_eq!((whole.status, whole.body.len(), whole.header("accept-ranges")), (200, 200_000, None));

    origin.heal();
    origin.fault(Fault::RangeNotSatisfiable.on(PATH));
    assert_eq!((resumed().status, get(&origin, PATH, &[]).status), (416, 200));

    origin.heal();
    origin.fault(Fault::Header("Content-Range", Some("bytes 0-99/200000".to_owned())).on(PATH).ranged());
    let lying = resumed();
    assert_eq!((lying.status, lying.header("content-range")), (206, Some("bytes 0-99/200000")));
    assert_eq!(lying.body, content()[100..200]);
    assert_eq!(get(&origin, PATH, &[]).header("content-range"), None);
}

#[test]
fn bodies_in_another_form() {
    let origin = origin();
    origin.fault(Fault::Gzip.on(PATH).first(1));
    let packed = get(&origin, PATH, &[]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.complete && gunzip(&packed.body).unwrap() == content());
    origin.fault(Fault::Chunked.on(PATH));
    let mut client = Client::new(&origin);
    for _ in 0..2 {
        let chunked = client.get(PATH);
        assert_eq!((chunked.header("content-length"), chunked.complete), (None, true));
        assert!(chunked.body == content());
    }
    origin.fault(Fault::CloseAt(70_000).on(PATH));
    let cut = get(&origin, PATH, &[]);
    assert_eq!((cut.body.len(), cut.complete), (70_000, false));
    origin.heal();
    origin.fault(Fault::Content(b"another version".to_vec()).on(PATH).after(1));
    let (old, new) = (get(&origin, PATH, &[]), get(&origin, PATH, &[]));
    assert!(old.body == content() && new.body == b"another version");
    assert_ne!(old.header("etag"), new.header("etag"));
    origin.fault(Fault::Header("ETag", None).on(PATH));
    assert_eq!(get(&origin, PATH, &[]).header("etag"), None);
}

#[test]
fn which_requests_are_hit() {
    let paths = ["a", "b", "c"];
    let origin = FaultOrigin::new(Files::memory(paths.map(|path| (path, "content"))));
    let statuses = |rounds: usize| {
        let ask = |_| paths.map(|path| u32::from(get(&origin, path, &[]).status == 500)).to_vec();
        (0..rounds).map(ask).collect::<Vec<_>>()
    };
    let fault = || Fault::Status(500);
    origin.fault(fault().everywhere().first(2));
    assert_eq!(statuses(3), [[1, 1, 1], [1, 1, 1], [0, 0, 0]]);
    origin.heal();
    origin.fault(fault().matching(|path| path != "b").every(2));
    assert_eq!(statuses(4), [[0, 0, 0], [1, 0, 1], [0, 0, 0], [1, 0, 1]]);
    origin.heal();
    origin.fault(fault().everywhere().every(4).together());
    assert_eq!(statuses(3), [[0, 0, 0], [1, 0, 0], [0, 1, 0]]);
    origin.heal();
    origin.fault(fault().on("/c").after(1));
    assert_eq!(statuses(2), [[0, 0, 0], [0, 0, 1]]);
    origin.heal();
    origin.fault(fault().everywhere().chance(0.5, 42));
    let once = statuses(20);
    origin.heal();
    origin.fault(fault().everywhere().chance(0.5, 42));
    assert_eq!(statuses(20), once);
    let hits: u32 = once.iter().flatten().sum();
    assert!((15..=45).contains(&hits), "{hits} of 60");
}

#[test]
fn a_rate_and_a_number_of_connections() {
    let origin = origin();
    // So slow that no token comes back while the test runs, however busy the machine.
    origin.limit_rate(RateLimit { per_second: 1e-6, burst: 3, retry_after: RetryAfter::Seconds(1) });
    let statuses: Vec<u16> = (0..5).map(|_| head(&origin, PATH).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(origin.count_status(429), 2);
    assert_eq!(head(&origin, PATH).header("retry-after"), Some("1"));
    origin.limit_rate(RateLimit { per_second: 1e6, burst: 1, retry_after: RetryAfter::Absent });
    assert_eq!(head(&origin, PATH).status, 200);

    origin.heal();
    let mut open = Client::new(&origin);
    assert_eq!(open.get(PATH).status, 200);
    origin.limit_connections(1);
    assert_eq!(get(&origin, PATH, &[]).status, 503);
    assert_eq!(open.get(PATH).status, 200);
    origin.forget();
    assert_eq!((origin.requests().len(), origin.count(PATH)), (0, 0));
}

#[test]
fn requests_at_once_are_counted() {
    let origin = origin();
    origin.fault(Fault::Delay(Duration::from_secs(3600)).everywhere());
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(&origin)).collect();
    clients.iter_mut().for_each(|client| client.send("GET", PATH, &[]));
    while origin.count(PATH) < 4 {
        std::thread::yield_now();
    }
    assert_eq!((origin.max_concurrent(), origin.max_connections()), (4, 4));
}
