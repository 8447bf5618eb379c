//! Samples of a pool, their gates and reports.

use super::*;

/// A pool of two sweeps, and positives that are few enough for it.
pub(super) fn survey(dir: &Path) -> (PathBuf, PathBuf) {
    let out = dir.join("pool");
    pool(relaxed(), &sweeps(dir, 6000), &no_lenses(dir), &out);
    let mut positives = "type,nobs_z,ra,dec\n".to_owned();
    for (kind, nobs, n) in [("REX", 4, 3), ("DEV", 4, 1), ("SER", 4, 1), ("REX ", 8, 2)] {
        positives.push_str(&format!("{kind},{nobs},10,-80\n").repeat(n));
    }
    (out, file(dir, "positives.csv", &positives))
}

fn sample(dir: &Path, draw: &Draw, pool: &Path, positives: &Path, name: &str) -> (Drawn, PathBuf) {
    let out = dir.join(name);
    let drawn = draw.run(pool, positives, &out, &()).unwrap();
    (drawn, out)
}

/// What a sample should be: sort all of a stratum, take the first.
fn by_hand(pool: &Path, drawn: &Drawn, seed: i64) -> BTreeSet<String> {
    let mut strata: BTreeMap<(String, String, String), Vec<(u64, String)>> = BTreeMap::new();
    let (ids, bins, kinds, pools) =
        (texts(pool, "galaxy_id"), texts(pool, "nobs_z_bin"), texts(pool, "type_bin"), texts(pool, "pool"));
    for i in 0..ids.len() {
        let key = (bins[i].clone(), kinds[i].clone(), pools[i].clone());
        strata.entry(key).or_default().push((SeededHash::new(seed).text(&ids[i]), ids[i].clone()));
    }
    strata.values_mut().for_each(|s| s.sort());
    let mut all = BTreeSet::new();
    for s in &drawn.strata {
        let get = |pool: &str| {
            strata
                .get(&(s.nobs_z_bin.clone(), s.type_bin.clone(), pool.to_owned()))
                .cloned()
                .unwrap_or_default()
        };
        let (n1, n2) = (get("N1"), get("N2"));
        let wanted_n1 = (s.target as usize * 85) / 100;
        let wanted_n2 = s.target as usize - wanted_n1;
        let n2: Vec<_> = n2.into_iter().take(wanted_n2).collect();
        let fill = wanted_n2 - n2.len();
        all.extend(n1.into_iter().take(wanted_n1 + fill).chain(n2).map(|(_, id)| id));
    }
    all
}

#[test]
fn a_sample_is_the_first_of_every_stratum() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let (drawn, out) = sample(dir.path(), &draw(relaxed()), &pool, &positives, "s.parquet");
    assert!(drawn.written, "{:#?}", drawn.validation.gates);
    assert_eq!((drawn.positives, drawn.rows), (7, 70));
    let rex =
        drawn.strata.iter().find(|s| (s.nobs_z_bin.as_str(), s.type_bin.as_str()) == ("3-5", "REX")).unwrap();
    assert_eq!((rex.positives, rex.target, rex.n1_target, rex.n2_target), (3, 30, 25, 5));
    let ids = texts(&out, "galaxy_id");
    assert!(ids.is_sorted());
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), by_hand(&pool, &drawn, 42));
    let source = Source::open(&out).unwrap();
    assert_eq!(source.columns().unwrap().len(), 50);
    let targets = source.metadata().unwrap().into_iter().find(|(k, _)| k == "coaddkit.targets").unwrap().1;
    assert!(targets.contains("\"n1_target\":25"));

    // Another seed: another sample, the same splits.
    let other = Draw { seed: Some(7), ..draw(relaxed()) };
    let (drawn7, out7) = sample(dir.path(), &other, &pool, &positives, "s7.parquet");
    let ids7: BTreeSet<_> = texts(&out7, "galaxy_id").into_iter().collect();
    assert_eq!(ids7, by_hand(&pool, &drawn7, 7));
    assert_ne!(ids7, by_hand(&pool, &drawn, 42));
    let validation = Validate::new(&relaxed()).file(&out7, &()).unwrap();
    assert!(
        validation.gates.iter().filter(|g| g.name == "splits" || g.name == "row_count").all(|g| g.passed)
    );
}

