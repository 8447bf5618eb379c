use crate::table::Table;
use coaddkit_density::{Counts, RegionsFound};
use coaddkit_sky::SelectionRule;
use std::path::Path;

/// What was counted: files if there are few, the cut-flow, the richest bricks, the totals.
pub fn count_summary(counts: &Counts) -> String {
    const FEW: usize = 20;
    let mut out = String::new();
    if counts.files.len() <= FEW {
        let mut table = Table::new(["file", "rows", "selected", "seconds"]);
        for f in &counts.files {
            let name = f.path.file_name().unwrap_or(f.path.as_os_str()).to_string_lossy().into_owned();
            let (rows, selected) = match f.error {
                None => (Table::number(f.rows), Table::number(f.selected)),
                Some(_) => ("failed".to_owned(), String::new()),
            };
            table.row([name, rows, selected, format!("{:.3}", f.seconds)]);
        }
        out.push_str(&format!("{table}\n"));
    }
    let mut flow = Table::new(["clause", "in", "kept", "lost", "kept of in"]);
    for c in counts.flow.clauses() {
        let share = Table::percent(c.kept, c.given);
        let [given, kept, lost] = [c.given, c.kept, c.lost()].map(Table::number);
        flow.row([c.clause.clone(), given, kept, lost, share]);
    }
    out.push_str(&format!("{flow}\n"));
    let mut richest: Vec<_> = counts.bricks.iter().collect();
    richest.sort_by_key(|&(name, &n)| (std::cmp::Reverse(n), name));
    if !richest.is_empty() {
        let mut table = Table::new(["richest bricks", "objects"]);
        for &(name, &n) in richest.iter().take(5) {
            table.row([name.to_string(), Table::number(n)]);
        }
        out.push_str(&format!("{table}\n"));
    }
    let [selected, rows, bricks] =
        [counts.selected(), counts.rows(), counts.bricks.len() as u64].map(Table::number);
    out.push_str(&format!("  {selected} of {rows} objects selected, in {bricks} bricks\n"));
    let failed = counts.failed().count();
    if failed > 0 {
        out.push_str(&format!("  {failed} of {} files FAILED and are not counted\n", counts.files.len()));
    }
    out
}

/// What became of the bricks, the densest regions, and where the products are.
pub fn region_summary(found: &RegionsFound, folder: &Path) -> String {
    let mut bricks = Table::new(["bricks", "number", "with objects", "objects"]);
    for (what, tally) in
        [("in the table", found.all), ("in the footprint", found.in_footprint), ("that pass", found.passing)]
    {
        let [number, nonzero, objects] = [tally.bricks, tally.nonzero, tally.objects].map(Table::number);
        bricks.row([what.to_owned(), number, nonzero, objects]);
    }
    let mut out = format!("{bricks}\n");
    let mut cuts = Table::new(["quality cut", "in", "lost", "of these not a number"]);
    for cut in &found.cuts {
        let [given, lost, nan] = [cut.given, cut.lost, cut.lost_nan].map(Table::number);
        cuts.row([cut.cut.clone(), given, lost, nan]);
    }
    out.push_str(&format!("{cuts}\n"));
    let mut regions = Table::new(["region", "bricks", "area / deg²", "objects", "per deg²"]);
    for (name, region) in [("primary", found.selection.primary()), ("backup", found.selection.backup())] {
        let Some(region) = region else { continue };
        let cells = [
            format!("{:.3}", region.area_deg2),
            Table::number(region.weight as u64),
            format!("{:.1}", region.density),
        ];
        let [area, objects, density] = cells;
        regions.row([name.to_owned(), Table::number(region.members.len() as u64), area, objects, density]);
    }
    out.push_str(&format!("{regions}\n"));
    for alert in region_alerts(found) {
        out.push_str(&format!("  note    {alert}\n"));
    }
    out.push_str(&format!("  report  {}\n", folder.join("phase1p5_region_selection.md").display()));
    out.push_str(&format!("  map     {}\n", folder.join("density_map.png").display()));
    out
}

/// What a user of the regions should know before trusting them.
pub fn region_alerts(found: &RegionsFound) -> Vec<String> {
    let mut alerts = Vec::new();
    let limits = &found.config.limits;
    if found.selection.regions.is_empty() {
        alerts.push("no brick passes, so there is no region".to_owned());
    } else if found.selection.rule == SelectionRule::LargestByArea {
        let (min, max) = (limits.min_area_deg2, limits.max_area_deg2);
        alerts
            .push(format!("no region has {min} to {max} deg²; chosen from the {} largest", limits.fallback));
    }
    if !found.unmatched.is_empty() {
        let (bricks, objects) = (found.unmatched.len() as u64, found.unmatched_objects());
        let [bricks, objects] = [bricks, objects].map(Table::number);
        alerts.push(format!(
            "{objects} objects in {bricks} bricks that the table lacks; see unmatched_counts.csv"
        ));
    }
    alerts
}
