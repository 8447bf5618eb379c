//! `coadd-cache stats`.

use crate::args::{Refused, StatsArgs, cache, files, refused};
use coaddkit_cache::{CacheError, CoaddCache, ImageStats, Product};
use coaddkit_examples::{Common, Exit, Run, Table, print};
use serde_json::{Value, json};

pub fn stats(args: &StatsArgs) -> Exit {
    let (mut run, common) = (Run::start("coadd-cache stats"), &args.common);
    let found = match look(args) {
        Ok(found) => found,
        Err((exit, why)) => return run.refuse(common, exit, &why),
    };
    let mut exit = Exit::Complete;
    let mut rows = Vec::new();
    for (product, stats) in found {
        match stats {
            Ok(stats) => rows.push((product, stats)),
            Err(error) => {
                let (one, why) = refused(error);
                exit = exit.worse(one);
                eprintln!("{why}");
                run.failed_item(&product.file_name(args.brick), &args.cache, why);
            }
        }
    }
    run.counts.insert("done", rows.len() as u64);
    run.extra.insert("files".into(), rows.iter().map(|(product, stats)| json_of(*product, stats)).collect());
    show(common, &rows);
    run.end(common, exit)
}

type Looked = Vec<(Product, Result<ImageStats, CacheError>)>;

/// Every file of the brick; sizes of the point-spread function where the cache has them.
fn look(args: &StatsArgs) -> Result<Looked, Refused> {
    let files = files(&args.bands)?.with_psfsize();
    let cache = cache(&args.cache, args.no_sign_request)?;
    let all = files.products().iter().filter_map(|&product| {
        let stats = cache.stats(args.brick, product, psf_width(&cache, args, product));
        let optional = matches!(product, Product::PsfSize(_));
        (!(optional && matches!(stats, Err(CacheError::Missing { .. })))).then_some((product, stats))
    });
    Ok(all.collect())
}

/// The median width of the point-spread function in the band of an inverse variance.
fn psf_width(cache: &CoaddCache, args: &StatsArgs, product: Product) -> Option<f64> {
    let Product::Invvar(band) = product else { return None };
    cache.stats(args.brick, Product::PsfSize(band), None).ok().map(|stats| stats.median)
}

fn show(common: &Common, rows: &[(Product, ImageStats)]) {
    if common.quiet || common.json {
        return;
    }
    let head =
        ["file", "shape", "type", "min", "max", "mean", "std", "noise (MAD)", "NaN", "depth 5σ", "centre"];
    let mut table = Table::new(head);
    for (product, stats) in rows {
        let center =
            stats.center.map_or("–".to_owned(), |c| format!("{:.5} {:+.5}", c.ra_deg(), c.dec_deg()));
        table.row([
            product.to_string(),
            format!("{} × {}", stats.shape[0], stats.shape[1]),
            stats.dtype.clone(),
            format!("{:.4}", stats.min),
            format!("{:.4}", stats.max),
            format!("{:.5}", stats.mean),
            format!("{:.5}", stats.std),
            format!("{:.5}", stats.mad_sigma),
            Table::number(stats.nan),
            stats.depth.map_or(String::new(), |depth| format!("{depth:.2}")),
            center,
        ]);
    }
    print(&format!("{table}\n"));
}

fn json_of(product: Product, stats: &ImageStats) -> Value {
    json!({
        "product": product.to_string(), "shape": stats.shape, "dtype": stats.dtype, "min": stats.min,
        "max": stats.max, "mean": stats.mean, "std": stats.std, "median": stats.median,
        "mad_sigma": stats.mad_sigma, "nan": stats.nan, "zero": stats.zero, "depth_5sigma": stats.depth,
        "ra_deg": stats.center.map(|c| c.ra_deg()), "dec_deg": stats.center.map(|c| c.dec_deg()),
    })
}