#[test]
fn n2_is_filled_up_from_n1_and_n1_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, _) = survey(dir.path());
    // As many positives as make every N2 run out, and in one stratum N1 too.
    let positives = file(
        dir.path(),
        "many.csv",
        &("type_bin,nobs_z_bin\n".to_owned() + &"REX,3-5\n".repeat(60) + &"SER,6-10\n".repeat(100)),
    );
    let error = draw(relaxed()).run(&pool, &positives, &dir.path().join("s.parquet"), &()).map(|d| d.written);
    assert!(!error.unwrap(), "too few rows are a critical gate");
    assert!(!dir.path().join("s.parquet").exists());
    let drawn = draw(relaxed()).run(&pool, &positives, &dir.path().join("s.parquet"), &()).unwrap();
    for s in &drawn.strata {
        assert!(s.n2 == s.n2_available.min(s.n2_target) && s.n1 <= s.n1_available);
        assert_eq!(s.backfill, (s.n2_target - s.n2).min(s.n1_available - s.n1_target.min(s.n1_available)));
    }
    let ser = drawn.strata.iter().find(|s| s.type_bin == "SER").unwrap();
    assert!(ser.n1 == ser.n1_available && ser.n1 + ser.n2 < ser.target && ser.backfill == 0, "{ser:?}");
}

/// The pool again, its rows in another order and other files.
pub(super) fn reshard(pool: &Path, out: &Path, files: usize, seed: u64) {
    std::fs::create_dir(out).unwrap();
    let mut rng = Rng::new(seed);
    let mut slices = Vec::new();
    for batch in batches(pool) {
        let mut at = 0;
        while at < batch.num_rows() {
            let n = (1 + rng.below(700) as usize).min(batch.num_rows() - at);
            slices.push(batch.slice(at, n));
            at += n;
        }
    }
    for i in (1..slices.len()).rev() {
        slices.swap(i, rng.below(i as u32 + 1) as usize);
    }
    for (k, part) in slices.chunks(slices.len().div_ceil(files)).enumerate() {
        let path = out.join(format!("{k}.parquet"));
        let mut writer =
            TableWriter::create(&path, &NEGATIVE_POOL, &Layout::default(), &Provenance::new()).unwrap();
        part.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    }
    std::fs::write(out.join("_SUCCESS"), "").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn shards_and_threads_change_no_sample(seed in any::<u64>(), files in 1_usize..7, threads in 1_usize..5, spark in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let (pool, positives) = survey(dir.path());
        let mut draw = draw(relaxed());
        draw.ranking = if spark { Ranking::SparkMurmur3 } else { Ranking::Xxh3 };
        let (_, whole) = sample(dir.path(), &draw, &pool, &positives, "whole.parquet");
        let cut = dir.path().join("cut");
        reshard(&pool, &cut, files, seed);
        let (_, other) = on_threads(threads, || sample(dir.path(), &draw, &cut, &positives, "other.parquet"));
        prop_assert!(compare(&whole, &other, &()).unwrap().is_same());
    }
}

