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

/// The account, the tables and the logs in a bucket; the disk holds a batch of files.
#[test]
fn a_bucket_is_enough() {
    let Some(store) = coaddkit_testkit::Store::s3s_fs() else { return };
    let dir = tempfile::tempdir().unwrap();
    write_desi_survey(dir.path(), 4, 6, 12).unwrap();
    assert_eq!(desi(&args("one", &[]), dir.path()).code, 0);
    assert_eq!(desi(&["merge", "one", "--out", "one.csv"], dir.path()).code, 0);
    let far = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_desi-tiles"));
        let out = command.args(args).current_dir(dir.path()).envs(store.environment()).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    const OUT: &str = "s3://cache/qsos";
    assert_eq!(far(&["status", OUT, "--unfinished", "--shards", "2"]), "0-1\n");
    for i in ["0", "1"] {
        far(&args(OUT, &["--shards", "2", "--shard", i]));
    }
    assert!(far(&args(OUT, &["--shards", "2", "--shard", "0"])).contains("\"to_do\":0"));
    assert!(far(&["verify", OUT]).contains("products of 6 pixels are good"));
    far(&["merge", OUT, "--out", "s3://cache/qsos/pixels.csv"]);
    let there = store.folder().unwrap().join("qsos");
    let read = |path: std::path::PathBuf| fs::read(path).unwrap();
    assert!(read(there.join("pixels.csv")) == read(dir.path().join("one.csv")));
    let tables = below(&dir.path().join("one/main"));
    assert_eq!(below(&there.join("main")), tables);
    for name in tables {
        assert!(read(there.join("main").join(&name)) == read(dir.path().join("one/main").join(&name)));
    }
    assert_eq!(names(&there.join("logs")).len(), 2);
}
