//! The readable report.

use std::io::{self, Write};

use coaddkit_sky::{ConnectedRegion, SelectionRule};

use super::InputNames;
use crate::regions::{RegionsFound, Tally, ra_span};

/// Rows of the longer lists; the rest is counted, and whole in the CSV files.
const LISTED: usize = 20;

pub(crate) fn write(out: &mut dyn Write, found: &RegionsFound, inputs: InputNames<'_>) -> io::Result<()> {
    writeln!(out, "# Regions by density of luminous red galaxies\n")?;
    given(out, found, inputs)?;
    bricks(out, found)?;
    regions(out, found)?;
    chosen(out, found)?;
    unmatched(out, found)?;
    writeln!(
        out,
        "## Notes\n\n\
         - Areas are spherical, between the edges of a brick: (ra2 - ra1) (sin dec2 - sin dec1). Densities are objects \
         per square degree of brick, without regard to masks.\n\
         - A brick is 0.25 degrees wide and its image 0.262, so images overlap; counts follow the brick name of each \
         catalogue row, not its position.\n\
         - `density_map.png` has right ascension increasing to the left. Grey bricks fail a quality cut."
    )
}

fn given(out: &mut dyn Write, found: &RegionsFound, inputs: InputNames<'_>) -> io::Result<()> {
    let name = |name: &str| if name.is_empty() { "(not named)".to_owned() } else { format!("`{name}`") };
    let counted = found.all.nonzero + found.unmatched.len() as u64;
    let objects = found.all.objects.saturating_add(found.unmatched_objects());
    writeln!(out, "## Inputs\n")?;
    writeln!(out, "- Bricks: {}, {}", name(inputs.bricks), many(found.all.bricks, "brick"))?;
    writeln!(
        out,
        "- Counts: {}, {} in {}",
        name(inputs.counts),
        many(objects, "object"),
        many(counted, "brick")
    )?;
    writeln!(out, "- Footprint, of brick centres, edges included: {}\n", found.config.footprint)
}

fn bricks(out: &mut dyn Write, found: &RegionsFound) -> io::Result<()> {
    let outside = found.all.bricks - found.in_footprint.bricks;
    writeln!(out, "## Bricks\n")?;
    writeln!(out, "| cut | bricks in | lost | of these no value | kept |")?;
    writeln!(out, "|---|--:|--:|--:|--:|")?;
    let kept = found.in_footprint.bricks;
    writeln!(out, "| footprint | {} | {} | 0 | {} |", whole(found.all.bricks), whole(outside), whole(kept))?;
    for cut in &found.cuts {
        let [given, lost, nan] = [cut.given, cut.lost, cut.lost_nan].map(whole);
        writeln!(out, "| {} | {given} | {lost} | {nan} | {} |", cut.cut, whole(cut.given - cut.lost))?;
    }
    writeln!(out, "\nCuts apply in this order. A value that is not a number fails.\n")?;
    writeln!(out, "| bricks | number | with objects | objects |")?;
    writeln!(out, "|---|--:|--:|--:|")?;
    let rows =
        [("in the table", found.all), ("in the footprint", found.in_footprint), ("good", found.passing)];
    for (name, Tally { bricks, nonzero, objects }) in rows {
        writeln!(out, "| {name} | {} | {} | {} |", whole(bricks), whole(nonzero), whole(objects))?;
    }
    writeln!(out)
}

fn regions(out: &mut dyn Write, found: &RegionsFound) -> io::Result<()> {
    let (selection, limits) = (&found.selection, &found.config.limits);
    writeln!(out, "## Regions\n")?;
    if selection.regions.is_empty() {
        return writeln!(out, "There are no good bricks, so there is no region.\n");
    }
    let adjacency = limits.adjacency;
    writeln!(
        out,
        "The good bricks form {}: bricks are neighbours if their centres differ by at most {} degrees \
         in right ascension and {} in declination.\n",
        many(selection.regions.len() as u64, "connected region"),
        adjacency.ra_deg(),
        adjacency.dec_deg()
    )?;
    let window = format!("{} to {} deg2", limits.min_area_deg2, limits.max_area_deg2);
    let candidates = whole(selection.ranked.len() as u64);
    match selection.rule {
        SelectionRule::AreaWindow => {
            writeln!(
                out,
                "**Rule: area window.** Candidates are the regions with an area of {window}; there are {candidates}.\n"
            )
        }
        _ => writeln!(
            out,
            "**Rule: fallback.** No region has an area of {window}, so the largest are the candidates; there are {candidates}.\n"
        ),
    }?;
    writeln!(out, "Candidates are ranked by density. The others follow without a rank, largest first.\n")?;
    writeln!(
        out,
        "| rank | bricks | area (deg2) | objects | density (per deg2) | RA (deg) | Dec (deg) | first brick |"
    )?;
    writeln!(out, "|--:|--:|--:|--:|--:|---|---|---|")?;
    let mut is_candidate = vec![false; selection.regions.len()];
    selection.ranked.iter().for_each(|&region| is_candidate[region] = true);
    let mut others: Vec<usize> =
        (0..selection.regions.len()).filter(|&region| !is_candidate[region]).collect();
    others.sort_by(|&a, &b| selection.regions[b].area_deg2.total_cmp(&selection.regions[a].area_deg2));
    let ranks =
        (1..=selection.ranked.len()).map(|rank| rank.to_string()).chain(std::iter::repeat("-".into()));
    let rows = selection.ranked.iter().chain(&others);
    for (rank, &region) in ranks.zip(rows).take(LISTED) {
        region_row(out, &rank, found, &selection.regions[region])?;
    }
    let more = selection.regions.len().saturating_sub(LISTED);
    if more > 0 {
        writeln!(out, "\nand {} more.", whole(more as u64))?;
    }
    writeln!(out)
}

