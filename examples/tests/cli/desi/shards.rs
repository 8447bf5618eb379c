//! Split over processes, and put together again.

use super::*;
use coaddkit_testkit::{DESI_INVENTORY, write_desi_survey};

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let inventory = DESI_INVENTORY;
    let mut args = vec!["run", "--inventory", inventory, "--source", ".", "--out", out, "--json", "--quiet"];
    args.extend(more);
    args
}

#[test]
fn shards_give_what_one_process_gives() {
    let dir = tempfile::tempdir().unwrap();
    write_desi_survey(dir.path(), 4, 12, 12).unwrap();
    assert_eq!(desi(&args("one", &[]), dir.path()).code, 0);
    assert_eq!(desi(&["merge", "one", "--out", "one.csv"], dir.path()).code, 0);
    for i in ["2", "0"] {
        assert_eq!(desi(&args("many", &["--shards", "3", "--shard", i]), dir.path()).code, 0);
    }
    let again = desi(&args("many", &["--shards", "3", "--shard", "0", "--report", "report"]), dir.path());
    // What the shard did, and no other.
    assert_eq!((again.code, again.report()["totals"]["pixels"].as_u64()), (0, Some(4)), "{}", again.stderr);
    assert_eq!(fs::read_to_string(dir.path().join("report/pixels.csv")).unwrap().lines().count(), 5);
    let logs = names(&dir.path().join("many/logs"));
    assert_eq!(logs.len(), 2, "{logs:?}");
    for i in [0, 2] {
        assert!(logs.iter().any(|log| log.ends_with(&format!("_shard-{i:05}-of-00003.log"))), "{logs:?}");
    }
    let early = desi(&["merge", "many", "--out", "many.csv"], dir.path());
    assert!(early.code == 66 && early.stderr.contains("missing of 3 shards: 1"), "{}", early.stderr);
    assert!(!dir.path().join("many.csv").exists());
    assert_eq!(desi(&args("many", &["--shards", "3", "--shard", "1"]), dir.path()).code, 0);
    // The same shard again changes nothing.
    let again = desi(&args("many", &["--shards", "3", "--shard", "1"]), dir.path());
    assert_eq!((again.code, again.report()["to_do"].as_u64()), (0, Some(0)));
    let merged = desi(&["merge", "many", "--out", "many.csv", "--json"], dir.path());
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    let [one, many] =
        ["one", "many"].map(|name| fs::read_to_string(dir.path().join(format!("{name}.csv"))).unwrap());
    assert!(one == many && one.lines().count() == 13, "{many}");
    let head =
        "survey,program,pixel,outcome,rows,fits_bytes,parquet_bytes,reduction_percent,path,sha256,reason\n";
    assert!(one.starts_with(head), "{one}");
    let tables = |name: &str| below(&dir.path().join(name).join("main"));
    assert_eq!(tables("one"), tables("many"));
    for name in tables("one") {
        let read = |out: &str| fs::read(dir.path().join(out).join("main").join(&name)).unwrap();
        assert!(read("one") == read("many"), "{name}");
    }
    let other = desi(&args("many", &["--shards", "4", "--shard", "3"]), dir.path());
    let merged = desi(&["merge", "many", "--out", "many.csv"], dir.path());
    assert!(other.code != 0 || merged.code == 65, "{} {}", other.stderr, merged.stderr);
}
