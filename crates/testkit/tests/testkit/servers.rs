//! The real servers do what the tests that use them rely on.

use std::io::{Read, Write};
use std::net::TcpStream;

use coaddkit_testkit::{Nginx, Portal, Store, scratch};

/// The head and the body of an answer.
fn ask(base: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&answer[..end]).into_owned(), answer.split_off(end + 4))
}

#[test]
fn nginx_in_four_manners() {
    let dir = scratch().unwrap();
    std::fs::write(dir.path().join("a.fits"), vec![7; 5000]).unwrap();
    let portal = Portal { requests_per_second: 1, burst: 2, ..Portal::default() };
    let Some(nginx) = Nginx::start(dir.path(), &portal) else { return };
    let range = "Range: bytes=10-19\r\n";
    let (head, body) = ask(&nginx.plain(), "a.fits", range);
    assert!(head.starts_with("HTTP/1.1 206") && body == [7; 10], "{head}");
    assert!(head.contains("ETag: \"") && head.contains("Last-Modified: "), "{head}");
    let (head, body) = ask(&nginx.no_ranges(), "a.fits", range);
    assert!(head.starts_with("HTTP/1.1 200") && body.len() == 5000, "{head}");
    assert!(ask(&nginx.slow(), "a.fits", "").0.starts_with("HTTP/1.1 200"));
    assert!(ask(&nginx.plain(), "absent", "").0.starts_with("HTTP/1.1 404"));
    let heads: Vec<String> = (0..6).map(|_| ask(&nginx.polite(), "a.fits", "").0).collect();
    assert!(heads[0].starts_with("HTTP/1.1 200"), "{heads:?}");
    let busy = heads.iter().find(|head| head.starts_with("HTTP/1.1 429"));
    assert!(busy.is_some_and(|head| head.contains("Retry-After: 1")), "{heads:?}");
    assert!(nginx.count_status(429) > 0 && nginx.count_status(206) == 1);
}

#[test]
fn a_server_ends_when_it_is_dropped() {
    let dir = scratch().unwrap();
    let Some(nginx) = Nginx::start(dir.path(), &Portal::default()) else { return };
    let base = nginx.plain();
    let address = base.trim_start_matches("http://");
    assert!(TcpStream::connect(address).is_ok());
    drop(nginx);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn two_seaweedfs_side_by_side() {
    let (Some(one), Some(two)) = (Store::seaweedfs(), Store::seaweedfs()) else { return };
    assert_ne!(one.endpoint(), two.endpoint());
    for store in [&one, &two] {
        assert_eq!(store.objects().unwrap(), []);
        let absent = store.object("no/such/key").unwrap_err();
        assert!(absent.to_string().contains("404"), "{absent}");
        let (head, _) = ask(&store.endpoint(), store.bucket(), "");
        assert!(head.starts_with("HTTP/1.1 200"), "everybody may list: {head}");
    }
}

#[test]
fn s3s_fs_wants_a_signature() {
    let Some(store) = Store::s3s_fs() else { return };
    assert_eq!(store.objects().unwrap(), []);
    let (head, _) = ask(&store.endpoint(), store.bucket(), "");
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
}