fn region_row(
    out: &mut dyn Write,
    rank: &str,
    found: &RegionsFound,
    region: &ConnectedRegion,
) -> io::Result<()> {
    let (ra, dec) = extent(found, region);
    let first = region.members.first().map_or("", |&member| found.bricks[member].row.brickname.as_str());
    let ConnectedRegion { members, area_deg2, weight, density, .. } = region;
    writeln!(
        out,
        "| {rank} | {} | {area_deg2:.2} | {} | {density:.1} | {ra} | {dec} | {first} |",
        whole(members.len() as u64),
        whole(*weight as u64)
    )
}

/// The ranges of right ascension and declination of a region's bricks.
fn extent(found: &RegionsFound, region: &ConnectedRegion) -> (String, String) {
    let rows = || region.members.iter().map(|&member| &found.bricks[member].row);
    let ra = ra_span(rows().map(|row| [row.ra1_deg, row.ra2_deg])).map_or(String::new(), |span| {
        let end = span.start_deg + span.width_deg;
        let end = if end > 360.0 { end - 360.0 } else { end };
        format!("{:.3} to {end:.3}", span.start_deg)
    });
    let south = rows().map(|row| row.dec1_deg.min(row.dec2_deg)).fold(f64::INFINITY, f64::min);
    let north = rows().map(|row| row.dec1_deg.max(row.dec2_deg)).fold(f64::NEG_INFINITY, f64::max);
    (ra, format!("{south:+.3} to {north:+.3}"))
}

fn chosen(out: &mut dyn Write, found: &RegionsFound) -> io::Result<()> {
    writeln!(out, "## Chosen\n")?;
    let regions =
        [("Primary", "primary", found.selection.primary()), ("Backup", "backup", found.selection.backup())];
    for (title, file, region) in regions {
        let Some(region) = region else {
            writeln!(out, "- **{title} region**: none")?;
            continue;
        };
        let (ra, dec) = extent(found, region);
        writeln!(
            out,
            "- **{title} region**: {}, {:.2} deg2, {}, **{:.1} per deg2**; RA {ra}, Dec {dec} \
             (`{file}_region_bricks.csv`)",
            many(region.members.len() as u64, "brick"),
            region.area_deg2,
            many(region.weight as u64, "object"),
            region.density
        )?;
    }
    writeln!(out)
}

fn unmatched(out: &mut dyn Write, found: &RegionsFound) -> io::Result<()> {
    writeln!(out, "## Not matched\n")?;
    if found.unmatched.is_empty() {
        return writeln!(out, "Every count belongs to a brick of the table.\n");
    }
    writeln!(
        out,
        "{}, {} in all, for bricks that the table does not have. They are in no number above but the \
         input's; `unmatched_counts.csv` has all of them.\n",
        many(found.unmatched.len() as u64, "count"),
        many(found.unmatched_objects(), "object")
    )?;
    writeln!(out, "| brick | objects |\n|---|--:|")?;
    for (name, count) in found.unmatched.iter().take(LISTED) {
        writeln!(out, "| {} | {} |", name.replace('|', "\\|"), whole(*count))?;
    }
    let more = found.unmatched.len().saturating_sub(LISTED);
    if more > 0 {
        writeln!(out, "\nand {} more.", whole(more as u64))?;
    }
    writeln!(out)
}

/// A number of things.
fn many(value: u64, thing: &str) -> String {
    format!("{} {thing}{}", whole(value), if value == 1 { "" } else { "s" })
}

/// With thousands separated.
fn whole(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}
