//! Real servers: an nginx as the portal, S3 stores as caches and as origins.

use coaddkit_testkit::{Nginx, Portal, Store};

use super::*;

/// Keys of a store below a prefix, from it on.
fn keys(store: &Store, prefix: &str) -> Vec<String> {
    let objects = store.objects().unwrap();
    objects.iter().filter_map(|(key, _)| key.strip_prefix(prefix)).map(str::to_owned).collect()
}

fn s3(store: &Store, args: &[&str], dir: &Path) -> (i32, Value) {
    let out = command(args, dir).envs(store.environment()).output().unwrap();
    let stdout = String::from_utf8(out.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    let report = stdout.lines().last().and_then(|line| serde_json::from_str(line).ok());
    (out.status.code().unwrap(), report.unwrap_or_else(|| panic!("{stdout}\n{stderr}")))
}

/// From an HTTP origin to a store, and from there on to a folder.
fn round(store: Option<Store>) {
    let Some(store) = store else { return };
    let (tree, dir) = (miniature(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let (names, source) = (names(&tree), origin.base());
    let to = ["fill", "--bricks", &names, "--source", &source, "--cache", "s3://cache/dr10/coadds", "--json"];
    let (code, report) = s3(&store, &[&to[..], &["--report", "report"]].concat(), dir.path());
    assert_eq!(code, 65, "{report}");
    assert_eq!((&report["counts"]["complete"], &report["counts"]["partial"]), (&8.into(), &2.into()));
    // Seen past our own client.
    let mut expected = Vec::new();
    for (path, bytes) in tree.files() {
        let (brick, name) = path[4..].split_once('/').unwrap();
        if name == "legacysurvey-1503p022-image-r.fits.fz" {
            expected.push(format!("_quarantine/{brick}/{name}"));
            expected.push(format!("_quarantine/{brick}/{name}.reason.json"));
        } else {
            assert!(store.object(&format!("dr10/coadds/{brick}/{name}")).unwrap() == bytes, "{name}");
            expected.push(format!("{brick}/{name}"));
        }
    }
    let rows = std::fs::read_to_string(dir.path().join("report/assets_manifest.csv")).unwrap();
    let complete: Vec<&str> =
        rows.lines().filter(|row| row.contains(",complete,")).map(|r| &r[..8]).collect();
    expected.extend(complete.iter().map(|brick| format!("{brick}/_SUCCESS")));
    expected.sort();
    assert_eq!(keys(&store, "dr10/coadds/"), expected);
    assert!(rows.contains(",s3://cache/dr10/coadds/0001p000/,"), "{rows}");

    // A rerun asks for what is absent and what is damaged, and nothing else.
    origin.forget();
    assert_eq!(s3(&store, &to, dir.path()).0, 65);
    let asked: Vec<String> =
        origin.requests().into_iter().map(|e| format!("{} {}", e.status, e.path)).collect();
    assert_eq!(asked.len(), 11 + 2, "{asked:#?}");
    assert_eq!(keys(&store, "dr10/coadds/"), expected);

    // The store's own look at itself.
    let list = complete.join(",");
    let look =
        ["verify", "--bricks", &list, "--cache", "s3://cache/dr10/coadds", "--level", "pixels", "--json"];
    let (code, report) = s3(&store, &look, dir.path());
    assert_eq!((code, &report["completeness"]["status"]), (0, &"PASS".into()), "{report}");
    assert_eq!(report["completeness"]["extra_bricks"], 3);

    // Stamps come from there too.
    let cut = [
        "--cache",
        "s3://cache/dr10/coadds",
        "--ra",
        "0.0003",
        "--dec",
        "0.02",
        "--size",
        "16",
        "--npz",
        "a.npz",
    ];
    let mut cutout = Command::new(env!("CARGO_BIN_EXE_cutout"));
    let out = cutout.args(cut).current_dir(dir.path()).envs(store.environment()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(dir.path().join("a.npz").is_file());

    // A cache in the portal's layout is an origin for another one.
    for (path, bytes) in whole().files() {
        let to = dir.path().join("tree").join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
    let list = super::names(&whole());
    let to = ["fill", "--bricks", &list, "--source", "tree", "--cache", "s3://cache/again", "--json"];
    let (code, report) = s3(&store, &to, dir.path());
    assert_eq!((code, &report["counts"]["complete"]), (0, &3.into()), "{report}");
}

#[test]
fn seaweedfs() {
    round(Store::seaweedfs());
}

#[test]
fn s3s_fs() {
    round(Store::s3s_fs());
}

#[test]
fn nginx_as_the_portal() {
    let (tree, dir) = (miniature(), tempfile::tempdir().unwrap());
    tree.write(&dir.path().join("tree")).unwrap();
    let Some(nginx) = Nginx::start(&dir.path().join("tree"), &Portal::default()) else { return };
    let names = names(&tree);
    for (portal, cache) in
        [(nginx.plain(), "plain"), (nginx.no_ranges(), "whole"), (nginx.polite(), "polite")]
    {
        let args = ["fill", "--bricks", &names, "--source", &portal, "--cache", cache, "--json"];
        let ran = run(COADD_CACHE, &args, dir.path());
        assert_eq!(ran.code, 65, "{}", ran.stderr);
        for (path, bytes) in tree.files() {
            let (brick, name) = path[4..].split_once('/').unwrap();
            let there = std::fs::read(dir.path().join(cache).join(brick).join(name));
            assert!(
                (name != "legacysurvey-1503p022-image-r.fits.fz").then_some(bytes) == there.ok(),
                "{name}"
            );
        }
    }
    assert!(nginx.count_status(429) <= 8, "{}", nginx.count_status(429));
}