#[test]
fn galaxies_that_stand_twice_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let twice = dir.path().join("twice");
    std::fs::create_dir(&twice).unwrap();
    std::fs::write(twice.join("_SUCCESS"), "").unwrap();
    for (name, to) in
        [("sweep-150p000-155p005.parquet", "a.parquet"), ("sweep-150p000-155p005.parquet", "b.parquet")]
    {
        std::fs::copy(pool.join(name), twice.join(to)).unwrap();
    }
    let error = draw(relaxed()).run(&twice, &positives, &dir.path().join("s.parquet"), &()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadData);
    assert!(
        error.to_string().contains("stands here twice: row ") && error.to_string().contains("b.parquet"),
        "{error}"
    );
    for (text, says) in [
        ("name,ra\nx,1\n", "has neither type_bin and nobs_z_bin nor type and nobs_z; there are: name, ra"),
        ("type,nobs_z\n", "holds no positive"),
        ("type_bin,nobs_z_bin\nOTHER,1-2\n", "no galaxy of the pool is in a stratum of the positives"),
    ] {
        let positives = file(dir.path(), "odd.csv", text);
        let error = draw(relaxed()).run(&pool, &positives, &dir.path().join("s.parquet"), &()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(!dir.path().join("s.parquet").exists());
}

#[test]
fn gates_see_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let (_, out) = sample(dir.path(), &draw(relaxed()), &pool, &positives, "s.parquet");
    let source = Source::open(&out).unwrap();
    let rows = source.read(NEGATIVE_SAMPLE.fields()).unwrap();
    let good = &rows[0].batch;
    let failing = |name: &str, change: &dyn Fn(&mut Vec<ArrayRef>)| {
        let mut columns = good.columns().to_vec();
        change(&mut columns);
        // Everything may be null here: bad files are what the gates are for.
        let fields: Vec<_> = NEGATIVE_SAMPLE.fields().iter().map(|f| f.null("")).collect();
        let schema = coaddkit_manifest::Schema::new("negative_sample", 1, &fields);
        let path = dir.path().join("bad.parquet");
        let mut writer = TableWriter::create(&path, &schema, &Layout::default(), &Provenance::new()).unwrap();
        writer.write(&RecordBatch::try_new(schema.arrow(), columns).unwrap()).unwrap();
        writer.finish().unwrap();
        let mut validate = Validate::new(&relaxed());
        validate.positives = vec![coaddkit_sky::SkyCoord::from_degrees(10.0, -80.0).unwrap()];
        let validation = validate.file(&path, &()).unwrap();
        let failed: Vec<_> = validation
            .gates
            .iter()
            .filter(|g| !g.passed && g.severity == Severity::Critical)
            .map(|g| g.name.clone())
            .collect();
        let expected = name.is_empty() || failed.iter().any(|f| f == name);
        assert!(expected, "{name}: {failed:?}");
        failed
    };
    let base = failing("", &|_| {});
    assert!(base.is_empty() || base == ["split_shares_far_off"], "{base:?}");
    let at = |name: &str| NEGATIVE_SAMPLE.index_of(name).unwrap();
    let text = |c: &ArrayRef, change: &dyn Fn(usize, &str) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(
            c.as_string::<i32>().iter().enumerate().map(|(i, v)| v.and_then(|v| change(i, v))),
        ))
    };
    let set = |c: &mut Vec<ArrayRef>, name: &str, change: &dyn Fn(usize, &str) -> Option<String>| {
        c[at(name)] = text(&c[at(name)], change)
    };
    failing("no_duplicates", &|c| {
        set(c, "galaxy_id", &|i, v| Some(if i < 2 { "same".into() } else { v.into() }))
    });
    failing("no_nulls", &|c| set(c, "pool", &|i, v| (i != 3).then(|| v.into())));
    failing("splits", &|c| set(c, "split", &|_, v| Some(if v == "train" { "test" } else { "train" }.into())));
    failing("classes", &|c| set(c, "type_bin", &|i, v| Some(if i == 5 { "OTHER".into() } else { v.into() })));
    failing("types", &|c| set(c, "type", &|i, v| Some(if i == 5 { "PSF".into() } else { v.into() })));
    failing("cells", &|c| {
        let cells = c[at("healpix_64")].as_primitive::<Int64Type>().unary::<_, Int64Type>(|v| v + 1);
        c[at("healpix_64")] = Arc::new(cells);
    });
    failing("z_mag", &|c| {
        let mags = c[at("mag_z")].as_primitive::<Float32Type>().unary::<_, Float32Type>(|v| v + 3.0);
        c[at("mag_z")] = Arc::new(mags);
    });
    failing("exposures", &|c| {
        c[at("nobs_z")] = Arc::new(c[at("nobs_z")].as_primitive::<Int32Type>().unary::<_, Int32Type>(|_| 2))
    });
    failing("maskbits", &|c| {
        c[at("maskbits")] =
            Arc::new(c[at("maskbits")].as_primitive::<Int32Type>().unary::<_, Int32Type>(|_| 1 << 12))
    });
    failing("ra_range", &|c| {
        c[at("ra")] = Arc::new(Float64Array::from_iter_values(
            c[at("ra")].as_primitive::<Float64Type>().values().iter().map(|v| v + 300.0),
        ))
    });
    failing("known_lenses", &|c| {
        c[at("ra")] = Arc::new(Float64Array::from(vec![10.0; c[0].len()]));
        c[at("dec")] = Arc::new(Float64Array::from(vec![-80.003; c[0].len()]));
    });
    // A file of other columns.
    let csv = Validate::new(&relaxed()).file(&positives, &()).unwrap();
    assert_eq!((csv.gates.len(), csv.is_fatal()), (1, true));
    assert!(csv.gates[0].found.starts_with("galaxy_id is missing; "), "{}", csv.gates[0].found);
}

