//! Fills killed at random moments.

use std::time::Duration;

use coaddkit_testkit::{Fault, Kills};

use super::*;

/// Kills, unless the environment asks for more.
const KILLS: u32 = 20;

/// Whatever the moment: what has a final name is whole, a marker vouches for what is there, and the next run goes on.
#[test]
fn a_killed_fill_loses_nothing_and_the_next_goes_on() {
    let count = std::env::var("COADDKIT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let (tree, dir) = (CoaddTree::miniature(1), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    // Slow enough to be killed in the middle of files.
    origin.fault(Fault::Trickle(150_000).everywhere());
    let files = tree.files();
    let total: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let largest = files.iter().map(|(_, bytes)| bytes.len() as u64).max().unwrap();
    let (names, source) = (names(&tree), origin.base());
    let args = ["fill", "--bricks", &names, "--source", &source, "--cache", "cache", "--quiet"];
    let whole = |brick: &str, name: &str| {
        let (path, body) = files.iter().find(|(path, _)| path.ends_with(&format!("/{brick}/{name}")))?;
        (path != "150/1503p022/legacysurvey-1503p022-image-r.fits.fz").then_some(body)
    };
    let check = |cache: &Path| {
        for found in below(cache) {
            let parts: Vec<&str> = found.iter().map(|part| part.to_str().unwrap()).collect();
            match parts[..] {
                [brick, "_SUCCESS"] => {
                    let marker = json(&cache.join(&found));
                    let promised = marker["files"].as_array().unwrap();
                    assert_eq!(promised.len(), 7, "{brick}");
                    for file in promised {
                        let name = file["name"].as_str().unwrap();
                        let there = std::fs::read(cache.join(brick).join(name)).unwrap();
                        assert_eq!(file["bytes"], there.len() as u64, "{brick}/{name}");
                    }
                }
                [_, name] if name.starts_with('.') => {}
                [brick, name] => {
                    let there = std::fs::read(cache.join(&found)).unwrap();
                    assert!(whole(brick, name) == Some(&there), "{brick}/{name}");
                }
                _ => assert_eq!(parts[..2], ["_quarantine", "1503p022"], "{found:?}"),
            }
        }
    };
    let cache = dir.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    // Around each kill there is a run that gets some way.
    let kills = Kills { seed: 11, count, within: Duration::from_millis(900) };
    let summary = kills.run(|| command(&args, dir.path()), |_| check(&cache)).unwrap();
    assert!(summary.killed >= count / 4, "{summary:?}");
    assert_eq!(summary.last.status.code(), Some(65), "{}", String::from_utf8_lossy(&summary.last.stderr));
    check(&cache);
    let left: Vec<PathBuf> =
        below(&cache).into_iter().filter(|p| p.to_string_lossy().contains(".part-")).collect();
    assert!(left.is_empty(), "{left:?}");
    // Each kill costs at most what was on its way, and the damaged file comes twice a run.
    let again = origin.body_bytes().saturating_sub(total);
    let most = u64::from(count) * (8 + 2) * largest;
    assert!(again <= most, "{again} bytes came twice, {most} may");
    assert_eq!(below(&cache).iter().filter(|p| p.ends_with("_SUCCESS")).count(), 8);
}