#[test]
fn a_report_has_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let (drawn, _) = sample(dir.path(), &draw(relaxed()), &pool, &positives, "s.parquet");
    let folder = dir.path().join("report");
    drawn.validation.write(&folder).unwrap();
    assert_eq!(
        names(&folder),
        [
            "magnitude.png",
            "nobs.png",
            "pool.png",
            "report.json",
            "report.md",
            "sky.png",
            "split.png",
            "type.png"
        ]
    );
    for name in names(&folder).iter().filter(|n| n.ends_with(".png")) {
        let decoder =
            png::Decoder::new(std::io::BufReader::new(std::fs::File::open(folder.join(name)).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let colors: BTreeSet<_> = pixels.chunks(3).collect();
        assert!(colors.len() > 2, "{name} is empty");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    for key in [
        "timestamp",
        "total_rows",
        "unique_galaxies",
        "pool_distribution",
        "split_distribution",
        "type_distribution",
        "nobs_distribution",
        "ra_range",
        "dec_range",
        "git_commits",
    ] {
        assert!(!json[key].is_null(), "{key}");
    }
    let text = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(text.contains("| row_count | critical | yes | 63 or more, 90 % of 70 | 70 |"), "{text}");
}

#[test]
fn positives_get_the_strata_of_their_rows() {
    let dir = tempfile::tempdir().unwrap();
    let files = sweeps(dir.path(), 2000);
    let out = dir.path().join("pool");
    pool(deep(""), &files, &no_lenses(dir.path()), &out);
    let (ids, ra, dec, kinds, bins) = (
        texts(&out, "galaxy_id"),
        reals(&out, "ra"),
        reals(&out, "dec"),
        texts(&out, "type_bin"),
        texts(&out, "nobs_z_bin"),
    );
    let pick: Vec<usize> = (0..ids.len()).step_by(ids.len() / 5).collect();
    let mut csv = "RA,DEC\n1,1\n".to_owned();
    pick.iter().for_each(|&i| csv.push_str(&format!("{:?},{:?}\n", ra[i], dec[i] + 0.5 / 3600.0)));
    let lenses = file(dir.path(), "lenses.csv", &csv);
    let matched = dir.path().join("matched.parquet");
    let job = MatchPositives { config: deep(""), radius_arcsec: 1.0 };
    let report = job.run(&files, &[lenses], &matched, &()).unwrap();
    assert_eq!(
        (report.positives, report.matched, report.sweeps),
        (1 + pick.len() as u64, pick.len() as u64, 2)
    );
    let rows =
        Source::open(&matched).unwrap().read(coaddkit_manifest::negatives::POSITIVES.fields()).unwrap();
    let text = |i: usize| {
        rows[0].batch.column(i).as_string::<i32>().iter().map(|v| v.unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of = |all: &[String]| pick.iter().map(|&i| all[i].clone()).collect::<Vec<_>>();
    assert_eq!(text(3), of(&ids));
    assert_eq!(text(7), of(&kinds));
    assert_eq!(text(8), of(&bins));
    let apart = rows[0].batch.column(4).as_primitive::<Float64Type>();
    assert!(apart.values().iter().all(|a| (a - 0.5).abs() < 1e-6));
}

/// Without the rows of one sweep the strata would be others.
#[test]
fn positives_are_written_when_every_sweep_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let files = sweeps(dir.path(), 500);
    let out = dir.path().join("pool");
    pool(deep(""), &files, &no_lenses(dir.path()), &out);
    let (ra, dec) = (reals(&out, "ra")[0], reals(&out, "dec")[0]);
    let lenses = file(dir.path(), "lenses.csv", &format!("RA,DEC\n{ra:?},{dec:?}\n"));
    let bytes = std::fs::read(&files[1]).unwrap();
    std::fs::write(&files[1], &bytes[..bytes.len() / 2]).unwrap();
    let matched = dir.path().join("matched.parquet");
    let job = MatchPositives { config: deep(""), radius_arcsec: 1.0 };
    let report = job.run(&files, &[lenses], &matched, &()).unwrap();
    assert_eq!((report.sweeps, report.matched, report.failed.len()), (1, 1, 1));
    assert!(!matched.exists());
}

/// What lies in the folder of a pool and is not of it would be in every sample.
#[test]
fn a_pool_is_of_the_sweeps_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (out, positives) = survey(dir.path());
    let files: Vec<PathBuf> = {
        let mut all: Vec<PathBuf> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.retain(|path| path.extension().is_some_and(|e| e == "fits"));
        all.sort();
        all
    };
    let lenses = no_lenses(dir.path());
    let mut fewer = pool_of(relaxed());
    let refused = fewer.run(&files[..1], std::slice::from_ref(&lenses), &out, &()).unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Usage);
    assert!(
        refused.to_string().contains("the products of 1 other sweeps, sweep-155p000-160p005.parquet"),
        "{refused}"
    );
    fewer.force = true;
    fewer.run(&files[..1], &[lenses], &out, &()).unwrap();
    assert_eq!(names(&out), ["_SUCCESS", "sweep-150p000-155p005.parquet"]);
    // Somebody copies another one in.
    let own = out.join("sweep-150p000-155p005.parquet");
    std::fs::copy(&own, out.join("other.parquet")).unwrap();
    let sample = dir.path().join("sample.parquet");
    let refused = draw(relaxed()).run(&out, &positives, &sample, &()).unwrap_err();
    assert!(
        refused.to_string().contains("other.parquet is there, but _SUCCESS does not name it"),
        "{refused}"
    );
    std::fs::remove_file(out.join("other.parquet")).unwrap();
    std::fs::remove_file(own).unwrap();
    let refused = draw(relaxed()).run(&out, &positives, &sample, &()).unwrap_err();
    assert!(
        refused.to_string().contains("_SUCCESS names sweep-150p000-155p005.parquet, which is not"),
        "{refused}"
    );
}

#[test]
fn mistakes_in_a_configuration_name_the_key() {
    let refused = |from: &str, to: &str, says: &str| {
        assert!(CONFIG.contains(from), "{from}");
        let error = CONFIG.replacen(from, to, 1).parse::<SamplingConfig>().unwrap_err();
        assert!(error.class() == ErrorClass::BadData && error.to_string().contains(says), "{error}");
    };
    refused("[85, 15]", "[85, 16]", "negative_pools.n1_n2_ratio: 85 and 16 are not 100 together");
    refused("train: 0.70", "train: 0.75", "spatial_splits.allocations: ");
    refused("neg_pos_ratio", "neg_pos_rato", "unknown field `neg_pos_rato`");
    refused("nside: 128", "nside: 100", "spatial_splits.nside: ");
    refused("nside: 128", "nside: large", "spatial_splits.nside: invalid type: string \"large\"");
    refused("[3, 5]", "[4, 5]", "negative_pools.pool_n1.nobs_z_bins: leaves out 3");
    refused("DEV", "SERSIC", "negative_pools.pool_n1.galaxy_types: has SERSIC, which is no type");
    refused("[3, 5]", "[2, 5]", "negative_pools.pool_n1.nobs_z_bins: ");
    refused("sha256_modulo", "md5", "spatial_splits.hash_method: must be sha256_modulo");
    refused("12, 13]", "12, 12]", "exclusion.exclude_maskbits: has 12 twice");
    refused(
        "z_mag_limit: 20.0",
        "z_mag_limit: .nan",
        "negative_pools.pool_n1.z_mag_limit: is no finite number",
    );
    refused("version: \"1.0.0\"", "version: \"1.0.0\"\nversion: \"2\"", "duplicated key");
    refused(
        "version: \"1.0.0\"",
        "version: \"1.0.0\"\nfilters: {dec_min: 5, dec_max: 5}",
        "filters.dec_min: is 5, not below dec_max, 5",
    );
    refused(
        "version: \"1.0.0\"",
        "schema: {level1_manifest: [{name: ra, type: float32, nullable: false}]}\nversion: \"1\"",
        "schema.level1_manifest.ra: is float32, but float64 is written",
    );
    let example = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configs/negative_sampling_v1.yaml"),
    )
    .unwrap();
    let example: SamplingConfig = example.parse().unwrap();
    assert_eq!(example.filters, config("").filters);
    assert_ne!(example.sha256(), config("").sha256());
    // Comments change nothing, values do.
    assert_eq!(config("# a comment\n").sha256(), config("").sha256());
    assert_ne!(deep("").sha256(), config("").sha256());
}
